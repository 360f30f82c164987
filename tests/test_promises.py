"""Tests of what the package promises about training: it is exact, and safe.

1. Training is a pure function of data, parameters and seed, however it is cut up.
2. Weights mean repetition.
3. A call that fails changes nothing; an interrupted `fit` keeps finished epochs.
4. Files are small.
5. (scikit-learn's own checks have their file, test_estimator_checks.)
6. Models consist of plain attributes and arrays.
"""

import importlib.util
import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._rmsprop import _Update
from tests.cases import (
    CASES,
    COPIERS,
    EVERYTHING,
    X_VAL,
    Y_VAL,
    X,
    every_case,
    trained,
    y,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HAS_CALLBACKS = importlib.util.find_spec("sklearn.callback") is not None


def interrupt_call(monkeypatch, cls, n):
    """Make the n-th call from now on of any instance of a class a Ctrl-C."""
    original, calls = cls.__call__, []

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == n:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(cls, "__call__", interrupted)


# ------------------------------------------------------------------------ small files

STATE_ARRAYS = {
    "plain": ({}, 2),
    "momentum": ({"momentum": 0.9}, 3),
    "nesterov": ({"momentum": 0.9, "nesterov": True}, 3),
    "centered": ({"centered": True}, 3),
    "momentum, centered": ({"momentum": 0.9, "centered": True}, 4),
}


def fitted(clf, X):
    return clf.fit(X, y)


def fitted_with_validation(clf, X):
    return clf.fit(X, y, X_val=X_VAL, y_val=Y_VAL)


def early_stopped(clf, X):
    return clf.set_params(early_stopping=True, scoring="accuracy").fit(X, y)


def partially_fitted(clf, X):
    return clf.partial_fit(X, y, classes=[0, 1, 2])


def fitted_several_times(clf, X):
    return fitted(clf.set_params(warm_start=True), X).partial_fit(X, y).fit(X, y)


def used(clf, X):
    clf = fitted(clf, X)
    clf.predict(X)
    clf.predict_log_proba(X)
    clf.score(X, y)
    assert clf.coefs_
    assert clf.loss_curve_
    return clf


def failed(clf, X):
    clf = fitted(clf, X)
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X * np.finfo(X.dtype).max ** 0.75, y)
    return clf


def loaded(clf, X):
    return pickle.loads(pickle.dumps(fitted(clf, X)))


def loaded_and_trained_on(clf, X):
    return loaded(clf, X).partial_fit(X, y)


