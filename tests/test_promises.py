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
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._rmsprop import _Update
from sk_rmsprop._schedules import SCHEDULES
from tests.cases import (
    CASES,
    COPIERS,
    EVERYTHING,
    N_EPOCHS,
    X_VAL,
    Y_VAL,
    Case,
    X,
    every_case,
    every_constant_rate_case,
    every_copier,
    trained,
    y,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HAS_CALLBACKS = importlib.util.find_spec("sklearn.callback") is not None


class TestPartialFit:
    """k calls of partial_fit are a fit of k epochs."""

    @every_case
    def test_equals_fit_bit_for_bit(self, case):
        whole = case.fit(case.make(max_iter=N_EPOCHS))
        assert whole.n_iter_ == N_EPOCHS, "a stopping rule has fired"
        pieces = case.partial_fit(case.make(max_iter=N_EPOCHS), N_EPOCHS)
        assert trained(pieces) == trained(whole)
        # What is not public, such as the generator's state, shows in what follows.
        case.partial_fit(whole, 2)
        case.partial_fit(pieces, 2)
        assert trained(pieces) == trained(whole)

    def test_plateau_case_does_reduce_the_rate(self):
        case = CASES["schedule plateau, reducing"]
        clf = case.partial_fit(case.make(max_iter=N_EPOCHS), N_EPOCHS)
        rates = [record["learning_rate"] for record in clf.history_]
        # The first epoch always improves.
        np.testing.assert_allclose(
            rates, [0.01, 0.01, 0.01, 0.002, 0.002, 0.0004], rtol=1e-14
        )

    def test_of_pieces_of_any_size_counts_rows_and_epochs(self):
        clf = CASES["default"].make()
        for rows in (slice(0, 40), slice(40, 41), slice(41, 65)):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        assert clf.t_ == 65
        assert [record["epoch"] for record in clf.history_] == [1, 2, 3]
        # Batches of 10: four, one and three steps
        assert clf.optimizer_.n_steps_ == 8


class TestWarmFits:
    """With a constant rate, warm fits add up."""

    @every_constant_rate_case
    def test_add_up_bit_for_bit(self, case):
        whole = case.fit(case.make(max_iter=N_EPOCHS))
        warm = case.make(warm_start=True)
        for max_iter in (1, 2, N_EPOCHS - 3):
            case.fit(warm, max_iter=max_iter)
            assert warm.n_iter_ == max_iter
        assert trained(warm) == trained(whole)
        case.partial_fit(whole)
        case.partial_fit(warm)
        assert trained(warm) == trained(whole)

    @every_constant_rate_case
    def test_mix_with_partial_fits(self, case):
        whole = case.fit(case.make(max_iter=N_EPOCHS))
        mixed = case.partial_fit(case.make(warm_start=True), 2)
        case.fit(mixed, max_iter=3)
        case.partial_fit(mixed)
        assert trained(mixed) == trained(whole)

    def test_stop_where_one_fit_would_have_stopped(self):
        # Nothing improves on the first epoch by more than tol: one and four.
        case = CASES["default"]
        params = {"tol": 10.0, "n_iter_no_change": 4, "warm_start": True}
        whole = case.fit(case.make(max_iter=100, **params))
        assert whole.n_iter_ == 5
        pieces = case.fit(case.make(max_iter=2, **params))
        case.partial_fit(pieces)
        case.fit(pieces, max_iter=100)
        assert pieces.n_iter_ == 2
        assert trained(pieces) == trained(whole)

    def test_go_on_after_a_stop(self):
        case = CASES["default"]
        params = {"tol": 10.0, "n_iter_no_change": 4, "warm_start": True}
        clf = case.fit(case.make(max_iter=100, **params))
        case.fit(clf)
        assert clf.n_iter_ == 4
        assert len(clf.history_) == 9

    def test_cold_fit_starts_anew(self):
        case = EVERYTHING
        clf = case.fit(case.make(max_iter=3))
        once = trained(clf)
        case.partial_fit(clf)
        assert trained(clf) != once
        assert trained(case.fit(clf)) == once


class TestCut:
    """Copies and files do not disturb training."""

    @every_case
    def test_by_pickle(self, case):
        whole = case.partial_fit(case.make(max_iter=N_EPOCHS), N_EPOCHS)
        cut = case.partial_fit(case.make(max_iter=N_EPOCHS), 2)
        cut = pickle.loads(pickle.dumps(cut))
        case.partial_fit(cut, N_EPOCHS - 2)
        assert trained(cut) == trained(whole)

    @every_copier
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_between_partial_fits(self, copier, dtype, tmp_path):
        case = EVERYTHING._replace(X=X.astype(dtype))
        clf = case.partial_fit(case.make(max_iter=N_EPOCHS), 3)
        before = trained(clf)
        cut = copier(clf, tmp_path)
        case.partial_fit(cut, 3)
        assert trained(clf) == before, "the original has changed"
        case.partial_fit(clf, 3)
        assert trained(cut) == trained(clf)

    @every_copier
    def test_between_warm_fits(self, copier, tmp_path):
        case = EVERYTHING
        whole = case.fit(case.make(max_iter=N_EPOCHS))
        clf = case.fit(case.make(max_iter=2, warm_start=True))
        cut = case.fit(copier(clf, tmp_path), max_iter=N_EPOCHS - 2)
        assert trained(cut) == trained(whole)

    def test_of_every_epoch(self, tmp_path):
        case = EVERYTHING
        cut = case.make(max_iter=len(COPIERS))
        for copier in COPIERS.values():
            cut = case.partial_fit(copier(cut, tmp_path))
        assert trained(cut) == trained(case.fit(case.make(max_iter=len(COPIERS))))

    def test_in_another_process(self, tmp_path):
        script = (
            "import sys, joblib\n"
            "clf, data = joblib.load(sys.argv[1])\n"
            "for _ in range(3):\n"
            "    clf.partial_fit(*data)\n"
            "joblib.dump(clf, sys.argv[1])\n"
        )
        case = EVERYTHING
        clf = case.partial_fit(case.make(max_iter=N_EPOCHS), 3)
        path = tmp_path / "clf.joblib"
        joblib.dump((clf, (case.X, case.y, None, case.sample_weight)), path)
        package_parent = Path(sys.modules["sk_rmsprop"].__file__).parents[1]
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script, path],
            check=True,
            cwd=package_parent,
            timeout=600,
        )
        case.partial_fit(clf, 3)
        assert trained(joblib.load(path)) == trained(clf)


