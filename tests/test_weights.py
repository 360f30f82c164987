"""Tests of sample weights and class weights: they mean repetition.

That bad ones are refused, and change nothing, is in test_failures.
"""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from tests.cases import CASES, WEIGHT, X_VAL, Y_VAL, Case, X, trained, y
from tests.helpers import (
    assert_almost_same_model,
    assert_different_models,
    assert_same_model,
    params_of,
    small,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

REPEATED = {
    name: CASES[name]._replace(sample_weight=WEIGHT)
    for name in (
        "default",
        "momentum",
        "centered",
        "alpha",
        "weight_decay",
        "label_smoothing",
        "max_grad_norm",
        "class_weight",
        "linear",
        "schedule cosine",
        "string labels",
        "multilabel, sparse y",
        "csr",
        "gaps",
        "categories",
        "frame",
    )
}
# What is drawn for every sample is not the same for its repetitions.
ABSENT = REPEATED | {
    name: CASES[name]._replace(sample_weight=WEIGHT) for name in ("dropout", "shuffle")
}
WEIGHTED = CASES["sample_weight"]


def assert_alike(clf, other):
    """Assert that weights and costs are the same but for rounding."""
    assert_almost_same_model(clf, other)
    np.testing.assert_allclose(clf.cost_history_, other.cost_history_, rtol=1e-9)


def fit_all(*cases, **params):
    """Return a classifier fitted to each of the cases."""
    return [case.fit(case.make(**params)) for case in cases]


def subset(case, rows):
    """Return a case with some of its samples."""
    X = case.X.iloc[rows] if isinstance(case.X, pd.DataFrame) else case.X[rows]
    return case._replace(X=X, y=case.y[rows], sample_weight=case.sample_weight[rows])


# --- Repetition -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "shuffle"), [("fit", True), ("fit", False), ("partial_fit", True)]
)
@pytest.mark.parametrize("case", REPEATED.values(), ids=REPEATED)
def test_weights_are_repetitions_in_full_batches(case, method, shuffle):
    rows = np.repeat(np.arange(65), WEIGHT.astype(int))
    copies = subset(case, rows)._replace(sample_weight=None)
    clf, repeated = (
        getattr(c, method)(c.make(batch_size=1000, shuffle=shuffle, max_iter=5))
        for c in (case, copies)
    )
    assert_alike(clf, repeated)


def test_repetitions_may_have_weights_themselves():
    twice = subset(WEIGHTED, np.tile(np.arange(65), 2))
    assert_alike(*fit_all(WEIGHTED, twice, batch_size=1000, max_iter=5))


def test_weights_of_1_are_none():
    plain, ones = CASES["default"], Case({}, X, y, np.ones(65))
    none, equal, weighted = fit_all(plain, ones, WEIGHTED, max_iter=2)
    assert trained(none) == trained(equal)
    assert trained(none) != trained(weighted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [5e-324, 1e-300, 0.1, 1e308])
def test_equal_weights_are_none(value, dtype):
    plain = Case({}, X.astype(dtype), y)
    equal = plain._replace(sample_weight=np.full(65, value))
    assert_alike(*fit_all(plain, equal, max_iter=5))


@pytest.mark.parametrize("batch_size", [1000, 10])
@pytest.mark.parametrize("factor", [2.0**20, 0.1, 7, 1e-300, 1e300])
def test_only_ratios_of_weights_matter(factor, batch_size):
    params = {"batch_size": batch_size, "alpha": 0.01, "max_grad_norm": 0.5}
    scaled = WEIGHTED._replace(sample_weight=WEIGHT * factor)
    assert_alike(*fit_all(WEIGHTED, scaled, max_iter=5, **params))


def test_a_batch_of_tiny_weights_counts_as_little_as_it_weighs(data):
    X, y = data
    weight = np.where(np.arange(60) < 16, 1e-300, 1.0)
    options = {"shuffle": False, "learning_rate": 1e-9}
    clf = small(**options).fit(X, y, sample_weight=weight)
    assert clf.optimizer_.n_steps_ == clf.n_iter_ * 4
    # The mean cost is that of the other samples.
    others = small(**options).fit(X[16:], y[16:])
    assert clf.loss_curve_[0] == pytest.approx(others.loss_curve_[0], rel=1e-5)


@pytest.mark.parametrize(
    "container",
    [
        lambda w: w.tolist(),
        pd.Series,
        pl.Series,
        lambda w: w.astype(np.float32),
        lambda w: np.repeat(w, 2)[::2],
    ],
    ids=["list", "pandas", "polars", "float32", "strided"],
)
def test_forms_of_weights(data, container):
    weight = np.arange(60) / 4.0
    clf = small().fit(*data, sample_weight=container(weight))
    assert_same_model(clf, small().fit(*data, sample_weight=weight))


# --- Weight 0 is absence --------------------------------------------------------------


