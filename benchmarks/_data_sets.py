"""Real data sets for the study of the defaults: scikit-learn, files, OpenML."""

from pathlib import Path

import numpy as np
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.model_selection import train_test_split

SMALL_SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}

# Test sets are cut to this size: larger ones take longer and add no information.
MAX_TEST_SAMPLES = 10_000


def load_sets(folder, openml):
    """Return a dict from names to functions that each load a data set.

    A function returns the training and test sets as (X, y) each, or all data and None.
    """
    sets = {name: _small_set(load) for name, load in SMALL_SETS.items()}
    for path in sorted(Path(folder).glob("*.npz")) if folder else []:
        with np.load(path, allow_pickle=False) as file:
            if "X" in file or "X_train" in file:  # Sparse data sets are left out.
                sets[path.stem] = lambda path=path: _npz_set(path)
    for number in openml:
        sets[f"openml_{number}"] = lambda number=number: _openml_set(number)
    return sets


def parts(train, test, n_rows, seed):
    """Return X_train, y_train, X_test, y_test with up to `n_rows` training samples."""
    if test is None:
        X, X_test, y, y_test = train_test_split(
            *train, test_size=0.3, stratify=train[1], random_state=seed
        )
    else:
        (X, y), (X_test, y_test) = train, test
    if len(y) > n_rows:
        X, _, y, _ = train_test_split(
            X, y, train_size=n_rows, stratify=y, random_state=seed
        )
    if len(y_test) > MAX_TEST_SAMPLES:
        _, X_test, _, y_test = train_test_split(
            X_test, y_test, test_size=MAX_TEST_SAMPLES, random_state=seed
        )
    return X, y, X_test, y_test


def _small_set(load):
    def load_small_set():
        X, y = load(return_X_y=True)
        return (X.astype(np.float32), y), None

    return load_small_set


def _npz_set(path):
    with np.load(path, allow_pickle=False) as file:
        if "X_train" in file:
            train = _rows(file["X_train"]), file["y_train"]
            return train, (_rows(file["X_test"]), file["y_test"])
        return (_rows(file["X"]), file["y"]), None


def _openml_set(number):
    X, y = fetch_openml(data_id=number, return_X_y=True, as_frame=False)
    return (_rows(X), y), None


def _rows(X):
    return X.reshape(len(X), -1).astype(np.float32)
