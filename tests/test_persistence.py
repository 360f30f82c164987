"""Models from files predict and go on training as if they had never been stored."""

import functools
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._schedules import SCHEDULES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STANDARDIZATION = "sk_rmsprop._standardization.Standardization"

# All that a skops file of a classifier asks its reader to trust
TYPES_TO_TRUST = {
    "sk_rmsprop._classifier.RMSpropMLPClassifier",
    "sk_rmsprop._network.Network",
    "sk_rmsprop._rmsprop.RMSprop",
    STANDARDIZATION,
    "sk_rmsprop._training.TrainingState",
}

rng = np.random.default_rng(0)
X = rng.standard_normal((90, 4))
codes = (X @ rng.standard_normal((4, 3))).argmax(axis=1)
names = np.array(["b", "c", "a"])[codes]
X_SPARSE = csr_array(np.where(np.abs(X) > 0.5, X, 0))
FRAME = pd.DataFrame(X, columns=["width", "height", "depth", "weight"])

# Parameters and data that put something different into the file
CASES = {
    "default": ({}, X, codes),
    "every average": ({"momentum": 0.9, "centered": True, "dropout": 0.2}, X, codes),
    "early stopping": ({"early_stopping": True, "scoring": "accuracy"}, X, codes),
    "plateau": ({"learning_rate_schedule": "plateau", "tol": 1}, X, codes),
    "endless": ({"n_iter_no_change": np.inf}, X, codes),
    "class weights": ({"class_weight": {0: 2.0, 1: 0.5}}, X, codes),
    "weights of names": ({"class_weight": {"a": 2.0, "b": 0.5}}, X, names),
    "random generator": ({"random_state": np.random.RandomState(3)}, X, codes),
    "no hidden layer": ({"hidden_layer_sizes": ()}, X, codes),
    "sizes in a list": ({"hidden_layer_sizes": [5, 4]}, X, codes),
    "strings": ({}, X, names),
    "objects": ({}, X, names.astype(object)),
    "bools": ({}, X, codes > 0),
    "multilabel": ({}, X, np.column_stack([codes > 0, codes > 1]).astype(int)),
    "float32": ({}, X.astype(np.float32), codes),
    "sparse": ({}, X_SPARSE, codes),
    "feature names": ({}, FRAME, codes),
}


class Model:
    """A fitted classifier and the data of its training."""

    def __init__(self, params, X, y):
        defaults = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}
        params = defaults | {"learning_rate": 0.01, "batch_size": 20} | params
        self.X, self.y = X, y
        self.clf = RMSpropMLPClassifier(**params).fit(X, y)

    def train_on(self, clf):
        """Run two more epochs and a warm fit, where that is possible."""
        if not clf.early_stopping:
            clf.partial_fit(self.X, self.y).partial_fit(self.X, self.y)
        return clf.set_params(warm_start=True, max_iter=3).fit(self.X, self.y)


@pytest.fixture
def plain():
    return Model(*CASES["default"])


def pickle_dump(clf, path, protocol):
    path.write_bytes(pickle.dumps(clf, protocol))


def pickle_load(path):
    return pickle.loads(path.read_bytes())


def skops_dump(clf, path):
    pytest.importorskip("skops.io").dump(clf, path)


def skops_load(path):
    skops_io = pytest.importorskip("skops.io")
    return skops_io.load(path, trusted=skops_io.get_untrusted_types(file=path))


