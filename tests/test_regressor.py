"""Tests of the regressor: its losses, the scale of its targets, and the promises."""

import copy
import itertools
import pickle
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize
from scipy.sparse import csc_array, csr_array
from scipy.special import huber
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import (
    HuberRegressor,
    LinearRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import (
    make_scorer,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    median_absolute_error,
    r2_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sk_rmsprop import (
    RMSpropMLPClassifier,
    RMSpropMLPRegressor,
    TrainingHistoryDisplay,
    _regressor,
)
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._network import CostGradient, Network
from sk_rmsprop._regression import TargetScale
from sk_rmsprop._scikit_learn import read_X
from tests.cases import (
    FRAME,
    WEIGHT,
    X_GAPS,
    X_SPARSE,
    X_VAL,
    X_WORDS,
    X,
    by_joblib,
    by_pickle,
    by_skops,
    everything,
    frozen,
)
from tests.helpers import (
    BAD_VALUES,
    NUMBER_LOSSES,
    Scorer,
    assert_almost_same_model,
    assert_different_models,
    assert_same_model,
)
from tests.test_network import numerical_gradient, random_inputs, random_params

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Of OpenBLAS, now and then and for nothing: see `Network.predict`.
    pytest.mark.filterwarnings(
        "ignore:invalid value encountered in dot:RuntimeWarning"
    ),
]

# --- Data and models ------------------------------------------------------------------

RNG = np.random.default_rng(7)
COEF = np.array([1.0, -2.0, 0.5, 0.0, 0.0])
Y = X @ COEF + np.abs(X[:, 3]) + 0.3 * RNG.standard_normal(65) + 4
Y_VAL = X_VAL @ COEF + np.abs(X_VAL[:, 3]) + 4
COUNTS = RNG.poisson(np.exp(0.5 * X[:, 0] + 1)).astype(float)
COUNTS_VAL = RNG.poisson(np.exp(0.5 * X_VAL[:, 0] + 1)).astype(float)
WEIGHT_VAL = np.arange(40) % 4 + 0.5
# What the losses have the unit of: y to this power
POWER = dict.fromkeys(NUMBER_LOSSES, 1) | {"squared_error": 2, "huber": 2}
SYMMETRIC = ["squared_error", "absolute_error", "huber"]
METRICS = ["squared_error", "absolute_error", "quantile", "poisson"]

every_loss = pytest.mark.parametrize("loss", NUMBER_LOSSES)


def make(loss="squared_error", **params):
    """Return a quick regressor."""
    defaults = {
        "hidden_layer_sizes": (6,),
        "numerical_encoding": "none",
        "learning_rate": 0.01,
        "learning_rate_schedule": "constant",
        "alpha": 0.0,
        "weight_decay": 0.0,
        "batch_size": 10,
        "max_iter": 6,
        "random_state": 3,
    }
    if loss == "quantile":
        defaults["quantile"] = 0.3
    return RMSpropMLPRegressor(**(defaults | {"loss": loss} | params))


def numbers(loss, y=Y, counts=COUNTS):
    """Return what may be predicted with a loss."""
    return counts if loss == "poisson" else y


def several(y):
    """Return three targets of different scales, none of them negative if `y` is not."""
    return np.c_[y, 100 * y**2, 0.01 * y + 3]


def validation(loss):
    return {"X_val": X_VAL, "y_val": numbers(loss, Y_VAL, COUNTS_VAL)}


def trained(reg):
    """Return all that training has made of a regressor."""
    names = ("coefs_", "intercepts_", "optimizer_", "t_", "history_", "loss_")
    public = [getattr(reg, name) for name in (*names, "encoding_")]
    return frozen([*public, reg._network.targets])


def metric(loss, y, predictions, weight=None):
    """Return the loss of predictions, by scikit-learn's metrics."""
    options = {"sample_weight": weight}
    if loss == "squared_error":
        return mean_squared_error(y, predictions, **options) / 2
    if loss == "absolute_error":
        return mean_absolute_error(y, predictions, **options)
    if loss == "quantile":
        return mean_pinball_loss(y, predictions, alpha=0.3, **options)
    columns = zip(np.transpose(y), np.transpose(predictions), strict=True)
    columns = [(y, predictions)] if np.ndim(y) == 1 else columns
    return np.mean([mean_poisson_deviance(*pair, **options) / 2 for pair in columns])


def huber_scale(y):
    """Return the standard deviation of normal numbers with quartiles like these."""
    first, third = np.quantile(y, [0.25, 0.75], method="averaged_inverted_cdf")
    return (third - first) / 1.349


def units(loss, y):
    """Return what numbers of each target are divided by."""
    statistic = {"squared_error": np.std, "poisson": np.mean}.get(loss, huber_scale)
    return np.array([statistic(column) for column in y.T])


# --- Costs and gradients --------------------------------------------------------------

TARGET = np.array([[0.3, 2.0, 0.0, 1.5, 4.0], [1, 0, 3, 1, 2], [0.1, 0.2, 9, 0.7, 2]])
WEIGHTS = {"uniform": [0.2] * 5, "random": [0.35, 0.0, 0.15, 0.3, 0.2]}


def unit_scale(n_outputs):
    return TargetScale(np.zeros(n_outputs), np.ones(n_outputs), 0.3)


def cost_and_gradient(network, params, X, weight, alpha=0.0):
    """Return the cost and its gradient, computed in the dtype of `params`."""
    gradient = np.full_like(params, np.nan)
    compute = CostGradient(network, params, gradient, 5, alpha=alpha)
    target = TARGET[: network.layer_sizes[-1]].astype(params.dtype)
    return compute(X, target, np.asarray(weight, params.dtype)), gradient


@every_loss
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (4, 3)], ids=str)
def test_gradient(loss, activation, hidden):
    network = Network((4, *hidden, 1), activation, loss, unit_scale(1))
    X, params = random_inputs(), random_params(network)
    for weights, alpha in (("uniform", 0.0), ("random", 0.3)):
        problem = WEIGHTS[weights], alpha
        expected = numerical_gradient(
            lambda params, problem=problem: cost_and_gradient(
                network, params, X, *problem
            )[0],
            params,
        )
        for (dtype, precision), container in itertools.product(
            {"float32": 2e-5, "float64": 1e-8}.items(), (np.asarray, csr_array)
        ):
            inputs = container(X.astype(dtype))
            _, gradient = cost_and_gradient(
                network, params.astype(dtype), inputs, *problem
            )
            assert gradient.dtype == dtype
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=precision)


