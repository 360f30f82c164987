"""A call that fails changes nothing; an interrupted `fit` keeps finished epochs."""

import copy
import importlib.util
import sys
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from tests.cases import (
    CASES,
    N_EPOCHS,
    WEIGHT,
    X_SPARSE,
    X_VAL,
    Y_MULTILABEL,
    Y_VAL,
    Case,
    X,
    everything,
    trained,
    y,
)
from tests.helpers import BAD_VALUES, Scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# The private classes of the package whose calls are interrupted. All else is done
# through the public interface, or at lines of whatever modules there are.
PLACES = {
    "gradient": "CostGradient",
    "update": "_Update",
    "validation loss": "ValidationLoss",
}
N_BATCHES = 7  # of an epoch: the calls of the gradient and the update


def place(name):
    """Return the class of a place, of whatever module of the package."""
    modules = [m for path, m in sys.modules.items() if path.startswith("sk_rmsprop.")]
    return next(vars(m)[PLACES[name]] for m in modules if PLACES[name] in vars(m))


def is_of_package(frame):
    return frame.f_globals.get("__name__", "").startswith("sk_rmsprop")


needs_callbacks = pytest.mark.skipif(
    importlib.util.find_spec("sklearn.callback") is None,
    reason="needs scikit-learn 1.9",
)


def make_callback(**hooks):
    """Return a callback with some hooks, called with the estimator that is fitted."""

    def do_nothing(self, estimator, context, **kwargs):
        """Do nothing."""

    names = ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end")
    return type("Callback", (), dict.fromkeys(names, do_nothing) | hooks)()


# --- Ways to train --------------------------------------------------------------------


def fit(clf, **data):
    return clf.fit(**data)


def warm_fit(clf, **data):
    return clf.set_params(warm_start=True).fit(**data)


def partial_fit(clf, **data):
    return clf.partial_fit(**data)


def first_partial_fit(clf, **data):
    return clf.partial_fit(**({"classes": [0, 1, 2]} | data))


class Call(NamedTuple):
    """A way to train an estimator: the method, and what the estimator was before."""

    method: object
    is_fitted: bool

    def estimator(self, **params):
        """Return an estimator that is ready for the call."""
        params = {"hidden_layer_sizes": 4, "max_iter": 3, "batch_size": 10} | params
        clf = RMSpropMLPClassifier(
            standardize=False,
            warm_start=self.method is warm_fit,
            random_state=np.random.RandomState(0),
            **params,
        )
        if self.is_fitted:
            clf.fit(X, y)
        return clf

    def assert_changes_nothing(self, clf, error, match, **data):
        """Check that the call raises, and that the estimator is what it was."""
        before = everything(clf)
        with pytest.raises(error, match=match):
            self.method(clf, **({"X": X, "y": y} | data))
        assert everything(clf) == before


CALLS = {
    "first fit": Call(fit, False),
    "second fit": Call(fit, True),
    "first warm fit": Call(warm_fit, False),
    "warm fit": Call(warm_fit, True),
    "first partial_fit": Call(first_partial_fit, False),
    "partial_fit": Call(partial_fit, True),
}


def calls(*names):
    return pytest.mark.parametrize("call", [CALLS[name] for name in names], ids=names)


every_call = calls(*CALLS)
every_fit = calls(*[name for name in CALLS if "partial" not in name])
calls_that_resume = calls("warm fit", "partial_fit")


# --- Bad data -------------------------------------------------------------------------


def with_value(array, value, index=3):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


