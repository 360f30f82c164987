"""Levers that are no parameters of the estimator, for the study of its defaults."""

import numpy as np

from sk_rmsprop import RMSprop, RMSpropMLPClassifier
from sk_rmsprop._training import auto_max_iter


class ZeroOutputLayer(RMSpropMLPClassifier):
    """The weights of the output layer start at 0."""

    def _first_state(self, network, X):
        state = super()._first_state(network, X)
        coef, _ = network.layers(state.params)[-1]
        coef[...] = 0
        return state


class BiasCorrection(RMSpropMLPClassifier):
    """The square average is divided by 1 - beta**n_steps."""

    def _make_optimizer(self):
        optimizer = super()._make_optimizer()
        optimizer.bias_correction = True
        return optimizer


class SlowBiases(RMSpropMLPClassifier):
    """Biases are trained with a tenth of the learning rate."""

    def _make_optimizer(self):
        n_weights = self._n_weights
        return _TwoRates.like(super()._make_optimizer(), slice(n_weights, None), 0.1)

    def _first_state(self, network, X):
        self._n_weights = network.n_weights
        return super()._first_state(network, X)


class FastFirstLayer(RMSpropMLPClassifier):
    """The weights of the first layer are trained with three times the rate."""

    def _make_optimizer(self):
        return _TwoRates.like(super()._make_optimizer(), slice(self._n_first), 3.0)

    def _first_state(self, network, X):
        self._n_first = network.layer_sizes[0] * network.layer_sizes[1]
        return super()._first_state(network, X)


class _TwoRates(RMSprop):
    """RMSprop with another learning rate for some of the parameters."""

    @classmethod
    def like(cls, optimizer, part, factor):
        optimizer.__class__ = cls
        optimizer.part = part
        optimizer.factor = factor
        return optimizer

    def update_for(self, params, gradient, *, n_decayed=None):
        update = super().update_for(params, gradient, n_decayed=n_decayed)
        part = params[self.part]

        def update_at_two_rates(learning_rate):
            before = part.copy()
            update(learning_rate)
            part[...] = before + self.factor * (part - before)

        return update_at_two_rates


class DecayedBiases(RMSpropMLPClassifier):
    """Weight decay reaches the biases too."""

    def _make_optimizer(self):
        optimizer = super()._make_optimizer()
        optimizer.__class__ = _DecayOfAll
        return optimizer


class _DecayOfAll(RMSprop):
    def update_for(self, params, gradient, *, n_decayed=None):
        return super().update_for(params, gradient)


class AveragedWeights(RMSpropMLPClassifier):
    """The model is the mean of those after each epoch of the last quarter.

    P. Izmailov et al., Averaging Weights Leads to Wider Optima and Better
    Generalization (2018), arXiv:1803.05407, with the schedule as it is.
    """

    def fit(self, X, y):
        """Train, and average."""
        planned = self.max_iter
        if planned == "auto":
            planned = auto_max_iter(len(X))
        self.set_params(max_iter=planned)
        kept = []
        for epoch in range(planned):
            self.partial_fit(X, y, classes=np.unique(y))
            if epoch + 1 > 0.75 * planned:
                kept.append(self._state.params)
        self._state.params[...] = np.mean(kept, axis=0)
        return self