@every_loss
@pytest.mark.parametrize("weights", WEIGHTS)
def test_gradient_of_several_targets(loss, weights):
    network = Network((4, 5, 3), "tanh", loss, unit_scale(3))
    X, params = random_inputs(), random_params(network)

    def cost(params):
        return cost_and_gradient(network, params, X, WEIGHTS[weights])[0]

    _, gradient = cost_and_gradient(network, params, X, WEIGHTS[weights])
    expected = numerical_gradient(cost, params)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # By hand: of errors -3, 0, 0.5 and 3, where Huber's loss is linear from 1.345
        ("squared_error", [4.5, 0, 0.125, 4.5]),
        ("absolute_error", [3, 0, 0.5, 3]),
        ("huber", [1.345 * 2.3275, 0, 0.125, 1.345 * 2.3275]),
        ("quantile", [3 * 0.3, 0, 0.5 * 0.7, 3 * 0.7]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_by_hand(loss, expected, dtype):
    bound = Network((1, 1), "relu", loss, unit_scale(1)).bound_loss
    target = np.array([[2.0, 2, 2, 2]], dtype)
    raw = target + np.array([[-3.0, 0, 0.5, 3]], dtype)
    for weight in np.eye(4, dtype=dtype):
        value = bound.value(raw, target, weight, np.empty_like(raw))
        assert value == pytest.approx(weight @ expected, rel=1e-6)


def test_poisson_loss_by_hand():
    # Half the deviance: y log(y / mean) - y + mean, which is the mean where y is 0
    bound = Network((1, 1), "relu", "poisson", unit_scale(1)).bound_loss
    raw, target = np.log([[2.0, 3, 3]]), np.array([[0.0, 3, 6]])
    value = bound.value(raw, target, np.array([1.0, 10, 100]), np.empty_like(raw))
    assert value == pytest.approx(2 + 100 * (6 * np.log(2) - 3))


@pytest.mark.parametrize("loss", METRICS)
@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
@pytest.mark.parametrize("weight", [None, WEIGHT_VAL], ids=["equal", "weighted"])
def test_losses_are_metrics_of_scikit_learn(loss, targets, weight):
    y_val = targets(validation(loss)["y_val"])
    reg = make(loss, max_iter=3).fit(
        *(X, targets(numbers(loss))),
        X_val=X_VAL,
        y_val=y_val,
        sample_weight_val=weight,
    )
    # Several targets are compared without their units.
    unit = 1.0 if targets is np.asarray else units(loss, targets(numbers(loss)))
    expected = metric(loss, y_val / unit, reg.predict(X_VAL) / unit, weight)
    assert reg.history_[-1]["validation_loss"] == pytest.approx(expected, rel=1e-10)
    assert reg.validation_scores_[-1] == pytest.approx(-expected, rel=1e-10)


def test_huber_loss_is_that_of_scipy():
    reg = make("huber").fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    expected = huber(1.345 * huber_scale(Y), Y_VAL - reg.predict(X_VAL)).mean()
    assert reg.history_[-1]["validation_loss"] == pytest.approx(expected, rel=1e-10)
    reg = make("huber").fit(X, several(Y), X_val=X_VAL, y_val=several(Y_VAL))
    errors = (several(Y_VAL) - reg.predict(X_VAL)) / units("huber", several(Y))
    expected = huber(1.345, errors).mean()
    assert reg.history_[-1]["validation_loss"] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("loss", METRICS)
def test_cost_of_a_full_batch_is_that_of_the_predictions_before(loss):
    reg = make(loss, batch_size=65, max_iter=2, warm_start=True)
    before = reg.fit(X, numbers(loss), WEIGHT).predict(X)
    reg.fit(X, numbers(loss), WEIGHT)
    expected = metric(loss, numbers(loss), before, WEIGHT)
    assert reg.history_[2]["loss"] == pytest.approx(expected, rel=1e-10)


# --- Predictions ----------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
def test_predictions_are_those_of_scikit_learn(activation, targets):
    reg = make(activation=activation, hidden_layer_sizes=(6, 5)).fit(X, targets(Y))
    mlp = MLPRegressor(hidden_layer_sizes=(6, 5), activation=activation, max_iter=1)
    mlp.fit(X, targets(Y))
    mlp.coefs_, mlp.intercepts_ = reg.coefs_, reg.intercepts_
    mean, deviation = targets(Y).mean(axis=0), targets(Y).std(axis=0)
    expected = mean + deviation * mlp.predict(X_VAL)
    np.testing.assert_allclose(reg.predict(X_VAL), expected, rtol=1e-10)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_are_float64_of_the_shape_of_y(loss, dtype):
    y = numbers(loss)
    reg = make(loss).fit(X.astype(dtype), y)
    assert reg.coefs_[0].dtype == dtype
    assert reg.n_outputs_ == 1
    assert reg.predict(X.astype(dtype)).shape == (65,)
    assert reg.predict(X.astype(dtype)).dtype == np.float64
    reg.fit(X.astype(dtype), several(y))
    predictions = reg.predict(X[:7].astype(dtype))
    assert reg.n_outputs_ == 3
    assert predictions.shape == (7, 3)
    assert predictions.dtype == np.float64
    assert predictions.flags.c_contiguous


def test_attributes():
    reg = make().fit(X, Y)
    assert reg.out_activation_ == "identity"
    assert make("poisson").fit(X, COUNTS).out_activation_ == "exp"
    assert not hasattr(reg, "classes_")
    assert not hasattr(reg, "predict_proba")
    assert reg.n_iter_ == reg.best_epoch_ == len(reg.history_) == 6
    assert reg.loss_ == reg.cost_history_[-1]
    assert is_regressor(reg)
    with pytest.raises(NotFittedError):
        make().predict(X)


def test_parameters_are_those_of_the_classifier_but_for_classes():
    names = set(RMSpropMLPRegressor().get_params())
    of_classifier = set(RMSpropMLPClassifier().get_params())
    assert of_classifier - names == {"label_smoothing", "class_weight"}
    assert names - of_classifier == {"loss", "quantile"}


def test_only_poisson_is_for_positive_targets():
    for loss in NUMBER_LOSSES:
        tags = get_tags(RMSpropMLPRegressor(loss=loss)).target_tags
        assert tags.positive_only == (loss == "poisson")
        assert tags.required
    assert (make("poisson", max_iter=200).fit(X, COUNTS).predict(X_VAL) > 0).all()


# --- Linear models --------------------------------------------------------------------


def fit_linear(loss, y, X=X, **params):
    """Return a linear model after many epochs of full batches."""
    options = {
        "hidden_layer_sizes": (),
        "batch_size": 1000,
        "learning_rate": 0.03,
        "learning_rate_schedule": "plateau",
        "tol": 0.0,
        "n_iter_no_change": 20,
        "max_iter": 2500,
    }
    return make(loss, **(options | params)).fit(X, y)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_linear_regression(weight):
    reg = make(
        hidden_layer_sizes=(),
        batch_size=65,
        learning_rate_schedule="plateau",
        learning_rate=0.03,
        max_iter=2500,
        tol=0.0,
    ).fit(X, Y, weight)
    expected = LinearRegression().fit(X, Y, weight).predict(X_VAL)
    np.testing.assert_allclose(reg.predict(X_VAL), expected, atol=1e-3)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_penalty_is_that_of_ridge(alpha):
    reg = fit_linear("squared_error", 1e6 * Y, alpha=alpha)
    expected = Ridge(alpha=65 * alpha).fit(X, 1e6 * Y)
    np.testing.assert_allclose(
        reg.predict(X_VAL) / 1e6, expected.predict(X_VAL) / 1e6, atol=1e-3
    )
    # The cost has the penalty: half of Ridge's, per sample.
    error = 1e6 * Y - expected.predict(X)
    cost = (error @ error + 65 * alpha * expected.coef_ @ expected.coef_) / 65 / 2
    assert reg.loss_ == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_linear_quantile_regression(quantile):
    reg = fit_linear("quantile", Y, quantile=quantile)
    expected = QuantileRegressor(quantile=quantile, alpha=0).fit(X, Y)
    best = mean_pinball_loss(Y, expected.predict(X), alpha=quantile)
    found = mean_pinball_loss(Y, reg.predict(X), alpha=quantile)
    # The minimum is flat: many other predictions are as good.
    assert best * (1 - 1e-9) <= found < 1.003 * best


def test_linear_median_regression():
    reg = fit_linear("absolute_error", Y)
    median = QuantileRegressor(alpha=0).fit(X, Y)
    best = mean_absolute_error(Y, median.predict(X))
    assert best * (1 - 1e-9) <= mean_absolute_error(Y, reg.predict(X)) < 1.003 * best


def test_linear_huber_regression():
    y = Y.copy()
    y[::8] += 50
    delta = 1.345 * huber_scale(y)
    inputs = np.c_[X, np.ones(65)]
    expected = minimize(
        lambda coef: huber(delta, y - inputs @ coef).mean(), np.zeros(6)
    ).x
    predictions = fit_linear("huber", y).predict(X_VAL)
    np.testing.assert_allclose(
        predictions, X_VAL @ expected[:5] + expected[5], atol=0.01
    )
    # Outliers hardly matter, as in scikit-learn, whose scale is another one.
    robust = HuberRegressor(epsilon=1.345, alpha=0, max_iter=1000).fit(X, y)
    truth = LinearRegression().fit(X, Y).predict(X_VAL)
    plain = LinearRegression().fit(X, y).predict(X_VAL)
    assert median_absolute_error(truth, robust.predict(X_VAL)) < 1
    assert median_absolute_error(truth, predictions) < 1.5
    assert median_absolute_error(truth, plain) > 4


@pytest.mark.parametrize("factor", [1, 1000])
def test_linear_poisson_regression(factor):
    reg = fit_linear("poisson", factor * COUNTS)
    expected = PoissonRegressor(alpha=0, tol=1e-8, max_iter=1000)
    expected = expected.fit(X, factor * COUNTS).predict(X_VAL)
    np.testing.assert_allclose(reg.predict(X_VAL), expected, rtol=2e-3)


# --- Learning -------------------------------------------------------------------------


def heteroscedastic(n_samples, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n_samples, 1))
    return X, np.sin(2 * X[:, 0]) + (0.6 + 0.25 * X[:, 0]) * rng.standard_normal(
        n_samples
    )