# What is wrong, and what the error must name
BAD_DATA = {
    "X nan": ({"X": with_value(X, np.nan)}, "X contains NaN"),
    "X inf": ({"X": with_value(X, np.inf)}, "X contains infinity"),
    "X sparse nan": ({"X": csr_array(with_value(X, np.nan))}, "X contains NaN"),
    "X strings": ({"X": np.full(X.shape, "a")}, "could not convert string"),
    "X 1-D": ({"X": X[:, 0]}, "2D array"),
    "X 3-D": ({"X": X[:, :, np.newaxis]}, "dim 3"),
    "X complex": ({"X": X + 1j}, "[Cc]omplex"),
    "X short": ({"X": X[1:]}, "inconsistent numbers of samples"),
    "X empty": ({"X": X[:0], "y": y[:0]}, "0 sample"),
    "X without columns": ({"X": X[:, :0]}, "0 feature"),
    "y missing": ({"y": None}, "y"),
    "y nan": ({"y": with_value(y, np.nan)}, "y contains NaN"),
    "y continuous": ({"y": y + 0.5}, "continuous|classes"),
    "y multioutput": ({"y": np.column_stack([y, y])}, "multioutput"),
    "y multilabel of twos": ({"y": 2 * Y_MULTILABEL}, "zeros and ones"),
    "y 3-D": ({"y": np.zeros((65, 2, 2))}, "y|dim 3"),
    "sample_weight negative": (
        {"sample_weight": with_value(WEIGHT, -1)},
        "[Nn]egative",
    ),
    "sample_weight nan": (
        {"sample_weight": with_value(WEIGHT, np.nan)},
        "sample_weight",
    ),
    "sample_weight inf": (
        {"sample_weight": with_value(WEIGHT, np.inf)},
        "sample_weight",
    ),
    "sample_weight short": ({"sample_weight": WEIGHT[1:]}, "sample_weight"),
    "sample_weight zero": ({"sample_weight": 0 * WEIGHT}, "[Ss]ample.weight"),
    "sample_weight 2-D": ({"sample_weight": WEIGHT[:, np.newaxis]}, "[Ss]ample.weight"),
}
BAD_WHEN_RESUMING = {
    "X with a column less": ({"X": X[:, 1:]}, "features"),
    "y with an unseen class": ({"y": y + 1}, r"\by\b|classes"),
    "y of strings": ({"y": y.astype(str)}, r"\by\b|classes"),
    "y multilabel": ({"y": Y_MULTILABEL}, "y|classes"),
}
VALIDATION = {"X_val": X_VAL, "y_val": Y_VAL}
BAD_VALIDATION = {
    "X_val alone": ({"X_val": X_VAL}, "y_val"),
    "y_val alone": ({"y_val": Y_VAL}, "X_val"),
    "sample_weight_val alone": ({"sample_weight_val": WEIGHT}, "X_val"),
    "X_val nan": (VALIDATION | {"X_val": with_value(X_VAL, np.nan)}, "NaN"),
    "X_val with a column less": (VALIDATION | {"X_val": X_VAL[:, 1:]}, "features"),
    "X_val short": (VALIDATION | {"X_val": X_VAL[1:]}, "inconsistent"),
    "y_val with an unseen class": (VALIDATION | {"y_val": Y_VAL + 1}, "y_val"),
    "y_val continuous": (VALIDATION | {"y_val": Y_VAL + 0.5}, "continuous"),
    "y_val multilabel": (VALIDATION | {"y_val": np.eye(40)[:, :3]}, "y_val"),
    "sample_weight_val negative": (
        VALIDATION | {"sample_weight_val": -np.ones(40)},
        "sample_weight_val",
    ),
    "sample_weight_val zero": (
        VALIDATION | {"sample_weight_val": np.zeros(40)},
        "[Ss]ample.weight",
    ),
}


def every_row_of(table):
    return pytest.mark.parametrize(("data", "match"), table.values(), ids=table)


@every_call
@every_row_of(BAD_DATA)
def test_bad_data(call, data, match):
    error = (ValueError, TypeError)
    call.assert_changes_nothing(call.estimator(), error, match, **data)


@calls_that_resume
@every_row_of(BAD_WHEN_RESUMING)
def test_data_that_do_not_fit_the_model(call, data, match):
    call.assert_changes_nothing(call.estimator(), ValueError, match, **data)


@every_fit
@pytest.mark.parametrize("early_stopping", [True, False])
@every_row_of(BAD_VALIDATION)
def test_bad_validation_data(call, early_stopping, data, match):
    clf = call.estimator().set_params(early_stopping=early_stopping)
    call.assert_changes_nothing(clf, (ValueError, TypeError), match, **data)


BAD_CLASSES = {
    "nan": [0, 1, 2, np.nan],
    "none": [0, 1, 2, None],
    "fraction": [0, 0.5, 1, 2],
    "strings": ["a", "b", "c"],
    "strings and numbers": np.array(["a", 1, 2], dtype=object),
    "empty": [],
    "too few": [0, 1],
    "2-D": [[0, 1, 2]],
    "set": {0, 1, 2},
}


@calls("first partial_fit", "partial_fit")
@pytest.mark.parametrize("classes", BAD_CLASSES.values(), ids=BAD_CLASSES)
def test_bad_classes(call, classes):
    clf = call.estimator()
    call.assert_changes_nothing(clf, ValueError, "classes", classes=classes)


def test_first_partial_fit_without_classes():
    call, match = CALLS["first partial_fit"], "classes must be passed on the first call"
    call.assert_changes_nothing(call.estimator(), ValueError, match, classes=None)


@calls_that_resume
def test_frame_with_other_names(call):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    clf = RMSpropMLPClassifier(max_iter=2, warm_start=True).fit(frame, y)
    other = frame.rename(columns={"a": "z"})
    call.assert_changes_nothing(clf, ValueError, "feature names", X=other)


