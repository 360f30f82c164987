"""Tests of what the package promises about training: it is exact, and safe.

1. Training is a pure function of data, parameters and seed, however it is cut up.
2. Weights mean repetition.
3. A call that fails changes nothing; an interrupted `fit` keeps finished epochs.
4. Files are small.
5. (scikit-learn's own checks have their file, test_estimator_checks.)
6. Models consist of plain attributes and arrays.
"""

import copy
import importlib.util
import io
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._network import CostGradient
from sk_rmsprop._rmsprop import _Update
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._training import ValidationLoss, train
from tests.cases import (
    CASES,
    COPIERS,
    EVERYTHING,
    N_EPOCHS,
    WEIGHT,
    X_SPARSE,
    X_VAL,
    Y_MULTILABEL,
    Y_VAL,
    Case,
    Scripted,
    X,
    every_case,
    every_constant_rate_case,
    every_copier,
    everything,
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


# ------------------------------------------------------------ failure changes nothing


def fit(clf, **data):
    return clf.fit(**data)


def warm_fit(clf, **data):
    return clf.set_params(warm_start=True).fit(**data)


def partial_fit(clf, **data):
    return clf.partial_fit(**data)


def first_partial_fit(clf, **data):
    return clf.partial_fit(classes=[0, 1, 2], **data)


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

    def assert_changes_nothing(self, clf, data, error, match):
        before = everything(clf)
        with pytest.raises(error, match=match):
            self.method(clf, **data)
        assert everything(clf) == before


CALLS = {
    "first fit": Call(fit, False),
    "second fit": Call(fit, True),
    "first warm fit": Call(warm_fit, False),
    "warm fit": Call(warm_fit, True),
    "first partial_fit": Call(first_partial_fit, False),
    "partial_fit": Call(partial_fit, True),
}
FITS = {name: call for name, call in CALLS.items() if "partial" not in name}
GOING_ON = {name: CALLS[name] for name in ("warm fit", "partial_fit")}

every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
every_fit = pytest.mark.parametrize("call", FITS.values(), ids=FITS)
calls_that_go_on = pytest.mark.parametrize("call", GOING_ON.values(), ids=GOING_ON)


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
BAD_WHEN_GOING_ON = {
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
BAD_CLASSES = {
    "with nan": [0, 1, 2, np.nan],
    "of strings": ["a", "b", "c"],
    "of strings and numbers": np.array(["a", 1, 2], dtype=object),
    "empty": [],
    "too few": [0, 1],
}


class TestBadData:
    @every_call
    @pytest.mark.parametrize(("data", "match"), BAD_DATA.values(), ids=BAD_DATA)
    def test_changes_nothing(self, call, data, match):
        data = {"X": X, "y": y} | data
        clf = call.estimator()
        call.assert_changes_nothing(clf, data, (ValueError, TypeError), match)

    @calls_that_go_on
    @pytest.mark.parametrize(
        ("data", "match"), BAD_WHEN_GOING_ON.values(), ids=BAD_WHEN_GOING_ON
    )
    def test_that_does_not_fit_the_model_changes_nothing(self, call, data, match):
        data = {"X": X, "y": y} | data
        call.assert_changes_nothing(call.estimator(), data, ValueError, match)

    @every_fit
    @pytest.mark.parametrize("early_stopping", [True, False])
    @pytest.mark.parametrize(
        ("data", "match"), BAD_VALIDATION.values(), ids=BAD_VALIDATION
    )
    def test_for_validation_changes_nothing(self, call, early_stopping, data, match):
        clf = call.estimator().set_params(early_stopping=early_stopping)
        data = {"X": X, "y": y} | data
        call.assert_changes_nothing(clf, data, (ValueError, TypeError), match)

    @pytest.mark.parametrize("classes", BAD_CLASSES.values(), ids=BAD_CLASSES)
    @pytest.mark.parametrize("is_fitted", [True, False])
    def test_for_classes_changes_nothing(self, classes, is_fitted):
        call = Call(partial_fit, is_fitted)
        data = {"X": X, "y": y, "classes": classes}
        call.assert_changes_nothing(call.estimator(), data, ValueError, "classes")

    def test_first_partial_fit_without_classes_changes_nothing(self):
        call = Call(partial_fit, False)
        data = {"X": X, "y": y}
        call.assert_changes_nothing(call.estimator(), data, ValueError, "classes")

    def test_frame_with_other_names_changes_nothing(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=list("abcde"))
        clf = RMSpropMLPClassifier(max_iter=2, warm_start=True).fit(frame, y)
        other = {"X": frame.rename(columns={"a": "z"}), "y": y}
        for method in (warm_fit, partial_fit):
            call = Call(method, True)
            call.assert_changes_nothing(clf, other, ValueError, "feature names")

    def test_failing_cold_fit_keeps_the_feature_names(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=list("abcde"))
        clf = RMSpropMLPClassifier(max_iter=2).fit(frame, y)
        data = {"X": X[:, :2], "y": y + 0.5}
        CALLS["second fit"].assert_changes_nothing(clf, data, ValueError, "continuous")
        assert clf.predict(frame).shape == (65,)


# At least one value of the wrong type and one out of range, of every parameter
BAD_PARAMS = {
    "hidden_layer_sizes": [0, -3, 2.5, None, "100", (5, 0), (2.5,), [[3]], np.array(3)],
    "activation": ["relu6", None, max],
    "standardize": ["yes", 2, None],
    "learning_rate": [0, -0.1, np.inf, np.nan, "constant", None, True],
    "beta": [-0.1, 1.0, np.nan, "0.9", None],
    "epsilon": [0.0, -1e-8, np.inf, np.nan, None],
    "momentum": [-0.1, 1.0, np.nan, None],
    "nesterov": ["yes", 1, None],
    "centered": ["yes", 1, None],
    "learning_rate_schedule": ["adaptive", None, max],
    "alpha": [-1.0, np.nan, np.inf, "0", None],
    "weight_decay": [-1.0, np.nan, np.inf, None],
    "dropout": [-0.1, 1.0, np.nan, None],
    "label_smoothing": [-0.1, 1.0, np.nan, None],
    "max_grad_norm": [0.0, -1.0, np.nan, "1"],
    "batch_size": [0, -1, 10.0, "all", None],
    "max_iter": [0, -1, 10.0, np.inf, "all", None],
    "tol": [-1e-4, np.nan, None],
    "n_iter_no_change": [0, -1, 2.5, np.nan, -np.inf, None],
    "early_stopping": ["yes", 1, None],
    "validation_fraction": [0.0, 1.0, -0.1, 5, np.nan, None],
    "scoring": ["bogus", 3, None],
    "class_weight": ["auto", 3, {0: -1.0}, {0: np.nan}, {0: np.inf}, {0: "a"}],
    "shuffle": ["yes", 1, None],
    "random_state": ["0", -1, 1.5, np.random.default_rng(0)],
    "warm_start": ["yes", 1, None],
    "verbose": ["yes", -1, None],
}


class TestBadParameter:
    def test_table_is_complete(self):
        assert set(BAD_PARAMS) == set(RMSpropMLPClassifier().get_params())

    @pytest.mark.parametrize("call", ["second fit", "first partial_fit", "partial_fit"])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            # Without the address that some values' repr ends with
            pytest.param(name, value, id=f"{name}={value!r}".partition(" at 0x")[0])
            for name, values in BAD_PARAMS.items()
            for value in values
        ],
    )
    def test_is_named_and_changes_nothing(self, call, name, value):
        clf = CALLS[call].estimator().set_params(**{name: value})
        data = {"X": X, "y": y}
        CALLS[call].assert_changes_nothing(clf, data, (ValueError, TypeError), name)

    @every_call
    def test_weights_of_all_classes_zero(self, call):
        clf = call.estimator().set_params(class_weight={0: 0, 1: 0, 2: 0})
        data = {"X": X, "y": y}
        call.assert_changes_nothing(clf, data, ValueError, "class_weight")

    @pytest.mark.parametrize(
        "params",
        [
            {"hidden_layer_sizes": 5},
            {"hidden_layer_sizes": (4, 4)},
            {"hidden_layer_sizes": ()},
            {"activation": "tanh"},
        ],
    )
    @calls_that_go_on
    def test_other_network_cannot_be_gone_on_with(self, call, params):
        clf = call.estimator().set_params(**params)
        data = {"X": X, "y": y}
        call.assert_changes_nothing(clf, data, ValueError, next(iter(params)))

    @pytest.mark.parametrize("is_fitted", [True, False])
    @pytest.mark.parametrize(
        "params", [{"early_stopping": True}, {"class_weight": "balanced"}]
    )
    def test_what_partial_fit_cannot_do(self, params, is_fitted):
        call = Call(first_partial_fit, is_fitted)
        clf = call.estimator().set_params(**params)
        data = {"X": X, "y": y}
        call.assert_changes_nothing(clf, data, ValueError, next(iter(params)))


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
REMEDIES = r"(?s)diverged in epoch \d+.*[Ss]cale X.*learning_rate"


