"""Quick classifiers for the tests, and how to compare them."""

import numpy as np

from sk_rmsprop import RMSpropMLPClassifier


def small(**params):
    """Return a quick classifier whose schedule ends with `max_iter`, unwarned."""
    defaults = {
        "hidden_layer_sizes": (6,),
        "standardize": False,
        "learning_rate": 0.02,
        "learning_rate_schedule": "linear",
        "alpha": 0.0,
        "weight_decay": 0.0,
        "max_iter": 6,
        "batch_size": 16,
        "random_state": 0,
    }
    return RMSpropMLPClassifier(**{**defaults, **params})


def params_of(clf):
    """Return all weights and biases as one array."""
    return np.concatenate([a.ravel() for a in clf.coefs_ + clf.intercepts_])


def assert_same_model(clf, other):
    np.testing.assert_array_equal(params_of(clf), params_of(other))