def test_failing_cold_fit_keeps_the_names_and_number_of_features():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    clf = RMSpropMLPClassifier(max_iter=2).fit(frame, y)
    for data in ({"y": y + 0.5}, {"sample_weight": np.zeros(65)}):
        data = {"X": frame[["b", "a"]]} | data
        CALLS["second fit"].assert_changes_nothing(clf, ValueError, None, **data)
    assert clf.predict(frame).shape == (65,)


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


@every_call
def test_class_weights_that_are_all_zero(call):
    clf = call.estimator().set_params(class_weight={0: 0, 1: 0, 2: 0})
    call.assert_changes_nothing(clf, ValueError, "class_weight")


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": 5},
        {"hidden_layer_sizes": (4, 4)},
        {"hidden_layer_sizes": ()},
        {"activation": "tanh"},
    ],
)
@calls_that_resume
def test_training_of_another_network_cannot_be_resumed(call, params):
    clf = call.estimator().set_params(**params)
    call.assert_changes_nothing(clf, ValueError, next(iter(params)))


@calls("first partial_fit", "partial_fit")
@pytest.mark.parametrize(
    "params", [{"early_stopping": True}, {"class_weight": "balanced"}]
)
def test_what_partial_fit_cannot_do(params, call):
    clf = call.estimator().set_params(**params)
    call.assert_changes_nothing(clf, ValueError, next(iter(params)))


# --- Divergence -----------------------------------------------------------------------

DIVERGING = {
    "X huge": ({}, X * 1e200),
    "X huge in float32": ({}, (X * 1e25).astype(np.float32)),
    "X huge and sparse": ({}, X_SPARSE * 1e200),
    "X huge, centered": ({"centered": True, "momentum": 0.9}, X * 1e200),
    "X huge, linear": ({"hidden_layer_sizes": ()}, X * 1e200),
    "some huge rows": ({}, np.vstack([X[:55], X[55:] * 1e200])),
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
    if call.method in (partial_fit, first_partial_fit):
        clf = just_before_divergence(call, clf, data)
    remedies = r"(?s)diverged in epoch \d+.*[Ss]cale X.*learning_rate"
    call.assert_changes_nothing(clf, ValueError, remedies, X=data)


def just_before_divergence(call, clf, data):
    """Return the model after as many epochs as `fit` would have survived."""
    for _ in range(3):
        try:
            call.method(copy.deepcopy(clf), X=data, y=y)
        except ValueError:
            break
        call.method(clf, X=data, y=y)
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
    ("params", "scale"),
    [
        pytest.param({"hidden_layer_sizes": (9, 9)}, 1e306, id="cost"),
        pytest.param({"learning_rate": 1e308}, 1.0, id="weight"),
        pytest.param({}, 1e200, id="square average"),
    ],
)
def test_divergence_of_each_kind_is_found_at_once(params, scale, method):
    # In one full batch whatever else goes wrong would do so in the next epoch.
    case = Case({"batch_size": 1000, "max_iter": 1} | params, X * scale, y)
    with pytest.raises(ValueError, match="diverged in epoch 1:"):
        getattr(case, method)(case.make())


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
def test_score_that_is_no_number(call):
    clf = call.estimator(scoring=lambda *args: "good")
    clf.set_params(early_stopping=True)
    call.assert_changes_nothing(clf, (ValueError, TypeError), None, **VALIDATION)


@every_fit
def test_impossible_split(call):
    clf = call.estimator().set_params(early_stopping=True)
    match = r"(?s)validation_fraction.*X_val.*early_stopping=False"
    # Every class has a single member.
    call.assert_changes_nothing(clf, ValueError, match, X=X[:3], y=[0, 1, 2])


@needs_callbacks
@pytest.mark.parametrize(
    "hook", ["setup", "on_fit_task_begin", "on_fit_task_end", "teardown"]
)
@every_fit
def test_failing_callback(call, hook):
    def fail(self, estimator, context, **kwargs):
        raise ValueError("no callback")

    clf = call.estimator().set_callbacks(make_callback(**{hook: fail}))
    call.assert_changes_nothing(clf, ValueError, "no callback")


# --- Ctrl-C ---------------------------------------------------------------------------


def interrupt_call(monkeypatch, cls, n):
    """Make the n-th call from now on of any instance of a class a Ctrl-C."""
    original, n_calls = cls.__call__, []

    def interrupted(self, *args):
        n_calls.append(1)
        if len(n_calls) == n:
            raise KeyboardInterrupt
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
    ("n", "finished"), [(N_BATCHES + 1, 1), (2 * N_BATCHES, 1), (5 * N_BATCHES + 4, 5)]
)
def test_interrupt_in_an_epoch_keeps_those_before(where, n, finished, monkeypatch):
    case = CASES["default"]
    with monkeypatch.context() as patched:
        interrupt_call(patched, place(where), n)
        clf = interrupted_fit(case.make(max_iter=N_EPOCHS))
    assert clf.n_iter_ == finished
    assert_resumes_exactly(case, clf, finished)


