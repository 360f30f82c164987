"""The classifier inside other people's tools: meta-estimators, searches, backends.

What a tool makes of the classifier is compared with the same made by hand, or with what
it is meant to bring about.
"""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sk_rmsprop import RMSpropMLPClassifier
from tests.helpers import assert_same_model, ensemble, params_of, small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, codes = make_classification(
    n_samples=150,
    n_features=6,
    n_informative=4,
    n_classes=3,
    class_sep=1.5,
    random_state=0,
)
y = np.array(["pear", "apple", "fig"])[codes]


@pytest.fixture
def clf():
    return RMSpropMLPClassifier(
        (8,), learning_rate=0.02, batch_size=30, max_iter=8, random_state=0
    )


# --- Ensembles ------------------------------------------------------------------------


def test_bagging_averages_networks_of_different_samples(clf):
    bagging = BaggingClassifier(clf, n_estimators=4, random_state=0).fit(X, y)
    members = [member.predict_proba(X) for member in bagging.estimators_]
    assert len({member.tobytes() for member in members}) == 4
    np.testing.assert_allclose(bagging.predict_proba(X), np.mean(members, axis=0))
    assert bagging.score(X, y) > 0.8


def test_bagging_trains_on_the_samples_that_it_drew(clf):
    clf.set_params(batch_size=len(y))
    bagging = BaggingClassifier(clf, n_estimators=2, random_state=0).fit(X, y)
    for member, rows in zip(
        bagging.estimators_, bagging.estimators_samples_, strict=True
    ):
        alone = clone(member).fit(X[rows], y[rows])
        # Rows that were drawn twice may have been given as weights.
        np.testing.assert_allclose(
            member.predict_proba(X), alone.predict_proba(X), atol=1e-6
        )


@pytest.mark.parametrize("ensemble", [AdaBoostClassifier, BaggingClassifier])
def test_ensembles_of_weighted_samples_take_any_scorer(clf, ensemble):
    clf.set_params(early_stopping=True, scoring=lambda e, X, y: e.score(X, y))
    model = ensemble(clf, n_estimators=2, random_state=0).fit(X, y)
    assert all(member.validation_scores_ for member in model.estimators_)


def test_voting_averages_probabilities(clf):
    vote = VotingClassifier(
        [("network", clf), ("bayes", GaussianNB())], voting="soft", weights=[3, 1]
    ).fit(X, y)
    network, bayes = clone(clf).fit(X, y), GaussianNB().fit(X, y)
    expected = 0.75 * network.predict_proba(X) + 0.25 * bayes.predict_proba(X)
    np.testing.assert_allclose(vote.predict_proba(X), expected)
    labels = network.classes_[expected.argmax(axis=1)]
    assert vote.predict(X).tolist() == labels.tolist()


def test_stacking_uses_probabilities_of_held_out_samples(clf):
    stack = StackingClassifier(
        [("network", clf)], final_estimator=clone(clf), cv=StratifiedKFold(3)
    ).fit(X, y)
    assert stack.stack_method_ == ["predict_proba"]
    inputs = cross_val_predict(clf, X, y, cv=StratifiedKFold(3), method="predict_proba")
    final = clone(clf).fit(inputs, np.searchsorted(stack.classes_, y))
    assert_same_model(stack.final_estimator_, final)
    network = clone(clf).fit(X, y)
    np.testing.assert_array_equal(
        stack.predict(X),
        stack.classes_[final.predict(network.predict_proba(X))],
    )


# --- Several outputs ------------------------------------------------------------------


@pytest.fixture
def multilabel():
    return make_multilabel_classification(
        n_samples=80, n_features=5, n_classes=3, random_state=0
    )


def test_one_vs_rest_has_a_network_per_class(clf):
    rest = OneVsRestClassifier(clf).fit(X, y)
    assert rest.classes_.tolist() == ["apple", "fig", "pear"]
    for label, network in zip(rest.classes_, rest.estimators_, strict=True):
        assert_same_model(network, clone(clf).fit(X, y == label))
    columns = [network.predict_proba(X)[:, 1] for network in rest.estimators_]
    np.testing.assert_array_equal(
        rest.predict(X), rest.classes_[np.argmax(columns, axis=0)]
    )


