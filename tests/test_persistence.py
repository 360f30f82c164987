"""Saved models are small and plain, and continue as if they had never been saved."""

import io
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import RMSpropMLPClassifier
from tests.cases import (
    CASES,
    COPIERS,
    EVERYTHING,
    X_VAL,
    Y_VAL,
    Case,
    X,
    every_case,
    every_copier,
    everything,
    trained,
    y,
)
from tests.helpers import Scorer, params_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DEFAULT = CASES["default"]
NAMES = np.array(["b", "c", "a"])[y]

# Models of which something different is saved
SAVED = {
    name: CASES[name]
    for name in (
        "default",
        "everything",
        "everything, float32",
        "schedule plateau, reducing",
        "class_weight",
        "linear",
        "deep",
        "string labels",
        "two classes",
        "multilabel",
        "standardize, csr",
        "frame",
    )
} | {
    "early stopping": Case({"early_stopping": True, "scoring": "accuracy"}, X, y),
    "endless": Case({"n_iter_no_change": np.inf}, X, y),
    "class_weight of names": Case({"class_weight": {"a": 2.0, "b": 0.5}}, X, NAMES),
    "random_state": Case({"random_state": np.random.RandomState(3)}, X, y),
    "objects": Case({}, X, NAMES.astype(object)),
    "feature names": Case({}, pd.DataFrame(X, columns=list("abcde")), y),
}


def assert_predicts_the_same(loaded, clf, X):
    for method in ("predict", "predict_proba", "predict_log_proba"):
        predicted = getattr(loaded, method)(X)
        assert type(predicted) is np.ndarray
        np.testing.assert_array_equal(predicted, getattr(clf, method)(X), strict=True)


# --- Copies and files -----------------------------------------------------------------


# Every way to copy once, and every model in the files that differ most
@pytest.mark.parametrize(
    ("case", "copier"),
    [
        pytest.param(SAVED[name], COPIERS[how], id=f"{name}-{how}")
        for name in SAVED
        for how in COPIERS
        if name == "everything" or how in ('joblib, mmap_mode="r"', "skops")
    ],
)
def test_copy_is_as_good_as_the_original(case, copier, tmp_path):
    clf = case.fit(case.make(max_iter=4))
    before = everything(clf)
    copied = copier(clf, tmp_path)
    assert type(copied) is RMSpropMLPClassifier
    assert everything(copied) == before
    assert_predicts_the_same(copied, clf, case.X)
    again = case.fit(clone(copied))
    assert trained(again) == trained(case.fit(clone(clf)))
    # Training the copy changes neither the original nor the file.
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    train_further(case, copied)
    assert everything(clf) == before
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    train_further(case, clf)
    assert everything(copied) == everything(clf)


def train_further(case, clf):
    """Run two more epochs and a warm fit, where that is possible."""
    if not clf.early_stopping:
        case.partial_fit(clf, 2)
    case.fit(clf, warm_start=True, max_iter=3)


@every_copier
def test_unfitted_classifier(copier, tmp_path):
    clf = EVERYTHING.make()
    copied = copier(clf, tmp_path)
    assert everything(copied) == everything(clf)
    assert not hasattr(copied, "classes_")


@pytest.fixture(scope="module")
def search():
    pipeline = make_pipeline(StandardScaler(), DEFAULT.make(max_iter=2))
    search = GridSearchCV(pipeline, {"rmspropmlpclassifier__beta": [0.5, 0.9]}, cv=2)
    return search.fit(X, y)


@every_copier
def test_pipeline_and_search(search, copier, tmp_path):
    for fitted in (search, search.best_estimator_):
        assert_predicts_the_same(copier(fitted, tmp_path), fitted, X)


def test_weights_stay_in_a_mapped_file_until_they_are_trained(tmp_path):
    clf = DEFAULT.fit(DEFAULT.make(max_iter=2))
    mapped = COPIERS['joblib, mmap_mode="r"'](clf, tmp_path)
    mapped.predict(X)
    for array in mapped.coefs_ + mapped.intercepts_:
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not array.flags.writeable
    DEFAULT.partial_fit(mapped)
    for array in (*mapped.coefs_, mapped.optimizer_.square_average_):
        assert type(array) is np.ndarray
        assert array.flags.writeable


def test_views_alias_the_loaded_parameters():
    # A view stored beside the vector it views would be another array now.
    clf = pickle.loads(pickle.dumps(DEFAULT.fit(DEFAULT.make())))
    before = clf.predict_proba(X)
    for coef in clf.coefs_:
        coef[...] = 0.0
    assert not np.array_equal(clf.predict_proba(X), before)
    DEFAULT.partial_fit(clf)
    assert any(np.any(intercept) for intercept in clf.intercepts_)


