"""The runs that the promises about training are tested on, and when two are equal."""

import copy
import functools
import pickle
import sys
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._schedules import SCHEDULES

# Epochs of the runs that are cut up. No stopping rule fires within them.
N_EPOCHS = 6

# --- What is equal --------------------------------------------------------------------


def frozen(value):
    """Return plain Python values that are equal for bitwise equal values only."""
    if isinstance(value, np.ndarray):
        content = value.tolist() if value.dtype.hasobject else value.tobytes()
        return value.dtype.str, value.shape, content
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [frozen(item) for item in value]
    if isinstance(value, np.random.RandomState):
        return "RandomState", frozen(value.get_state(legacy=False))
    if isinstance(value, float):  # NaN included
        return type(value).__name__, repr(value)
    if type(value).__module__.startswith("sk_rmsprop"):
        return type(value).__name__, frozen(vars(value))
    return value


def trained(clf):
    """Return all that training has made of a classifier, as far as it is public."""
    return frozen(
        {
            "classes": clf.classes_,
            "coefs": clf.coefs_,
            "intercepts": clf.intercepts_,
            "optimizer": clf.optimizer_,
            "t": clf.t_,
            "history": clf.history_,
            "loss": clf.loss_,
            "encoding": clf.encoding_,
        }
    )


def everything(clf):
    """Return the whole content of an estimator, fitted or not."""
    return frozen(vars(clf))


# --- Cases ----------------------------------------------------------------------------


class Case(NamedTuple):
    """Parameters and data of a run."""

    params: dict
    X: object
    y: np.ndarray
    sample_weight: np.ndarray | None = None

    def make(self, **params):
        """Return an unfitted classifier."""
        # Of 65 samples, six batches of ten and one of five
        defaults = {
            "hidden_layer_sizes": (7, 4),
            "numerical_encoding": "none",
            "learning_rate": 0.01,
            "learning_rate_schedule": "constant",
            "alpha": 0.0,
            "weight_decay": 0.0,
            "batch_size": 10,
            "max_iter": 200,
            "random_state": 3,
        }
        return RMSpropMLPClassifier(**(defaults | self.params | params))

    def fit(self, clf, **params):
        return clf.set_params(**params).fit(self.X, self.y, self.sample_weight)

    def partial_fit(self, clf, times=1):
        classes = np.unique(self.y) if np.ndim(self.y) == 1 else None
        for _ in range(times):
            clf.partial_fit(self.X, self.y, classes, self.sample_weight)
        return clf


def make_data(n_samples=65, n_features=5, n_classes=3, seed=0):
    """Return random data, and labels that can be learned but for some noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    scores = X @ rng.standard_normal((n_features, n_classes))
    return X, (scores + rng.standard_normal(scores.shape)).argmax(axis=1)


def make_words(n_samples=65, n_words=60, seed=5):
    """Return three words each, with more words than a batch of ten has values."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    chosen = [
        np.sort(rng.choice(n_words, 3, replace=False, p=share / share.sum()))
        for _ in range(n_samples)
    ]
    values = rng.random(3 * n_samples) + 0.5
    indptr = np.arange(0, 3 * n_samples + 1, 3)
    return csr_array((values, np.ravel(chosen), indptr), shape=(n_samples, n_words))


X, y = make_data()
X_VAL, Y_VAL = make_data(n_samples=40, seed=1)
X_SPARSE = csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
X_WORDS = make_words()
Y_MULTILABEL = (X @ X[:5].T + 0.3 * X[:, :1] > 0.5).astype(int)
WEIGHT = np.random.default_rng(2).integers(0, 4, len(y)).astype(float)
X_GAPS = np.where(np.random.default_rng(4).random(X.shape) < 0.2, np.nan, X)
# Numbers with gaps, integers, and categories that may be missing or do not occur
FRAME = pd.DataFrame(X_GAPS[:, :3], columns=list("abc")).assign(
    count=np.arange(len(X)) % 4,
    kind=pd.Categorical(
        np.array(["tall", "small", None], object)[np.sum(X[:, 3:] > 0, axis=1)],
        categories=["huge", "small", "tall"],
    ),
    sign=np.where(X[:, 4] > 0, "plus", "minus"),
)