def test_one_vs_rest_has_a_network_per_label(clf, multilabel):
    features, labels = multilabel
    rest = OneVsRestClassifier(clf).fit(features, labels)
    for column, network in zip(labels.T, rest.estimators_, strict=True):
        assert_same_model(network, clone(clf).fit(features, column))
    assert rest.predict(features).shape == labels.shape


def test_chain_gives_labels_to_the_networks_that_follow(clf, multilabel):
    features, labels = multilabel
    chain = ClassifierChain(clf, order=[2, 0, 1]).fit(features, labels)
    inputs = features
    for position, column in enumerate([2, 0, 1]):
        network = clone(clf).fit(inputs, labels[:, column])
        assert_same_model(chain.estimators_[position], network)
        inputs = np.column_stack([inputs, labels[:, column]])
    inputs = features
    for position, column in enumerate([2, 0, 1]):
        predicted = chain.estimators_[position].predict(inputs)
        np.testing.assert_array_equal(chain.predict(features)[:, column], predicted)
        inputs = np.column_stack([inputs, predicted])


def test_multioutput_has_a_stream_per_output(clf):
    outputs = np.column_stack([y, np.where(X[:, 0] > 0, "ripe", "raw")])
    classes = [np.unique(column) for column in outputs.T]
    multioutput, alone = MultiOutputClassifier(clf), [clone(clf), clone(clf)]
    for chunk in np.split(np.arange(len(y)), 3):
        multioutput.partial_fit(X[chunk], outputs[chunk], classes=classes)
        for network, column, labels in zip(alone, outputs.T, classes, strict=True):
            network.partial_fit(X[chunk], column[chunk], classes=labels)
    for stream, network in zip(multioutput.estimators_, alone, strict=True):
        assert_same_model(stream, network)
    predicted = np.column_stack([network.predict(X) for network in alone])
    np.testing.assert_array_equal(multioutput.predict(X), predicted, strict=True)


# --- Calibration, thresholds, self-training, frozen networks --------------------------

needs_temperature = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
    reason="this scikit-learn has no temperature scaling",
)