class TestPureFunction:
    @every_case
    def test_clone_and_refit_give_the_same(self, case):
        clf = case.fit(case.make(max_iter=3))
        once = trained(clf)
        assert trained(case.fit(clone(clf))) == once
        assert trained(case.fit(clf)) == once

    def test_generators_in_the_same_state_give_the_same(self):
        case = EVERYTHING
        fits = [
            case.fit(case.make(max_iter=2, random_state=np.random.RandomState(seed)))
            for seed in (5, 5, 6)
        ]
        assert trained(fits[0]) == trained(fits[1])
        assert trained(fits[0]) != trained(fits[2])

    @pytest.mark.parametrize(
        "generator", [np.random.MT19937, np.random.PCG64, np.random.Philox]
    )
    def test_random_state_on_any_bit_generator(self, generator):
        case = CASES["default"]
        random_state = np.random.RandomState(generator(1))
        other = np.random.RandomState(generator(1))
        clf = case.fit(case.make(max_iter=2, random_state=random_state))
        assert trained(case.fit(case.make(max_iter=2, random_state=other))) == trained(
            clf
        )

    @every_case
    def test_training_leaves_the_data_alone(self, case):
        data = (case.X, case.y, case.sample_weight)
        before = pickle.dumps(data)
        clf = case.fit(case.make(max_iter=2, warm_start=True))
        case.fit(clf)
        case.partial_fit(clf)
        assert pickle.dumps(data) == before

    def test_the_past_does_not_matter_to_a_cold_fit(self):
        fresh = EVERYTHING.fit(EVERYTHING.make(max_iter=3))
        clf = RMSpropMLPClassifier(max_iter=2, random_state=9).fit(X[:, :2], y > 0)
        clf.predict(X[:, :2])
        clf.set_params(**fresh.get_params())
        assert trained(EVERYTHING.fit(clf)) == trained(fresh)