class WithItsOwnState(RMSpropMLPClassifier):
    """Leaves out an attribute of its own when it is saved."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "log"}


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_subclass_with_a_state_of_its_own(scoring):
    clf = WithItsOwnState(6, early_stopping=True, scoring=scoring, random_state=0)
    clf.fit(X, y).log = "x"
    loaded = pickle.loads(pickle.dumps(clf))
    assert_predicts_the_same(loaded, clf, X)
    assert not hasattr(loaded, "log")


# --- skops ----------------------------------------------------------------------------


@pytest.fixture
def skops_io():
    return pytest.importorskip("skops.io")


@every_case
def test_skops_asks_for_trust_in_this_package_alone(case, skops_io):
    clf = case.fit(case.make(max_iter=1))
    data = skops_io.dumps(make_pipeline(StandardScaler(), clf))
    types = skops_io.get_untrusted_types(data=data)
    assert {name.partition(".")[0] for name in types} == {"sk_rmsprop"}
    loaded = skops_io.loads(data, trusted=types)
    assert everything(loaded[-1]) == everything(clf)


def test_skops_loads_nothing_without_trust(skops_io):
    data = skops_io.dumps(EVERYTHING.fit(EVERYTHING.make(max_iter=1)))
    types = skops_io.get_untrusted_types(data=data)
    assert len(types) > 3
    for missing in types:
        trusted = [name for name in types if name != missing]
        error = skops_io.exceptions.UntrustedTypesFoundException
        with pytest.raises(error, match=missing):
            skops_io.loads(data, trusted=trusted)


# --- Other versions -------------------------------------------------------------------

# One file of every release: see record_saved_model.py.
RELEASES = sorted((Path(__file__).parent / "data").glob("classifier-*.joblib"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def saved(request):
    with np.load(request.param.with_suffix(".npz")) as known:
        return joblib.load(request.param), dict(known)


def test_first_release_is_there():
    assert RELEASES[0].name == "classifier-0.1.0.joblib"


def test_models_of_earlier_releases_predict_and_train_as_they_did(saved):
    clf, known = saved
    X, y = known["X"], load_iris().target
    np.testing.assert_allclose(clf.predict_proba(X), known["probabilities"], rtol=1e-9)
    np.testing.assert_allclose(clf.cost_history_, known["costs"], rtol=1e-9)
    for _ in range(3):
        clf.partial_fit(X, y)
    learning_rates = [record["learning_rate"] for record in clf.history_]
    expected = known["later_learning_rates"]
    np.testing.assert_allclose(learning_rates, expected, rtol=1e-12)
    # Machines round differently, and training enlarges that.
    np.testing.assert_allclose(
        clf.predict_proba(X), known["later_probabilities"], rtol=1e-5
    )


@pytest.mark.parametrize("stated", [10**6, None])
def test_other_formats_are_refused(stated):
    state = DEFAULT.fit(DEFAULT.make(max_iter=1)).__getstate__()
    (name,) = (name for name in state if name.endswith("_format"))
    if stated is None:
        del state[name]
    else:
        state[name] = stated
    clf = object.__new__(RMSpropMLPClassifier)
    with pytest.raises(ValueError, match=f"another version.*{stated}"):
        clf.__setstate__(state)
    assert vars(clf) == {}


# --- What may have happened to a model ------------------------------------------------


def fitted(clf, X):
    return clf.fit(X, y)


def fitted_with_validation(clf, X):
    return clf.fit(X, y, X_val=X_VAL, y_val=Y_VAL)


def early_stopped(clf, X):
    return clf.set_params(early_stopping=True, scoring="accuracy").fit(X, y)


def interrupted(clf, X):
    clf.set_params(scoring=Scorer(0.5, KeyboardInterrupt()), max_iter=3)
    with pytest.warns(UserWarning, match="interrupted"):
        fitted_with_validation(clf, X)
    assert clf.n_iter_ == 1
    return clf.set_params(scoring="loss")


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
    learning_rate = clf.learning_rate
    with pytest.raises(ValueError, match="diverged"):
        clf.set_params(learning_rate=1e300).partial_fit(X, y)
    return clf.set_params(learning_rate=learning_rate)


def loaded(clf, X):
    return pickle.loads(pickle.dumps(fitted(clf, X)))


def loaded_and_trained(clf, X):
    return loaded(clf, X).partial_fit(X, y)


PASTS = [
    *(fitted, fitted_with_validation, early_stopped, interrupted, partially_fitted),
    *(fitted_several_times, used, failed, loaded, loaded_and_trained),
]


# --- Small files: 2.1 times the weights, 8 KiB and 100 bytes an epoch -----------------

# Parameters, and the number of arrays of the weights' size that they need
SIZES = [
    ({}, 2),
    ({"momentum": 0.9}, 3),
    ({"momentum": 0.9, "nesterov": True}, 3),
    ({"centered": True}, 3),
    ({"momentum": 0.9, "centered": True}, 4),
]
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def assert_small(clf, n_arrays=2):
    n_bytes = sum(array.nbytes for array in clf.coefs_ + clf.intercepts_)
    limit = (n_arrays + 0.1) * n_bytes + 8192 + 100 * len(clf.history_)
    assert len(pickle.dumps(clf)) <= limit


@both_dtypes
@pytest.mark.parametrize(("params", "n_arrays"), SIZES)
def test_small_file_with_every_option(params, n_arrays, dtype):
    clf = RMSpropMLPClassifier((200, 150), max_iter=2, **params)
    clf.fit(X.astype(dtype), y)
    assert clf.coefs_[0].dtype == dtype
    assert_small(clf, n_arrays)


@pytest.mark.parametrize("past", PASTS)
def test_small_file_whatever_has_been_done(past):
    params, n_arrays = SIZES[-1]
    clf = RMSpropMLPClassifier((200, 150), max_iter=2, **params)
    assert_small(past(clf, X.astype(np.float32)), n_arrays)


@both_dtypes
@pytest.mark.parametrize("hidden", [(), (1,), (100,), (1000,), (300, 300)], ids=str)
def test_small_file_of_any_size(hidden, dtype):
    assert_small(RMSpropMLPClassifier(hidden, max_iter=2).fit(X.astype(dtype), y))


@pytest.mark.parametrize("learning_rate", [0.001, np.float64(0.001)])
def test_small_file_of_many_epochs(learning_rate):
    clf = RMSpropMLPClassifier(
        2,
        learning_rate=learning_rate,
        learning_rate_schedule="cosine",
        max_iter=300,
        n_iter_no_change=np.inf,
        scoring="accuracy",
    ).fit(X, y, X_val=X_VAL, y_val=Y_VAL)
    assert len(clf.history_) == 300
    assert_small(clf)
    # The 8 KiB are not for the epochs.
    once = clone(clf).set_params(max_iter=1).fit(X, y, X_val=X_VAL, y_val=Y_VAL)
    assert len(pickle.dumps(clf)) - len(pickle.dumps(once)) <= 100 * 299


def test_small_file_of_many_categories():
    levels = [f"level {i % 300}" for i in range(1000)]
    frame = pd.DataFrame({"x": np.arange(1000), "kind": levels})
    clf = RMSpropMLPClassifier(100, max_iter=1).fit(frame, np.arange(1000) % 2)
    arrays = {id(array): array for _, array in walk(clf.encoding_)}
    n_bytes = sum(array.nbytes for array in arrays.values())
    n_bytes += 13 * 300  # Pickled, a short string has five bytes more.
    assert_small(clf, 2 + n_bytes / (8 * params_of(clf).size))


def test_small_file_of_many_partial_fits():
    clf = RMSpropMLPClassifier(2, batch_size=1)
    for i in range(500):
        clf.partial_fit(X[[i % 65]], y[[i % 65]], classes=[0, 1, 2])
    assert_small(clf)


def test_data_are_not_in_the_file():
    X, y = np.random.default_rng(0).standard_normal((5000, 4)), np.arange(5000) % 2
    params = {"max_iter": 2, "early_stopping": True, "scoring": "accuracy"}
    assert_small(RMSpropMLPClassifier(3, **params).fit(X, y, np.ones(5000)))


def test_what_an_option_needed_goes_with_it():
    clf = RMSpropMLPClassifier((200, 150), max_iter=2, momentum=0.9, centered=True)
    clf.fit(X, y).set_params(momentum=0.0, centered=False)
    assert_small(clf.partial_fit(X, y))


# --- Plain attributes and arrays ------------------------------------------------------


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


def assert_plain(clf):
    arrays = dict(walk(clf))
    for path, array in arrays.items():
        assert type(array) is np.ndarray, path
        assert array.dtype.kind in "biufUO", path
        assert array.base is None, f"{path} is a view"
    # The largest that is kept is the parameters, or of their size.
    n_params = sum(coef.size for coef in clf.coefs_ + clf.intercepts_)
    assert max(array.size for array in arrays.values()) == n_params


@every_case
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_state_is_plain(case, method):
    assert_plain(getattr(case, method)(case.make(max_iter=2)))


# How unpickling gives memory to arrays is not up to the package.
@pytest.mark.parametrize("past", [past for past in PASTS if past is not loaded])
def test_state_is_plain_whatever_has_been_done(past):
    clf = RMSpropMLPClassifier(9, max_iter=2, momentum=0.9, centered=True)
    assert_plain(past(clf, X.astype(np.float32)))


@every_copier
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", ["everything", "frame"])
def test_state_is_plain_once_a_copy_has_been_trained(name, copier, method, tmp_path):
    case = CASES[name]
    clf = case.fit(case.make(max_iter=2, warm_start=True))
    assert_plain(getattr(case, method)(copier(clf, tmp_path)))


class RecordingUnpickler(pickle.Unpickler):
    """An unpickler that takes down where all that it loads comes from."""

    packages = frozenset()

    def find_class(self, module, name):
        self.packages |= {module.partition(".")[0]}
        return super().find_class(module, name)


def test_loading_needs_only_the_package_and_numpy():
    clf = EVERYTHING.fit(EVERYTHING.make(max_iter=2))
    unpickler = RecordingUnpickler(io.BytesIO(pickle.dumps(clf)))
    assert everything(unpickler.load()) == everything(clf)
    assert unpickler.packages == {"sk_rmsprop", "numpy"}