@pytest.fixture(scope="module")
def overconfident():
    """A network that has learned the noise of its data; other data and their labels."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 10))
    noisy = np.where(features[:, 0] + rng.standard_normal(600) > 0, "yes", "no")
    network = RMSpropMLPClassifier(
        alpha=0.0, weight_decay=0.0, max_iter=200, random_state=0
    )
    network.fit(features[:200], noisy[:200])
    return network, features[200:], noisy[200:]


@pytest.mark.parametrize(
    "method",
    ["sigmoid", "isotonic", pytest.param("temperature", marks=needs_temperature)],
)
def test_calibration_of_a_frozen_network_reduces_its_overconfidence(
    overconfident, method
):
    network, features, noisy = overconfident
    before = params_of(network)
    calibrated = CalibratedClassifierCV(FrozenEstimator(network), method=method)
    calibrated.fit(features[:200], noisy[:200])
    raw_loss, calibrated_loss = (
        log_loss(noisy[200:], model.predict_proba(features[200:]))
        for model in (network, calibrated)
    )
    assert raw_loss > 1
    assert calibrated_loss < 0.65
    assert set(calibrated.predict(features)) == {"yes", "no"}
    np.testing.assert_array_equal(params_of(network), before)


def test_calibration_trains_a_network_per_fold_with_sample_weights(clf):
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    cv = StratifiedKFold(2)
    calibrated = CalibratedClassifierCV(clf, cv=cv).fit(X, y, sample_weight=weight)
    for pair, (rows, _) in zip(
        calibrated.calibrated_classifiers_, cv.split(X, y), strict=True
    ):
        alone = clone(clf).fit(X[rows], y[rows], sample_weight=weight[rows])
        assert_same_model(pair.estimator, alone)
    probabilities = calibrated.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.7


def test_threshold_is_tuned_to_the_label_that_counts(clf):
    # Two fifths of the figs, at random: their probability seldom exceeds 0.5.
    is_chosen = np.random.default_rng(0).random(len(y)) < 0.4
    labels = np.where((y == "fig") & is_chosen, "chosen", "other")
    f1 = make_scorer(f1_score, pos_label="chosen")
    tuned = TunedThresholdClassifierCV(
        clf, scoring=f1, thresholds=20, cv=2, random_state=0
    ).fit(X, labels)
    network = clone(clf).fit(X, labels)
    assert_same_model(tuned.estimator_, network)
    above = network.predict_proba(X)[:, 0] >= tuned.best_threshold_
    expected = np.where(above, "chosen", "other")
    assert tuned.predict(X).tolist() == expected.tolist()
    assert f1(tuned, X, labels) > f1(network, X, labels) + 0.1


def test_self_training_adds_its_own_labels(clf):
    clf.set_params(max_iter=60)
    hidden = np.random.default_rng(0).random(len(y)) < 0.8
    partly = np.where(hidden, -1, codes)
    self_trained = SelfTrainingClassifier(clf, threshold=0.9).fit(X, partly)
    labels = self_trained.transduction_
    added = hidden & (labels != -1)
    assert added.sum() > 30
    assert np.mean(labels[added] == codes[added]) > 0.8
    known = labels != -1
    alone = clone(clf).fit(X[known], labels[known])
    np.testing.assert_array_equal(self_trained.predict(X), alone.predict(X))


def test_frozen_network_is_not_trained_again(clf):
    clf.fit(X, y)
    before = clf.predict_proba(X)
    frozen = FrozenEstimator(clf)
    # Within a pipeline, a search and a clone, it stays what it was.
    model = make_pipeline(FrozenEstimator(StandardScaler(with_mean=False)), frozen)
    model[0].estimator.fit(np.ones((2, X.shape[1])))
    search = GridSearchCV(model, {}, cv=2).fit(X, np.roll(y, 1))
    np.testing.assert_array_equal(search.predict_proba(X), before)
    np.testing.assert_array_equal(clone(frozen).predict_proba(X), before)
    assert len(clf.history_) == 8


# --- Cross-validation -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict_is_that_of_the_network_of_the_other_folds(clf, method):
    cv = KFold(3, shuffle=True, random_state=0)
    predicted = cross_val_predict(clf, X, y, cv=cv, method=method)
    for rows, others in cv.split(X):
        network = clone(clf).fit(X[rows], y[rows])
        expected = getattr(network, method)(X[others])
        np.testing.assert_array_equal(predicted[others], expected)


def test_cross_val_predict_with_a_class_that_a_fold_lacks(clf):
    order = np.argsort(y)
    last = np.flatnonzero(y[order] == "pear")
    others = np.arange(len(y) - len(last))
    cv = [(others, last), (last, others)]
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        predicted = cross_val_predict(
            clf, X[order], y[order], cv=cv, method="predict_proba"
        )
    assert (predicted[last, 2] == 0).all()
    assert (predicted[others] == [0, 0, 1]).all()
    np.testing.assert_allclose(predicted.sum(axis=1), 1)


def test_incremental_learning_curve_is_that_of_partial_fits(clf):
    cv = KFold(2, shuffle=True, random_state=0)
    _, train_scores, test_scores = learning_curve(
        clf,
        X,
        y,
        cv=cv,
        train_sizes=[25, 50, 75],
        exploit_incremental_learning=True,
    )
    for fold, (rows, others) in enumerate(cv.split(X)):
        network = clone(clf)
        for i, chunk in enumerate(np.split(rows, 3)):
            network.partial_fit(X[chunk], y[chunk], classes=np.unique(y))
            seen = rows[: 25 * (i + 1)]
            assert train_scores[i, fold] == network.score(X[seen], y[seen])
            assert test_scores[i, fold] == network.score(X[others], y[others])


def test_validation_curve_is_that_of_fits(clf):
    cv = KFold(2, shuffle=True, random_state=0)
    sizes = [(), (2,), (8, 8)]
    train_scores, test_scores = validation_curve(
        clf, X, y, param_name="hidden_layer_sizes", param_range=sizes, cv=cv
    )
    for i, size in enumerate(sizes):
        for fold, (rows, others) in enumerate(cv.split(X)):
            network = clone(clf).set_params(hidden_layer_sizes=size)
            network.fit(X[rows], y[rows])
            assert train_scores[i, fold] == network.score(X[rows], y[rows])
            assert test_scores[i, fold] == network.score(X[others], y[others])


@pytest.mark.parametrize("search_class", [HalvingGridSearchCV, HalvingRandomSearchCV])
def test_halving_search_raises_max_iter(clf, search_class):
    search = search_class(
        clf,
        {"learning_rate": [1e-6, 0.001, 0.01, 0.02]},
        resource="max_iter",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.n_resources_ == [2, 4, 8]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_["learning_rate"] >= 0.01
    assert search.best_params_["max_iter"] == 8
    assert search.best_estimator_.n_iter_ == 8
    alone = clone(clf).set_params(**search.best_params_).fit(X, y)
    assert_same_model(search.best_estimator_, alone)


# --- Selection and inspection of features ---------------------------------------------


def weights_of_features(network):
    """Return the sums of the absolute weights that leave each feature."""
    return np.abs(network.coefs_[0]).sum(axis=1)


@pytest.fixture
def one_counts():
    """A frame of standard normal features, and labels that only "c" decides."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((200, 4)), columns=list("abcd"))
    return frame, np.where(frame["c"] > 0, "high", "low")


