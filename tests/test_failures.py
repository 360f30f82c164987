"""A call that fails changes nothing; an interrupted `fit` keeps finished epochs."""

import copy
import functools
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier
from tests.cases import (
    CASES,
    N_EPOCHS,
    WEIGHT,
    X_SPARSE,
    X_VAL,
    X_WORDS,
    Y_MULTILABEL,
    Y_VAL,
    Case,
    X,
    everything,
    place,
    trained,
    y,
)
from tests.helpers import BAD_VALUES, Scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_BATCHES = 7  # of an epoch: the calls of the gradient and the update

# --- Ways to train --------------------------------------------------------------------


class Call(NamedTuple):
    """A way to train an estimator: the method, and what the estimator was before."""

    method: str
    is_fitted: bool
    warm_start: bool = False
    of_ensemble: bool = False

    def __call__(self, clf, **data):
        """Call the method with good data, but for those that are given."""
        is_first = self.method == "partial_fit" and not self.is_fitted
        good = {"X": X, "y": y} | ({"classes": [0, 1, 2]} if is_first else {})
        return getattr(clf, self.method)(**(good | data))

    def estimator(self, **params):
        """Return an estimator that is ready for the call."""
        params = {"hidden_layer_sizes": 4, "max_iter": 3, "batch_size": 10} | params
        clf = RMSpropMLPClassifier(
            numerical_encoding="none",
            warm_start=self.warm_start,
            random_state=np.random.RandomState(0),
            **params,
        )
        if self.of_ensemble:
            clf = RMSpropMLPEnsembleClassifier(
                [clf], n_folds=2, random_state=np.random.RandomState(0)
            )
        return clf.fit(X, y) if self.is_fitted else clf

    def assert_changes_nothing(self, clf, error, match, **data):
        """Check that the call raises, and that the estimator is what it was."""
        before = everything(clf)
        with pytest.raises(error, match=match):
            self(clf, **data)
        assert everything(clf) == before


CALLS = {
    "first fit": Call("fit", False),
    "second fit": Call("fit", True),
    "first warm fit": Call("fit", False, warm_start=True),
    "warm fit": Call("fit", True, warm_start=True),
    "first partial_fit": Call("partial_fit", False),
    "partial_fit": Call("partial_fit", True),
}
CALLS_OF_ENSEMBLES = {
    "first fit of an ensemble": Call("fit", False, of_ensemble=True),
    "second fit of an ensemble": Call("fit", True, of_ensemble=True),
}


def calls(*names):
    both = CALLS | CALLS_OF_ENSEMBLES
    return pytest.mark.parametrize("call", [both[name] for name in names], ids=names)


every_call = calls(*CALLS)
every_call_of_both_kinds = calls(*CALLS, *CALLS_OF_ENSEMBLES)
every_fit = calls(*[name for name in CALLS if "partial" not in name])
every_fit_of_both_kinds = calls("first fit", "second fit", *CALLS_OF_ENSEMBLES)
calls_that_resume = calls("warm fit", "partial_fit")


# --- Bad data -------------------------------------------------------------------------


def with_value(array, value, index=3):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