def test_quantiles_are_ordered_and_cover_their_share():
    (X_fit, y_fit), (X_new, y_new) = (
        heteroscedastic(500, 0),
        heteroscedastic(2000, 1),
    )
    low, middle, high = (
        make(
            "quantile",
            quantile=quantile,
            hidden_layer_sizes=(32,),
            learning_rate_schedule="cosine",
            batch_size=64,
            max_iter=40,
        )
        .fit(X_fit, y_fit)
        .predict(X_new)
        for quantile in (0.1, 0.5, 0.9)
    )
    assert (low < middle).mean() > 0.99
    assert (middle < high).mean() > 0.99
    for predictions, quantile in ((low, 0.1), (middle, 0.5), (high, 0.9)):
        assert np.mean(y_new < predictions) == pytest.approx(quantile, abs=0.05)
    # The band is wider where the noise is.
    width, right = high - low, X_new[:, 0] > 0
    assert width[right].mean() > 1.5 * width[~right].mean()


def test_defaults_predict_diabetes():
    X, y = load_diabetes(return_X_y=True)
    reg = RMSpropMLPRegressor(random_state=0, max_iter=30)
    assert cross_val_score(reg, X, y, cv=2).mean() > 0.3


def test_median_and_mean_of_skewed_targets():
    y = np.random.default_rng(0).exponential(size=1000)
    X = np.zeros((1000, 1))
    options = {"hidden_layer_sizes": (), "learning_rate": 1e-3, "max_iter": 3}
    for loss, expected in (
        ("squared_error", y.mean()),
        ("poisson", y.mean()),
        ("absolute_error", np.median(y)),
        ("quantile", np.quantile(y, 0.3)),
    ):
        prediction = make(loss, **options).fit(X, y).predict(X[:1])
        assert prediction == pytest.approx(expected, rel=0.1)


# --- The scale of targets -------------------------------------------------------------


def assert_equivariant(loss, factor, shift=0.0, rtol=1e-7, **params):
    """Check the model of ``factor * y + shift`` against that of `y`."""
    params = {"n_iter_no_change": 3, "tol": 0.01, "max_iter": 100} | params
    val = validation(loss)
    y, y_val = numbers(loss), val["y_val"]
    plain = make(loss, **params).fit(X, y, **val)
    reg = make(loss, **params).fit(
        X, factor * y + shift, X_val=X_VAL, y_val=factor * y_val + shift
    )
    assert 5 < plain.n_iter_ < 100
    assert reg.n_iter_ == plain.n_iter_
    assert reg.best_epoch_ == plain.best_epoch_
    predictions = (reg.predict(X_VAL) - shift) / factor
    np.testing.assert_allclose(predictions, plain.predict(X_VAL), rtol=rtol, atol=rtol)
    unit = abs(factor) ** POWER[loss]
    for name in ("loss", "validation_loss", "validation_score"):
        found = [record[name] / unit for record in reg.history_]
        expected = [record[name] for record in plain.history_]
        np.testing.assert_allclose(found, expected, rtol=rtol)
    np.testing.assert_allclose(reg.loss_ / unit, plain.loss_, rtol=rtol)
    np.testing.assert_allclose(
        reg.best_validation_score_ / unit, plain.best_validation_score_, rtol=rtol
    )


@every_loss
@pytest.mark.parametrize("factor", [1e-12, 7.0, 1e12])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_units_of_y_do_not_matter(loss, factor, early_stopping):
    assert_equivariant(loss, factor, early_stopping=early_stopping, alpha=0.01)


@every_loss
@pytest.mark.parametrize("factor", [1e-140, 1e140])
def test_extreme_units_of_y(loss, factor):
    assert_equivariant(loss, factor)


@pytest.mark.parametrize("loss", [name for name in NUMBER_LOSSES if name != "poisson"])
@pytest.mark.parametrize(("factor", "shift"), [(1.0, -1000.0), (86400.0, 1.7e9)])
def test_the_origin_of_y_does_not_matter(loss, factor, shift):
    assert_equivariant(loss, factor, shift, alpha=0.01)


def test_plateaus_do_not_depend_on_the_units_of_y():
    options = {"learning_rate_schedule": "plateau", "n_iter_no_change": 2}
    regs = [
        make(**options, tol=0.02, max_iter=40).fit(X, factor * Y)
        for factor in (1, 1e-6, 1e6)
    ]
    rates = [[record["learning_rate"] for record in reg.history_] for reg in regs]
    assert rates[0] == rates[1] == rates[2]
    assert len(set(rates[0])) > 2


def test_timestamps_in_single_precision():
    seconds = 1.7e9 + 86400 * Y
    reg = make(dtype="float32", max_iter=60).fit(X, seconds)
    assert reg.coefs_[0].dtype == np.float32
    assert r2_score(seconds, reg.predict(X)) > 0.8


@pytest.mark.parametrize("loss", SYMMETRIC)
def test_the_sign_of_y_does_not_matter(loss):
    # The initial output weights are random: those of a linear model are 0.
    options = {"hidden_layer_sizes": (), "max_iter": 20}
    reg = make(loss, **options).fit(X, Y)
    mirrored = make(loss, **options).fit(X, -1e6 * Y)
    np.testing.assert_allclose(
        mirrored.predict(X) / -1e6, reg.predict(X), rtol=1e-7, atol=1e-7
    )