@pytest.mark.parametrize(
    ("selector_class", "params"),
    [(RFECV, {"cv": 2}), (SelectFromModel, {"max_features": 1})],
)
def test_selection_by_weights_finds_the_feature_that_counts(
    clf, one_counts, selector_class, params
):
    selector = selector_class(
        clf.set_params(max_iter=40, numerical_encoding="standard"),
        importance_getter=weights_of_features,
        **params,
    )
    model = make_pipeline(selector.set_output(transform="pandas"), clone(clf))
    model.fit(*one_counts)
    assert model[-1].feature_names_in_.tolist() == ["c"]
    assert model.score(*one_counts) > 0.95


def test_permutation_importance_finds_the_feature_that_counts(clf, one_counts):
    clf.set_params(max_iter=40).fit(*one_counts)
    importance = permutation_importance(
        clf, *one_counts, n_repeats=3, random_state=0
    ).importances_mean
    assert importance[2] > 0.35
    assert np.abs(np.delete(importance, 2)).max() < 0.1


def test_partial_dependence_is_the_mean_of_predictions(clf, one_counts):
    frame, labels = one_counts
    clf.set_params(max_iter=40).fit(frame, labels)
    found = partial_dependence(clf, frame, ["c"], grid_resolution=5)
    by_hand = [
        clf.predict_proba(frame.assign(c=value))[:, 1].mean()
        for value in found["grid_values"][0]
    ]
    np.testing.assert_allclose(found["average"][0], by_hand)
    assert (np.diff(by_hand) < 0).all()  # The second class is "low".


# --- Frames ---------------------------------------------------------------------------

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


def knows_polars():
    """Return whether scikit-learn sees the names of columns; old ones don't always."""
    scaler = StandardScaler().fit(pl.DataFrame({"a": [0.0, 1.0]}))
    return hasattr(scaler, "feature_names_in_")


needs_names = pytest.mark.skipif(
    not knows_polars(), reason="this scikit-learn does not know polars's names"
)
every_frame = pytest.mark.parametrize(
    "kind", ["pandas", pytest.param("polars", marks=needs_names)]
)