# What is wrong for every call, and what the error must say
BAD_DATA = [
    ("X inf", {"X": with_value(X, np.inf)}, "X contains infinity"),
    ("X -inf", {"X": with_value(X, -np.inf, (3, 1))}, "X contains infinity"),
    ("X sparse nan", {"X": csr_array(with_value(X, np.nan))}, "dense input only"),
    ("X strings", {"X": np.full(X.shape, "a")}, "could not convert string"),
    ("X 1-D", {"X": X[:, 0]}, "2D array"),
    ("X 3-D", {"X": X[:, :, np.newaxis]}, "dim 3"),
    ("X complex", {"X": X + 1j}, "[Cc]omplex"),
    ("X of dates", {"X": X.astype("datetime64[s]")}, "dates or durations"),
    ("X with dates", {"X": pd.DataFrame(X).astype({4: "M8[s]"})}, "dates"),
    ("X lazy", {"X": pl.DataFrame(X).lazy()}, "X.collect"),
    ("X of one name", {"X": pd.DataFrame(X, columns=[0] * 5)}, "[Ss]ame name|unique"),
    ("X short", {"X": X[1:]}, "inconsistent numbers of samples"),
    ("X empty", {"X": X[:0], "y": y[:0]}, "0 sample"),
    ("X without columns", {"X": X[:, :0]}, "0 feature"),
    ("y missing", {"y": None}, "requires y"),
    ("y nan", {"y": with_value(y, np.nan)}, "y contains NaN"),
    ("y continuous", {"y": y + 0.5}, "continuous|classes"),
    ("y multioutput", {"y": np.c_[y, y]}, "multioutput y is not supported"),
    ("y multilabel of twos", {"y": 2 * Y_MULTILABEL}, "zeros and ones"),
    ("y 3-D", {"y": np.zeros((65, 2, 2))}, "y|dim 3"),
    *[
        (f"sample_weight {problem}", {"sample_weight": weight}, match)
        for problem, weight, match in (
            ("negative", with_value(WEIGHT, -1e-9), "Negative values.*sample_weight"),
            ("nan", with_value(WEIGHT, np.nan), "sample_weight contains NaN"),
            ("inf", with_value(WEIGHT, np.inf), "sample_weight contains infinity"),
            ("strings", ["heavy"] * 65, "could not convert string"),
            ("short", WEIGHT[1:], "sample_weight"),
            ("zero", 0 * WEIGHT, "sample_weight is zero for every"),
            ("2-D", WEIGHT[:, np.newaxis], "[Ss]ample.weight"),
        )
    ],
]
VALIDATION = {"X_val": X_VAL, "y_val": Y_VAL}
BAD_VALIDATION = [
    ({"X_val": X_VAL}, "X_val and y_val must be given together"),
    ({"y_val": Y_VAL}, "X_val and y_val must be given together"),
    ({"sample_weight_val": np.ones(40)}, "sample_weight_val needs X_val"),
    *[
        (VALIDATION | change, match)
        for change, match in (
            ({"X_val": with_value(X_VAL, np.inf)}, "X_val contains infinity"),
            ({"X_val": X_VAL[:, 1:]}, "4 features"),
            ({"X_val": X_VAL[1:]}, "inconsistent numbers"),
            ({"X_val": X_VAL[:0], "y_val": Y_VAL[:0]}, "0 sample"),
            ({"y_val": Y_VAL + 1}, r"y_val has labels .*not among .*\[3\]"),
            ({"y_val": Y_VAL.astype(str)}, "y_val has labels .*not among the classes"),
            ({"y_val": Y_VAL + 0.5}, "continuous"),
            ({"y_val": np.eye(40)[:, :3]}, "y_val"),
            ({"sample_weight_val": -np.ones(40)}, "Negative .* sample_weight_val"),
            ({"sample_weight_val": np.zeros(40)}, "sample_weight_val is zero"),
            ({"sample_weight_val": np.ones(39)}, "sample_weight"),
        )
    ],
]


@every_call_of_both_kinds
@pytest.mark.parametrize(
    ("data", "match"), [pytest.param(*row, id=name) for name, *row in BAD_DATA]
)
def test_bad_data(call, data, match):
    error = (ValueError, TypeError)
    call.assert_changes_nothing(call.estimator(), error, match, **data)


@every_fit
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("data", "match"), BAD_VALIDATION)
def test_bad_validation_data(call, early_stopping, data, match):
    clf = call.estimator().set_params(early_stopping=early_stopping)
    call.assert_changes_nothing(clf, (ValueError, TypeError), match, **data)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize(
    ("y_fit", "y_val"),
    [
        (y > 0, Y_MULTILABEL[:40, :2]),
        (Y_MULTILABEL[:, :2], Y_VAL > 0),
        (Y_MULTILABEL[:, :2], (Y_VAL > 0).astype(int)),
        (Y_MULTILABEL[:, :2], (Y_VAL > 0).astype(int)[:, np.newaxis]),
    ],
    ids=["multilabel", "bool", "0 and 1", "one column"],
)
def test_validation_labels_of_another_kind(y_fit, y_val):
    call, data = CALLS["first fit"], {"y": y_fit, "X_val": X_VAL, "y_val": y_val}
    call.assert_changes_nothing(call.estimator(), ValueError, "y_val", **data)


@pytest.mark.parametrize(
    ("labels", "match"),
    [(Y_MULTILABEL[:, :2], "2 columns, but there are 5 labels"), (y, "same kind")],
)
def test_labels_that_do_not_fit_a_multilabel_model(labels, match):
    clf = CALLS["first fit"].estimator().fit(X, Y_MULTILABEL)
    CALLS["partial_fit"].assert_changes_nothing(clf, ValueError, match, y=labels)


BAD_CLASSES = {
    "nan": [0, 1, 2, np.nan],
    "none": [0, 1, 2, None],
    "fraction": [0, 0.5, 1, 2],
    "strings": ["a", "b", "c"],
    "strings and numbers": np.array(["a", 1, 2], dtype=object),
    "empty": [],
    "2-D": [[0, 1, 2]],
    "set": {0, 1, 2},
}


