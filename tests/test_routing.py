"""Tests of metadata routing and of the estimator's tags."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import is_classifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from tests.helpers import assert_same_model, ensemble, small

ROUTABLE = {
    "fit": {"sample_weight", "X_val", "y_val", "sample_weight_val"},
    "partial_fit": {"sample_weight", "classes"},
    "score": {"sample_weight"},
}
ROUTABLE_OF_ENSEMBLES = {"fit": {"sample_weight"}, "score": {"sample_weight"}}

pytestmark = pytest.mark.usefixtures("folds_of_few")

every_kind = pytest.mark.parametrize("make", [small, ensemble])


@pytest.fixture(autouse=True)
def _routing():
    """Enable metadata routing."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def data():
    """Three overlapping classes, and weights that tell them apart."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(60) % 3)
    X = rng.standard_normal((60, 4)) + np.eye(3, 4)[y]
    return X, y, np.array([0.1, 1.0, 5.0])[y]


# --- Requests -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "routable"), [(small, ROUTABLE), (ensemble, ROUTABLE_OF_ENSEMBLES)]
)
def test_what_can_be_requested(make, routable):
    routing = get_routing_for_object(make())
    for method in ("fit", "partial_fit", "score", "predict", "predict_proba"):
        requests = getattr(routing, method).requests
        assert requests == dict.fromkeys(routable.get(method, ()))


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method, names in ROUTABLE.items() for name in sorted(names)],
)
def test_requests_can_be_set(method, name):
    clf = small()
    assert getattr(clf, f"set_{method}_request")(**{name: True}) is clf
    assert getattr(get_routing_for_object(clf), method).requests[name] is True


@every_kind
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_predictions_take_no_metadata(make, method):
    assert not hasattr(make(), f"set_{method}_request")


@every_kind
def test_unrequested_metadata_are_refused(data, make):
    X, y, weight = data
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        make_pipeline(StandardScaler(), make()).fit(X, y, sample_weight=weight)


# --- Pipeline -------------------------------------------------------------------------


@every_kind
def test_pipeline_routes_to_fit_and_score(data, make):
    X, y, weight = data
    clf = make().set_fit_request(sample_weight=True)
    clf.set_score_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), clf)
    pipe.fit(X, y, sample_weight=weight)
    X = StandardScaler().fit_transform(X)
    reference = make().fit(X, y, sample_weight=weight)
    assert_same_model(pipe[-1], reference)
    weighted = pipe.score(data[0], y, sample_weight=weight)
    assert weighted == reference.score(X, y, sample_weight=weight)
    assert weighted != reference.score(X, y)


def test_pipeline_routes_by_alias(data):
    X, y, weight = data
    clf = small().set_fit_request(sample_weight="importance")
    pipe = make_pipeline(StandardScaler(), clf).fit(X, y, importance=weight)
    X = StandardScaler().fit_transform(X)
    assert_same_model(pipe[-1], small().fit(X, y, sample_weight=weight))


def test_pipeline_routes_all_of_the_validation_data(data):
    X, y, weight = data
    clf = small(early_stopping=True, scoring="accuracy").set_fit_request(
        sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
    )
    pipe = Pipeline(
        [
            ("scale", StandardScaler().set_fit_request(sample_weight=False)),
            ("clf", clf),
        ],
        transform_input=["X_val"],
    )
    scaler = StandardScaler().fit(X[:40])
    reference = small(early_stopping=True, scoring="accuracy")
    for model, transform in ((pipe, np.asarray), (reference, scaler.transform)):
        model.fit(
            transform(X[:40]),
            y[:40],
            sample_weight=weight[:40],
            X_val=transform(X[40:]),
            y_val=y[40:],
            sample_weight_val=weight[40:],
        )
    assert_same_model(pipe["clf"], reference)
    assert pipe["clf"].history_ == reference.history_


def test_pipeline_of_frames_passes_names_on(data):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    clf = small(early_stopping=True, scoring="accuracy")
    clf.set_fit_request(X_val=True, y_val=True)
    scaler = StandardScaler().set_output(transform="pandas")
    pipe = Pipeline([("scale", scaler), ("clf", clf)], transform_input=["X_val"])
    pipe.fit(frame[:40], y[:40], X_val=frame[40:], y_val=y[40:])
    assert pipe["clf"].feature_names_in_.tolist() == list("abcd")
    assert pipe["clf"].best_validation_score_ == pipe.score(frame[40:], y[40:])


# --- Cross-validation -----------------------------------------------------------------


@pytest.fixture
def folds():
    rows = np.arange(60)
    return [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]


@every_kind
def test_cross_validate_routes_weights_of_the_folds(data, folds, make):
    X, y, weight = data
    clf = make().set_fit_request(sample_weight=True)
    clf.set_score_request(sample_weight=True)
    result = cross_validate(
        clf, X, y, cv=folds, params={"sample_weight": weight}, return_estimator=True
    )
    for (train, test), estimator, score in zip(
        folds, result["estimator"], result["test_score"], strict=True
    ):
        reference = make().fit(X[train], y[train], sample_weight=weight[train])
        assert_same_model(estimator, reference)
        assert score == reference.score(X[test], y[test], sample_weight=weight[test])


@pytest.mark.parametrize(
    ("make", "grid"), [(small, {"beta": [0.5, 0.9]}), (ensemble, {"n_folds": [2, 3]})]
)
def test_search_routes_weights(data, folds, make, grid):
    X, y, weight = data
    clf = make().set_fit_request(sample_weight=True)
    clf.set_score_request(sample_weight=True)
    search = GridSearchCV(clf, grid, cv=folds)
    search.fit(X, y, sample_weight=weight)
    reference = make(**search.best_params_).fit(X, y, sample_weight=weight)
    assert_same_model(search.best_estimator_, reference)


def test_search_routes_the_validation_data(data, folds):
    X, y, _ = data
    clf = small(early_stopping=True).set_fit_request(X_val=True, y_val=True)
    search = GridSearchCV(clf, {"beta": [0.5, 0.9]}, cv=folds)
    # Validation data as long as X would be cut into folds as well.
    search.fit(X, y, X_val=X[:25], y_val=y[:25])
    reference = small(early_stopping=True, **search.best_params_)
    reference.fit(X, y, X_val=X[:25], y_val=y[:25])
    assert_same_model(search.best_estimator_, reference)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_early_stopping_scores_with_weights(data, scoring):
    X, y, weight = data
    clf = small(early_stopping=True, scoring=scoring)
    clf.fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=False):
        reference = small(early_stopping=True, scoring=scoring)
        reference.fit(X, y, sample_weight=weight)
    assert clf.validation_scores_ == reference.validation_scores_


# --- Tags -----------------------------------------------------------------------------


@every_kind
def test_tags(make):
    clf = make()
    tags = get_tags(clf)
    assert is_classifier(clf)
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.sparse
    assert tags.input_tags.allow_nan
    assert tags.input_tags.categorical
    assert tags.target_tags.required
    assert not tags.target_tags.multi_output
    assert tags.classifier_tags.multi_class
    assert tags.classifier_tags.multi_label
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert tags.requires_fit