def factors(clf, learning_rate=0.01):
    """Return the learning rate of every epoch, divided by the parameter."""
    return [record["learning_rate"] / learning_rate for record in clf.history_]


class TestScheduleProgress:
    """Progress = epochs since the last fit began / max_iter, at most 1."""

    # Worked out by hand: 1 - 0.99 * progress
    LINEAR = (1.0, 0.901, 0.802, 0.703, 0.604, 0.505, 0.406, 0.307, 0.208, 0.109)

    @pytest.fixture
    def case(self):
        return Case({"learning_rate_schedule": "linear", "max_iter": 10}, X, y)

    def test_of_partial_fits_alone(self, case):
        clf = case.partial_fit(case.make(), 3)
        np.testing.assert_allclose(factors(clf), self.LINEAR[:3])

    def test_of_more_partial_fits_than_max_iter(self, case):
        clf = case.partial_fit(case.make(), 13)
        np.testing.assert_allclose(factors(clf), [*self.LINEAR, 0.01, 0.01, 0.01])

    def test_of_partial_fits_after_a_fit(self, case):
        clf = case.partial_fit(case.fit(case.make()), 2)
        np.testing.assert_allclose(factors(clf), [*self.LINEAR, 0.01, 0.01])

    def test_a_warm_fit_starts_the_schedule(self, case):
        clf = case.partial_fit(case.make(warm_start=True), 3)
        case.fit(clf)
        case.partial_fit(clf)
        expected = [*self.LINEAR[:3], *self.LINEAR, 0.01]
        np.testing.assert_allclose(factors(clf), expected)

    def test_a_cold_fit_starts_the_schedule(self, case):
        clf = case.fit(case.fit(case.make()))
        np.testing.assert_allclose(factors(clf), self.LINEAR)

    def test_size_of_the_pieces_does_not_matter(self, case):
        clf = case.make()
        for rows in (slice(0, 40), slice(40, 41), slice(41, 65)):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        np.testing.assert_allclose(factors(clf), self.LINEAR[:3])

    def test_max_iter_of_now_counts(self, case):
        clf = case.fit(case.make(max_iter=5))
        case.partial_fit(clf.set_params(max_iter=10))
        assert factors(clf)[-1] == pytest.approx(0.505)

    def test_pickling_does_not_move_it(self, case):
        clf = case.fit(case.make(max_iter=5)).set_params(max_iter=10)
        case.partial_fit(pickle.loads(pickle.dumps(clf)))
        clf = case.partial_fit(pickle.loads(pickle.dumps(clf)), 2)
        np.testing.assert_allclose(factors(clf)[-2:], [0.505, 0.406])

    def test_a_shorter_stopped_fit_is_gone_on_with_from_its_progress(self, case):
        params = {"tol": 10.0, "n_iter_no_change": 2}
        clf = case.fit(case.make(**params))
        assert clf.n_iter_ == 3
        case.partial_fit(clf)
        np.testing.assert_allclose(factors(clf), self.LINEAR[:4])

    @pytest.mark.parametrize(
        "schedule", [name for name in SCHEDULES if name not in ("constant", "plateau")]
    )
    def test_every_schedule_ends_where_training_can_go_on(self, schedule, case):
        clf = case.partial_fit(case.fit(case.make(learning_rate_schedule=schedule)))
        assert factors(clf)[-1] == pytest.approx(0.01)

    def test_plateau_goes_on_reduced_and_a_fit_begins_anew(self):
        case = CASES["schedule plateau, reducing"]
        clf = case.fit(case.make(max_iter=4, warm_start=True))
        case.partial_fit(clf)
        assert factors(clf)[3:] == pytest.approx([1 / 5, 1 / 5])
        case.fit(clf, max_iter=1)
        assert factors(clf)[5:] == [1.0]


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