@calls("first partial_fit", "partial_fit")
@pytest.mark.parametrize("classes", BAD_CLASSES.values(), ids=BAD_CLASSES)
def test_bad_classes(call, classes):
    clf = call.estimator()
    call.assert_changes_nothing(clf, ValueError, "classes", classes=classes)


@pytest.fixture
def frame():
    return pd.DataFrame(X, columns=list("abcde"))


@calls_that_resume
def test_frame_with_other_names(call, frame):
    clf = RMSpropMLPClassifier(max_iter=2, warm_start=True).fit(frame, y)
    other = frame.rename(columns={"a": "z"})
    call.assert_changes_nothing(clf, ValueError, "feature names", X=other)


def test_validation_frame_with_other_names(frame):
    call, other = CALLS["first fit"], frame.rename(columns={"a": "z"})
    data = {"X": frame, "X_val": other, "y_val": y}
    match = "feature names should match"
    call.assert_changes_nothing(call.estimator(), ValueError, match, **data)


# They fail after X has been validated.
@pytest.mark.parametrize(
    "data",
    [{"y": y + 0.5}, {"sample_weight": np.zeros(65)}, {"sample_weight": -np.ones(65)}],
)
def test_failing_cold_fit_keeps_the_feature_names(frame, data):
    clf = RMSpropMLPClassifier(max_iter=2).fit(frame, y)
    data = {"X": frame[["c", "b", "a"]]} | data
    CALLS["second fit"].assert_changes_nothing(clf, ValueError, None, **data)
    assert clf.predict(frame).shape == (65,)


class Tensor:
    """An array of another library, as far as it takes to be told from NumPy's."""

    def __init__(self, array):
        self.array = np.asarray(array)
        self.shape = self.array.shape

    def __len__(self):
        return len(self.array)

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(dtype or self.array.dtype)

    def __dlpack__(self, **kwargs):
        raise AssertionError("the array was read")


