"""Training tasks: the sizes of the network and its data, and the number of epochs."""

import functools
from typing import NamedTuple

import numpy as np


class Task(NamedTuple):
    """Training of a network on a data set.

    Attributes
    ----------
    n_samples : int
    layer_sizes : tuple of int
        Number of features, sizes of the hidden layers, number of classes.
    batch_size : int
    n_epochs : int
    dtype : str or None
        None is float64 data without a word on the dtype: the library decides.
    """

    n_samples: int
    layer_sizes: tuple
    batch_size: int
    n_epochs: int
    dtype: str | None = "float32"

    @property
    def hidden_layer_sizes(self):
        """Sizes of the hidden layers."""
        return self.layer_sizes[1:-1]

    @property
    def batch_sizes(self):
        """Sizes of the mini-batches of an epoch; the last one may be smaller."""
        n_full, n_left = divmod(self.n_samples, self.batch_size)
        return [self.batch_size] * n_full + ([n_left] if n_left else [])

    @property
    def n_steps(self):
        """Number of updates."""
        return self.n_epochs * len(self.batch_sizes)

    @property
    def label(self):
        """The sizes as text."""
        sizes = "-".join(map(str, self.layer_sizes))
        return f"{sizes}; batch {self.batch_size}"


def make_data(task):
    """Return random X, and class indices y that depend on it."""
    n_features, *_, n_classes = task.layer_sizes
    return _random_data(task.n_samples, n_features, n_classes, task.dtype or "float64")


@functools.lru_cache(maxsize=1)
def _random_data(n_samples, n_features, n_classes, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features), np.float32)
    direction = rng.standard_normal((n_features, n_classes), np.float32)
    y = (X @ direction).argmax(axis=1)
    # Some labels are noise, so that the cost never vanishes.
    noisy = rng.random(n_samples) < 0.1
    y[noisy] = rng.integers(n_classes, size=noisy.sum())
    y[:n_classes] = np.arange(n_classes)  # Every class occurs.
    return X.astype(dtype), y
