"""Tests of the parameters: what they accept, their "auto" rules, clones.

That bad values are refused, and change nothing, is in test_failures.
"""

import re
from functools import partial
from numbers import Real
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, InvalidParameterError

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._schedules import SCHEDULES
from tests.helpers import (
    BAD_VALUES,
    assert_different_models,
    assert_same_model,
    small,
)

steady = partial(small, n_iter_no_change=np.inf)


def test_table_of_bad_values_is_complete():
    assert set(BAD_VALUES) == set(RMSpropMLPClassifier().get_params())


def test_parameters_of_a_subclass_are_validated():
    class Subclass(RMSpropMLPClassifier):
        _parameter_constraints: ClassVar[dict] = {
            **RMSpropMLPClassifier._parameter_constraints,
            "beta": [Interval(Real, 0.9, 1, closed="left")],
            "verbose": "no_validation",
        }

    X, y = np.eye(4), [0, 1, 0, 1]
    Subclass(beta=0.95, verbose="").partial_fit(X, y, classes=[0, 1])
    with pytest.raises(InvalidParameterError, match="'beta' parameter of Subclass"):
        Subclass(beta=0.5).partial_fit(X, y, classes=[0, 1])


def test_get_params_and_clone(data):
    params = {**small().get_params(), "hidden_layer_sizes": [3, 2], "momentum": 0.5}
    clf = RMSpropMLPClassifier(**params)
    assert clf.get_params() == params
    copied = clone(clf.fit(*data))
    assert copied.get_params() == params
    assert not hasattr(copied, "coefs_")
    assert_same_model(copied.fit(*data), clf)


def test_only_the_first_parameter_is_positional():
    assert RMSpropMLPClassifier((3,)).hidden_layer_sizes == (3,)
    with pytest.raises(TypeError, match="positional"):
        RMSpropMLPClassifier((3,), "tanh")


def test_html_links_only_to_pages_that_exist(data):
    pages = Path(__file__).parents[1] / "docs" / "api"
    for clf in (small(), small().fit(*data)):
        links = re.findall(r'href="([^"]+)"', clf._repr_html_())
        own = [link for link in links if "scikit-learn.org" not in link]
        names = {link.partition("#")[0].rpartition("/")[2] for link in own}
        assert all((pages / name).with_suffix(".md").is_file() for name in names)


# --- Forms of a value -----------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden_layer_sizes", [6, [6], np.array([6]), np.int32(6), range(6, 7)]
)
def test_forms_of_hidden_layer_sizes(data, hidden_layer_sizes):
    clf = small(hidden_layer_sizes=hidden_layer_sizes).fit(*data)
    assert_same_model(clf, small(hidden_layer_sizes=(6,)).fit(*data))
    clone(clf).partial_fit(*data, classes=[0, 1, 2])


@pytest.mark.parametrize("as_number", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0625),
        ("beta", 0.75),
        ("epsilon", 0.0625),
        ("momentum", 0.75),
        ("alpha", 0.0625),
        ("weight_decay", 0.0625),
        ("dropout", 0.25),
        ("label_smoothing", 0.25),
        ("max_grad_norm", 0.25),
        ("tol", 0.0625),
    ],
)
def test_numpys_numbers_are_as_good_as_pythons(data, name, value, as_number):
    # Searches pass them. All of these values are exact in any precision.
    X, codes = data[0].astype(np.float32), data[1]
    reference = small(**{name: value}).fit(X, codes, X_val=X, y_val=codes)
    clf = small(**{name: as_number(value)}).fit(X, codes, X_val=X, y_val=codes)
    assert_same_model(clf, reference)
    assert clf.history_ == reference.history_
    numbers = [value for record in clf.history_ for value in record.values()]
    numbers += [clf.loss_, clf.best_loss_, clf.best_validation_score_]
    assert {type(number) for number in numbers} == {int, float}


# --- batch_size -----------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [61, 10_000, "auto"])
def test_batch_size_is_at_most_the_number_of_samples(data, batch_size):
    clf = small(batch_size=batch_size).fit(*data)
    assert clf.optimizer_.n_steps_ == 6
    assert_same_model(clf, small(batch_size=60).fit(*data))