def test_quantiles_mirror_each_other():
    options = {"hidden_layer_sizes": (), "max_iter": 20}
    reg = make("quantile", quantile=0.2, **options).fit(X, Y)
    mirrored = make("quantile", quantile=0.8, **options).fit(X, -Y)
    np.testing.assert_allclose(mirrored.predict(X), -reg.predict(X), atol=1e-7)


@pytest.mark.parametrize("level", [0.5, 0.3])
def test_the_median_is_a_quantile(level):
    # The gradient is half as large: without epsilon the steps are the same.
    median = make("absolute_error", epsilon=1e-14).fit(X, Y)
    reg = make("quantile", quantile=level, epsilon=1e-14).fit(X, Y)
    if level == 0.5:
        assert_almost_same_model(reg, median)
        np.testing.assert_allclose(
            2 * np.array(reg.cost_history_), median.cost_history_
        )
    else:
        assert_different_models(reg, median)


@pytest.mark.parametrize("n_copies", [1, 3])
def test_an_untrained_network_predicts_the_center(n_copies):
    y = np.r_[0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100]
    expected = {
        "squared_error": 13.6,
        "absolute_error": 4.5,
        "huber": 4.5,
        "quantile": 2.5,  # between 3 of 10 and the others
        "poisson": 13.6,
    }
    for loss in NUMBER_LOSSES:
        reg = make(loss, hidden_layer_sizes=(), learning_rate=1e-300, max_iter=1)
        reg.fit(np.zeros((10 * n_copies, 1)), np.repeat(y, n_copies))
        assert reg.predict([[0.0]]) == pytest.approx(expected[loss])


@every_loss
def test_targets_of_very_different_scales_are_learned_as_if_alone(loss):
    y = numbers(loss)
    Y3 = np.c_[1e-9 * y, 1e9 * np.roll(y, 1), y]
    # Of the sum in units of y the stopping rule would only see the largest.
    options = {"hidden_layer_sizes": (), "max_iter": 30, "n_iter_no_change": np.inf}
    options |= {"shuffle": False}
    together = make(loss, **options).fit(X, Y3).predict(X)
    for column, predictions in zip(Y3.T, together.T, strict=True):
        alone = make(loss, **options).fit(X, column).predict(X)
        np.testing.assert_allclose(predictions, alone, rtol=1e-4)
        assert np.ptp(alone) > 0.1 * np.std(column)


@every_loss
@pytest.mark.parametrize("value", [0.0, 3.0, 1e9])
def test_constant_targets(loss, value):
    options = {"learning_rate_schedule": "cosine", "max_iter": 100}
    reg = make(loss, **options).fit(X, np.c_[np.full(65, value), numbers(loss)])
    np.testing.assert_allclose(reg.predict(X)[:, 0], value, rtol=0.1, atol=0.3)
    linear = make(loss, hidden_layer_sizes=()).fit(X, np.full(65, value))
    if loss != "poisson" or value > 0:  # whose logarithm can only be approached
        np.testing.assert_allclose(linear.predict(X), value, rtol=1e-12)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_more_than_half_of_the_targets_may_be_equal(loss):
    y = np.where(np.arange(65) < 52, 0.0, 1e6 * Y)
    reg = make(loss, max_iter=50).fit(X, y)
    # The interquartile range is 0: a step is a share of the deviation instead.
    assert 0.001 < np.abs(reg.predict(X)).mean() / y.std() < 1


@every_loss
def test_one_row(loss):
    reg = make(loss, max_iter=50).fit(X[:1], [5.0])
    assert reg.predict(X[:1]) == pytest.approx(5, abs=0.5)
    assert np.isfinite(reg.predict(X_VAL)).all()


def test_forms_of_y():
    reference = make().fit(X, Y)
    for y in (Y.tolist(), pd.Series(Y), Y.astype(object), np.repeat(Y, 2)[::2]):
        assert trained(make().fit(X, y)) == trained(reference)
    assert trained(make().fit(X, pd.DataFrame(several(Y)))) == trained(
        make().fit(X, several(Y))
    )


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool", "Int64"])
def test_dtypes_of_y(dtype):
    y = pd.Series(COUNTS > 2 if dtype == "bool" else COUNTS).astype(dtype)
    reference = make().fit(X, y.to_numpy(np.float64))
    assert trained(make().fit(X, y)) == trained(reference)
    before = y.copy()
    make("poisson").fit(X, y.array)
    pd.testing.assert_series_equal(y, before)


def test_y_of_one_column():
    with pytest.warns(DataConversionWarning):
        reg = make().fit(X, Y[:, np.newaxis])
    assert trained(reg) == trained(make().fit(X, Y))
    assert reg.predict(X).shape == (65,)


# --- Weights --------------------------------------------------------------------------

ROWS = np.repeat(np.arange(65), WEIGHT.astype(int))


@every_loss
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
def test_weights_are_repetitions_in_full_batches(loss, method, targets):
    y = targets(numbers(loss))
    options = {"batch_size": 1000, "alpha": 0.01, "numerical_encoding": "piecewise"}
    reg = getattr(make(loss, **options), method)(X, y, WEIGHT)
    copies = getattr(make(loss, **options), method)(X[ROWS], y[ROWS])
    assert_almost_same_model(reg, copies)
    np.testing.assert_allclose(reg.cost_history_, copies.cost_history_, rtol=1e-9)
    np.testing.assert_allclose(reg.predict(X_VAL), copies.predict(X_VAL), rtol=1e-7)
    assert_different_models(reg, getattr(make(loss, **options), method)(X, y))


@every_loss
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weight_zero_is_absence(loss, early_stopping):
    y, kept = numbers(loss).copy(), WEIGHT > 0
    y[~kept] = 1e6
    params = {"early_stopping": early_stopping}
    reg = make(loss, **params).fit(X, y, WEIGHT)
    reference = make(loss, **params).fit(X[kept], y[kept], WEIGHT[kept])
    assert trained(reg) == trained(reference)


@every_loss
def test_only_ratios_of_weights_matter(loss):
    reg = make(loss).fit(X, numbers(loss), WEIGHT)
    for factor in (2.0**-30, 1e-300, 1e300):
        scaled = make(loss).fit(X, numbers(loss), factor * WEIGHT)
        assert_almost_same_model(scaled, reg)
    ones = make(loss).fit(X, numbers(loss), np.ones(65))
    assert trained(ones) == trained(make(loss).fit(X, numbers(loss)))


def test_score_is_weighted():
    reg = make().fit(X, Y)
    expected = r2_score(Y, reg.predict(X), sample_weight=WEIGHT)
    assert reg.score(X, Y, WEIGHT) == pytest.approx(expected)


# --- Training is a pure function ------------------------------------------------------