@pytest.mark.parametrize("batch_size", ["auto", 10])
@pytest.mark.parametrize("case", ABSENT.values(), ids=ABSENT)
def test_weight_zero_is_absence(case, batch_size):
    absent = subset(case, WEIGHT > 0)
    clf, reference = fit_all(case, absent, batch_size=batch_size, max_iter=3)
    assert trained(clf) == trained(reference)
    assert clf.t_ == 3 * np.count_nonzero(WEIGHT)
    case.partial_fit(clf)
    absent.partial_fit(reference)
    assert trained(clf) == trained(reference)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_weight_zero_is_absence_from_the_split(scoring):
    case = CASES["everything"]
    params = {"early_stopping": True, "scoring": scoring, "max_iter": 4}
    clf, reference = fit_all(case, subset(case, WEIGHT > 0), **params)
    assert trained(clf) == trained(reference)


def test_weight_zero_is_absence_from_given_validation_data():
    weight = np.arange(40.0) % 3
    clf, reference = (
        small(scoring="accuracy").fit(
            X, y, X_val=X_VAL[rows], y_val=Y_VAL[rows], sample_weight_val=weight[rows]
        )
        for rows in (slice(None), weight > 0)
    )
    assert trained(clf) == trained(reference)


def test_whole_batches_of_weight_zero(data):
    X, y = data
    weight = np.zeros(60)
    weight[-10:] = 1.0
    clf = small(shuffle=False).fit(X, y, sample_weight=weight)
    assert_same_model(clf, small(shuffle=False).fit(X[-10:], y[-10:]))


def test_a_class_without_weight_is_still_a_class(data):
    X, y = data
    clf = small(max_iter=40).fit(X, y, sample_weight=y != 1)
    assert clf.classes_.tolist() == [0, 1, 2]
    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (60, 3)
    assert probabilities[:, 1].mean() < 0.05


def test_one_sample_of_weight(data):
    X, y = data
    weight = np.zeros(60)
    weight[5] = 3.0
    clf = small(max_iter=50).fit(X, y, sample_weight=weight)
    assert clf.t_ == clf.n_iter_
    assert set(clf.predict(X[[5]])) == {y[5]}


# --- Class weights --------------------------------------------------------------------

CLASS_WEIGHT = {0: 0.3, 1: 5.0, 2: 0.7}


def by_class(y):
    return np.array([0.3, 5.0, 0.7])[y]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alone", "with sample_weight"])
def test_class_weights_are_sample_weights(weight, method):
    product = by_class(y) if weight is None else by_class(y) * weight
    cases = Case({"class_weight": CLASS_WEIGHT}, X, y, weight), Case({}, X, y, product)
    clf, reference = (getattr(c, method)(c.make(max_iter=3)) for c in cases)
    assert trained(clf) == trained(reference)
    other = Case({}, X, y, weight)
    assert_different_models(clf, getattr(other, method)(other.make(max_iter=3)))


def test_class_weights_of_chunks_that_lack_a_class():
    clf, reference = small(class_weight=CLASS_WEIGHT), small()
    for k in (2, 0, 1):
        rows = y == k
        clf.partial_fit(X[rows], y[rows], [0, 1, 2], WEIGHT[rows])
        product = by_class(y[rows]) * WEIGHT[rows]
        reference.partial_fit(X[rows], y[rows], [0, 1, 2], product)
    assert_almost_same_model(clf, reference)


def test_classes_without_a_class_weight_weigh_1(data):
    clf = small(class_weight={2: 4.0}).fit(*data)
    reference = small(class_weight={0: 1.0, 1: 1.0, 2: 4.0}).fit(*data)
    assert_same_model(clf, reference)


def test_class_weights_of_string_labels(data, names):
    X, y = data
    class_weight = dict(zip(names.tolist(), CLASS_WEIGHT.values(), strict=True))
    clf = small(class_weight=class_weight).fit(X, names[y])
    assert_same_model(clf, small(class_weight=CLASS_WEIGHT).fit(X, y))


def test_a_class_weight_of_zero_leaves_the_class_out():
    case = Case({"class_weight": {1: 0.0}}, X, y)
    absent = Case({}, X, y, (y != 1).astype(float))
    clf, reference = fit_all(case, absent, max_iter=3)
    assert trained(clf) == trained(reference)
    assert clf.classes_.tolist() == [0, 1, 2]
    assert clf.t_ == 3 * np.count_nonzero(y != 1)


# --- Balanced class weights -----------------------------------------------------------


def test_balanced_class_weights_by_hand(data):
    X, y = data
    clf = small(class_weight="balanced").fit(X, y)
    # Of 60 samples in three classes, each class gets the weight of 20.
    weight = np.array([20 / 30, 20 / 20, 20 / 10])[y]
    assert_almost_same_model(clf, small().fit(X, y, sample_weight=weight))
    np.testing.assert_allclose(weight, compute_sample_weight("balanced", y))