@pytest.mark.parametrize("name", ["dropout", "everything", "csr"])
def test_interrupt_with_options(name, monkeypatch):
    case = CASES[name]
    with monkeypatch.context() as patched:
        interrupt_call(patched, place("update"), 25)
        clf = interrupted_fit(
            case.make(max_iter=N_EPOCHS),
            X=case.X,
            y=case.y,
            sample_weight=case.sample_weight,
        )
    assert 1 <= clf.n_iter_ < N_EPOCHS
    assert_resumes_exactly(case, clf, clf.n_iter_)


@pytest.mark.parametrize("n", [2, 4])
def test_interrupt_in_the_validation_loss(n, monkeypatch):
    case = CASES["default"]
    with monkeypatch.context() as patched:
        interrupt_call(patched, place("validation loss"), n)
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


@needs_callbacks
def test_interrupt_in_a_callback_after_an_epoch_keeps_the_epoch():
    def interrupt(self, estimator, context, *, fitted_estimator, **kwargs):
        if context.task_name == "epoch" and fitted_estimator.n_iter_ == 3:
            raise KeyboardInterrupt

    case = CASES["default"]
    clf = case.make(max_iter=N_EPOCHS)
    interrupted_fit(clf.set_callbacks(make_callback(on_fit_task_end=interrupt)))
    assert clf.n_iter_ == 3
    assert_resumes_exactly(case, clf.set_callbacks(), 3)


def test_interrupt_in_a_warm_fit(monkeypatch):
    case = CASES["default"]
    clf = case.fit(case.make(max_iter=2, warm_start=True))
    with monkeypatch.context() as patched:
        interrupt_call(patched, place("gradient"), 2 * N_BATCHES + 3)
        interrupted_fit(clf.set_params(max_iter=4))
    assert clf.n_iter_ == 2
    assert_resumes_exactly(case, clf, 4)


def test_interrupt_with_early_stopping_keeps_the_best_epoch(monkeypatch):
    case = CASES["default"]
    params = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 50}
    clf = case.make(**params, scoring=Scorer(0.1, 0.9, 0.2, 0.3))
    with monkeypatch.context() as patched:
        interrupt_call(patched, place("gradient"), 4 * N_BATCHES + 1)
        interrupted_fit(clf, **VALIDATION)
    assert (clf.n_iter_, clf.best_validation_score_) == (4, 0.9)
    assert clf.validation_scores_ == [0.1, 0.9, 0.2, 0.3]
    clf.set_params(early_stopping=False)
    case.partial_fit(clf)
    reference = case.partial_fit(case.fit(case.make(max_iter=2)))
    assert clf.cost_history_ == reference.cost_history_


@every_fit
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_interrupt_in_the_first_epoch(call, where, early_stopping, monkeypatch):
    clf = call.estimator().set_params(early_stopping=early_stopping)
    interrupt_call(monkeypatch, place(where), 1)
    call.assert_changes_nothing(clf, KeyboardInterrupt, None, **VALIDATION)


@calls("first partial_fit", "partial_fit")
@pytest.mark.parametrize("where", ["gradient", "update"])
@pytest.mark.parametrize("n", [1, N_BATCHES])
def test_interrupt_in_partial_fit(call, where, n, monkeypatch):
    clf = call.estimator()
    interrupt_call(monkeypatch, place(where), n)
    call.assert_changes_nothing(clf, KeyboardInterrupt, None)


# --- Ctrl-C at any line ---------------------------------------------------------------

MAX_LINES = 400  # that are interrupted, in each of the four tests


def call_with_interrupt_at_line(function, n=None):
    """Call a function with a Ctrl-C at the n-th line of the package that it runs.

    Returns the number of lines. Signals arrive in between bytecodes, so that lines are
    nearly as fine as they come.
    """
    n_lines = 0

    def trace(frame, event, arg):
        nonlocal n_lines
        if not is_of_package(frame):
            return None
        if event == "line":
            n_lines += 1
            if n_lines == n:
                raise KeyboardInterrupt
        return trace

    tracer = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(tracer)
    return n_lines


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
    whole = copy.deepcopy(start)
    n_lines = call_with_interrupt_at_line(lambda: whole.fit(X, y, **VALIDATION))
    assert n_lines > 500
    kept = []
    for n in range(first, n_lines + 1, -(-n_lines // MAX_LINES)):
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


def fit_interrupted_at_line(clf, n):
    """Return whether the fit that is interrupted at that line kept anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call_with_interrupt_at_line(lambda: clf.fit(X, y, **VALIDATION), n)
        except KeyboardInterrupt:
            return False
    return True