AUTO = {"numerical_encoding": "auto", "alpha": "auto", "weight_decay": "auto"}
RUNS = {
    **{name: (name, {}, X, np.asarray) for name in NUMBER_LOSSES},
    **{f"three, {name}": (name, {}, X, several) for name in NUMBER_LOSSES},
    "auto": ("squared_error", AUTO, X, several),
    "dropout": ("squared_error", {"dropout": 0.3, "momentum": 0.9}, X, np.asarray),
    "clipped": ("poisson", {"max_grad_norm": 0.1, "centered": True}, X, several),
    "linear": ("quantile", {"hidden_layer_sizes": ()}, X, several),
    "float32": ("huber", {}, X.astype(np.float32), np.asarray),
    "csr": ("poisson", {}, X_SPARSE, np.asarray),
    "csc": ("absolute_error", {}, csc_array(X_SPARSE), several),
    "words": ("quantile", {}, X_WORDS, several),
    "words, weight_decay": ("poisson", {"weight_decay": 0.1}, X_WORDS, np.asarray),
    "gaps": ("squared_error", {}, X_GAPS, np.asarray),
    "frame": ("huber", {"numerical_encoding": "auto"}, FRAME, several),
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def partial_fits(reg, data, times):
    for _ in range(times):
        reg.partial_fit(*data)
    return reg


@every_run
def test_fits_can_be_cut_up(run, tmp_path):
    loss, params, X, targets = run
    data = X, targets(numbers(loss)), WEIGHT
    params = {"n_iter_no_change": np.inf, "random_state": 1} | params
    whole = make(loss, **params).fit(*data)
    partly = partial_fits(make(loss, **params), data, 2)
    warm = make(loss, **params, warm_start=True).set_params(max_iter=2).fit(*data)
    joblib.dump(partly, tmp_path / "reg.joblib")
    loaded = joblib.load(tmp_path / "reg.joblib", mmap_mode="r")
    for reg in (partly, pickle.loads(pickle.dumps(partly)), loaded):
        assert trained(partial_fits(reg, data, 4)) == trained(whole)
    warm = pickle.loads(pickle.dumps(warm)).set_params(max_iter=4).fit(*data)
    assert trained(warm) == trained(whole)
    np.testing.assert_array_equal(warm.predict(X), whole.predict(X))
    for reg in (whole, warm, loaded):
        partial_fits(reg, data, 2)
    assert trained(whole) == trained(warm) == trained(loaded)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "one_cycle", "plateau"])
def test_partial_fits_follow_a_schedule(schedule):
    params = {"learning_rate_schedule": schedule}
    whole = make(**params).fit(X, Y)
    assert trained(partial_fits(make(**params), (X, Y), 6)) == trained(whole)


@every_loss
def test_training_depends_on_the_seed_alone(loss):
    data = X, numbers(loss)
    reg = make(loss, random_state=np.random.RandomState(0))
    first, second = trained(clone(reg).fit(*data)), trained(clone(reg).fit(*data))
    assert first == second != trained(make(loss, random_state=1).fit(*data))


@every_loss
def test_an_early_stopped_fit_is_a_fit_of_the_best_epoch(loss):
    data = X, numbers(loss), WEIGHT
    val = validation(loss) | {"sample_weight_val": WEIGHT_VAL}
    reg = make(loss, early_stopping=True, n_iter_no_change=3, max_iter=300)
    reg.set_params(learning_rate=0.1).fit(*data, **val)
    assert 1 < reg.best_epoch_ < reg.n_iter_ < 300
    reference = make(loss, learning_rate=0.1, max_iter=reg.best_epoch_)
    reference.fit(*data, **val)
    assert_same_model(reg, reference)
    assert reg.history_[: reg.best_epoch_] == reference.history_
    assert reg.loss_ == reference.loss_
    assert reg.best_loss_ is None
    scores = reg.validation_scores_
    assert reg.best_validation_score_ == max(scores) == scores[reg.best_epoch_ - 1]
    reg.set_params(early_stopping=False)
    assert trained(partial_fits(reg, data, 2)) == trained(
        partial_fits(reference, data, 2)
    )


def test_a_warm_fit_keeps_the_scale_of_targets():
    reg = make(warm_start=True).fit(X, Y)
    before = reg.predict(X)
    reg.set_params(learning_rate=1e-300).fit(X, 1e6 * Y)
    np.testing.assert_allclose(reg.predict(X), before)
    assert make().fit(X, 1e6 * Y).predict(X).mean() > 1e5


def test_plateau_rate_and_end():
    reg = make(learning_rate_schedule="plateau", tol=1e9, n_iter_no_change=2)
    reg.set_params(max_iter=100).fit(X, Y)
    rates = [record["learning_rate"] for record in reg.history_]
    ratios = np.divide(rates[1:], rates[:-1])
    np.testing.assert_allclose(sorted(set(ratios.round(10))), [0.2, 1.0])
    assert reg.n_iter_ < 20
    assert rates[-1] > 1e-6


# --- Streams --------------------------------------------------------------------------

CHUNKS = [slice(0, 1), slice(1, 3), slice(3, 40), slice(40, 65)]


def stream(loss, **params):
    return make(loss, max_iter="auto", **params)


@every_loss
@pytest.mark.parametrize("weight", [None, WEIGHT + 0.5, 1e-200 * (WEIGHT + 0.5)])
@pytest.mark.parametrize("factor", [1.0, 1e9, 1e-9])
def test_the_scale_of_a_stream_follows_the_data(loss, weight, factor):
    y = factor * np.c_[numbers(loss), 1000 * numbers(loss)[::-1] + 5]
    reg = stream(loss, hidden_layer_sizes=(), learning_rate=1e-300)
    for chunk in CHUNKS:
        reg.partial_fit(X[chunk], y[chunk], None if weight is None else weight[chunk])
        seen = slice(0, chunk.stop)
        weights = None if weight is None else weight[seen] / weight.max()
        mean = np.average(y[seen], axis=0, weights=weights)
        scale = np.average((y[seen] - mean) ** 2, axis=0, weights=weights) ** 0.5
        if loss == "poisson":
            scale = np.where(mean > 0, mean, 1)
        elif chunk.stop == 1:
            scale = np.ones(2)
        # It predicts the mean as long as it has learned nothing.
        if loss != "poisson" or (mean > 0).all():
            np.testing.assert_allclose(reg.predict(X[:1])[0], mean, rtol=1e-9)
        np.testing.assert_allclose(reg._network.targets.scale, scale, rtol=1e-7)


@every_loss
@pytest.mark.parametrize("n_first", [1, 2])
@pytest.mark.parametrize("numerical_encoding", ["auto", "none", "standard"])
def test_streams_that_begin_with_few_rows(loss, n_first, numerical_encoding):
    y = 1e6 * numbers(loss)
    reg = stream(loss, numerical_encoding=numerical_encoding, weight_decay="auto")
    reg.partial_fit(X[:n_first], y[:n_first])
    assert np.isfinite(reg.predict(X)).all()
    for chunk in (slice(n_first, 20), slice(20, 65)):
        reg.partial_fit(X[chunk], y[chunk])
    predictions = reg.predict(X)
    assert np.isfinite(predictions).all()
    assert np.abs(predictions - y).max() < 5 * np.ptp(y)


def test_streams_learn():
    rng = np.random.default_rng(0)
    reg = stream("squared_error", hidden_layer_sizes=(20,))
    for _ in range(150):
        X = rng.standard_normal((30, 2))
        reg.partial_fit(X, 1e4 * (X[:, 0] + np.abs(X[:, 1])) + 1e6)
    X = rng.standard_normal((200, 2))
    assert reg.score(X, 1e4 * (X[:, 0] + np.abs(X[:, 1])) + 1e6) > 0.95


def test_chunks_of_a_planned_run_keep_the_scale_of_the_first():
    reg = make(hidden_layer_sizes=(), learning_rate=1e-300)
    reg.partial_fit(X[:20], Y[:20]).partial_fit(X[20:], 1e6 * Y[20:])
    np.testing.assert_allclose(reg.predict(X[:1]), Y[:20].mean())
    # Those after a fit, too
    reg = stream("squared_error", hidden_layer_sizes=(), learning_rate=1e-300)
    reg.fit(X[:20], Y[:20]).partial_fit(X[20:], 1e6 * Y[20:])
    np.testing.assert_allclose(reg.predict(X[:1]), Y[:20].mean())