@pytest.mark.parametrize("weight_of_class_1", [1.0, 0.0])
def test_balanced_class_weights_balance_the_sample_weights(data, weight_of_class_1):
    X, y = data
    weight = np.random.default_rng(1).uniform(0.2, 3.0, 60)
    weight[y == 1] *= weight_of_class_1
    clf = small(class_weight="balanced").fit(X, y, sample_weight=weight)
    totals = np.array([weight[y == k].sum() or 1.0 for k in range(3)])
    reference = small().fit(X, y, sample_weight=weight / totals[y])
    assert_almost_same_model(clf, reference)


def test_balanced_class_weights_help_the_rare_class():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [950, 50])
    X = rng.standard_normal((1000, 2)) + 1.5 * y[:, np.newaxis]
    options = {"learning_rate": 0.01, "max_iter": 20, "batch_size": 50}
    plain = small(**options).fit(X, y)
    balanced = small(class_weight="balanced", **options).fit(X, y)
    recalls = [np.mean(clf.predict(X[950:]) == 1) for clf in (plain, balanced)]
    assert recalls[0] < 0.6
    assert recalls[1] > 0.75


# --- Extreme weights ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "value"),
    [
        *itertools.product((1e300, 1e-300), (5e-324, 1e-300, 1e300, 5e307)),
        *itertools.product([None], (5e-324, 1e-300, 1e300, 5e307)),
    ],
    ids=str,
)
def test_no_product_or_sum_of_weights_leaves_the_range_of_floats(factor, value):
    plain = extreme = "balanced"
    if factor:
        plain, extreme = CLASS_WEIGHT, {k: w * factor for k, w in CLASS_WEIGHT.items()}
    cases = (
        Case({"class_weight": plain}, X, y, WEIGHT),
        Case({"class_weight": extreme}, X, y, WEIGHT * value),
    )
    assert_alike(*fit_all(*cases, max_iter=5))


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1e300, 1: 1e-300}])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("of_classes", [False, True])
def test_weights_of_all_magnitudes(
    data, class_weight, early_stopping, dtype, of_classes
):
    X, y = data
    weight = np.array([1e300, 1.0, 1e-300])[y]
    if not of_classes:
        weight = np.logspace(-300, 300, 60)
    clf = small(class_weight=class_weight, early_stopping=early_stopping)
    clf.fit(X.astype(dtype), y, sample_weight=weight)
    assert np.isfinite(params_of(clf)).all()
    assert np.isfinite(clf.loss_curve_).all()


# --- The frequencies that training starts from ----------------------------------------


def untrained(**params):
    """Return a classifier whose `fit` leaves the initial parameters as they are."""
    return small(learning_rate=1e-300, max_iter=1, batch_size=60, **params)


@pytest.fixture
def weight():
    return np.random.default_rng(3).integers(0, 4, 60).astype(float)


@pytest.mark.parametrize("hidden", [(), (256,), (40, 30)])
def test_an_untrained_network_predicts_the_frequencies(data, weight, hidden):
    X, y = data
    clf = untrained(hidden_layer_sizes=hidden, numerical_encoding="standard")
    for sample_weight in (None, weight):
        clf.fit(X, y, sample_weight=sample_weight)
        frequencies = np.bincount(y, sample_weight)
        frequencies = frequencies / frequencies.sum()
        np.testing.assert_allclose(clf.intercepts_[-1], np.log(frequencies))
        # Of hidden layers the small output weights are left.
        difference = np.abs(clf.predict_proba(X) - frequencies)
        assert difference.max() < (0.2 if hidden else 1e-12)


def test_an_untrained_network_predicts_the_frequencies_of_labels(data):
    X, y = data
    Y = np.c_[y == 0, y > 1, X[:, 1] > 0]
    clf = untrained(hidden_layer_sizes=()).fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X[:1])[0], Y.mean(axis=0))


def test_balanced_classes_start_alike(data, weight):
    X, y = data
    clf = untrained(class_weight="balanced").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(clf.intercepts_[-1], np.log(1 / 3))


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 3.0}])
def test_initial_biases_take_weights_as_repetitions(data, class_weight):
    X, y = data
    counts = np.arange(60) % 4
    clf = untrained(class_weight=class_weight).fit(X, y, sample_weight=counts)
    repeated = untrained(class_weight=class_weight)
    repeated.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_almost_same_model(clf, repeated)


def test_initial_biases_are_those_of_the_training_split(data):
    X, y = data
    held_out = {"X_val": X[y == 2], "y_val": y[y == 2]}
    clf = untrained(early_stopping=True).fit(X, y, **held_out)
    assert_same_model(clf, untrained().fit(X, y))


def test_initial_biases_are_those_of_the_first_chunk(data):
    X, y = data
    clf = untrained().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    clf.partial_fit(X[y == 2], y[y == 2])
    np.testing.assert_allclose(np.exp(clf.intercepts_[-1]), [0.6, 0.4, 0.06])
    assert_same_model(
        untrained().partial_fit(X, y, classes=[0, 1, 2]), untrained().fit(X, y)
    )
