"""Tests of sample weights and class weights."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from tests.helpers import assert_same_model, params_of, small


@pytest.fixture
def data():
    """Three overlapping classes of 30, 20 and 10 rows."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    return rng.standard_normal((60, 4)) + np.eye(3, 4)[y], y


@pytest.fixture
def weight():
    return np.random.default_rng(1).uniform(0.2, 3.0, 60)


def full_batch(**params):
    """Return a classifier that sees all rows at once."""
    return small(**{"batch_size": 10_000, "shuffle": False, **params})


def assert_almost_same_model(clf, other):
    np.testing.assert_allclose(params_of(clf), params_of(other), rtol=1e-7, atol=1e-9)


# --- Sample weights -------------------------------------------------------------------


def test_weights_are_repetitions(data):
    X, y = data
    counts = np.arange(60) % 4
    clf = full_batch().fit(X, y, sample_weight=counts)
    repeated = full_batch().fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_almost_same_model(clf, repeated)
    assert clf.loss_ == pytest.approx(repeated.loss_)


def test_multilabel_weights_are_repetitions(data):
    X, y = data
    Y = np.c_[y == 0, y > 0, X[:, 1] > 0]
    counts = np.arange(60) % 3
    clf = full_batch().fit(X, Y, sample_weight=counts)
    repeated = full_batch().fit(
        np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0)
    )
    assert_almost_same_model(clf, repeated)


@pytest.mark.parametrize("factor", [1e-300, 1e-3, 7.0, 1e300])
def test_only_ratios_of_weights_matter(data, weight, factor):
    X, y = data
    options = {"alpha": 0.01, "max_grad_norm": 0.5}
    clf = small(**options).fit(X, y, sample_weight=factor * weight)
    reference = small(**options).fit(X, y, sample_weight=weight)
    assert_almost_same_model(clf, reference)


@pytest.mark.parametrize("value", [5e-324, 1e-300, 0.1, 1e308])
def test_equal_weights_are_none(data, value):
    X, y = data
    clf = small().fit(X, y, sample_weight=np.full(60, value))
    assert_almost_same_model(clf, small().fit(X, y))
    clf = small().fit(X.astype(np.float32), y, sample_weight=np.full(60, value))
    assert_almost_same_model(clf, small().fit(X.astype(np.float32), y))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_all_magnitudes(data, dtype, early_stopping):
    X, y = data
    weight = np.logspace(-300, 300, 60)
    clf = small(early_stopping=early_stopping, validation_fraction=0.2)
    clf.fit(X.astype(dtype), y, sample_weight=weight)
    assert np.isfinite(params_of(clf)).all()
    assert np.isfinite(clf.loss_curve_).all()


def test_a_batch_of_tiny_weights_counts_as_little_as_it_weighs(data):
    X, y = data
    weight = np.where(np.arange(60) < 16, 1e-300, 1.0)
    options = {"shuffle": False, "learning_rate": 1e-9}
    clf = small(**options).fit(X, y, sample_weight=weight)
    assert clf.optimizer_.n_steps_ == clf.n_iter_ * 4
    # The mean cost is that of the other rows.
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
    X, y = data
    weight = np.arange(60) / 4.0
    clf = small().fit(X, y, sample_weight=container(weight))
    assert_same_model(clf, small().fit(X, y, sample_weight=weight))


# --- Rows of weight 0 -----------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_of_weight_zero_are_absent(data, weight, shuffle, early_stopping):
    X, y = data
    weight[[0, 3, 17, 18, 19, 20, 59]] = 0.0
    rows = weight > 0
    options = {"shuffle": shuffle, "dropout": 0.3}
    clf = small(**options).fit(X, y, sample_weight=weight)
    reference = small(**options).fit(X[rows], y[rows], sample_weight=weight[rows])
    assert_almost_same_model(clf, reference)
    assert clf.t_ == reference.t_ == 6 * 53
    clf.partial_fit(X, y, sample_weight=weight)
    reference.partial_fit(X[rows], y[rows], sample_weight=weight[rows])
    assert_almost_same_model(clf, reference)


def test_rows_of_weight_zero_are_absent_from_the_split(data, weight):
    X, y = data
    weight[::3] = 0.0
    rows = weight > 0
    options = {"early_stopping": True, "validation_fraction": 0.2}
    clf = small(**options).fit(X, y, sample_weight=weight)
    reference = small(**options).fit(X[rows], y[rows], sample_weight=weight[rows])
    assert_almost_same_model(clf, reference)
    np.testing.assert_allclose(clf.validation_scores_, reference.validation_scores_)