class TestDivergence:
    @every_call
    @pytest.mark.parametrize(("params", "data"), DIVERGING.values(), ids=DIVERGING)
    def test_changes_nothing_and_names_the_remedies(self, call, params, data):
        # The model that is gone on with is healthy: only rates and data are not.
        network = {"hidden_layer_sizes": params.get("hidden_layer_sizes", 4)}
        clf = call.estimator(**network)
        if data.dtype == np.float32 and call.is_fitted:
            clf = clone(clf).fit(X.astype(np.float32), y)
        clf.set_params(**params)
        data = {"X": data, "y": y}
        if call.method in (partial_fit, first_partial_fit):
            clf = self.just_before_divergence(call, clf, data)
        call.assert_changes_nothing(clf, data, ValueError, REMEDIES)

    def just_before_divergence(self, call, clf, data):
        """Return the model after as many epochs as `fit` would have survived."""
        for _ in range(3):
            try:
                call.method(copy.deepcopy(clf), **data)
            except ValueError:
                break
            call.method(clf, **data)
        return clf

    @pytest.mark.parametrize("early_stopping", [True, False])
    def test_in_a_later_epoch_changes_nothing(self, early_stopping, monkeypatch):
        # One batch an epoch: three good epochs, then the fourth
        call = CALLS["second fit"]
        clf = call.estimator(early_stopping=early_stopping, batch_size=1000)
        clf.set_params(max_iter=6)
        original, calls = CostGradient.__call__, []

        def diverge_in_the_end(self, *args):
            calls.append(1)
            return np.nan if len(calls) == 4 else original(self, *args)

        monkeypatch.setattr(CostGradient, "__call__", diverge_in_the_end)
        data = {"X": X, "y": y, **VALIDATION}
        call.assert_changes_nothing(clf, data, ValueError, "diverged in epoch 4")
        assert len(calls) == 4

    def test_is_found_in_the_epoch_that_shows_it(self):
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
    def test_of_each_kind_is_found_at_once(self, params, scale, method):
        # In one full batch whatever else goes wrong would do so in the next epoch.
        case = Case({"batch_size": 1000, "max_iter": 1} | params, X * scale, y)
        with pytest.raises(ValueError, match="diverged in epoch 1:"):
            getattr(case, method)(case.make())

    def test_model_is_finite_where_training_ends_well(self):
        # As large as can be gone through: nothing may be left that is not finite.
        clf = CASES["default"].make(max_iter=3).fit(X * 1e100, y)
        assert np.isfinite(clf.loss_)
        assert all(np.isfinite(coef).all() for coef in clf.coefs_)