@pytest.fixture
def _dispatching(monkeypatch):
    """Let scikit-learn keep arrays of other libraries as they are."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        context = sklearn.config_context(array_api_dispatch=True)
        context.__enter__()
    except ImportError as error:
        pytest.skip(str(error))
    yield
    context.__exit__(None, None, None)


def assert_refuses_tensor(call, name, data):
    clf, match = call.estimator(), rf"^{name} is a .*Tensor.* numpy.asarray\({name}\)"
    call.assert_changes_nothing(clf, TypeError, match, **data)


@pytest.mark.usefixtures("_dispatching")
@every_call_of_both_kinds
@pytest.mark.parametrize(
    ("name", "good"), [("X", X), ("y", y), ("sample_weight", WEIGHT)]
)
def test_arrays_of_other_libraries(call, name, good):
    assert_refuses_tensor(call, name, {name: Tensor(good)})


@pytest.mark.usefixtures("_dispatching")
@every_fit
@pytest.mark.parametrize("name", ["X_val", "y_val", "sample_weight_val"])
def test_validation_arrays_of_other_libraries(call, name):
    data = VALIDATION | {"sample_weight_val": np.ones(40)}
    assert_refuses_tensor(call, name, data | {name: Tensor(data[name])})


@pytest.mark.usefixtures("_dispatching")
def test_predicting_for_arrays_of_other_libraries():
    clf = CALLS["second fit"].estimator()
    for method in (clf.predict, clf.predict_proba, clf.predict_log_proba):
        with pytest.raises(TypeError, match=r"^X is a .*Tensor.* numpy.asarray\(X\)"):
            method(Tensor(X))


# --- Bad parameters -------------------------------------------------------------------


@calls("second fit", "first partial_fit", "partial_fit")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Without the address that some values' repr ends with
        pytest.param(name, value, id=f"{name}={value!r}".partition(" at 0x")[0])
        for name, values in BAD_VALUES.items()
        for value in values
    ],
)
def test_bad_value_of_a_parameter(call, name, value):
    clf = call.estimator().set_params(**{name: value})
    call.assert_changes_nothing(clf, (ValueError, TypeError), name)


# --- Parameters and data that do not fit each other -----------------------------------

RESUME = ("warm fit", "partial_fit")
PARTIAL_FITS = ("first partial_fit", "partial_fit")
THREE_LABELS = {"y": Y_MULTILABEL[:, :3]}
# Calls, parameters, data, and what the error must say. Models have three classes and
# five features.
BAD_CLASS_WEIGHTS = [
    (CALLS, {0: -1.0}, {}, "class_weight must be finite and not negative"),
    (CALLS, {1: np.nan}, {}, "class_weight must be finite and not negative"),
    (CALLS, {1: np.inf}, {}, "class_weight must be finite and not negative"),
    (CALLS, {0: 0, 1: 0, 2: 0}, {}, "together are zero for every"),
    (CALLS, {0: 0}, {"sample_weight": y == 0}, "together are zero for every"),
    (
        ["first fit"],
        {1: 0.0},
        {"X_val": X_VAL[Y_VAL == 1], "y_val": Y_VAL[Y_VAL == 1]},
        "zero for every validation",
    ),
    (CALLS, {"b": 2.0}, {}, "class_weight must map class labels to numbers"),
    (CALLS, {0: "a"}, {}, "class_weight must map class labels to numbers"),
    (PARTIAL_FITS, "balanced", {}, 'class_weight="balanced".*partial_fit'),
    *[
        (names, class_weight, THREE_LABELS, "class_weight is not .* for multilabel")
        for names, class_weight in (
            (["first fit"], "balanced"),
            (["first fit", "first partial_fit"], {0: 2.0}),
        )
    ],
]
MISFITS = [
    (RESUME, {"hidden_layer_sizes": 5}, {}, "hidden_layer_sizes"),
    (RESUME, {"hidden_layer_sizes": (4, 4)}, {}, "hidden_layer_sizes"),
    (RESUME, {"hidden_layer_sizes": ()}, {}, "hidden_layer_sizes"),
    (RESUME, {"activation": "tanh"}, {}, "activation"),
    (RESUME, {}, {"X": X[:, 1:]}, "4 features.*expecting 5 features"),
    (RESUME, {}, {"y": y.astype(str)}, "not among the classes|the same"),
    (RESUME, {}, THREE_LABELS, "y must be of the same kind"),
    (["warm fit"], {}, {"y": y + 1}, "the same"),
    (["warm fit"], {}, {"y": np.where(y == 2, 1, y)}, "the same"),
    (["partial_fit"], {}, {"y": y + 1}, r"not among the classes \[0 1 2\]: \[3\]"),
    (["partial_fit"], {}, {"y": np.where(y, y, 0.5)}, r"not among .* \[0.5\]"),
    (["partial_fit"], {}, {"y": np.array(["a", *y[1:]], object)}, "y has labels"),
    (["partial_fit"], {}, {"classes": [0, 1, 2, 3]}, "the same"),
    (["partial_fit"], {}, {"classes": [0, 1]}, "the same"),
    (["first partial_fit"], {}, {"classes": [0, 1]}, r"not among .* \[0 1\]: \[2\]"),
    (["first partial_fit"], {}, {"classes": None}, "must be passed on the first call"),
    *[
        (["first partial_fit"], {}, THREE_LABELS | {"classes": classes}, match)
        for classes, match in (
            ([0, 1], "3 columns, but there are 2 labels"),
            (["z", "a", "b"], "numbers of its columns"),
        )
    ],
    (PARTIAL_FITS, {"early_stopping": True}, {}, "early_stopping=True"),
    *[
        (names, {"class_weight": class_weight}, data, match)
        for names, class_weight, data, match in BAD_CLASS_WEIGHTS
    ],
]


@pytest.mark.parametrize(
    ("call", "params", "data", "match"),
    [(name, *row) for names, *row in MISFITS for name in names],
)
def test_misfit(call, params, data, match):
    clf = CALLS[call].estimator().set_params(**params)
    CALLS[call].assert_changes_nothing(clf, ValueError, match, **data)


# --- Divergence -----------------------------------------------------------------------

DIVERGING = {
    "X huge": ({}, X * 1e200),
    "X huge in float32": ({}, (X * 1e25).astype(np.float32)),
    "X huge and sparse": ({}, X_SPARSE * 1e200),
    "X huge, centered": ({"centered": True, "momentum": 0.9}, X * 1e200),
    "X huge, linear": ({"hidden_layer_sizes": ()}, X * 1e200),
    "some huge samples": ({}, np.vstack([X[:55], X[55:] * 1e200])),
    "learning_rate": ({"learning_rate": 1e300}, X),
    "learning_rate in float32": ({"learning_rate": 1e38}, X.astype(np.float32)),
    "alpha": ({"alpha": 1e200}, X),
    "weight_decay": ({"weight_decay": 1e200}, X),
}


@every_call
@pytest.mark.parametrize(("params", "data"), DIVERGING.values(), ids=DIVERGING)
def test_divergence_changes_nothing_and_names_the_remedies(call, params, data):
    # The model whose training is resumed is healthy: only parameters or data are not.
    clf = call.estimator(hidden_layer_sizes=params.get("hidden_layer_sizes", 4))
    if data.dtype == np.float32 and call.is_fitted:
        clf = clone(clf).fit(X.astype(np.float32), y)
    clf.set_params(**params)
    if call.method == "partial_fit":
        clf = just_before_divergence(call, clf, data)
    remedies = r"(?s)diverged in epoch \d+.*[Ss]cale X.*learning_rate"
    call.assert_changes_nothing(clf, ValueError, remedies, X=data)


def just_before_divergence(call, clf, data):
    """Return the model after as many epochs as `fit` would have survived."""
    for _ in range(3):
        try:
            call(copy.deepcopy(clf), X=data)
        except ValueError:
            break
        call(clf, X=data)
    return clf


@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_in_a_later_epoch(early_stopping, monkeypatch):
    # One batch an epoch: three good epochs, then the fourth
    call, gradient = CALLS["second fit"], place("gradient")
    clf = call.estimator(early_stopping=early_stopping, batch_size=1000)
    clf.set_params(max_iter=6)
    original, n_calls = gradient.__call__, []

    def diverge_in_the_end(self, *args):
        n_calls.append(1)
        return np.nan if len(n_calls) == 4 else original(self, *args)

    monkeypatch.setattr(gradient, "__call__", diverge_in_the_end)
    call.assert_changes_nothing(clf, ValueError, "diverged in epoch 4", **VALIDATION)
    assert len(n_calls) == 4


def test_divergence_is_found_in_the_epoch_that_shows_it():
    clf = CASES["default"].make(max_iter=50, n_iter_no_change=np.inf)
    with pytest.raises(ValueError, match="diverged in epoch 1:"):
        clf.fit(X * 1e200, y)
    clf.fit(X, y).set_params(warm_start=True)
    with pytest.raises(ValueError, match="diverged in epoch 51:"):
        clf.fit(X * 1e200, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("params", "scale", "found"),
    [
        ({"alpha": 1e308}, 1.0, "cost"),
        ({"learning_rate": 1e308}, 1.0, "weight"),
        ({}, 1e200, "moving average"),
    ],
)
def test_divergence_of_each_kind_is_found_at_once_and_named(
    params, scale, found, method
):
    # In one full batch whatever else goes wrong would do so in the next epoch.
    case = Case({"batch_size": 1000, "max_iter": 1} | params, X * scale, y)
    with pytest.raises(ValueError, match=f"diverged in epoch 1: an? {found}"):
        getattr(case, method)(case.make())


def test_large_finite_weights_are_no_divergence():
    # Their squares overflow.
    clf = CASES["linear"].fit(CASES["linear"].make(max_iter=1))
    clf.coefs_[0][...] = 1e200
    assert np.isfinite(clf.partial_fit(X, y).loss_)


def test_model_is_finite_where_training_ends_well():
    # Data as large as training survives: nothing may be left that is not finite.
    clf = CASES["default"].make(max_iter=3).fit(X * 1e100, y)
    assert np.isfinite(clf.loss_)
    assert all(np.isfinite(coef).all() for coef in clf.coefs_)


# --- Failing scorers, splits and callbacks --------------------------------------------


@every_fit
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("error", [ValueError("no score"), SystemExit("no score")])
def test_failing_scorer(call, early_stopping, error):
    # In the second epoch of a fit, be it the first or a warm one after three epochs
    clf = call.estimator(scoring=Scorer(0.5, error, 0.5, 0.5, error))
    clf.set_params(early_stopping=early_stopping)
    call.assert_changes_nothing(clf, type(error), "no score", **VALIDATION)


@every_fit
@pytest.mark.parametrize(
    "scorer",
    [lambda *args: "good", lambda estimator, X: 1.0],
    ids=["no number", "signature"],
)
def test_useless_scorer(call, scorer):
    clf = call.estimator().set_params(early_stopping=True, scoring=scorer)
    call.assert_changes_nothing(clf, (ValueError, TypeError), None, **VALIDATION)


@every_fit
def test_score_that_is_never_a_number(call):
    # There would be no epoch to select, and nothing to return.
    scorer = Scorer(*[np.nan] * 6)
    clf = call.estimator().set_params(early_stopping=True, scoring=scorer)
    match = "scoring=.*NaN after every epoch"
    call.assert_changes_nothing(clf, ValueError, match, **VALIDATION)


@every_fit
def test_impossible_split(call):
    clf = call.estimator().set_params(early_stopping=True)
    match = "cannot hold out.*more .*X_val.*early_stopping=False"
    # Every class has a single member.
    call.assert_changes_nothing(clf, ValueError, match, X=X[:3], y=[0, 1, 2])


HOOKS = ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end")


@every_fit_of_both_kinds
@pytest.mark.parametrize("hook", HOOKS)
def test_failing_callback(call, hook):
    pytest.importorskip("sklearn.callback")

    def do_nothing(self, estimator, context, **kwargs):
        """Do nothing."""

    def fail(self, estimator, context, **kwargs):
        raise ValueError("no callback")

    hooks = dict.fromkeys(HOOKS, do_nothing) | {hook: fail}
    clf = call.estimator().set_callbacks(type("Failing", (), hooks)())
    call.assert_changes_nothing(clf, ValueError, "no callback")


# --- Ctrl-C ---------------------------------------------------------------------------


def interrupt_at(n):
    """Return a function whose n-th call is a Ctrl-C."""
    countdown = iter(range(n - 1, -1, -1))

    def count():
        if next(countdown, None) == 0:
            raise KeyboardInterrupt

    return count


def interrupt_call(monkeypatch, name, n):
    """Make the n-th call at a place from now on a Ctrl-C."""
    cls, count = place(name), interrupt_at(n)
    original = cls.__call__

    def interrupted(self, *args):
        count()
        return original(self, *args)

    monkeypatch.setattr(cls, "__call__", interrupted)


def interrupted_fit(clf, **data):
    """Fit, which must warn of the interrupt, and return the classifier."""
    with pytest.warns(UserWarning, match="interrupted.*warm_start"):
        clf.fit(**({"X": X, "y": y} | data))
    return clf


def assert_resumes_exactly(case, clf, finished):
    """Check for `finished` epochs, and that what follows makes up for the rest."""
    assert trained(clf) == trained(case.fit(case.make(max_iter=finished)))
    case.fit(clf, warm_start=True, max_iter=N_EPOCHS - finished)
    assert trained(clf) == trained(case.fit(case.make(max_iter=N_EPOCHS)))


@pytest.mark.parametrize("where", ["gradient", "update"])
@pytest.mark.parametrize(
    ("name", "n", "finished"),
    [
        ("default", N_BATCHES + 1, 1),
        ("default", 2 * N_BATCHES, 1),
        ("default", 5 * N_BATCHES + 4, 5),
        ("dropout", 25, 3),
        ("csr", 25, 3),
        ("everything", 25, 3),
        ("words", 25, 3),
        ("words, weight_decay", 25, 3),
        ("words, everything", 25, 3),
    ],
)
def test_interrupt_in_an_epoch_keeps_those_before(
    name, n, finished, where, monkeypatch
):
    case = CASES[name]
    if name.startswith("words") and where == "update":
        where = "row update"
    data = {"X": case.X, "y": case.y, "sample_weight": case.sample_weight}
    with monkeypatch.context() as patched:
        interrupt_call(patched, where, n)
        clf = interrupted_fit(case.make(max_iter=N_EPOCHS), **data)
    assert clf.n_iter_ == finished
    assert_resumes_exactly(case, clf, finished)


@pytest.mark.parametrize("n", [2, 4])
def test_interrupt_in_the_validation_loss(n, monkeypatch):
    case = CASES["default"]
    with monkeypatch.context() as patched:
        interrupt_call(patched, "validation loss", n)
        clf = interrupted_fit(case.make(max_iter=N_EPOCHS), **VALIDATION)
    assert len(clf.validation_scores_) == clf.n_iter_ == n - 1
    reference = case.make(max_iter=N_EPOCHS).fit(X, y, **VALIDATION)
    clf.set_params(warm_start=True, max_iter=N_EPOCHS - n + 1)
    assert trained(clf.fit(X, y, **VALIDATION)) == trained(reference)


@pytest.mark.parametrize("n", [2, 5])
def test_interrupt_in_a_scorer(n):
    scorer = Scorer(*np.arange(1, n) / 100, KeyboardInterrupt())
    clf = CASES["default"].make(max_iter=N_EPOCHS, scoring=scorer)
    interrupted_fit(clf, **VALIDATION)
    assert len(clf.history_) == clf.n_iter_ == n - 1
    assert clf.best_validation_score_ == (n - 1) / 100


# Ctrl-C in a callback is in test_callbacks.


def test_interrupt_in_a_warm_fit(monkeypatch):
    case = CASES["default"]
    clf = case.fit(case.make(max_iter=2, warm_start=True))
    with monkeypatch.context() as patched:
        interrupt_call(patched, "gradient", 2 * N_BATCHES + 3)
        interrupted_fit(clf.set_params(max_iter=4))
    assert clf.n_iter_ == 2
    assert_resumes_exactly(case, clf, 4)


def test_interrupt_with_early_stopping_keeps_the_best_epoch(monkeypatch):
    case = CASES["default"]
    params = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 50}
    clf = case.make(**params, scoring=Scorer(0.1, 0.9, 0.2, 0.3))
    with monkeypatch.context() as patched:
        interrupt_call(patched, "gradient", 4 * N_BATCHES + 1)
        interrupted_fit(clf, **VALIDATION)
    assert (clf.n_iter_, clf.best_validation_score_) == (4, 0.9)
    assert clf.validation_scores_ == [0.1, 0.9, 0.2, 0.3]
    clf.set_params(early_stopping=False)
    case.partial_fit(clf)
    reference = case.partial_fit(case.fit(case.make(max_iter=2)))
    assert clf.cost_history_ == reference.cost_history_


def test_interrupt_where_no_score_is_a_number_keeps_the_last_epoch():
    case = CASES["default"]
    scorer = Scorer(np.nan, np.nan, np.nan, KeyboardInterrupt())
    clf = case.make(early_stopping=True, max_iter=50, scoring=scorer)
    interrupted_fit(clf, **VALIDATION)
    assert clf.n_iter_ == clf.best_epoch_ == 3
    clf.set_params(early_stopping=False)
    case.partial_fit(clf)
    reference = case.partial_fit(case.fit(case.make(max_iter=3)))
    assert clf.cost_history_ == reference.cost_history_


@every_fit
@pytest.mark.parametrize("where", ["gradient", "update", "validation loss"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_interrupt_in_the_first_epoch(call, where, early_stopping, monkeypatch):
    clf = call.estimator().set_params(early_stopping=early_stopping)
    interrupt_call(monkeypatch, where, 1)
    call.assert_changes_nothing(clf, KeyboardInterrupt, None, **VALIDATION)


@calls("first partial_fit", "partial_fit")
@pytest.mark.parametrize("where", ["gradient", "update"])
@pytest.mark.parametrize("n", [1, N_BATCHES])
def test_interrupt_in_partial_fit(call, where, n, monkeypatch):
    clf = call.estimator()
    interrupt_call(monkeypatch, where, n)
    call.assert_changes_nothing(clf, KeyboardInterrupt, None)


@pytest.mark.parametrize("name", ["words", "words, weight_decay", "words, linear"])
@pytest.mark.parametrize("where", ["gradient", "row update"])
@pytest.mark.parametrize("n", [1, 4, N_BATCHES])
def test_interrupt_undoes_a_partial_fit_in_place(name, where, n, monkeypatch):
    case = CASES[name]
    clf = case.partial_fit(case.make(), 2)
    before, arrays = everything(clf), clf.coefs_
    with monkeypatch.context() as patched:
        interrupt_call(patched, where, n)
        with pytest.raises(KeyboardInterrupt):
            case.partial_fit(clf)
    assert everything(clf) == before
    assert all(map(np.shares_memory, clf.coefs_, arrays))
    case.partial_fit(clf)
    assert trained(clf) == trained(case.partial_fit(case.make(), 3))


def test_a_second_interrupt_does_not_stop_the_undoing(monkeypatch):
    case = CASES["words"]
    clf = case.partial_fit(case.make(), 2)
    before, cls, count = everything(clf), place("row update"), interrupt_at(1)
    restore = cls.restore

    def interrupted(self):
        self.backup.restore()
        count()
        restore(self)

    monkeypatch.setattr(cls, "restore", interrupted)
    interrupt_call(monkeypatch, "gradient", 4)
    with pytest.raises(KeyboardInterrupt):
        case.partial_fit(clf)
    assert everything(clf) == before


@pytest.mark.parametrize("name", ["words", "words, weight_decay"])
def test_diverging_partial_fit_in_place_is_undone(name):
    case = CASES[name]
    clf = case.partial_fit(case.make(), 2)
    before = everything(clf)
    huge = case.X * 1e300
    with pytest.raises(ValueError, match="diverged in epoch 3"):
        clf.partial_fit(huge, y)
    assert everything(clf) == before


# --- Ctrl-C at any line ---------------------------------------------------------------

MAX_LINES = 400  # that are interrupted, in each of the four tests


def at_every_line(function, look):
    """Call `look` before every line of the package that a function runs.

    Signals arrive in between bytecodes, so that lines are nearly as fine as they come.
    """

    def trace(frame, event, arg):
        if not frame.f_globals.get("__name__", "").startswith("sk_rmsprop."):
            return None
        if event == "line":
            look()
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(previous)


@pytest.mark.parametrize(
    ("first", "is_fitted", "early_stopping"),
    [(1, False, False), (2, True, False), (3, False, True), (4, True, True)],
)
def test_interrupt_at_any_line(first, is_fitted, early_stopping, capsys):
    case = Case({"batch_size": 1000, "n_iter_no_change": np.inf}, X, y)
    start = case.make(
        max_iter=2, warm_start=True, verbose=True, early_stopping=early_stopping
    )
    if is_fitted:
        start.fit(X, y, **VALIDATION)
    before, after = everything(start), {}
    for max_iter in (1, 2):
        clf = copy.deepcopy(start).set_params(max_iter=max_iter)
        after[max_iter] = trained(clf.fit(X, y, **VALIDATION))
    whole, lines = copy.deepcopy(start), []
    at_every_line(lambda: whole.fit(X, y, **VALIDATION), lambda: lines.append(1))
    assert len(lines) > 500
    kept = []
    for n in range(first, len(lines) + 1, -(-len(lines) // MAX_LINES)):
        clf = copy.deepcopy(start)
        capsys.readouterr()
        is_kept = fit_interrupted_at_line(clf, n)
        # The line of an epoch is printed when it has been finished.
        n_printed = capsys.readouterr().out.count("Iteration")
        if is_kept:
            # One step per epoch. Early stopping may have kept an earlier one.
            (n_epochs,) = (n for n in after if trained(clf) == after[n])
            assert n_printed <= n_epochs <= n_printed + 1
            kept.append(n_epochs)
        else:
            assert everything(clf) == before
            assert n_printed in (0, 2), "finished epochs have been lost"
    assert set(kept) == {1, 2}


def test_interrupt_at_any_line_of_a_partial_fit_in_place():
    case = CASES["words, weight_decay"]._replace(X=X_WORDS[:10], y=y[:10])
    start = case.partial_fit(case.make())
    before, lines = everything(start), []
    done = copy.deepcopy(start)
    at_every_line(lambda: case.partial_fit(done), lambda: lines.append(1))
    assert everything(done) != before
    for n in range(1, len(lines) + 1, -(-len(lines) // MAX_LINES)):
        clf = copy.deepcopy(start)
        with pytest.raises(KeyboardInterrupt):
            at_every_line(functools.partial(case.partial_fit, clf), interrupt_at(n))
        assert everything(clf) == before


def fit_interrupted_at_line(clf, n):
    """Return whether the fit that is interrupted at that line kept anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            at_every_line(lambda: clf.fit(X, y, **VALIDATION), interrupt_at(n))
        except KeyboardInterrupt:
            return False
    return True