PASTS = {
    function.__name__: function
    for function in (
        fitted,
        fitted_with_validation,
        early_stopped,
        partially_fitted,
        fitted_several_times,
        used,
        failed,
        loaded,
        loaded_and_trained_on,
    )
}
every_past = pytest.mark.parametrize("past", PASTS.values(), ids=PASTS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


class TestSmallFiles:
    """At most 2.1 times the weights, 8 KiB and 100 bytes an epoch."""

    def assert_small(self, clf, n_arrays=2):
        n_bytes = sum(array.nbytes for array in clf.coefs_ + clf.intercepts_)
        limit = (n_arrays + 0.1) * n_bytes + 8192 + 100 * len(clf.history_)
        assert len(pickle.dumps(clf)) <= limit

    @every_past
    @both_dtypes
    @pytest.mark.parametrize(
        ("params", "n_arrays"), STATE_ARRAYS.values(), ids=STATE_ARRAYS
    )
    def test_whatever_has_been_done(self, params, n_arrays, dtype, past):
        clf = RMSpropMLPClassifier((200, 150), max_iter=2, random_state=0, **params)
        clf = past(clf, X.astype(dtype))
        assert clf.coefs_[0].dtype == dtype
        self.assert_small(clf, n_arrays)

    @both_dtypes
    @pytest.mark.parametrize("hidden", [(), (1,), (100,), (1000,), (300, 300)], ids=str)
    def test_of_any_size(self, hidden, dtype):
        clf = RMSpropMLPClassifier(hidden, max_iter=2).fit(X.astype(dtype), y)
        self.assert_small(clf)

    @pytest.mark.parametrize("learning_rate", [0.001, np.float64(0.001)])
    def test_of_many_epochs(self, learning_rate):
        clf = RMSpropMLPClassifier(
            2,
            learning_rate=learning_rate,
            learning_rate_schedule="cosine",
            max_iter=300,
            n_iter_no_change=np.inf,
            scoring="accuracy",
        ).fit(X, y, X_val=X_VAL, y_val=Y_VAL)
        assert len(clf.history_) == 300
        self.assert_small(clf)
        # The 8 KiB are not for the epochs.
        once = clone(clf).set_params(max_iter=1).fit(X, y, X_val=X_VAL, y_val=Y_VAL)
        assert len(pickle.dumps(clf)) - len(pickle.dumps(once)) <= 100 * 299

    def test_of_many_partial_fits(self):
        clf = RMSpropMLPClassifier(2, batch_size=1)
        for i in range(500):
            clf.partial_fit(X[[i % 65]], y[[i % 65]], classes=[0, 1, 2])
        self.assert_small(clf)

    def test_data_are_not_in_it(self):
        rng = np.random.default_rng(0)
        X_long = rng.standard_normal((5000, 4))
        y_long = rng.integers(0, 2, 5000)
        params = {"max_iter": 2, "early_stopping": True, "scoring": "accuracy"}
        clf = RMSpropMLPClassifier(3, **params).fit(X_long, y_long, np.ones(5000))
        self.assert_small(clf)

    def test_what_an_option_needed_goes_with_it(self):
        clf = RMSpropMLPClassifier((200, 150), max_iter=2, momentum=0.9, centered=True)
        clf.fit(X, y).set_params(momentum=0.0, centered=False)
        self.assert_small(clf.partial_fit(X, y))


# ------------------------------------------------------- plain attributes and arrays


def walk(value, path="clf"):
    """Yield (path, array) of all arrays in a value of plain types; refuse others."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, dict):
        assert type(value) is dict
        for key, item in value.items():
            assert type(key) in (str, int), path
            yield from walk(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from walk(item, f"{path}[{i}]")
    elif type(value).__module__.startswith("sk_rmsprop."):
        assert not callable(value), path
        for name, item in vars(value).items():
            yield from walk(item, f"{path}.{name}")
    else:
        assert value is None or type(value) in (bool, int, float, str), path


class RecordingUnpickler(pickle.Unpickler):
    """An unpickler that takes down the names of all that it loads."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.found = set()

    def find_class(self, module, name):
        self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


class TestPlainState:
    def assert_plain(self, clf):
        arrays = dict(walk(clf))
        names = " ".join(arrays)
        assert "params" in names
        assert "square_average_" in names
        for path, array in arrays.items():
            assert type(array) is np.ndarray, path
            assert array.dtype.kind in "biufUO", path
            assert array.base is None, f"{path} is a view"
        return arrays

    @every_case
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_of_every_case(self, case, method):
        clf = getattr(case, method)(case.make(max_iter=2))
        arrays = self.assert_plain(clf)
        # The largest that is kept is the parameters, or of their size.
        n_params = sum(coef.size for coef in clf.coefs_ + clf.intercepts_)
        assert max(array.size for array in arrays.values()) == n_params

    # How unpickling gives memory to arrays is not up to the package.
    @pytest.mark.parametrize(
        "past", [past for past in PASTS.values() if past != loaded]
    )
    def test_whatever_has_been_done(self, past):
        params = {"hidden_layer_sizes": 9, "momentum": 0.9, "centered": True}
        clf = past(RMSpropMLPClassifier(max_iter=2, **params), X.astype(np.float32))
        self.assert_plain(clf)

    @pytest.mark.parametrize(
        "copier", ["deepcopy", 'joblib, mmap_mode="r"', "pickle 5"]
    )
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_once_a_copy_has_been_trained_on(self, copier, method, tmp_path):
        case = EVERYTHING
        clf = case.fit(case.make(max_iter=2, warm_start=True))
        clf = COPIERS[copier](clf, tmp_path)
        self.assert_plain(getattr(case, method)(clf))

    def test_of_an_interrupted_fit(self, monkeypatch):
        clf = CASES["default"].make()
        interrupt_call(monkeypatch, _Update, 10)
        with pytest.warns(UserWarning, match="interrupted"):
            clf.fit(X, y)
        self.assert_plain(clf)

    def test_loading_needs_only_the_package_and_numpy(self):
        clf = EVERYTHING.fit(EVERYTHING.make(max_iter=2))
        unpickler = RecordingUnpickler(pickle.dumps(clf))
        assert trained(unpickler.load()) == trained(clf)
        packages = {name.partition(".")[0] for name in unpickler.found}
        assert packages == {"sk_rmsprop", "numpy"}

    def test_views_alias_the_loaded_parameters(self):
        # A view stored beside the vector it views would be another array now.
        clf = pickle.loads(pickle.dumps(CASES["default"].fit(CASES["default"].make())))
        before = clf.predict_proba(X)
        for coef in clf.coefs_:
            coef[...] = 0.0
        assert not np.array_equal(clf.predict_proba(X), before)
        CASES["default"].partial_fit(clf)
        assert any(np.any(intercept) for intercept in clf.intercepts_)

    def test_training_replaces_the_arrays_that_a_user_holds(self):
        # A copy of the estimator, or an earlier look at coefs_, stays as it was.
        case = CASES["default"]
        clf = case.fit(case.make(max_iter=2, warm_start=True))
        coefs, copied = clf.coefs_, [coef.copy() for coef in clf.coefs_]
        case.partial_fit(clf)
        case.fit(clf)
        for coef, before in zip(coefs, copied, strict=True):
            np.testing.assert_array_equal(coef, before)
