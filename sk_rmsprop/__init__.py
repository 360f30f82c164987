"""Neural networks for scikit-learn, trained by RMSprop, in NumPy."""

from sk_rmsprop._classifier import RMSpropMLPClassifier
from sk_rmsprop._display import TrainingHistoryDisplay
from sk_rmsprop._ensemble import RMSpropMLPEnsembleClassifier
from sk_rmsprop._regressor import RMSpropMLPRegressor
from sk_rmsprop._rmsprop import RMSprop

__version__ = "0.1.0"

__all__ = [
    "RMSprop",
    "RMSpropMLPClassifier",
    "RMSpropMLPEnsembleClassifier",
    "RMSpropMLPRegressor",
    "TrainingHistoryDisplay",
]
