"""What other neural networks for scikit-learn get wrong, done right.

One test for each defect of MLPClassifier (scikit-learn 1.9) and for each input that
skorch 1.4 fails on.
"""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from tests import helpers
from tests.helpers import params_of


@pytest.fixture
def data():
    """Three well separated classes of 60 rows."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(60) % 3)
    return 3 * np.eye(3, 4)[y] + 0.5 * rng.standard_normal((60, 4)), y


small = partial(helpers.small, learning_rate=0.03, max_iter=8)


class Validated:
    """A scorer that keeps the labels it is called with and returns scripted scores."""

    def __init__(self, scores=None):
        self.scores = scores

    def __call__(self, estimator, X, y):
        self.y = y
        return self.scores[estimator.n_iter_ - 1] if self.scores else 0.0


# --- MLPClassifier --------------------------------------------------------------------


def test_early_stopping_is_stratified_for_three_classes():
    y = np.repeat([0, 1, 2], [160, 30, 10])
    X = np.random.default_rng(0).standard_normal((200, 3))
    for seed in range(5):
        validated = Validated()
        clf = small(early_stopping=True, scoring=validated, random_state=seed)
        clf.fit(X, y)
        assert np.bincount(validated.y).tolist() == [16, 3, 1]


def test_early_stopping_watches_the_loss_and_keeps_the_later_of_equals(data):
    X, y = data
    clf = small(early_stopping=True).fit(X, y, X_val=X, y_val=y)
    best = -log_loss(y, clf.predict_proba(X))
    assert clf.best_validation_score_ == pytest.approx(best)
    clf = small(early_stopping=True, scoring=Validated([0.5, 0.9, 0.8, 0.9, 0.7] * 2))
    clf.set_params(max_iter=5).fit(X, y)
    assert clf.t_ == 4 * 54


def test_a_batch_whose_weights_are_all_zero(data):
    X, y = data
    weight = np.where(np.arange(60) < 50, 0.0, 1.0)
    clf = small(batch_size=10, shuffle=False).fit(X, y, sample_weight=weight)
    reference = small(batch_size=10, shuffle=False).fit(X[50:], y[50:])
    np.testing.assert_array_equal(params_of(clf), params_of(reference))


def test_one_class_has_one_column(data):
    clf = small().fit(data[0], np.full(60, 7))
    assert clf.classes_.tolist() == [7]
    np.testing.assert_array_equal(clf.predict_proba(data[0]), np.ones((60, 1)))


def test_log_probabilities_of_confident_rows_are_finite(data):
    X, y = data
    clf = small(max_iter=50).fit(X, y)
    assert (clf.predict_proba(1000 * X) == 0).any()
    log_probabilities = clf.predict_log_proba(1000 * X)
    assert np.isfinite(log_probabilities).all()
    assert log_probabilities.min() < -1000


def test_warm_start_keeps_the_optimiser_and_the_counters(data):
    X, y = data
    clf = small(warm_start=True, max_iter=4, momentum=0.9, centered=True).fit(X, y)
    averages = clf.optimizer_.square_average_
    clf.set_params(learning_rate=1e-12, max_iter=1, batch_size=60, beta=0.999)
    clf.fit(X, y)
    # One step of beta=0.999 changes little about the average; a new optimiser would
    # start from 0.
    ratios = clf.optimizer_.square_average_ / averages
    assert np.median(ratios) == pytest.approx(1.0, abs=0.1)
    assert clf.optimizer_.n_steps_ == 4 * 4 + 1
    assert clf.n_iter_ == 1
    assert clf.t_ == 5 * 60
    assert [record["epoch"] for record in clf.history_] == [1, 2, 3, 4, 5]
    clf.partial_fit(X, y)
    assert clf.n_iter_ == 1
    assert clf.t_ == 6 * 60
    assert len(clf.loss_curve_) == 6


def test_warm_start_does_not_keep_partial_fit_from_lacking_a_class(data):
    X, y = data
    clf = small(warm_start=True).partial_fit(X, y, classes=[0, 1, 2])
    rows = y != 1
    clf.partial_fit(X[rows], y[rows])
    clf.fit(X, y).partial_fit(X[:1], y[:1])
    assert clf.predict_proba(X).shape == (60, 3)


def test_n_iter_no_change_is_exact(data):
    clf = small(learning_rate=1e-9, n_iter_no_change=3, max_iter=50).fit(*data)
    assert clf.n_iter_ == 1 + 3


def test_max_iter_is_no_failure_of_early_stopping(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        clf = small(early_stopping=True, learning_rate_schedule="constant", max_iter=3)
        assert clf.fit(*data).n_iter_ == 3


def test_files_are_about_twice_the_weights(data):
    clf = small(hidden_layer_sizes=(200, 200)).fit(*data)
    size, weights = len(pickle.dumps(clf)), params_of(clf).nbytes
    assert size < 2.1 * weights + 8192 + 100 * clf.n_iter_
    loaded = pickle.loads(pickle.dumps(clf)).partial_fit(*data)
    np.testing.assert_array_equal(params_of(loaded), params_of(clf.partial_fit(*data)))


def test_early_stopping_with_a_class_of_one_row(data):
    X, y = data
    y = np.where(np.arange(60) == 5, "rare", "common")
    validated = Validated()
    clf = small(early_stopping=True, scoring=validated, max_iter=1).fit(X, y)
    assert clf.classes_.tolist() == ["common", "rare"]
    assert set(validated.y) == {"common"}
    assert clf.t_ == 60 - len(validated.y)
    with pytest.raises(ValueError, match="early_stopping"):
        clf.fit(X[5:6], y[5:6])


# --- skorch ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_inputs_of_any_dtype(data, dtype):
    X, y = data
    X = (4 * X).astype(dtype)
    assert small().fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.int8, np.uint16])
def test_labels_of_any_integer_dtype(data, dtype):
    X, y = data
    clf = small().fit(X, y.astype(dtype))
    assert clf.score(X, y) > 0.9
    assert clf.predict(X).dtype == dtype


@pytest.mark.parametrize(
    "names", [["no", "yes"], [1, 2], [-1, 1]], ids=["strings", "1 and 2", "-1 and 1"]
)
def test_labels_of_any_value(data, names):
    X, y = data
    y = np.array(names)[(y > 0).astype(int)]
    clf = small().fit(X, y)
    assert clf.classes_.tolist() == names
    assert clf.score(X, y) > 0.9


def test_fit_takes_sample_weights(data):
    X, y = data
    weight = np.where(y == 0, 0.01, 1.0)
    clf = small().fit(X, y, sample_weight=weight)
    weighted, plain = clf.predict_proba(X), small().fit(X, y).predict_proba(X)
    assert weighted[:, 0].sum() < plain[:, 0].sum()


def test_inputs_may_be_lists(data):
    X, y = data
    clf = small().fit(X.tolist(), y.tolist())
    np.testing.assert_array_equal(clf.predict(X.tolist()), clf.predict(X))


def test_frames_may_have_integers_for_names(data):
    X, y = data
    clf = small().fit(pd.DataFrame(X), y)
    np.testing.assert_array_equal(clf.predict(pd.DataFrame(X)), clf.predict(X))


def test_nan_is_refused(data):
    X, y = data
    clf = small().fit(X, y)
    X = X.copy()
    X[3, 1] = np.nan
    for call in (lambda: small().fit(X, y), lambda: clf.predict_proba(X)):
        with pytest.raises(ValueError, match="contains NaN"):
            call()


def test_the_number_of_features_is_known_and_checked(data):
    X, y = data
    clf = small().fit(X, y)
    assert clf.n_features_in_ == 4
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 4 features"):
        clf.predict(X[:, :3])


def test_random_state_makes_runs_repeatable(data):
    first, again, other = (small(random_state=k).fit(*data) for k in (3, 3, 4))
    np.testing.assert_array_equal(params_of(first), params_of(again))
    assert not np.array_equal(params_of(first), params_of(other))
