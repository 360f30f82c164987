"""What a fitted estimator shows, and how it predicts and is stored."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sk_rmsprop._encoding import Encoding
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._rmsprop import RMSprop
from sk_rmsprop._scikit_learn import ScikitLearnEstimator, read_X

# Saved with a fitted model. A release that changes what `_state` and its like hold
# uses the next number, and either reads the models of earlier ones or rejects them.
STATE_FORMAT = 1


class StoredEstimator(ScikitLearnEstimator):
    """An estimator that takes tables, and whose format is checked when it is loaded."""

    _fitted_mark: ClassVar[str]  # An attribute that fitted estimators have.

    def __sklearn_is_fitted__(self):
        return self._fitted_mark in self.__dict__

    def __setstate__(self, state):
        found = state.get("_state_format")
        if self._fitted_mark in state and found != STATE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was saved by another version of "
                f"sk-rmsprop, in format {found}; the installed one reads format "
                f"{STATE_FORMAT}. Load it with the version that saved it."
            )
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


class FittedMLP(StoredEstimator):
    """The fitted side of an estimator: abstract, what training leads to.

    A fitted estimator holds a `Network`, its `TrainingState` and what is known of the
    training; properties show the rest.
    """

    _fitted_mark = "_state"

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_iter_: int
    best_loss_: float | None
    best_validation_score_: float | None
    history_: list[dict[str, float]]

    @property
    def coefs_(self) -> list[NDArray[np.floating]]:
        """Weights of the layers; the first one's are those of the encoded inputs."""
        return [coef for coef, _ in self._layers()]

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """Biases of the layers."""
        return [intercept for _, intercept in self._layers()]

    @property
    def encoding_(self) -> Encoding:
        """The map from features to the inputs of the network."""
        return self._fitted_state().encoding

    @property
    def n_layers_(self) -> int:
        """Number of layers, including input and output."""
        return len(self._fitted_network().layer_sizes)

    @property
    def n_outputs_(self) -> int:
        """Number of outputs."""
        return self._fitted_network().layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        """Name of the function that turns raw outputs into predictions."""
        return LOSSES[self._fitted_network().loss].out_activation

    @property
    def best_epoch_(self) -> int:
        """The epoch whose weights are kept, counted from 1 over all calls."""
        return self._fitted_state().n_epochs

    @property
    def loss_(self) -> float:
        """Training cost of the epoch the current weights come from."""
        return self._fitted_state().cost

    @property
    def optimizer_(self) -> RMSprop:
        """The optimizer, with its state; its learning rate is the initial one."""
        return self._fitted_state().optimizer

    @property
    def t_(self) -> int:
        """Training samples seen so far, counted once per epoch."""
        return self._fitted_state().n_samples

    @property
    def cost_history_(self) -> list[float]:
        """Mean cost of every epoch so far."""
        return [record["loss"] for record in self.history_]

    @property
    def loss_curve_(self) -> list[float]:
        """The cost history, under MLPClassifier's name."""
        return self.cost_history_

    @property
    def validation_scores_(self) -> list[float] | None:
        """Validation score of every validated epoch; None if there was none."""
        scores = [
            record["validation_score"]
            for record in self.history_
            if "validation_score" in record
        ]
        return scores or None

    def __copy__(self):
        # The state would be shared, and `partial_fit` may train it in place.
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        if self.__sklearn_is_fitted__():
            new._state = self._state.copy()
        return new

    def _fitted_state(self):
        # As an AttributeError, so that hasattr() is False before fit.
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self._state

    def _fitted_network(self):
        self._fitted_state()
        return self._network

    def _fitted_loss(self):
        """Return the row of the fitted network's loss."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # It raises; always asking it would take too long.
        return self._network.bound_loss

    def _layers(self):
        return self._fitted_network().layers(self._fitted_state().params)

    def _probabilities(self, X):
        return self._linked(X, self._fitted_loss().link)

    def _log_probabilities(self, X):
        return self._linked(X, self._fitted_loss().log_link)

    def _linked(self, X, link):
        """Return what a link makes of the raw outputs, one row per sample."""
        state = self._state
        _, X = read_X(self, X, state.encoding.table)
        return self._network.predict(state.params, X, state.encoding, link)

    def _probability_blocks(self, X):
        link, state = self._fitted_loss().link, self._state
        _, X = read_X(self, X, state.encoding.table)
        blocks = self._network.blocks(state.params, X, state.encoding, link)
        for _, outputs in blocks:
            yield np.ascontiguousarray(outputs.T)

    def _fitted_attributes(self, network, target, result):
        """Return the attributes that make an estimator fitted."""
        state, n_iter, history = result.state, result.n_iter, list(result.history)
        scores = [
            record["validation_score"]
            for record in history[len(history) - n_iter :]
            if "validation_score" in record
        ]
        best_score = result.best_score
        if best_score is None and scores:
            best_score = float(np.fmax.reduce(scores))  # Of those that are numbers.
        return {
            **self._own_attributes(target),
            "n_iter_": n_iter,
            "best_loss_": None if self.early_stopping else state.best_cost,
            "best_validation_score_": best_score,
            "history_": history,
            "_network": network,
            "_state": state,
            "_state_format": STATE_FORMAT,
        }

    def _own_attributes(self, target):
        """Return fitted attributes that only this kind of estimator has."""
        return {}


def check_same(name, fitted, now):
    """Raise if a parameter is not what it was in the first call."""
    if now != fitted:
        raise ValueError(
            f"warm_start=True and partial_fit require the same {name} as in the first "
            f"call: it was {fitted!r}, now it is {now!r}. Restore it, or fit a new "
            "estimator."
        )