# --- Threads --------------------------------------------------------------------------


@pytest.fixture
def quick_switches():
    """Make threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("quick_switches")
def test_predictions_during_partial_fit_are_of_one_epoch():
    clf = CALLS["partial_fit"].estimator()
    stopped, of_epochs = threading.Event(), {clf.predict_proba(X).tobytes()}

    def predict():
        seen = {clf.predict_proba(X).tobytes()}
        while not stopped.is_set():
            seen.add(clf.predict_proba(X).tobytes())
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(predict) for _ in range(2)]
        try:
            for _ in range(40):
                clf.partial_fit(X, y)
                of_epochs.add(clf.predict_proba(X).tobytes())
        finally:
            stopped.set()
    assert len(of_epochs) == 41
    for reader in readers:
        assert reader.result() <= of_epochs


def test_partial_fit_replaces_the_model_at_once():
    clf = CALLS["partial_fit"].estimator()
    before, seen = clf.coefs_[0].tobytes(), set()
    at_every_line(
        lambda: clf.partial_fit(X, y), lambda: seen.add(clf.coefs_[0].tobytes())
    )
    assert seen == {before, clf.coefs_[0].tobytes()}


def test_failing_partial_fit_never_takes_the_model_away():
    clf = CALLS["partial_fit"].estimator()
    before, missing = set(vars(clf)), []

    def fail():
        with pytest.raises(ValueError, match="Negative"):
            clf.partial_fit(X, y, sample_weight=-np.ones(65))

    at_every_line(fail, lambda: missing.append(before - vars(clf).keys()))
    assert len(missing) > 10
    assert set().union(*missing) == set()