class FailingScorer:
    """A scorer that works once and fails the second time."""

    def __init__(self, error):
        self.error = error

    def __call__(self, estimator, X, y):
        if len(estimator.history_) % 3 == 2:
            raise self.error
        return 0.5


class TestFailureOnTheWay:
    @every_fit
    @pytest.mark.parametrize("early_stopping", [True, False])
    @pytest.mark.parametrize("error", [ValueError("no score"), SystemExit("no score")])
    def test_in_a_scorer_changes_nothing(self, call, early_stopping, error):
        clf = call.estimator(scoring=FailingScorer(error))
        clf.set_params(early_stopping=early_stopping)
        data = {"X": X, "y": y, **VALIDATION}
        call.assert_changes_nothing(clf, data, type(error), "no score")

    @every_fit
    def test_score_that_is_no_number_changes_nothing(self, call):
        clf = call.estimator(scoring=lambda *args: "good")
        clf.set_params(early_stopping=True)
        data = {"X": X, "y": y, **VALIDATION}
        call.assert_changes_nothing(clf, data, (ValueError, TypeError), None)

    @every_fit
    def test_impossible_split_changes_nothing(self, call):
        clf = call.estimator().set_params(early_stopping=True)
        data = {"X": X[:3], "y": [0, 1, 2]}  # Every class has a single member.
        match = r"(?s)validation_fraction.*X_val.*early_stopping=False"
        call.assert_changes_nothing(clf, data, ValueError, match)

    @pytest.mark.skipif(not HAS_CALLBACKS, reason="needs scikit-learn 1.9")
    @pytest.mark.parametrize(
        "hook", ["setup", "on_fit_task_begin", "on_fit_task_end", "teardown"]
    )
    @every_fit
    def test_in_a_callback_changes_nothing(self, call, hook):
        def no_hook(self, estimator, context, **kwargs):
            """Do nothing."""

        def failing_hook(self, estimator, context, **kwargs):
            raise ValueError("no callback")

        names = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")
        hooks = {name: failing_hook if name == hook else no_hook for name in names}
        clf = call.estimator()
        clf.set_callbacks(type("FailingCallback", (), hooks)())
        data = {"X": X, "y": y}
        call.assert_changes_nothing(clf, data, ValueError, "no callback")