def test_whole_batches_of_weight_zero(data):
    X, y = data
    weight = np.zeros(60)
    weight[-10:] = 1.0
    clf = small(shuffle=False).fit(X, y, sample_weight=weight)
    assert_same_model(clf, small(shuffle=False).fit(X[-10:], y[-10:]))


def test_a_class_without_weight_is_still_a_class(data):
    X, y = data
    weight = np.where(y == 1, 0.0, 1.0)
    clf = small(max_iter=40).fit(X, y, sample_weight=weight)
    assert clf.classes_.tolist() == [0, 1, 2]
    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (60, 3)
    assert probabilities[:, 1].mean() < 0.05


def test_one_row_of_weight(data):
    X, y = data
    weight = np.zeros(60)
    weight[5] = 3.0
    clf = full_batch(max_iter=50).fit(X, y, sample_weight=weight)
    assert clf.t_ == clf.n_iter_
    assert set(clf.predict(X[[5]])) == {y[5]}


# --- Bad sample weights ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(60), "sample_weight is zero for every row"),
        (np.where(np.arange(60) == 4, -1e-9, 1.0), "Negative values.*sample_weight"),
        (np.where(np.arange(60) == 4, np.nan, 1.0), "sample_weight contains NaN"),
        (np.where(np.arange(60) == 4, np.inf, 1.0), "sample_weight contains infinity"),
        (np.ones(59), "sample_weight"),
        (np.ones((60, 1)), "[Ss]ample.weight"),
        (["heavy"] * 60, "could not convert string"),
    ],
    ids=["zero", "negative", "nan", "inf", "length", "2-D", "strings"],
)
def test_bad_weights_are_refused(data, weight, message):
    X, y = data
    clf = small().fit(X, y)
    before = vars(clf).copy()
    for fit in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(X, y, sample_weight=weight)
    assert vars(clf) == before


# --- Class weights --------------------------------------------------------------------

BY_HAND = {0: 2.0, 1: 0.5, 2: 4.0}


def by_hand(y):
    return np.array([2.0, 0.5, 4.0])[y]


@pytest.mark.parametrize("with_sample_weight", [False, True])
def test_class_weights_are_sample_weights(data, weight, with_sample_weight):
    X, y = data
    sample_weight = weight if with_sample_weight else None
    clf = small(class_weight=BY_HAND).fit(X, y, sample_weight=sample_weight)
    combined = by_hand(y) * (weight if with_sample_weight else 1.0)
    reference = small().fit(X, y, sample_weight=combined)
    assert_almost_same_model(clf, reference)
    assert np.abs(params_of(clf) - params_of(small().fit(X, y))).max() > 0.01


def test_classes_that_are_not_named_weigh_1(data):
    X, y = data
    clf = small(class_weight={2: 4.0}).fit(X, y)
    reference = small(class_weight={0: 1.0, 1: 1.0, 2: 4.0}).fit(X, y)
    assert_same_model(clf, reference)


def test_class_weights_of_string_labels(data):
    X, y = data
    names = np.array(["ape", "bee", "cow"])
    class_weight = dict(zip(names.tolist(), BY_HAND.values(), strict=True))
    clf = small(class_weight=class_weight).fit(X, names[y])
    assert_same_model(clf, small(class_weight=BY_HAND).fit(X, y))


def test_balanced_class_weights_by_hand(data):
    X, y = data
    clf = small(class_weight="balanced").fit(X, y)
    # Of 60 rows in three classes, each class gets the weight of 20.
    weight = np.array([20 / 30, 20 / 20, 20 / 10])[y]
    assert_almost_same_model(clf, small().fit(X, y, sample_weight=weight))
    np.testing.assert_allclose(weight, compute_sample_weight("balanced", y))


def test_balanced_class_weights_balance_the_sample_weights(data, weight):
    X, y = data
    clf = small(class_weight="balanced").fit(X, y, sample_weight=weight)
    totals = np.array([weight[y == k].sum() for k in range(3)])
    reference = small().fit(X, y, sample_weight=weight / totals[y])
    assert_almost_same_model(clf, reference)


def test_balanced_class_weights_mean_repetition(data):
    X, y = data
    counts = 1 + np.arange(60) % 3
    clf = full_batch(class_weight="balanced").fit(X, y, sample_weight=counts)
    repeated = full_batch(class_weight="balanced")
    repeated.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_almost_same_model(clf, repeated)