def test_a_stream_that_is_planned_keeps_its_scale():
    reg = stream("squared_error", hidden_layer_sizes=(), learning_rate=1e-300)
    reg.partial_fit(X[:20], Y[:20]).set_params(warm_start=True, max_iter=2)
    reg.fit(X[20:], 1e6 * Y[20:]).partial_fit(X[20:], 1e6 * Y[20:])
    np.testing.assert_allclose(reg.predict(X[:1]), Y[:20].mean())


@every_loss
@pytest.mark.parametrize("copier", [by_pickle, by_joblib, by_skops])
def test_streams_can_be_saved(loss, copier, tmp_path):
    y = several(numbers(loss))
    reg, other = stream(loss), stream(loss)
    for chunk in CHUNKS:
        data = X[chunk], y[chunk], WEIGHT[chunk] + 0.5
        reg.partial_fit(*data)
        other = copier(other.partial_fit(*data), tmp_path)
    assert trained(reg) == trained(other)
    np.testing.assert_array_equal(reg.predict(X), other.predict(X))


def test_training_lets_go_of_the_file_that_a_model_was_mapped_from(tmp_path):
    path = tmp_path / "reg.joblib"
    joblib.dump(make(warm_start=True).fit(X, several(Y)), path)
    for method in ("fit", "partial_fit"):
        reg = joblib.load(path, mmap_mode="r")
        assert isinstance(reg._network.targets.center, np.memmap)
        getattr(reg, method)(X, several(Y))
        for array in (*vars(reg._network.targets).values(), *reg.coefs_):
            assert not isinstance(array, np.memmap)


@every_loss
def test_saved_models_are_small(loss):
    y = np.repeat(numbers(loss)[:, np.newaxis], 50, axis=1)
    for max_iter in (6, "auto"):
        reg = make(loss, max_iter=max_iter, hidden_layer_sizes=(300,))
        reg.partial_fit(X, y)
        n_bytes = sum(array.nbytes for array in reg.coefs_ + reg.intercepts_)
        assert n_bytes > 100_000
        # The scale is that of 50 targets, in a stream with their moments.
        assert len(pickle.dumps(reg)) < 2.1 * n_bytes + 8192


@pytest.mark.parametrize("X", [X, X_WORDS], ids=["dense", "words"])
def test_a_failing_chunk_changes_nothing(X):
    reg = stream("huber").partial_fit(X[:20], Y[:20])
    reference, before = copy.deepcopy(reg), everything(reg)
    bad = np.where(np.arange(20) == 3, np.nan, Y[20:40])
    for data, match in (
        ((X[20:40], bad), "y contains NaN"),
        ((X[20:40], Y[20:40], -np.ones(20)), "Negative values"),
        ((X[20:40], several(Y)[20:40]), "number of targets"),
        ((1e300 * X[20:40], Y[20:40]), "diverged"),
    ):
        with pytest.raises(ValueError, match=match):
            reg.partial_fit(*data)
        assert everything(reg) == before
    for clf in (reg, reference):
        clf.partial_fit(X[20:], Y[20:])
    assert trained(reg) == trained(reference)


# --- A call that fails changes nothing ------------------------------------------------


class Call(NamedTuple):
    """A way to train a regressor: the method, and what the regressor was before."""

    method: str
    is_fitted: bool
    warm_start: bool = False

    def regressor(self, loss="squared_error", y=None, **params):
        """Return a regressor that is ready for the call."""
        state = np.random.RandomState(0)
        reg = make(loss, warm_start=self.warm_start, random_state=state, **params)
        return reg.fit(X, numbers(loss) if y is None else y) if self.is_fitted else reg

    def assert_changes_nothing(self, reg, match, **data):
        """Check that the call raises, and that the regressor is what it was."""
        before = everything(reg)
        with pytest.raises((ValueError, TypeError), match=match):
            getattr(reg, self.method)(**({"X": X, "y": COUNTS} | data))
        assert everything(reg) == before


CALLS = {
    "first fit": Call("fit", False),
    "second fit": Call("fit", True),
    "warm fit": Call("fit", True, warm_start=True),
    "first partial_fit": Call("partial_fit", False),
    "partial_fit": Call("partial_fit", True),
}


def calls(*names):
    return pytest.mark.parametrize("call", [CALLS[name] for name in names], ids=names)


every_call = calls(*CALLS)
every_fit = calls("first fit", "second fit", "warm fit")
calls_that_resume = calls("warm fit", "partial_fit")


def with_value(value, y=Y):
    y = np.array(y, float)
    y[3] = value
    return y


BAD_Y = {
    "missing": (None, "requires y"),
    "nan": (with_value(np.nan), "y contains NaN"),
    "inf": (with_value(-np.inf), "y contains infinity"),
    "NA": (pd.Series(with_value(np.nan), dtype="Float64"), "y contains NaN"),
    "None": ([None, *Y[1:]], "NaN|None"),
    "nan in two targets": (with_value(np.nan, several(Y)), "y contains NaN"),
    "strings": (["a"] * 65, "could not convert string"),
    "dates": (pd.date_range("2024-01-01", periods=65), "dates or durations"),
    "durations": (Y.astype("m8[s]"), "dates or durations"),
    "huge": (with_value(1e200), "another unit"),
    "complex": (Y + 1j, "[Cc]omplex"),
    "short": (Y[1:], "inconsistent numbers of samples"),
    "empty": (Y[:0], "0 sample"),
    "number": (3.0, "scalar|dimension"),
    "3-D": (np.zeros((65, 2, 2)), "dim 3"),
    "no columns": (np.zeros((65, 0)), "0 feature"),
    "sparse": (csr_array(several(Y)), "[Ss]parse"),
}


@every_call
@pytest.mark.parametrize(("y", "match"), BAD_Y.values(), ids=BAD_Y)
def test_bad_y(call, y, match):
    call.assert_changes_nothing(call.regressor(), match, y=y)


@every_call
@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
def test_negative_y_with_poisson(call, targets):
    y = targets(COUNTS).copy()
    reg = call.regressor("poisson", y)
    y[5] = -1e-9
    call.assert_changes_nothing(reg, "Negative values in y", y=y)


@calls_that_resume
def test_the_number_of_targets_stays(call):
    for y, other in ((Y, several(Y)), (several(Y), Y), (several(Y), several(Y)[:, :2])):
        match = "same number of targets"
        call.assert_changes_nothing(call.regressor(y=y), match, y=other)


@calls_that_resume
@every_loss
def test_the_loss_stays(call, loss):
    reg = call.regressor(loss, COUNTS)
    for other in set(NUMBER_LOSSES) - {loss}:
        match = f"same loss .* was '{loss}', now it is '{other}'"
        call.assert_changes_nothing(reg.set_params(loss=other), match)
    getattr(reg.set_params(loss=loss), call.method)(X, COUNTS)


@calls_that_resume
def test_the_quantile_stays(call):
    reg = call.regressor("quantile").set_params(quantile=0.4)
    call.assert_changes_nothing(reg, "same quantile .* was 0.3, now it is 0.4")
    # Where it is not used, it may change.
    reg = call.regressor().set_params(quantile=0.4)
    getattr(reg, call.method)(X, Y)