@every_frame
def test_output_of_a_scaler_has_names(clf, kind):
    scaler = StandardScaler().set_output(transform=kind)
    frame = FRAMES[kind]({name: X[:, i] for i, name in enumerate("abcdef")})
    model = make_pipeline(scaler, clf).fit(frame, y)
    assert model[-1].feature_names_in_.tolist() == list("abcdef")
    plain = make_pipeline(StandardScaler(), clone(clf)).fit(X, y)
    assert not hasattr(plain[-1], "feature_names_in_")
    # Frames are stored by columns: the means of theirs are rounded differently.
    np.testing.assert_allclose(
        model.predict_proba(frame), plain.predict_proba(X), atol=1e-6
    )
    with pytest.raises(ValueError, match="feature names"):
        model[-1].predict(scaler.transform(frame)[list("bacdef")])


def test_set_output_of_a_pipeline_leaves_predictions_alone(clf):
    model = make_pipeline(StandardScaler(), clf).set_output(transform="pandas")
    predicted = model.fit(X, y).predict_proba(X)
    assert isinstance(predicted, np.ndarray)
    assert model[-1].feature_names_in_[0] == "x0"


@every_frame
@pytest.mark.parametrize("sparse_threshold", [0, 1])
def test_column_transformer(clf, kind, sparse_threshold):
    rng = np.random.default_rng(0)
    columns = {
        "colour": np.array(["red", "green", "blue"])[rng.integers(0, 3, 150)],
        "size": rng.normal(50, 10, 150),
        "count": rng.integers(0, 1000, 150),
    }
    labels = (columns["colour"] == "red") ^ (columns["size"] > 50)
    frame = FRAMES[kind](columns)
    clf.set_params(max_iter=100)
    model = make_pipeline(
        ColumnTransformer(
            [
                ("category", OneHotEncoder(), ["colour"]),
                ("number", StandardScaler(), ["size", "count"]),
            ],
            sparse_threshold=sparse_threshold,
        ),
        clf,
    ).fit(frame, labels)
    assert issparse(model[0].transform(frame)) == bool(sparse_threshold)
    numbers = np.column_stack([columns["size"], columns["count"]])
    by_hand = np.column_stack(
        [
            *(columns["colour"] == name for name in ("blue", "green", "red")),
            (numbers - numbers.mean(axis=0)) / numbers.std(axis=0),
        ]
    )
    network = clone(clf).fit(
        csr_array(by_hand) if sparse_threshold else by_hand, labels
    )
    np.testing.assert_allclose(
        model.predict_proba(frame), network.predict_proba(by_hand), atol=1e-6
    )
    assert model.score(frame, labels) > 0.9


def test_search_with_several_metrics_over_the_columns_of_a_frame(clf):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(fruit=pd.Categorical(y))
    labels = np.where((y == "fig") ^ (frame["a"] > 0), "ripe", "raw")
    columns = ColumnTransformer([("fruit", OneHotEncoder(), ["fruit"])])
    f1 = make_scorer(f1_score, pos_label="ripe")
    search = GridSearchCV(
        Pipeline([("columns", columns), ("clf", clf.set_params(max_iter=20))]),
        {"columns__remainder": ["drop", StandardScaler()], "clf__beta": [0.9, 0.99]},
        scoring={"f1": f1, "loss": "neg_log_loss"},
        refit="loss",
        cv=2,
    ).fit(frame, labels)
    results = search.cv_results_
    assert search.best_index_ == results["mean_test_loss"].argmax()
    assert isinstance(search.best_params_["columns__remainder"], StandardScaler)
    assert f1(search, frame, labels) > 0.8
    for i, params in enumerate(results["params"]):
        model = clone(search.estimator).set_params(**params)
        for fold, (rows, others) in enumerate(StratifiedKFold(2).split(X, labels)):
            model.fit(frame.iloc[rows], labels[rows])
            score = f1(model, frame.iloc[others], labels[others])
            assert results[f"split{fold}_test_f1"][i] == score


# --- Subclasses -----------------------------------------------------------------------


class Narrow(RMSpropMLPClassifier):
    """A classifier with few parameters; the others have values of its own."""

    def __init__(self, learning_rate=0.001, scoring="loss"):
        super().__init__((8,), learning_rate=learning_rate, scoring=scoring, **FIXED)