# Name: how to write a file and how to read it
FORMATS = {
    **{
        f"pickle {protocol}": (
            functools.partial(pickle_dump, protocol=protocol),
            pickle_load,
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "joblib": (joblib.dump, joblib.load),
    **{
        f"joblib, {compress}": (
            functools.partial(joblib.dump, compress=compress),
            joblib.load,
        )
        for compress in (3, ("gzip", 1), ("lzma", 6))
    },
    **{
        f'joblib, mmap_mode="{mode}"': (
            joblib.dump,
            functools.partial(joblib.load, mmap_mode=mode),
        )
        for mode in ("r", "r+", "c")
    },
    "skops": (skops_dump, skops_load),
}


# Every case in the formats that differ most, and every format once
PAIRS = [
    (case, form)
    for case in CASES
    for form in FORMATS
    if case == "every average"
    or form in (f"pickle {pickle.HIGHEST_PROTOCOL}", 'joblib, mmap_mode="r"', "skops")
]

every_case = pytest.mark.parametrize("model", CASES, indirect=True)
every_format = pytest.mark.parametrize("through_file", FORMATS, indirect=True)
every_pair = pytest.mark.parametrize(("model", "through_file"), PAIRS, indirect=True)


@pytest.fixture
def model(request):
    return Model(*CASES[request.param])


@pytest.fixture
def through_file(request, tmp_path):
    """Return a function that stores an object and loads it again."""
    dump, load = FORMATS[request.param]

    def through_file(stored):
        dump(stored, tmp_path / "file")
        return load(tmp_path / "file")

    return through_file


def assert_predicts_the_same(loaded, clf, X):
    for method in ("predict", "predict_proba", "predict_log_proba"):
        expected = getattr(clf, method)(X)
        predicted = getattr(loaded, method)(X)
        assert type(predicted) is np.ndarray
        assert predicted.dtype == expected.dtype
        np.testing.assert_array_equal(predicted, expected)


def as_plain(params):
    """Return parameters in a form that compares by value."""
    state = params["random_state"]
    if isinstance(state, np.random.RandomState):
        state = str(state.get_state(legacy=False))
    return params | {"random_state": state}


def as_text(value):
    """Return a text that is the same for arrays in memory and in a mapped file."""
    if isinstance(value, list):
        return str([as_text(item) for item in value])
    return repr(np.asarray(value) if isinstance(value, np.ndarray) else value)


@every_pair
def test_predicts_the_same(model, through_file):
    loaded = through_file(model.clf)
    assert type(loaded) is RMSpropMLPClassifier
    assert_predicts_the_same(loaded, model.clf, model.X)


@every_pair
def test_trains_on_the_same(model, through_file):
    loaded = model.train_on(through_file(model.clf))
    model.train_on(model.clf)
    assert loaded.history_ == model.clf.history_
    assert loaded.t_ == model.clf.t_
    assert_predicts_the_same(loaded, model.clf, model.X)
    for name in ("square_average_", "velocity_", "gradient_average_"):
        average = getattr(model.clf.optimizer_, name, None)
        np.testing.assert_array_equal(
            getattr(loaded.optimizer_, name, None), average, strict=True
        )


@every_pair
def test_says_the_same_of_itself(model, through_file):
    loaded = through_file(model.clf)
    assert as_plain(loaded.get_params()) == as_plain(model.clf.get_params())
    public = [name for name in dir(model.clf) if name.endswith("_")]
    for name in [name for name in public if not name.startswith("_")]:
        if not hasattr(model.clf, name):
            assert not hasattr(loaded, name)
        elif name != "optimizer_":
            assert as_text(getattr(loaded, name)) == as_text(getattr(model.clf, name))


@every_pair
def test_trains_anew_the_same(model, through_file):
    loaded = clone(through_file(model.clf)).fit(model.X, model.y)
    again = clone(model.clf).fit(model.X, model.y)
    assert_predicts_the_same(loaded, again, model.X)


@every_format
def test_training_leaves_the_file_alone(plain, through_file, tmp_path):
    loaded = through_file(plain.clf)
    before = (tmp_path / "file").read_bytes()
    plain.train_on(loaded)
    assert (tmp_path / "file").read_bytes() == before


@every_format
def test_unfitted_classifier(plain, through_file):
    clf = clone(plain.clf)
    loaded = through_file(clf)
    assert not hasattr(loaded, "classes_")
    assert_predicts_the_same(
        loaded.fit(plain.X, plain.y), clf.fit(plain.X, plain.y), plain.X
    )


@every_format
def test_pipeline_and_search(plain, through_file):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clone(plain.clf)),
        {"rmspropmlpclassifier__beta": [0.5, 0.9]},
        cv=2,
    ).fit(plain.X, plain.y)
    for fitted in (search, search.best_estimator_):
        assert_predicts_the_same(through_file(fitted), fitted, plain.X)


class TestMemoryMapped:
    @pytest.fixture
    def path(self, plain, tmp_path):
        return joblib.dump(plain.clf, tmp_path / "clf.joblib")[0]

    def test_weights_stay_in_the_file_until_they_are_trained(self, plain, path):
        mapped = joblib.load(path, mmap_mode="r")
        mapped.predict(plain.X)
        for coef in mapped.coefs_[1:]:  # The first is computed: see standardize.
            base = coef
            while isinstance(base.base, np.ndarray):
                base = base.base
            assert isinstance(base, np.memmap)
            assert not coef.flags.writeable
        mapped.partial_fit(plain.X, plain.y)
        for array in (*mapped.coefs_, mapped.optimizer_.square_average_):
            assert type(array) is np.ndarray
            assert array.flags.writeable
        plain.clf.partial_fit(plain.X, plain.y)
        assert_predicts_the_same(mapped, plain.clf, plain.X)

    def test_training_one_leaves_the_others_alone(self, plain, path):
        first, second = (joblib.load(path, mmap_mode="r+") for _ in range(2))
        plain.train_on(first)
        assert_predicts_the_same(second, plain.clf, plain.X)