@every_fit
@pytest.mark.parametrize("early_stopping", [False, True])
def test_bad_validation_data(call, early_stopping):
    for y_val, match in (
        (None, "X_val and y_val must be given together"),
        (Y_VAL[1:], "inconsistent numbers"),
        (several(Y_VAL), "y_val has 3 targets, but y has 1"),
        (np.where(Y_VAL > 4, np.nan, 0), "y_val contains NaN"),
        (["a"] * 40, "could not convert string"),
    ):
        reg = call.regressor().set_params(early_stopping=early_stopping)
        call.assert_changes_nothing(reg, match, X_val=X_VAL, y_val=y_val)
    reg = call.regressor("poisson").set_params(early_stopping=early_stopping)
    negative = {"X_val": X_VAL, "y_val": -COUNTS_VAL}
    call.assert_changes_nothing(reg, "Negative values in y_val", **negative)


BAD = {
    "loss": ["mse", "softmax", "squared_loss", None, 3],
    "quantile": [0, 1, 0.0, 1.0, -0.1, 1.5, np.nan, np.inf, "0.5", None],
} | {
    name: values
    for name, values in BAD_VALUES.items()
    if name not in ("label_smoothing", "class_weight")
}


@calls("first fit", "partial_fit")
@pytest.mark.parametrize("name", BAD)
def test_bad_parameters(call, name):
    for value in BAD[name]:
        reg = call.regressor().set_params(**{name: value})
        call.assert_changes_nothing(reg, name)


def test_every_parameter_has_bad_values():
    assert set(BAD) == set(RMSpropMLPRegressor().get_params())


@pytest.mark.parametrize("loss", BAD["loss"])
def test_a_bad_loss_is_named_by_whoever_uses_the_regressor(loss):
    reg = make().set_params(loss=loss)
    assert get_tags(reg).estimator_type == "regressor"
    with pytest.raises(ValueError, match="The 'loss' parameter"):
        cross_val_score(make_pipeline(reg), X, Y, error_score="raise")


def test_parameters_of_classes_do_not_exist():
    for name in ("label_smoothing", "class_weight"):
        with pytest.raises(TypeError, match=name):
            RMSpropMLPRegressor(**{name: None})
        with pytest.raises(ValueError, match=name):
            RMSpropMLPRegressor().set_params(**{name: None})
    with pytest.raises(TypeError, match="classes"):
        make().partial_fit(X, Y, classes=[0, 1])


@every_call
@every_loss
def test_divergence(call, loss):
    reg = call.regressor(loss).set_params(learning_rate=1e200)
    call.assert_changes_nothing(reg, "diverged in epoch")


@calls("first partial_fit", "partial_fit")
def test_partial_fit_refuses_early_stopping(call):
    reg = call.regressor().set_params(early_stopping=True)
    call.assert_changes_nothing(reg, "does not support early_stopping")


# --- Validation and scorers -----------------------------------------------------------

SCORERS = {
    "r2": r2_score,
    "neg_mean_absolute_error": lambda y, p, **w: -mean_absolute_error(y, p, **w),
}


@pytest.mark.parametrize("scoring", SCORERS)
@pytest.mark.parametrize("weight", [None, WEIGHT_VAL], ids=["equal", "weighted"])
@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
def test_scorers_validate(scoring, weight, targets):
    y, y_val = targets(Y), targets(Y_VAL)
    reg = make(early_stopping=True, scoring=scoring, n_iter_no_change=3, max_iter=200)
    reg.set_params(learning_rate=0.05)
    reg.fit(X, y, X_val=X_VAL, y_val=y_val, sample_weight_val=weight)
    weighted = {} if weight is None else {"sample_weight": weight}
    expected = SCORERS[scoring](y_val, reg.predict(X_VAL), **weighted)
    assert reg.best_validation_score_ == pytest.approx(expected, rel=1e-10)
    assert reg.best_validation_score_ == max(reg.validation_scores_)


def test_a_scorer_gets_the_numbers_and_the_fitted_regressor():
    scorer = Scorer(0.1, 0.9, 0.2, 0.3)
    reg = make(early_stopping=True, scoring=scorer, n_iter_no_change=2, max_iter=50)
    reg.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert (reg.n_iter_, reg.best_epoch_, reg.best_validation_score_) == (4, 2, 0.9)
    seen, X_seen, y_seen, _ = scorer.calls[1]
    np.testing.assert_array_equal(X_seen, X_VAL)
    np.testing.assert_array_equal(y_seen, Y_VAL)
    np.testing.assert_array_equal(seen.predict(X_VAL), reg.predict(X_VAL))


@pytest.mark.parametrize("targets", [np.asarray, several], ids=["one", "three"])
def test_split_of_early_stopping(targets):
    y = targets(Y)
    numbered = np.c_[np.arange(65), X]
    scorer = Scorer(*np.zeros(6))
    reg = make(early_stopping=True, scoring=scorer, validation_fraction=0.2)
    reg.set_params(learning_rate=1e-300, hidden_layer_sizes=()).fit(numbered, y)
    held_out = scorer.calls[0][1][:, 0].astype(int)
    assert len(set(held_out)) == 13
    np.testing.assert_array_equal(scorer.y, y[held_out])
    # The scale is that of the others.
    rest = np.delete(y, held_out, axis=0)
    np.testing.assert_allclose(reg.predict(numbered[:1])[0], rest.mean(axis=0))
    assert reg.t_ % 52 == 0


def test_a_scorer_with_parameters():
    scorer = make_scorer(mean_pinball_loss, alpha=0.3, greater_is_better=False)
    by_scorer, by_loss = (
        make("quantile", scoring=scoring, early_stopping=True, max_iter=20, tol=0)
        for scoring in (scorer, "loss")
    )
    by_scorer.fit(X, Y)
    by_loss.fit(X, Y)
    np.testing.assert_allclose(by_scorer.validation_scores_, by_loss.validation_scores_)
    assert_same_model(by_scorer, by_loss)


# --- Kinds of X -----------------------------------------------------------------------


@every_loss
def test_frames_with_gaps_and_categories(loss):
    y = numbers(loss) + 3.0 * (FRAME["sign"] == "plus")
    reg = make(loss, numerical_encoding="auto", max_iter=60, batch_size=32)
    reg.fit(FRAME, y, X_val=FRAME[:20], y_val=y[:20])
    assert reg.feature_names_in_.tolist() == FRAME.columns.tolist()
    predictions = reg.predict(FRAME)
    plus = (FRAME["sign"] == "plus").to_numpy()
    assert predictions[plus].mean() > predictions[~plus].mean() + 1
    one = FRAME[:1].assign(kind=None, sign="neither", a=np.nan)
    assert np.isfinite(reg.predict(one)).all()


@every_loss
@pytest.mark.parametrize("form", [csr_array, csc_array], ids=["csr", "csc"])
def test_sparse_is_dense(loss, form):
    dense = X_SPARSE.toarray()
    reg = make(loss).fit(form(X_SPARSE), numbers(loss))
    assert_almost_same_model(reg, make(loss).fit(dense, numbers(loss)))
    np.testing.assert_allclose(reg.predict(form(X_SPARSE)), reg.predict(dense))


@every_loss
def test_rare_features_are_trained_like_dense_ones(loss):
    # Rows of the first weight matrix are updated when their feature occurs.
    reg = make(loss, max_iter=3).fit(X_WORDS, numbers(loss))
    dense = make(loss, max_iter=3).fit(X_WORDS.toarray(), numbers(loss))
    assert_almost_same_model(reg, dense, rtol=1e-6, atol=1e-7)