def test_balanced_class_weights_skip_a_class_without_weight(data, weight):
    X, y = data
    weight[y == 1] = 0.0
    rows = y != 1
    clf = small(class_weight="balanced").fit(X, y, sample_weight=weight)
    totals = np.array([weight[y == k].sum() for k in range(3)])
    reference = small().fit(
        X, y, sample_weight=np.where(rows, weight / np.where(totals, totals, 1)[y], 0)
    )
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


@pytest.mark.parametrize("class_weight", [{0: 0.0}, {0: 0.0, 1: 2.0, 2: 2.0}])
def test_a_class_weight_of_zero_leaves_the_class_out(data, class_weight):
    X, y = data
    rows = y != 0
    clf = small(class_weight=class_weight).fit(X, y)
    assert clf.classes_.tolist() == [0, 1, 2]
    reference = small().fit(X, y, sample_weight=rows.astype(float))
    assert_almost_same_model(clf, reference)
    assert clf.t_ == 6 * rows.sum()


@pytest.mark.parametrize(
    "class_weight",
    [
        "balanced",
        {0: 1e300, 1: 1e300, 2: 1e300},
        {0: 1e-300, 1: 1e-300, 2: 1e-300},
    ],
    ids=["balanced", "huge", "tiny"],
)
@pytest.mark.parametrize("value", [5e-324, 1e-300, 1e300, 1e308])
def test_products_of_extreme_weights(data, class_weight, value):
    X, y = data
    clf = small(class_weight=class_weight)
    clf.fit(X, y, sample_weight=np.full(60, value))
    reference = small(class_weight="balanced" if class_weight == "balanced" else None)
    assert_almost_same_model(clf, reference.fit(X, y))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1e300, 1: 1e-300}])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_extreme_ratios_of_weights(data, class_weight, early_stopping):
    X, y = data
    weight = np.array([1e300, 1.0, 1e-300])[y]
    clf = small(class_weight=class_weight, early_stopping=early_stopping)
    clf.fit(X, y, sample_weight=weight)
    assert np.isfinite(params_of(clf)).all()
    assert np.isfinite(clf.loss_curve_).all()


def test_class_weights_in_partial_fit(data, weight):
    X, y = data
    clf = small(class_weight=BY_HAND)
    reference = small()
    for rows in (slice(0, 20), slice(20, 60)):
        clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2], sample_weight=weight[rows])
        combined = by_hand(y[rows]) * weight[rows]
        reference.partial_fit(
            X[rows], y[rows], classes=[0, 1, 2], sample_weight=combined
        )
    assert_almost_same_model(clf, reference)


def test_class_weights_of_a_piece_without_some_classes(data):
    X, y = data
    rows = y == 2
    clf = small(class_weight=BY_HAND).partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert_almost_same_model(clf, small().partial_fit(X[rows], y[rows], [0, 1, 2]))


def test_balanced_is_refused_by_partial_fit(data):
    X, y = data
    clf = small(class_weight="balanced")
    for _ in range(2):
        with pytest.raises(ValueError, match=r'class_weight="balanced".*partial_fit'):
            clf.partial_fit(X, y, classes=[0, 1, 2])
        clf.fit(X, y)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: -1.0}, "class_weight must be finite and not negative"),
        ({1: np.nan}, "class_weight must be finite and not negative"),
        ({1: np.inf}, "class_weight must be finite and not negative"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "together are zero for every row"),
        ({7: 1.0}, "class_weight"),
    ],
    ids=["negative", "nan", "inf", "zero", "unknown class"],
)
def test_bad_class_weights_are_refused(data, class_weight, message):
    X, y = data
    clf = small().fit(X, y).set_params(class_weight=class_weight)
    before = vars(clf).copy()
    for fit in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(X, y)
    assert vars(clf) == before


def test_class_and_sample_weights_that_leave_nothing(data):
    X, y = data
    weight = np.where(y == 0, 1.0, 0.0)
    with pytest.raises(ValueError, match="together are zero for every row"):
        small(class_weight={0: 0.0}).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}])
def test_class_weights_of_multilabels_are_refused(data, class_weight):
    X, y = data
    Y = np.c_[y == 0, y > 0]
    with pytest.raises(
        ValueError, match="class_weight is not supported for multilabel"
    ):
        small(class_weight=class_weight).fit(X, Y)
    clf = small(class_weight={0: 2.0})
    with pytest.raises(
        ValueError, match="class_weight is not supported for multilabel"
    ):
        clf.partial_fit(X, Y)