class TestSkops:
    @pytest.fixture
    def skops_io(self):
        return pytest.importorskip("skops.io")

    @every_case
    def test_only_types_of_this_package_have_to_be_trusted(self, model, skops_io):
        untrusted = skops_io.get_untrusted_types(data=skops_io.dumps(model.clf))
        standardized = model.clf._state.standardization is not None
        unused = set() if standardized else {STANDARDIZATION}
        assert set(untrusted) == TYPES_TO_TRUST - unused

    @pytest.mark.parametrize(
        "params",
        [
            *({"activation": name} for name in ACTIVATIONS),
            *({"learning_rate_schedule": name} for name in SCHEDULES),
        ],
        ids=lambda params: "-".join(params.values()),
    )
    def test_whatever_the_options(self, plain, skops_io, params):
        clf = clone(plain.clf).set_params(**params, max_iter=1).fit(plain.X, plain.y)
        data = skops_io.dumps(clf)
        assert set(skops_io.get_untrusted_types(data=data)) == TYPES_TO_TRUST
        loaded = skops_io.loads(data, trusted=sorted(TYPES_TO_TRUST))
        assert_predicts_the_same(loaded, clf, plain.X)

    @pytest.mark.parametrize("missing", sorted(TYPES_TO_TRUST))
    def test_nothing_loads_without_trust(self, plain, skops_io, missing):
        data = skops_io.dumps(plain.clf)
        trusted = sorted(TYPES_TO_TRUST - {missing})
        with pytest.raises(skops_io.exceptions.UntrustedTypesFoundException) as error:
            skops_io.loads(data, trusted=trusted)
        assert missing in str(error.value)

    def test_pipeline_adds_no_type(self, plain, skops_io):
        pipeline = make_pipeline(StandardScaler(), plain.clf).fit(plain.X, plain.y)
        data = skops_io.dumps(pipeline)
        assert set(skops_io.get_untrusted_types(data=data)) == TYPES_TO_TRUST


class TestEarlierReleases:
    """Files in tests/data, one of every release: see record_saved_model.py."""

    PATHS = sorted((Path(__file__).parent / "data").glob("classifier-*.joblib"))

    @pytest.fixture(params=PATHS, ids=lambda path: path.stem)
    def saved(self, request):
        with np.load(request.param.with_suffix(".npz")) as known:
            return joblib.load(request.param), dict(known)

    def test_the_first_release_is_there(self):
        assert self.PATHS[0].name == "classifier-0.1.0.joblib"

    def test_they_predict_what_they_did(self, saved):
        clf, known = saved
        X, _ = load_iris(return_X_y=True)
        np.testing.assert_allclose(
            clf.predict_proba(X), known["probabilities"], rtol=1e-9
        )
        np.testing.assert_allclose(clf.cost_history_, known["costs"], rtol=1e-9)

    def test_they_train_on_as_they_did(self, saved):
        clf, known = saved
        X, y = load_iris(return_X_y=True)
        for _ in range(3):
            clf.partial_fit(X, y)
        rates = [record["learning_rate"] for record in clf.history_]
        np.testing.assert_allclose(rates, known["later_rates"], rtol=1e-12)
        # Machines round differently, and training enlarges that.
        np.testing.assert_allclose(
            clf.predict_proba(X), known["later_probabilities"], rtol=1e-5
        )


@pytest.mark.parametrize("stated", [{"_state_format": 10**6}, {}])
def test_other_formats_are_refused(plain, stated):
    state = plain.clf.__getstate__()
    del state["_state_format"]
    clf = object.__new__(RMSpropMLPClassifier)
    with pytest.raises(ValueError, match="another version of sk-rmsprop") as error:
        clf.__setstate__(state | stated)
    assert str(stated.get("_state_format")) in str(error.value)
    assert vars(clf) == {}


class WithItsOwnState(RMSpropMLPClassifier):
    """Leaves out an attribute of its own when it is saved."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "log"}


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_subclass_with_a_state_of_its_own(plain, scoring):
    clf = WithItsOwnState((6,), early_stopping=True, scoring=scoring, random_state=0)
    clf.fit(plain.X, plain.y).log = "x"
    loaded = pickle.loads(pickle.dumps(clf))
    assert_predicts_the_same(loaded, clf, plain.X)
    assert not hasattr(loaded, "log")