# --- scikit-learn ---------------------------------------------------------------------


def test_cross_validation_and_grid_search():
    scores = cross_val_score(make(max_iter=100), X, Y, cv=3)
    assert scores.min() > 0.6
    y = np.where(np.arange(65) % 9 == 0, 100, np.abs(Y))
    search = GridSearchCV(
        make(max_iter=60),
        {"loss": NUMBER_LOSSES, "beta": [0.9, 0.99]},
        scoring="neg_median_absolute_error",
        cv=3,
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 10
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["loss"] != "squared_error"


def test_one_regressor_for_each_target():
    Y3 = several(Y)
    multi = MultiOutputRegressor(make()).fit(X, Y3, sample_weight=WEIGHT)
    alone = make().fit(X, Y3[:, 1], WEIGHT)
    assert multi.predict(X).shape == (65, 3)
    np.testing.assert_array_equal(multi.predict(X)[:, 1], alone.predict(X))


def test_transformed_targets():
    y = np.exp(Y)
    reg = TransformedTargetRegressor(make(), func=np.log, inverse_func=np.exp)
    expected = np.exp(make().fit(X, np.log(y)).predict(X))
    np.testing.assert_allclose(reg.fit(X, y).predict(X), expected)


def test_voting_and_stacking():
    members = [("mean", make()), ("median", make("absolute_error"))]
    voting = VotingRegressor(members).fit(X, Y)
    expected = [clone(member).fit(X, Y).predict(X) for _, member in members]
    np.testing.assert_allclose(voting.predict(X), np.mean(expected, axis=0))
    stacking = StackingRegressor(members, Ridge(), cv=3).fit(X, Y)
    assert stacking.score(X, Y) > 0.6


def test_routing_of_weights_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        reg = make().set_fit_request(sample_weight=True)
        reg.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, reg)
        pipeline.fit(X, Y, sample_weight=WEIGHT)
        scaled = StandardScaler().fit_transform(X)
        assert trained(pipeline[-1]) == trained(make().fit(scaled, Y, WEIGHT))


@every_loss
def test_clones_and_changed_parameters(loss):
    reg = make(loss).fit(X, numbers(loss))
    predictions = reg.predict(X)
    copied = clone(reg)
    assert copied.get_params() == reg.get_params()
    assert not hasattr(copied, "coefs_")
    assert trained(copied.fit(X, numbers(loss))) == trained(reg)
    # The model is what has been fitted, whatever is set.
    other = "poisson" if loss == "squared_error" else "squared_error"
    reg.set_params(loss=other, quantile=0.9, hidden_layer_sizes=3)
    np.testing.assert_array_equal(reg.predict(X), predictions)
    assert reg.fit(X, COUNTS).coefs_[0].shape == (5, 3)


def test_a_fit_of_other_targets_begins_anew():
    reg = make().fit(X, Y)
    assert trained(reg.fit(X, several(Y))) == trained(make().fit(X, several(Y)))


def test_warm_start_is_silent(recwarn):
    reg = make(warm_start=True, learning_rate_schedule="cosine")
    costs = [reg.fit(X, Y).loss_ for _ in range(5)]
    assert not recwarn.list
    assert costs[-1] < costs[0]
    assert len(reg.history_) == 30


def test_verbose_costs_are_in_units_of_y(capsys):
    make(verbose=True, max_iter=2).fit(X, 1e6 * Y)
    printed = [
        float(line.split("loss = ")[1])
        for line in capsys.readouterr().out.splitlines()
        if "loss = " in line
    ]
    plain = make(max_iter=2).fit(X, Y)
    np.testing.assert_allclose(printed, 1e12 * np.array(plain.cost_history_))


def test_display_has_the_costs_in_units_of_y():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    reg = make().fit(X, 1e6 * Y, X_val=X_VAL, y_val=1e6 * Y_VAL)
    display = TrainingHistoryDisplay.from_estimator(reg)
    lines = [line.get_ydata() for line in display.ax_.get_lines()]
    pyplot.close(display.ax_.figure)
    for name in ("loss", "validation_loss"):
        expected = [record[name] for record in reg.history_]
        assert any(len(line) == 6 and np.allclose(line, expected) for line in lines)


# --- Extremes ------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-2])
def test_most_targets_may_be_almost_equal(loss, noise):
    rng = np.random.default_rng(0)
    features = rng.uniform(size=(400, 3))
    hit = features[:, 0] > 0.8
    y = np.where(hit, 10 + 5 * features[:, 1], 0) + noise * rng.standard_normal(400)
    reg = RMSpropMLPRegressor(loss=loss, random_state=0).fit(features, y)
    # The center alone has an error of 12.
    assert np.abs(reg.predict(features) - y)[hit].mean() < 2


@pytest.mark.parametrize("early_stopping", [False, True])
def test_targets_whose_squares_vanish(early_stopping):
    reg = make(early_stopping=early_stopping, max_iter=30).fit(X, 1e-200 * Y)
    expected = make(early_stopping=early_stopping, max_iter=30).fit(X, Y)
    np.testing.assert_allclose(reg.predict(X) * 1e200, expected.predict(X), rtol=1e-6)


def test_a_stream_may_begin_with_tiny_targets():
    reg = make(max_iter="auto").partial_fit(X[:1], [1e-160])
    reg.partial_fit(X, Y).partial_fit(X, Y)
    scale = reg._network.targets.scale[0]
    assert scale == pytest.approx(np.std([1e-160, *Y, *Y]), rel=1e-12)


@pytest.mark.parametrize("largest", [1e308, 1e-310])
@pytest.mark.parametrize("loss", NUMBER_LOSSES)
def test_huge_and_tiny_weights_in_chunks(loss, largest):
    weight = largest * np.random.default_rng(0).random(65)
    fitted = make(loss, max_iter=3).fit(X, numbers(loss), weight)
    chunked = make(loss, max_iter=3)
    for _ in range(3):
        chunked.partial_fit(X, numbers(loss), weight)
    assert_same_model(chunked, fitted)


def test_dates_with_a_time_zone_are_refused():
    dates = pd.Series(pd.date_range("2020", periods=65, tz="UTC"))
    with pytest.raises(ValueError, match="dates"):
        make().fit(X, dates)
    with pytest.raises(ValueError, match="dates"):
        make().fit(X, pd.DataFrame({"number": Y, "date": dates}))


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_an_outlier_does_not_overflow_in_float32(loss):
    y = Y.copy()
    y[3] = 1e100
    reg = make(loss, dtype="float32").fit(X, y)
    assert np.abs(reg.predict(X) - Y)[4:].max() < 100


def test_poisson_predictions_are_finite_far_away():
    reg = make("poisson", max_iter=60).fit(X, COUNTS)
    far = reg.predict(1e4 * X)
    assert np.isfinite(far).all()
    assert (far >= 0).all()


def test_predictions_are_those_of_one_model_while_another_thread_trains(monkeypatch):
    reg, later = make().fit(X, Y), make().fit(X, 1000 * Y)
    expected = reg.predict(X)

    def read_and_train(*arguments, **options):
        vars(reg).update(vars(later))
        return read_X(*arguments, **options)

    monkeypatch.setattr(_regressor, "read_X", read_and_train)
    np.testing.assert_array_equal(reg.predict(X), expected)
    monkeypatch.undo()
    assert np.abs(reg.predict(X) - expected).max() > 1
