"""Data sets that many tests share."""

import numpy as np
import pandas as pd
import pytest

from sk_rmsprop import _rules


@pytest.fixture
def data():
    """Three well separated classes of 30, 20 and 10 samples in random order."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    centers = np.array([[3.0, 0, 0, 1], [0, 3, 0, -1], [0, 0, 3, 0]])
    return centers[codes] + 0.5 * rng.standard_normal((60, 4)), codes


@pytest.fixture
def labels(data):
    """A multilabel `y` for `data`: samples have none to two of the three labels."""
    return (data[0][:, [0, 1, 3]] > [1, 1, 0]).astype(int)


@pytest.fixture
def names():
    """Names for the classes of `data`: `names[codes]` are labels that are strings."""
    return np.array(["ape", "bee", "cow"])


@pytest.fixture
def frame(data):
    """The features of `data` with the names a, b, c and d."""
    return pd.DataFrame(data[0], columns=list("abcd"))


@pytest.fixture
def folds_of_few(monkeypatch):
    """Let ensembles be cross-fitted on as few samples as `data` has."""
    monkeypatch.setattr(_rules, "MIN_SAMPLES_FOR_FOLDS", 2)