@pytest.mark.parametrize(
    ("n_samples", "n_features", "batch_size"),
    [
        (64, 1, 64),
        (64, 1000, 64),
        (65, 1, 32),
        (32_000, 1, 32),
        (32_001, 1, 64),
        (200_000, 1, 256),
        (600_000, 1, 256),
        (100, 256, 32),
        (100, 257, 64),
        (300, 784, 128),
        (600, 5000, 256),
        (33_000, 257, 64),
        (40_000, 784, 128),
    ],
)
def test_auto_batch_size(n_samples, n_features, batch_size):
    X = few_values(n_samples, n_features, per_row=-(-n_features // 100))
    clf = small(hidden_layer_sizes=(), batch_size="auto", max_iter=1)
    clf.fit(X, np.arange(n_samples) % 2)
    assert clf.optimizer_.n_steps_ == -(-n_samples // batch_size)
    if n_samples <= 600:
        clf.fit(X.toarray(), np.arange(n_samples) % 2)
        assert clf.optimizer_.n_steps_ == -(-n_samples // batch_size)


@pytest.mark.parametrize(
    ("n_samples", "batch_size"),
    [(64, 64), (65, 32), (500, 32), (511, 32), (513, 64), (3000, 128), (9000, 256)]
    + [(40_000, 256)],
)
def test_auto_batch_size_of_rare_features(n_samples, batch_size):
    X = few_values(n_samples, 201, per_row=2)
    clf = small(hidden_layer_sizes=(), batch_size="auto", max_iter=1)
    clf.fit(X, np.arange(n_samples) % 2)
    assert clf.optimizer_.n_steps_ == -(-n_samples // batch_size)


def few_values(n_samples, n_features, per_row):
    """Return CSR data with equally many values in all rows."""
    indices = np.tile(np.arange(per_row), n_samples)
    indptr = np.arange(0, len(indices) + 1, per_row)
    shape = (n_samples, n_features)
    return sp.csr_array((np.ones(len(indices)), indices, indptr), shape=shape)


# --- weight_decay ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_samples", "n_features", "expected"),
    [(20, 200, 0.1), (20, 201, 0.0), (6000, 200, 0.1), (12_000, 200, 0.05)],
)
def test_auto_weight_decay(n_samples, n_features, expected):
    X, y = few_values(n_samples, n_features, per_row=2), np.arange(n_samples) % 2
    auto, same, other = (
        small(weight_decay=value, max_iter=1, batch_size=3000).fit(X, y)
        for value in ("auto", expected, 2 * expected + 0.1)
    )
    assert_same_model(auto, same)
    assert_different_models(auto, other)
    assert auto.optimizer_.weight_decay == expected


def test_auto_weight_decay_of_a_stream(data):
    clf = small(weight_decay="auto", max_iter="auto")
    clf.partial_fit(*data, classes=[0, 1, 2])
    assert clf.optimizer_.weight_decay == 0.03


# --- alpha ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_samples", "alpha"), [(20, 0.01), (300, 0.01), (400, 0.0075), (6000, 0.0005)]
)
def test_auto_alpha(n_samples, alpha):
    X = np.linspace(-1, 1, n_samples)[:, np.newaxis]
    auto, same, other = (
        small(alpha=value, batch_size=n_samples, max_iter=2).fit(X, X[:, 0] > 0)
        for value in ("auto", alpha, 2 * alpha)
    )
    assert_same_model(auto, same)
    assert_different_models(auto, other)


def test_auto_alpha_of_a_stream_is_0(data):
    auto, none = (
        small(alpha=alpha, max_iter="auto").partial_fit(*data, classes=[0, 1, 2])
        for alpha in ("auto", 0.0)
    )
    assert_same_model(auto, none)


@pytest.mark.parametrize("max_iter", [1, 3])
def test_auto_alpha_of_one_more_sample_is_that_of_the_samples_before(data, max_iter):
    X, y = np.tile(data[0], (10, 1)), np.tile(data[1], 10)  # 600: alpha is 0.005
    auto, same, other = (
        small(alpha=0.005, batch_size=600, max_iter=max_iter)
        .fit(X, y)
        .set_params(alpha=alpha)
        .partial_fit(X[:1], y[:1])
        for alpha in ("auto", 0.005, 0.01)
    )
    assert_same_model(auto, same)
    assert_different_models(auto, other)


# --- max_iter -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_samples", "max_iter"),
    [(20, 100), (300, 100), (310, 97), (1450, 21), (9000, 20)],
)
def test_auto_max_iter(n_samples, max_iter):
    X = np.arange(float(n_samples))[:, np.newaxis] / n_samples
    clf = steady(max_iter="auto", batch_size=3000, hidden_layer_sizes=2)
    clf.fit(X, np.arange(n_samples) % 2)
    assert clf.n_iter_ == max_iter
    assert clf.get_params()["max_iter"] == "auto"


@pytest.mark.parametrize(
    ("n_samples", "max_iter"),
    [(20, 40), (250, 40), (260, 39), (2500, 4), (3000, 4), (6000, 3)],
)
def test_auto_max_iter_of_rare_features(n_samples, max_iter):
    X = few_values(n_samples, 201, per_row=2)
    clf = steady(max_iter="auto", batch_size=3000, hidden_layer_sizes=2)
    assert clf.fit(X, np.arange(n_samples) % 2).n_iter_ == max_iter


def test_auto_max_iter_counts_samples_of_non_zero_weight(data):
    X, y = np.tile(data[0], (20, 1)), np.tile(data[1], 20)  # 1200 samples: 25 epochs
    weight = np.tile([0.0, 1.0], len(y) // 2)
    auto = steady(max_iter="auto", batch_size=600).fit(X, y, sample_weight=weight)
    assert auto.n_iter_ == 50


def test_auto_max_iter_has_the_schedule_of_the_same_number(data):
    assert_same_model(
        steady(max_iter="auto").fit(*data), steady(max_iter=100).fit(*data)
    )


def test_auto_max_iter_warns_of_the_number_it_stands_for(data):
    clf = steady(max_iter="auto", learning_rate_schedule="constant", tol=0.0)
    with pytest.warns(ConvergenceWarning, match="max_iter=100 epochs"):
        clf.fit(*data)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_auto_max_iter_of_a_stream_keeps_the_learning_rate(data, schedule):
    clf = steady(max_iter="auto", learning_rate_schedule=schedule)
    for _ in range(3):
        clf.partial_fit(*data, classes=[0, 1, 2])
    assert [record["learning_rate"] for record in clf.history_] == [0.02] * 3


def test_partial_fit_continues_the_schedule_of_an_auto_fit(data):
    clf = steady(max_iter="auto").fit(*data)
    before = clf.history_[-1]["learning_rate"]
    clf.partial_fit(*data)
    assert clf.history_[-1]["learning_rate"] == pytest.approx(0.02 * 0.01)
    assert before == pytest.approx(0.02 * (1 - 0.99 * 0.99))
