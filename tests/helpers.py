"""Small classifiers, ways to compare two of them, a scorer, invalid parameters."""

import itertools

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import accuracy_score

from sk_rmsprop import RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier
from sk_rmsprop._losses import LOSSES, Loss

# The losses of class probabilities, and those of numbers
CLASS_LOSSES = [name for name, row in LOSSES.items() if isinstance(row, Loss)]
NUMBER_LOSSES = [name for name in LOSSES if name not in CLASS_LOSSES]

# --- Classifiers ----------------------------------------------------------------------


def small(**params):
    """Return a quick classifier whose schedule ends with `max_iter`, unwarned."""
    defaults = {
        "hidden_layer_sizes": (6,),
        "numerical_encoding": "none",
        "learning_rate": 0.02,
        "learning_rate_schedule": "linear",
        "alpha": 0.0,
        "weight_decay": 0.0,
        "max_iter": 6,
        "batch_size": 16,
        "random_state": 0,
    }
    return RMSpropMLPClassifier(**{**defaults, **params})


def ensemble(*bases, **params):
    """Return an ensemble of quick base classifiers, by default of two."""
    bases = bases or (small(activation="tanh"), small(hidden_layer_sizes=(5, 4)))
    return RMSpropMLPEnsembleClassifier(
        list(bases), **{"n_folds": 3, "random_state": 0} | params
    )


def params_of(clf):
    """Return all weights and biases as one array, of an ensemble its pool's, too."""
    if isinstance(clf, RMSpropMLPEnsembleClassifier):
        members = itertools.chain.from_iterable(clf.estimators_)
        pool = clf.pool_weights_ / clf.temperature_
        return np.concatenate([*map(params_of, members), pool])
    return np.concatenate([a.ravel() for a in clf.coefs_ + clf.intercepts_])


def assert_same_model(clf, other):
    """Assert that two classifiers have the same weights, bit for bit."""
    np.testing.assert_array_equal(params_of(clf), params_of(other), strict=True)


def assert_almost_same_model(clf, other, rtol=1e-7, atol=1e-9):
    """Assert that two classifiers have the same weights but for rounding."""
    np.testing.assert_allclose(params_of(clf), params_of(other), rtol=rtol, atol=atol)


def assert_different_models(clf, other):
    """Assert that training has told two classifiers apart by more than rounding."""
    assert np.abs(params_of(clf) - params_of(other)).max() > 1e-6


# --- A scorer -------------------------------------------------------------------------


class Scorer:
    """A scorer that records its calls.

    It returns the given scores, one for each epoch of the history, or raises those that
    are exceptions; without scores it returns the accuracy.
    """

    def __init__(self, *scores):
        self.scores = scores
        self.calls = []

    def __call__(self, estimator, X, y, **metadata):
        self.calls.append((estimator, X, y, metadata))
        if not self.scores:
            return accuracy_score(y, estimator.predict(X))
        score = self.scores[len(estimator.history_) - 1]
        if isinstance(score, BaseException):
            raise score
        return score

    @property
    def y(self):
        """The labels to validate on."""
        return self.calls[0][2]

    @property
    def rows(self):
        """The numbers of the rows to validate on, read from `number_rows`'s feature."""
        X = self.calls[0][1]
        X = X.toarray() if sp.issparse(X) else X
        return np.rint(X[:, 0] * 1000).astype(int)


def number_rows(X):
    """Return a copy of X whose first feature is the row's number divided by 1000."""
    if sp.issparse(X):
        return type(X)(number_rows(X.toarray()))
    X = X.copy()
    X[:, 0] = np.arange(X.shape[0]) / 1000
    return X


# --- Invalid parameters ---------------------------------------------------------------

# For every parameter, values of a wrong type and values out of range
BAD_VALUES = {
    "hidden_layer_sizes": [
        *(0, -3, 2.5, None, "100", (5, 0), (5, -1), (2.5,)),
        *([[3, 4]], np.array(3), {3: 4}, {3, 4}),
    ],
    "activation": ["relu6", None, max],
    "categorical_features": ["dtype", 3],
    "numerical_encoding": ["minmax", True, None],
    "dtype": ["float16", np.float32, None],
    "learning_rate": [0, -0.1, np.inf, np.nan, "auto", None, True],
    "beta": [-0.1, 1.0, np.nan, "0.9", None],
    "epsilon": [0.0, -1e-8, np.inf, np.nan, None],
    "momentum": [-0.1, 1.0, np.nan, None],
    "nesterov": ["yes", 1, None],
    "centered": ["yes", 1, None],
    "learning_rate_schedule": ["adaptive", None, max],
    "alpha": [-1e-9, np.nan, np.inf, "0", None],
    "weight_decay": [-1e-9, np.nan, np.inf, None],
    "dropout": [-0.1, 1.0, np.nan, None],
    "label_smoothing": [-0.1, 1.0, np.nan, None],
    "max_grad_norm": [0.0, -1.0, np.nan, "1"],
    "batch_size": [0, -1, 10.0, "all", None],
    "max_iter": [0, -1, 10.0, np.inf, "all", None],
    "tol": [-1e-4, np.nan, None],
    "n_iter_no_change": [0, -1, 2.5, np.nan, -np.inf, None],
    "early_stopping": ["yes", 1, None],
    "validation_fraction": [0.0, 1.0, -0.1, 5, np.nan, None],
    "scoring": ["acuracy", 3, None],
    "class_weight": [
        *("auto", 3, [1, 2, 3]),
        *({0: -1.0}, {0: np.nan}, {0: np.inf}, {0: "a"}, {7: 1.0}),
    ],
    "shuffle": ["yes", 1, None],
    "random_state": ["0", -1, 1.5, np.random.default_rng(0)],
    "warm_start": ["yes", 1, None],
    "verbose": ["yes", -1, None],
}
