"""Tests of the fitted attributes, of the history, and of predictions from them."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from sk_rmsprop import RMSprop
from tests import helpers
from tests.helpers import params_of

small = partial(helpers.small, learning_rate=0.03, max_iter=8)

# --- Attributes -----------------------------------------------------------------------


def attributes_of(clf):
    """Return the names of the fitted attributes that a classifier has."""
    names = [name for name in dir(clf) if not name.startswith("_")]
    return {name for name in names if name.endswith("_") and hasattr(clf, name)}


def test_attributes_appear_with_fit(data):
    assert attributes_of(small()) == set()
    fitted = attributes_of(small().fit(*data))
    assert {"coefs_", "history_", "loss_", "validation_scores_"} <= fitted
    assert attributes_of(small().partial_fit(*data, classes=[0, 1, 2])) == fitted


@pytest.mark.parametrize(
    "name", ["coefs_", "n_layers_", "n_outputs_", "out_activation_", "loss_", "t_"]
)
def test_attributes_before_fit_say_that_it_is_missing(name):
    with pytest.raises(AttributeError, match="RMSpropMLPClassifier is not fitted yet"):
        getattr(small(), name)


def test_attributes_mean_what_they_mean_in_mlpclassifier(data):
    X, codes = data
    options = {"max_iter": 4, "hidden_layer_sizes": (6, 5), "batch_size": 16}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = MLPClassifier(random_state=0, **options).fit(X, codes)
    ours = small(**options).fit(X, codes)
    for name in (
        "n_features_in_",
        "n_layers_",
        "n_outputs_",
        "out_activation_",
        "n_iter_",
        "t_",
        "validation_scores_",
        "best_validation_score_",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
        assert type(getattr(ours, name)) is type(getattr(theirs, name)), name
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    for name in ("coefs_", "intercepts_"):
        shapes = [array.shape for array in getattr(ours, name)]
        assert shapes == [array.shape for array in getattr(theirs, name)]
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 4
    assert theirs.loss_ == theirs.loss_curve_[-1]
    assert ours.loss_ == ours.loss_curve_[-1]
    assert theirs.best_loss_ == min(theirs.loss_curve_)
    assert ours.best_loss_ == min(ours.loss_curve_)
    assert ours.cost_history_ == ours.loss_curve_


def test_optimizer_has_the_parameters_and_the_state(data):
    clf = small(beta=0.8, epsilon=1e-6, momentum=0.7, nesterov=True).fit(*data)
    optimizer = clf.optimizer_
    assert isinstance(optimizer, RMSprop)
    assert (optimizer.beta, optimizer.epsilon) == (0.8, 1e-6)
    assert (optimizer.momentum, optimizer.nesterov) == (0.7, True)
    assert optimizer.n_steps_ == 8 * 4  # 60 samples are 4 batches of at most 16.
    assert optimizer.square_average_.shape == params_of(clf).shape
    assert optimizer.gradient_average_ is None


def test_history_is_plain_and_makes_a_frame(data):
    X, codes = data
    clf = small().fit(X, codes, X_val=X, y_val=codes)
    for record in clf.history_:
        assert type(record) is dict
        assert {type(value) for value in record.values()} <= {int, float}
    frame = pd.DataFrame(clf.history_)
    assert frame.columns.tolist() == [
        "epoch",
        "learning_rate",
        "loss",
        "validation_loss",
        "validation_score",
    ]
    assert frame["epoch"].tolist() == list(range(1, 9))
    assert frame["loss"].tolist() == clf.cost_history_
    assert frame["learning_rate"].is_monotonic_decreasing
    small_frame = pd.DataFrame(small().fit(X, codes).history_)
    assert small_frame.columns.tolist() == ["epoch", "learning_rate", "loss"]


def test_coefs_are_views(data):
    X, codes = data
    clf = small().fit(X, codes)
    before = clf.predict_proba(X)
    clf.coefs_[0][...] = 0.0
    clf.coefs_[1][...] = 0.0
    clf.intercepts_[1][...] = np.log([1, 2, 5])
    assert not np.allclose(before, clf.predict_proba(X))
    np.testing.assert_allclose(
        clf.predict_proba(X), np.tile([0.125, 0.25, 0.625], (60, 1))
    )
    # Training continues from the edited weights.
    clf.set_params(learning_rate=1e-9).partial_fit(X, codes)
    np.testing.assert_allclose(clf.coefs_[0], 0.0, atol=1e-6)


# --- Kinds of y -----------------------------------------------------------------------


def test_binary_has_one_column_per_class(data):
    X, codes = data
    clf = small().fit(X, codes == 0)
    assert clf.n_outputs_ == 2
    assert clf.out_activation_ == "softmax"
    assert clf.predict_proba(X).shape == (60, 2)
    assert clf.coefs_[-1].shape == (6, 2)


def test_one_class(data):
    X, _ = data
    clf = small().fit(X, ["only"] * 60)
    assert clf.n_outputs_ == 1
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((60, 1)))
    np.testing.assert_array_equal(clf.predict_log_proba(X), np.zeros((60, 1)))
    assert clf.loss_ == 0.0


def test_multilabel(data, labels):
    X, _ = data
    clf = small(max_iter=30).fit(X, labels)
    assert clf.out_activation_ == "logistic"
    assert clf.n_outputs_ == 3
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])
    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (60, 3)
    # The labels are independent of each other: their probabilities do not sum to 1.
    assert np.ptp(probabilities.sum(axis=1)) > 0.5
    np.testing.assert_array_equal(clf.predict(X), probabilities > 0.5)
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(probabilities))
    assert clf.score(X, labels) > 0.9


def test_multilabel_cost_is_the_sum_over_labels(data, labels):
    X, _ = data
    # Such small steps leave the model as it was at the start of the epoch.
    clf = small(batch_size=60, max_iter=1, learning_rate=1e-12).fit(X, labels)
    probabilities = clf.predict_proba(X)
    losses = [log_loss(labels[:, k], probabilities[:, k]) for k in range(3)]
    assert clf.loss_ == pytest.approx(sum(losses))


# --- Prediction -----------------------------------------------------------------------


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6,), (5, 4, 3)])
def test_predictions_agree(data, hidden_layer_sizes):
    X, codes = data
    clf = small(hidden_layer_sizes=hidden_layer_sizes).fit(X, codes)
    probabilities = clf.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), probabilities)
    np.testing.assert_array_equal(
        clf.predict(X), clf.classes_[probabilities.argmax(axis=1)]
    )
    assert clf.score(X, codes) == np.mean(clf.predict(X) == codes)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 5)])
def test_prediction_is_the_network_of_the_attributes(data, hidden_layer_sizes):
    X, codes = data
    clf = small(hidden_layer_sizes=hidden_layer_sizes, activation="tanh").fit(X, codes)
    below = X
    for coef, intercept in zip(clf.coefs_[:-1], clf.intercepts_[:-1], strict=True):
        below = np.tanh(below @ coef + intercept)
    raw = below @ clf.coefs_[-1] + clf.intercepts_[-1]
    expected = raw - logsumexp(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_log_proba(X), expected)


@pytest.mark.parametrize(
    ("y", "coef", "probabilities", "log_probabilities"),
    [
        ([0, 1, 2], [1000.0, 0.0, -1000.0], [1.0, 0.0, 0.0], [0.0, -1000.0, -2000.0]),
        ([[0, 1], [1, 0]], [1000.0, -1000.0], [1.0, 0.0], [0.0, -1000.0]),
    ],
    ids=["classes", "multilabel"],
)
def test_log_probabilities_of_a_confident_model_are_finite(
    y, coef, probabilities, log_probabilities
):
    clf = small(hidden_layer_sizes=(), max_iter=1).fit([[1.0]] * len(y), y)
    clf.coefs_[0][...] = [coef]
    clf.intercepts_[0][...] = 0.0
    np.testing.assert_array_equal(clf.predict_proba([[1.0]]), [probabilities])
    np.testing.assert_array_equal(clf.predict_log_proba([[1.0]]), [log_probabilities])