# Every option at least once, alone
OPTIONS = {
    "rules": {"alpha": "auto", "batch_size": "auto", "numerical_encoding": "auto"},
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"schedule {name}": {"learning_rate_schedule": name} for name in SCHEDULES},
    "schedule plateau, reducing": {
        "learning_rate_schedule": "plateau",
        "n_iter_no_change": 2,
        "tol": 10.0,
    },
    "beta": {"beta": 0.5},
    "beta 0": {"beta": 0.0},
    "epsilon": {"epsilon": 1e-3},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "centered": {"centered": True},
    "alpha": {"alpha": 0.1},
    "weight_decay": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3},
    "label_smoothing": {"label_smoothing": 0.1},
    "max_grad_norm": {"max_grad_norm": 0.1},
    "class_weight": {"class_weight": {0: 2.0, 1: 0.5}},
    "shuffle": {"shuffle": False},
    "standardize": {"numerical_encoding": "standard"},
    "batch_size auto": {"batch_size": "auto"},
    "batch_size 1": {"batch_size": 1},
    "batch_size all but one": {"batch_size": 64},
    "batch_size beyond all": {"batch_size": 1000},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": [6, 5, 4, 3]},
    "one hidden layer": {"hidden_layer_sizes": 8},
}
ALL_OPTIONS = {
    "activation": "gelu",
    "momentum": 0.9,
    "nesterov": True,
    "centered": True,
    "alpha": 0.01,
    "weight_decay": 0.1,
    "dropout": 0.2,
    "label_smoothing": 0.1,
    "max_grad_norm": 0.5,
    "class_weight": {0: 2.0, 1: 0.5},
    "numerical_encoding": "standard",
    "batch_size": 7,
}
EVERYTHING = Case(ALL_OPTIONS, X, y, WEIGHT)
CASES = {
    "default": Case({}, X, y),
    **{name: Case(params, X, y) for name, params in OPTIONS.items()},
    "string labels": Case({}, X, np.array(["b", "c", "a"])[y]),
    "two classes": Case({}, X, y > 0),
    "one class": Case({}, X, np.zeros_like(y)),
    "multilabel": Case({"dropout": 0.3}, X, Y_MULTILABEL),
    "multilabel, sparse y": Case({}, X, csr_array(Y_MULTILABEL)),
    "csr": Case({}, X_SPARSE, y),
    "csc": Case({}, csc_array(X_SPARSE), y),
    "csr, linear": Case({"hidden_layer_sizes": ()}, X_SPARSE, y),
    "words": Case({}, X_WORDS, y),
    "words, linear": Case({"hidden_layer_sizes": ()}, X_WORDS, y),
    "words, weight_decay": Case({"weight_decay": 0.1}, X_WORDS, y),
    "words, schedule": Case(
        {"weight_decay": 0.1, "learning_rate_schedule": "cosine"}, X_WORDS, y
    ),
    "words, multilabel": Case({"dropout": 0.3}, X_WORDS, Y_MULTILABEL),
    "words, everything": Case(
        {
            "activation": "gelu",
            "weight_decay": 0.1,
            "dropout": 0.2,
            "label_smoothing": 0.1,
            "max_grad_norm": 0.5,
            "class_weight": {0: 2.0, 1: 0.5},
            "numerical_encoding": "auto",
            "batch_size": 7,
        },
        X_WORDS.astype(np.float32),
        y,
        WEIGHT,
    ),
    "float32": Case({"dropout": 0.3}, X.astype(np.float32), y),
    "float32, csr": Case({"momentum": 0.5}, X_SPARSE.astype(np.float32), y),
    "standardize, csr": Case({"numerical_encoding": "standard"}, X_SPARSE, y),
    "gaps": Case({}, X_GAPS, y),
    "categories": Case({"categorical_features": [0, 3]}, np.rint(X_GAPS), y),
    "frame": Case({"numerical_encoding": "auto"}, FRAME, y, WEIGHT),
    "sample_weight": Case({}, X, y, WEIGHT),
    "sample_weight, csr": Case({}, X_SPARSE, y, WEIGHT),
    "sample_weight, multilabel": Case({}, X, Y_MULTILABEL, WEIGHT),
    "everything": EVERYTHING,
    "everything, float32": EVERYTHING._replace(X=X.astype(np.float32)),
    "everything, frame": EVERYTHING._replace(X=FRAME),
    "everything, csr": EVERYTHING._replace(X=X_SPARSE),
    "everything, one_cycle": EVERYTHING._replace(
        params=ALL_OPTIONS | {"learning_rate_schedule": "one_cycle"}
    ),
}
CONSTANT_LEARNING_RATE = {
    name: case
    for name, case in CASES.items()
    if case.params.get("learning_rate_schedule", "constant") == "constant"
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_case_of_constant_learning_rate = pytest.mark.parametrize(
    "case", CONSTANT_LEARNING_RATE.values(), ids=CONSTANT_LEARNING_RATE
)


# --- Copies ---------------------------------------------------------------------------


def by_pickle(clf, tmp_path, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.loads(pickle.dumps(clf, protocol))


def by_joblib(clf, tmp_path, *, compress=0, mmap_mode=None):
    path = tmp_path / "clf.joblib"
    joblib.dump(clf, path, compress=compress)
    return joblib.load(path, mmap_mode=mmap_mode)


def by_skops(clf, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    skops_io.dump(clf, tmp_path / "clf.skops")
    trusted = skops_io.get_untrusted_types(file=tmp_path / "clf.skops")
    return skops_io.load(tmp_path / "clf.skops", trusted=trusted)


# How an estimator, or whatever holds one, is copied
COPIERS = {
    **{
        f"pickle {protocol}": functools.partial(by_pickle, protocol=protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "joblib": by_joblib,
    **{
        f"joblib, {compress}": functools.partial(by_joblib, compress=compress)
        for compress in (3, ("gzip", 1), ("lzma", 6))
    },
    **{
        f'joblib, mmap_mode="{mode}"': functools.partial(by_joblib, mmap_mode=mode)
        for mode in ("r", "r+", "c")
    },
    "skops": by_skops,
    "deepcopy": lambda clf, tmp_path: copy.deepcopy(clf),
    "copy": lambda clf, tmp_path: copy.copy(clf),
}

every_copier = pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)


# --- Places inside training -----------------------------------------------------------

# The private classes of the package whose calls are replaced: what they return becomes
# another number, or Ctrl-C is pressed. There is no public way to do that.
PLACES = {
    "gradient": "CostGradient",
    "update": "Update",
    "row update": "RowUpdate",
    "validation loss": "ValidationLoss",
}


def place(name):
    """Return the class of a place, in whatever module of the package it is."""
    modules = [m for path, m in sys.modules.items() if path.startswith("sk_rmsprop.")]
    return next(vars(m)[PLACES[name]] for m in modules if PLACES[name] in vars(m))