FIXED = {"early_stopping": True, "max_iter": 8, "random_state": 0}


def test_subclass_with_fewer_parameters():
    grid = {"learning_rate": [0.001, 0.05], "scoring": ["accuracy"]}
    search = GridSearchCV(Narrow(), grid, cv=2).fit(X, y)
    best = search.best_estimator_
    assert best.get_params() == {"learning_rate": 0.05, "scoring": "accuracy"}
    alike = RMSpropMLPClassifier((8,), **best.get_params(), **FIXED).fit(X, y)
    assert_same_model(best, alike)
    loaded = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(loaded.predict(X), alike.predict(X), strict=True)
    assert_same_model(clone(loaded).fit(X, y), alike)


# --- Parallel backends ----------------------------------------------------------------


def search_and_weights(clf, n_jobs):
    """Return the scores of a search, and the weights of the networks of a k-fold."""
    grid = {"beta": [0.5, 0.9], "dropout": [0.0, 0.2]}
    search = GridSearchCV(clf, grid, cv=2, n_jobs=n_jobs).fit(X, y)
    folds = cross_validate(clf, X, y, cv=2, n_jobs=n_jobs, return_estimator=True)
    networks = [search.best_estimator_, *folds["estimator"]]
    return search.cv_results_["mean_test_score"], list(map(params_of, networks))


def assert_backend_changes_nothing(clf, backend):
    """Assert that a joblib backend finds what the main process finds."""
    scores, weights = search_and_weights(clf, n_jobs=1)
    with parallel_config(backend):
        spread_scores, spread_weights = search_and_weights(clf, n_jobs=2)
    np.testing.assert_array_equal(spread_scores, scores)
    for params, spread_params in zip(weights, spread_weights, strict=True):
        np.testing.assert_array_equal(spread_params, params)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_backend_changes_nothing(clf, backend):
    assert_backend_changes_nothing(clf, backend)


@pytest.mark.parametrize("make", [small, ensemble])
def test_predictions_in_parallel_are_those_of_one_thread(make):
    model = make().fit(X, y)
    many = np.tile(X, (40, 1))
    parts = [many[start:] for start in range(0, 1600, 200)]
    expected = [model.predict_proba(part) for part in parts]
    found = Parallel(4, backend="threading")(
        delayed(model.predict_proba)(part) for part in parts
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


# Real processes on this machine, only where the packages are installed. Not every
# version of these is free of warnings.
on_a_cluster = pytest.mark.filterwarnings("default")


@on_a_cluster
@pytest.mark.usefixtures("dask_client")
def test_dask_backend_changes_nothing(clf):
    assert_backend_changes_nothing(clf, "dask")


@on_a_cluster
@pytest.mark.usefixtures("dask_client")
def test_incremental_is_feeding_the_blocks_by_hand(clf):
    wrappers = pytest.importorskip("dask_ml.wrappers")
    dask_array = pytest.importorskip("dask.array")
    blocks = [slice(0, 60), slice(60, 120), slice(120, 150)]
    X_blocks = dask_array.from_array(X, chunks=(60, 6))
    y_blocks = dask_array.from_array(codes, chunks=60)
    incremental = wrappers.Incremental(clf, shuffle_blocks=False)
    incremental.fit(X_blocks, y_blocks, classes=[0, 1, 2])
    incremental.partial_fit(X_blocks, y_blocks)
    by_hand = clone(clf)
    for _ in range(2):
        for rows in blocks:
            by_hand.partial_fit(X[rows], codes[rows], classes=[0, 1, 2])
    assert_same_model(incremental.estimator_, by_hand)
    np.testing.assert_array_equal(
        incremental.predict_proba(X_blocks).compute(), by_hand.predict_proba(X)
    )


@on_a_cluster
def test_ray_backend_changes_nothing(clf):
    ray = pytest.importorskip("ray")
    ray_joblib = pytest.importorskip("ray.util.joblib")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        ray_joblib.register_ray()
        assert_backend_changes_nothing(clf, "ray")
    finally:
        ray.shutdown()