# ------------------------------------------------------------------ Ctrl-C in training

N_BATCHES = 7  # of an epoch


def interrupt_call(monkeypatch, cls, n):
    """Make the n-th call from now on of any instance of a class a Ctrl-C."""
    original, calls = cls.__call__, []

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == n:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(cls, "__call__", interrupted)


class InterruptingScorer:
    """A scorer during whose n-th call Ctrl-C is pressed."""

    def __init__(self, n):
        self.n = n
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        if self.n_calls == self.n:
            raise KeyboardInterrupt
        return self.n_calls / 100


def call_with_interrupt_at_line(call, n):
    """Call a function; Ctrl-C at the n-th line that `train` or its module runs.

    Returns whether as many lines have been reached. Signals arrive in between
    bytecodes, so that lines are nearly as fine as they come.
    """
    n_lines = 0

    def trace(frame, event, arg):
        nonlocal n_lines
        if frame.f_code.co_filename != train.__code__.co_filename:
            return None
        if event == "line":
            n_lines += 1
            if n_lines == n:
                raise KeyboardInterrupt
        return trace

    tracer = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(tracer)
    return n_lines >= n


class TestInterrupt:
    """Ctrl-C in fit keeps all finished epochs; in partial_fit it changes nothing."""

    def fit_interrupted(self, clf, **data):
        with pytest.warns(UserWarning, match="interrupted.*warm_start"):
            clf.fit(X, y, **data)
        return clf

    def assert_goes_on_exactly(self, case, clf, finished):
        """Check for `finished` epochs, and that what follows makes up for the rest."""
        assert trained(clf) == trained(case.fit(case.make(max_iter=finished)))
        case.fit(clf, warm_start=True, max_iter=N_EPOCHS - finished)
        assert trained(clf) == trained(case.fit(case.make(max_iter=N_EPOCHS)))

    @pytest.mark.parametrize("cls", [CostGradient, _Update])
    @pytest.mark.parametrize(
        ("n", "finished"), [(N_BATCHES + 1, 1), (2 * N_BATCHES, 1), (5 * 7 + 4, 5)]
    )
    def test_in_an_epoch_keeps_those_before(self, cls, n, finished, monkeypatch):
        case = CASES["default"]
        with monkeypatch.context() as patched:
            interrupt_call(patched, cls, n)
            clf = self.fit_interrupted(case.make(max_iter=N_EPOCHS))
        assert clf.n_iter_ == finished
        self.assert_goes_on_exactly(case, clf, finished)

    @pytest.mark.parametrize("n", [2, 4])
    def test_in_the_validation_loss(self, n, monkeypatch):
        case = CASES["default"]
        with monkeypatch.context() as patched:
            interrupt_call(patched, ValidationLoss, n)
            clf = self.fit_interrupted(case.make(max_iter=N_EPOCHS), **VALIDATION)
        assert len(clf.validation_scores_) == clf.n_iter_ == n - 1
        reference = case.make(max_iter=N_EPOCHS).fit(X, y, **VALIDATION)
        clf.set_params(warm_start=True, max_iter=N_EPOCHS - n + 1)
        assert trained(clf.fit(X, y, **VALIDATION)) == trained(reference)

    @pytest.mark.parametrize("n", [2, 5])
    def test_in_a_scorer(self, n):
        scorer = InterruptingScorer(n)
        clf = CASES["default"].make(max_iter=N_EPOCHS, scoring=scorer)
        self.fit_interrupted(clf, **VALIDATION)
        assert len(clf.history_) == clf.n_iter_ == n - 1
        assert clf.best_validation_score_ == (n - 1) / 100

    @pytest.mark.parametrize("name", ["dropout", "everything", "csr"])
    def test_with_options(self, name, monkeypatch):
        case = CASES[name]
        with monkeypatch.context() as patched:
            interrupt_call(patched, _Update, 25)
            with pytest.warns(UserWarning, match="interrupted"):
                clf = case.fit(case.make(max_iter=N_EPOCHS))
        assert 1 <= clf.n_iter_ < N_EPOCHS
        self.assert_goes_on_exactly(case, clf, clf.n_iter_)

    def test_in_a_warm_fit(self, monkeypatch):
        case = CASES["default"]
        clf = case.fit(case.make(max_iter=2, warm_start=True))
        with monkeypatch.context() as patched:
            interrupt_call(patched, CostGradient, 2 * N_BATCHES + 3)
            self.fit_interrupted(clf.set_params(max_iter=4))
        assert clf.n_iter_ == 2
        self.assert_goes_on_exactly(case, clf, 4)

    def test_with_early_stopping_keeps_the_best(self, monkeypatch):
        case = CASES["default"]
        params = {"early_stopping": True, "scoring": Scripted(0.1, 0.9, 0.2, 0.3)}
        with monkeypatch.context() as patched:
            interrupt_call(patched, CostGradient, 4 * N_BATCHES + 1)
            clf = self.fit_interrupted(case.make(**params), **VALIDATION)
        assert (clf.n_iter_, clf.best_validation_score_) == (4, 0.9)
        assert clf.validation_scores_ == [0.1, 0.9, 0.2, 0.3]
        clf.set_params(early_stopping=False)
        case.partial_fit(clf)
        reference = case.partial_fit(case.fit(case.make(max_iter=2)))
        assert clf.cost_history_ == reference.cost_history_

    @every_fit
    @pytest.mark.parametrize("cls", [CostGradient, _Update, ValidationLoss])
    @pytest.mark.parametrize("early_stopping", [True, False])
    def test_in_the_first_epoch_changes_nothing(
        self, call, cls, early_stopping, monkeypatch
    ):
        clf = call.estimator().set_params(early_stopping=early_stopping)
        interrupt_call(monkeypatch, cls, 1)
        data = {"X": X, "y": y, **VALIDATION}
        call.assert_changes_nothing(clf, data, KeyboardInterrupt, None)

    @pytest.mark.parametrize("call", ["first partial_fit", "partial_fit"])
    @pytest.mark.parametrize("cls", [CostGradient, _Update])
    @pytest.mark.parametrize("n", [1, N_BATCHES])
    def test_in_partial_fit_changes_nothing(self, call, cls, n, monkeypatch):
        clf = CALLS[call].estimator()
        interrupt_call(monkeypatch, cls, n)
        data = {"X": X, "y": y}
        CALLS[call].assert_changes_nothing(clf, data, KeyboardInterrupt, None)

    @pytest.mark.skipif(not HAS_CALLBACKS, reason="needs scikit-learn 1.9")
    def test_in_a_callback_after_an_epoch_keeps_the_epoch(self):
        def do_nothing(self, estimator, context, **kwargs):
            """Do nothing."""

        def interrupt(self, estimator, context, *, fitted_estimator, **kwargs):
            if context.task_name == "epoch" and fitted_estimator.n_iter_ == 3:
                raise KeyboardInterrupt

        hooks = dict.fromkeys(("setup", "teardown", "on_fit_task_begin"), do_nothing)
        hooks["on_fit_task_end"] = interrupt
        case = CASES["default"]
        clf = case.make(max_iter=N_EPOCHS)
        clf.set_callbacks(type("InterruptingCallback", (), hooks)())
        self.fit_interrupted(clf)
        assert clf.n_iter_ == 3
        self.assert_goes_on_exactly(case, clf.set_callbacks(), 3)

    @pytest.mark.parametrize("early_stopping", [True, False])
    @pytest.mark.parametrize("is_fitted", [True, False])
    def test_at_any_line(self, is_fitted, early_stopping, capsys):
        case = Case({"batch_size": 1000, "n_iter_no_change": np.inf}, X, y)
        start = case.make(
            max_iter=2, warm_start=True, verbose=True, early_stopping=early_stopping
        )
        if is_fitted:
            start.fit(X, y, **VALIDATION)
        before = everything(start)
        expected = self.after_each_epoch(start)
        capsys.readouterr()
        n, is_reached, n_kept = 1, True, []
        while is_reached:
            clf = copy.deepcopy(start)
            is_reached, is_kept = self.fit_interrupted_at_line(clf, n)
            # The line of an epoch is printed when it has been finished.
            n_printed = capsys.readouterr().out.count("Iteration")
            if is_kept:
                # One step per epoch. Early stopping may have kept an earlier one.
                (kept,) = (n for n in expected if trained(clf) == expected[n])
                assert n_printed <= kept <= n_printed + 1
                n_kept.append(kept)
            else:
                assert everything(clf) == before
                assert n_printed in (0, 2), "finished epochs have been lost"
            n += 1
        assert set(n_kept) == {1, 2}

    def fit_interrupted_at_line(self, clf, n):
        """Return whether the line has been reached, and whether anything was kept."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                is_reached = call_with_interrupt_at_line(
                    lambda: clf.fit(X, y, **VALIDATION), n
                )
            except KeyboardInterrupt:
                return True, False
        return is_reached, True

    def after_each_epoch(self, start):
        """Return the models after one and two epochs, as `trained` does."""
        fits = {}
        for max_iter in (1, 2):
            clf = copy.deepcopy(start).set_params(max_iter=max_iter, verbose=False)
            fits[max_iter] = trained(clf.fit(X, y, **VALIDATION))
        return fits


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
