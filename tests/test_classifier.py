"""Tests of the estimator: labels, inputs, attributes, parameters, going on."""

import copy
import re
import sys
import threading
import warnings
from functools import partial
from numbers import Real
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_moons
from sklearn.exceptions import (
    ConvergenceWarning,
    DataConversionWarning,
    NotFittedError,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, InvalidParameterError

from sk_rmsprop import RMSprop, RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._classifier import DOCUMENTATION_URL
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._training import Epochs
from tests import helpers
from tests.helpers import assert_same_model, params_of

FITTED_ATTRIBUTES = [
    "classes_",
    "n_features_in_",
    "coefs_",
    "intercepts_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "optimizer_",
    "n_iter_",
    "t_",
    "loss_",
    "best_loss_",
    "cost_history_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "history_",
]


@pytest.fixture
def data():
    """Three well separated classes, 60 rows, 4 features, in one random order."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(60) % 3)
    centres = np.array([[3.0, 0, 0, 1], [0, 3, 0, -1], [0, 0, 3, 0]])
    return centres[codes] + 0.5 * rng.standard_normal((60, 4)), codes


@pytest.fixture
def labels(data):
    """A multilabel `y` for `data`: rows have none to two of the three labels."""
    return (data[0][:, [0, 1, 3]] > [1, 1, 0]).astype(int)


small = partial(helpers.small, learning_rate=0.03, max_iter=8)


def assert_almost_same_model(clf, other, rtol=1e-7):
    np.testing.assert_allclose(params_of(clf), params_of(other), rtol=rtol, atol=rtol)


# --- Labels ---------------------------------------------------------------------------

THREE_LABELS = {
    "strings": np.array(["ape", "bee", "cow"]),
    "objects": np.array(["ape", "bee", "cow"], dtype=object),
    "negative ints": np.array([-7, -1, 0]),
    "gapped ints": np.array([2, 3, 50]),
    "uint8": np.array([0, 1, 255], dtype=np.uint8),
    "floats": np.array([1.0, 2.0, 4.0]),
    "digits as strings": np.array(["1", "2", "3"]),
}

LABEL_CONTAINERS = {
    "list": list,
    "pandas Series": lambda y: pd.Series(y, index=np.arange(len(y)) + 100),
    "pandas categorical": lambda y: pd.Series(pd.Categorical(y)),
    "pandas string": lambda y: pd.Series(y, dtype="string"),
    "polars Series": pl.Series,
    "polars Categorical": lambda y: pl.Series(y, dtype=pl.Categorical),
}


@pytest.mark.parametrize("names", THREE_LABELS.values(), ids=THREE_LABELS)
def test_label_values_do_not_matter(data, names):
    X, codes = data
    reference = small().fit(X, codes)
    clf = small().fit(X, names[codes])
    assert_same_model(clf, reference)
    np.testing.assert_array_equal(clf.classes_, names)
    assert clf.classes_.dtype == names.dtype
    np.testing.assert_array_equal(clf.predict(X), names[reference.predict(X)])
    assert clf.predict(X).dtype == names.dtype
    assert clf.score(X, names[codes]) == 1.0


@pytest.mark.parametrize(
    "container", LABEL_CONTAINERS.values(), ids=list(LABEL_CONTAINERS)
)
def test_label_containers(data, container):
    X, codes = data
    names = np.array(["ape", "bee", "cow"])
    y = container(names[codes])
    clf = small().fit(X, y)
    assert_same_model(clf, small().fit(X, codes))
    assert clf.predict(X).tolist() == names[codes].tolist()
    assert clf.score(X, y) == 1.0


@pytest.mark.parametrize(
    "container",
    [np.asarray, list, pd.Series, pl.Series],
    ids=["ndarray", "list", "pandas", "polars"],
)
def test_bool_labels(data, container):
    X, codes = data
    clf = small().fit(X, container(codes == 2))
    assert_same_model(clf, small().fit(X, (codes == 2).astype(int)))
    assert clf.classes_.dtype == bool
    np.testing.assert_array_equal(clf.predict(X), codes == 2)


def test_binary_has_one_column_per_class(data):
    X, codes = data
    clf = small().fit(X, codes == 0)
    assert clf.n_outputs_ == 2
    assert clf.out_activation_ == "softmax"
    assert clf.predict_proba(X).shape == (60, 2)
    assert clf.coefs_[-1].shape == (6, 2)


def test_one_class(data):
    X, _ = data
    clf = small().fit(X, ["only"] * 60)
    assert clf.classes_.tolist() == ["only"]
    assert clf.n_outputs_ == 1
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((60, 1)))
    np.testing.assert_array_equal(clf.predict_log_proba(X), np.zeros((60, 1)))
    assert set(clf.predict(X)) == {"only"}
    assert clf.loss_ == 0.0


MULTILABEL_CONTAINERS = {
    "list": lambda Y: Y.tolist(),
    "bool": lambda Y: Y.astype(bool),
    "float": lambda Y: Y.astype(float),
    "CSR matrix": sp.csr_matrix,
    "CSC array": sp.csc_array,
    "COO array": sp.coo_array,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
}


@pytest.mark.parametrize(
    "container", MULTILABEL_CONTAINERS.values(), ids=list(MULTILABEL_CONTAINERS)
)
def test_multilabel_containers(data, labels, container):
    X, _ = data
    reference = small().fit(X, labels)
    assert_same_model(small().fit(X, container(labels)), reference)
    assert_same_model(
        small().partial_fit(X, container(labels)), small().partial_fit(X, labels)
    )


def test_multilabel_model(data, labels):
    X, _ = data
    clf = small(max_iter=30).fit(X, labels)
    assert clf.out_activation_ == "logistic"
    assert clf.n_outputs_ == 3
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])
    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (60, 3)
    # The labels are independent of each other: their probabilities do not sum to 1.
    assert np.ptp(probabilities.sum(axis=1)) > 0.5
    np.testing.assert_array_equal(clf.predict(X), probabilities > 0.5)
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(probabilities))
    assert clf.score(X, labels) > 0.9


def test_multilabel_cost_is_the_sum_over_labels(data, labels):
    X, _ = data
    # Such small steps leave the model as it was at the start of the epoch.
    clf = small(batch_size=60, max_iter=1, learning_rate=1e-12).fit(X, labels)
    probabilities = clf.predict_proba(X)
    losses = [log_loss(labels[:, k], probabilities[:, k]) for k in range(3)]
    assert clf.loss_ == pytest.approx(sum(losses))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 60), "continuous"),
        (np.where(np.arange(60) == 3, np.nan, 1.0), "y contains NaN"),
        (np.c_[np.arange(60) % 3, np.arange(60) % 3], "multioutput y is not supported"),
        (np.c_[np.arange(60) % 2, np.arange(60) % 2] * 2, "zeros and ones"),
        (None, "requires y"),
        (np.zeros(59), "inconsistent numbers of samples"),
    ],
    ids=["continuous", "nan", "multioutput", "indicator of 2", "none", "length"],
)
def test_bad_labels_are_refused(data, y, message):
    clf = small()
    with pytest.raises(ValueError, match=message):
        clf.fit(data[0], y)
    assert vars(clf) == vars(small())


def test_column_vector_is_taken_with_a_warning(data):
    X, codes = data
    with pytest.warns(DataConversionWarning, match="column-vector"):
        clf = small().fit(X, codes[:, np.newaxis])
    assert_same_model(clf, small().fit(X, codes))
    assert clf.predict(X).shape == (60,)


# --- Inputs ---------------------------------------------------------------------------

DENSE_CONTAINERS = {
    "list": lambda X: X.tolist(),
    "Fortran order": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "big endian": lambda X: X.astype(">f8"),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "pandas, integer names": pd.DataFrame,
    "pandas, mixed dtypes": lambda X: pd.DataFrame(
        {"a": pd.Series(X[:, 0], dtype="Float64"), "b": X[:, 1], "c": X[:, 2]}
    ).assign(d=X[:, 3]),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
}

SPARSE_FORMATS = [
    sp.csr_matrix,
    sp.csr_array,
    sp.csc_matrix,
    sp.csc_array,
    sp.coo_matrix,
    sp.coo_array,
]


@pytest.mark.parametrize(
    "container", DENSE_CONTAINERS.values(), ids=list(DENSE_CONTAINERS)
)
def test_dense_inputs(data, container):
    X, codes = data
    reference = small().fit(X, codes)
    clf = small().fit(container(X), codes)
    assert_same_model(clf, reference)
    np.testing.assert_array_equal(
        clf.predict_proba(container(X)), reference.predict_proba(X)
    )
    assert_same_model(
        clf.partial_fit(container(X), codes), reference.partial_fit(X, codes)
    )


def test_read_only_and_memory_mapped_inputs(data, tmp_path):
    X, codes = data
    reference = small().fit(X, codes)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_same_model(small().fit(mapped, codes), reference)
    for array in (X, codes, weight := np.ones(60)):
        array.flags.writeable = False
    clf = small().fit(X, codes, sample_weight=weight)
    assert_almost_same_model(clf, reference)
    np.testing.assert_array_equal(reference.predict(mapped), reference.predict(X))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool, np.float16])
def test_other_dtypes_are_computed_in_float64(data, dtype):
    X, codes = data
    X = np.abs(4 * X).astype(dtype)
    clf = small().fit(X, codes)
    assert params_of(clf).dtype == np.float64
    assert_same_model(clf, small().fit(X.astype(np.float64), codes))
    assert clf.predict_proba(X).dtype == np.float64


@pytest.mark.parametrize("as_format", SPARSE_FORMATS)
def test_sparse_inputs(data, as_format):
    X, codes = data
    X = np.where(X > 0.5, X, 0.0)
    reference = small().fit(X, codes)
    clf = small().fit(as_format(X), codes)
    assert_almost_same_model(clf, reference)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(
            getattr(clf, method)(as_format(X)), getattr(reference, method)(X)
        )
    assert_almost_same_model(
        clf.partial_fit(as_format(X), codes), reference.partial_fit(X, codes)
    )


def test_sparse_input_is_never_densified(data, monkeypatch):
    X, codes = data

    def densified(*args, **kwargs):
        raise AssertionError("the input was made dense")

    for format_ in (sp.csr_matrix, sp.csr_array):
        for method in ("toarray", "todense", "__array__"):
            monkeypatch.setattr(format_, method, densified, raising=False)
    X = sp.csr_array(X)
    clf = small(early_stopping=True, validation_fraction=0.2).fit(X, codes)
    clf.set_params(early_stopping=False).partial_fit(X, codes).predict_proba(X)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_float32_stays_float32(data, sparse, early_stopping):
    X, codes = data
    X = sp.csr_array(X.astype(np.float32)) if sparse else X.astype(np.float32)
    clf = small(momentum=0.5, centered=True, early_stopping=early_stopping)
    clf.fit(X, codes, sample_weight=np.linspace(1, 2, 60))
    for _ in range(2):
        arrays = [*clf.coefs_, *clf.intercepts_]
        arrays += [clf.optimizer_.square_average_, clf.optimizer_.velocity_]
        arrays += [clf.optimizer_.gradient_average_]
        arrays += [clf.predict_proba(X), clf.predict_log_proba(X)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
        clf.set_params(early_stopping=False).partial_fit(X, codes)


def test_dtypes_of_fit_and_predict_mix(data):
    X, codes = data
    single, double = X.astype(np.float32), X
    clf = small().fit(single, codes)
    assert clf.predict_proba(double).dtype == np.float64
    np.testing.assert_allclose(
        clf.predict_proba(double), clf.predict_proba(single), rtol=1e-4, atol=1e-6
    )
    # Going on keeps to the model's dtype.
    assert clf.partial_fit(double, codes).coefs_[0].dtype == np.float32
    clf = small().fit(double, codes)
    assert clf.predict_proba(single).dtype == np.float64
    assert clf.partial_fit(single, codes).coefs_[0].dtype == np.float64


def test_float32_and_float64_learn_alike(data):
    X, codes = data
    X = X.astype(np.float32)
    single = small().fit(X, codes)
    double = small().fit(X.astype(np.float64), codes)
    np.testing.assert_allclose(
        single.predict_proba(X), double.predict_proba(X), atol=2e-3
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_must_be_finite(data, value):
    X, codes = data
    clf = small().fit(X, codes)
    X = X.copy()
    X[7, 2] = value
    for method in (small().fit, clf.partial_fit):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            method(X, codes)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        clf.predict(X)


def test_inputs_are_not_changed(data):
    X, codes = data
    weight = np.linspace(0, 1, 60)
    copies = X.copy(), codes.copy(), weight.copy()
    clf = small(dropout=0.2).fit(X, codes, sample_weight=weight)
    clf.partial_fit(X, codes, sample_weight=weight).predict_proba(X)
    for array, before in zip((X, codes, weight), copies, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_c_ordered_array_is_not_copied(data, monkeypatch, dtype):
    seen = []
    make_parts = Epochs._parts

    def noting(epochs, network):
        seen.append(epochs.data.X)
        return make_parts(epochs, network)

    monkeypatch.setattr(Epochs, "_parts", noting)
    X, codes = data[0].astype(dtype), data[1]
    small().fit(X, codes, sample_weight=codes).partial_fit(X, codes)
    assert [np.shares_memory(array, X) for array in seen] == [True, True]


def test_one_row_one_feature():
    clf = small(hidden_layer_sizes=()).fit([[2.0]], ["a"])
    assert clf.predict([[5.0]]).tolist() == ["a"]


def test_wrong_number_of_features(data):
    X, codes = data
    clf = small().fit(X, codes)
    for method in (
        clf.predict,
        clf.predict_proba,
        lambda X: clf.partial_fit(X, codes),
        lambda X: clf.set_params(warm_start=True).fit(X, codes),
    ):
        with pytest.raises(ValueError, match=r"3 features.*expecting 4 features"):
            method(X[:, :3])


def test_feature_names(data):
    X, codes = data
    frame = pd.DataFrame(X, columns=["b", "a", "d", "c"])
    clf = small().fit(frame, codes)
    assert clf.feature_names_in_.tolist() == ["b", "a", "d", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        clf.predict(frame[["a", "b", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        clf.predict(X)
    assert not hasattr(small().fit(X, codes), "feature_names_in_")


# --- Fitted attributes ----------------------------------------------------------------


@pytest.mark.parametrize("name", FITTED_ATTRIBUTES)
def test_attributes_appear_with_fit(data, name):
    X, codes = data
    assert not hasattr(small(), name)
    assert hasattr(small().fit(X, codes), name)
    assert hasattr(small().partial_fit(X, codes, classes=[0, 1, 2]), name)


def test_attributes_mean_what_they_mean_in_mlpclassifier(data):
    X, codes = data
    options = {"max_iter": 4, "hidden_layer_sizes": (6, 5), "batch_size": 16}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = MLPClassifier(random_state=0, **options).fit(X, codes)
    ours = small(**options).fit(X, codes)
    for name in (
        "n_features_in_",
        "n_layers_",
        "n_outputs_",
        "out_activation_",
        "n_iter_",
        "t_",
        "validation_scores_",
        "best_validation_score_",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
        assert type(getattr(ours, name)) is type(getattr(theirs, name)), name
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    for name in ("coefs_", "intercepts_"):
        shapes = [array.shape for array in getattr(ours, name)]
        assert shapes == [array.shape for array in getattr(theirs, name)]
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 4
    assert theirs.loss_ == theirs.loss_curve_[-1]
    assert ours.loss_ == ours.loss_curve_[-1]
    assert theirs.best_loss_ == min(theirs.loss_curve_)
    assert ours.best_loss_ == min(ours.loss_curve_)
    assert ours.cost_history_ == ours.loss_curve_


def test_counters_of_partial_fit(data):
    X, codes = data
    clf = small().fit(X, codes)
    clf.partial_fit(X[:20], codes[:20])
    assert clf.n_iter_ == 1
    assert clf.t_ == 8 * 60 + 20
    assert len(clf.loss_curve_) == 9
    assert clf.loss_ == clf.loss_curve_[-1]
    assert clf.best_loss_ == min(clf.loss_curve_)


def test_counters_of_a_warm_start(data):
    X, codes = data
    clf = small(warm_start=True).fit(X, codes)
    clf.set_params(max_iter=3).fit(X, codes)
    assert clf.n_iter_ == 3
    assert clf.t_ == (8 + 3) * 60
    assert [record["epoch"] for record in clf.history_] == list(range(1, 12))
    clf.set_params(warm_start=False).fit(X, codes)
    assert (clf.n_iter_, clf.t_, len(clf.history_)) == (3, 3 * 60, 3)


def test_optimizer_has_the_parameters_and_the_state(data):
    X, codes = data
    clf = small(beta=0.8, epsilon=1e-6, momentum=0.7, nesterov=True).fit(X, codes)
    optimizer = clf.optimizer_
    assert isinstance(optimizer, RMSprop)
    assert (optimizer.beta, optimizer.epsilon) == (0.8, 1e-6)
    assert (optimizer.momentum, optimizer.nesterov) == (0.7, True)
    assert optimizer.n_steps_ == 8 * 4  # 60 rows are 4 batches of at most 16.
    assert optimizer.square_average_.shape == params_of(clf).shape
    assert optimizer.gradient_average_ is None


def test_history_is_plain_and_makes_a_frame(data):
    X, codes = data
    clf = small().fit(X, codes, X_val=X, y_val=codes)
    for record in clf.history_:
        assert type(record) is dict
        assert {type(value) for value in record.values()} <= {int, float}
    frame = pd.DataFrame(clf.history_)
    assert frame.columns.tolist() == [
        "epoch",
        "learning_rate",
        "loss",
        "validation_loss",
        "validation_score",
    ]
    assert frame["epoch"].tolist() == list(range(1, 9))
    assert frame["loss"].tolist() == clf.cost_history_
    assert frame["learning_rate"].is_monotonic_decreasing
    small_frame = pd.DataFrame(small().fit(X, codes).history_)
    assert small_frame.columns.tolist() == ["epoch", "learning_rate", "loss"]


def test_coefs_are_views(data):
    X, codes = data
    clf = small().fit(X, codes)
    before = clf.predict_proba(X)
    clf.coefs_[0][...] = 0.0
    clf.coefs_[1][...] = 0.0
    clf.intercepts_[1][...] = np.log([1, 2, 5])
    assert not np.allclose(before, clf.predict_proba(X))
    np.testing.assert_allclose(
        clf.predict_proba(X), np.tile([0.125, 0.25, 0.625], (60, 1))
    )
    # Training goes on from the edited weights.
    clf.set_params(learning_rate=1e-9).partial_fit(X, codes)
    np.testing.assert_allclose(clf.coefs_[0], 0.0, atol=1e-6)


def test_training_on_leaves_arrays_of_before_alone(data):
    X, codes = data
    clf = small().fit(X, codes)
    coef, square_average = clf.coefs_[0], clf.optimizer_.square_average_
    history, copies = clf.history_, (coef.copy(), square_average.copy())
    clf.partial_fit(X, codes)
    np.testing.assert_array_equal(coef, copies[0])
    np.testing.assert_array_equal(square_average, copies[1])
    assert len(history) == 8
    assert not np.array_equal(clf.coefs_[0], coef)


# --- Prediction -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_prediction_needs_fit(data, method):
    with pytest.raises(NotFittedError):
        getattr(small(), method)(data[0])


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6,), (5, 4, 3)])
def test_predictions_agree(data, hidden_layer_sizes):
    X, codes = data
    clf = small(hidden_layer_sizes=hidden_layer_sizes).fit(X, codes)
    probabilities = clf.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), probabilities)
    np.testing.assert_array_equal(
        clf.predict(X), clf.classes_[probabilities.argmax(axis=1)]
    )
    assert clf.score(X, codes) == np.mean(clf.predict(X) == codes)


def test_prediction_is_the_network_of_the_attributes(data):
    X, codes = data
    clf = small(hidden_layer_sizes=(6, 5), activation="tanh").fit(X, codes)
    below = X
    for coef, intercept in zip(clf.coefs_[:-1], clf.intercepts_[:-1], strict=True):
        below = np.tanh(below @ coef + intercept)
    raw = below @ clf.coefs_[-1] + clf.intercepts_[-1]
    expected = raw - logsumexp(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_log_proba(X), expected)


def test_rows_are_predicted_independently(data):
    X, codes = data
    clf = small().fit(X, codes)
    many = np.tile(X, (2000, 1))
    probabilities = clf.predict_proba(many)
    np.testing.assert_allclose(probabilities[-60:], clf.predict_proba(X))
    np.testing.assert_allclose(probabilities[-1:], clf.predict_proba(X[-1:]))


def test_log_probabilities_of_a_confident_model_are_finite():
    clf = small(hidden_layer_sizes=(), max_iter=1).fit([[1.0]] * 3, [0, 1, 2])
    clf.coefs_[0][...] = [[1000.0, 0.0, -1000.0]]
    clf.intercepts_[0][...] = 0.0
    np.testing.assert_array_equal(clf.predict_proba([[1.0]]), [[1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(
        clf.predict_log_proba([[1.0]]), [[0.0, -1000.0, -2000.0]]
    )


def test_multilabel_log_probabilities_of_a_confident_model_are_finite():
    clf = small(hidden_layer_sizes=(), max_iter=1).fit([[1.0]] * 2, [[0, 1], [1, 0]])
    clf.coefs_[0][...] = [[1000.0, -1000.0]]
    clf.intercepts_[0][...] = 0.0
    np.testing.assert_array_equal(clf.predict_proba([[1.0]]), [[1.0, 0.0]])
    np.testing.assert_array_equal(clf.predict_log_proba([[1.0]]), [[0.0, -1000.0]])


# --- Parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden_layer_sizes", [6, [6], np.array([6]), np.int32(6), range(6, 7)]
)
def test_forms_of_hidden_layer_sizes(data, hidden_layer_sizes):
    X, codes = data
    clf = small(hidden_layer_sizes=hidden_layer_sizes).fit(X, codes)
    assert_same_model(clf, small(hidden_layer_sizes=(6,)).fit(X, codes))
    clone(clf).partial_fit(X, codes, classes=[0, 1, 2])


def test_softmax_regression_starts_at_zero(data):
    X, codes = data
    options = {"learning_rate": 1e-9, "max_iter": 1}
    clf = small(hidden_layer_sizes=(), **options).fit(X, codes)
    assert clf.n_layers_ == 2
    assert [coef.shape for coef in clf.coefs_] == [(4, 3)]
    np.testing.assert_allclose(params_of(clf), 0.0, atol=1e-7)
    assert np.abs(small(**options).fit(X, codes).coefs_[0]).max() > 0.1


def test_start_weights_have_the_promised_spread(data):
    X, codes = data
    options = {"learning_rate": 1e-12, "max_iter": 1, "hidden_layer_sizes": (3000, 30)}
    clf = small(**options).fit(X, codes)
    assert clf.coefs_[0].std() == pytest.approx(np.sqrt(2 / 4), rel=0.03)
    assert clf.coefs_[1].std() == pytest.approx(np.sqrt(2 / 3000), rel=0.03)
    assert all(np.abs(intercept).max() < 1e-9 for intercept in clf.intercepts_)


@pytest.mark.parametrize("batch_size", [60, 61, 10_000, "auto"])
def test_batch_size_is_at_most_the_number_of_rows(data, batch_size):
    X, codes = data
    clf = small(batch_size=batch_size).fit(X, codes)
    assert clf.optimizer_.n_steps_ == 8
    assert_same_model(clf, small(batch_size=60).fit(X, codes))


@pytest.mark.parametrize(
    ("n_rows", "n_features", "batch_size"),
    [
        (64, 1, 64),
        (64, 1000, 64),
        (65, 1, 32),
        (32_000, 1, 32),
        (32_001, 1, 64),
        (200_000, 1, 256),
        (600_000, 1, 256),
        (100, 256, 32),
        (100, 257, 64),
        (300, 784, 128),
        (600, 5000, 256),
        (33_000, 257, 64),
        (40_000, 784, 128),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_auto_batch_size(n_rows, n_features, batch_size, sparse):
    X = sp.csr_array(([1.0], ([0], [0])), shape=(n_rows, n_features), dtype=np.float32)
    clf = small(hidden_layer_sizes=(), batch_size="auto", max_iter=1)
    clf.fit(X if sparse else X.toarray(), np.arange(n_rows) % 2)
    assert clf.optimizer_.n_steps_ == -(-n_rows // batch_size)


@pytest.mark.parametrize(
    ("n_rows", "alpha"), [(20, 0.01), (300, 0.01), (400, 0.0075), (6000, 0.0005)]
)
def test_auto_alpha(n_rows, alpha):
    X = np.linspace(-1, 1, n_rows)[:, np.newaxis]
    same = [
        small(alpha=value, batch_size=n_rows, max_iter=2).fit(X, X[:, 0] > 0)
        for value in ("auto", alpha)
    ]
    assert_same_model(*same)
    assert (
        params_of(same[0]).tolist()
        != params_of(
            small(alpha=2 * alpha, batch_size=n_rows, max_iter=2).fit(X, X[:, 0] > 0)
        ).tolist()
    )


def test_auto_alpha_of_a_stream_is_0(data):
    X, y = data
    auto, none = (
        small(alpha=alpha, max_iter="auto").partial_fit(X, y, classes=np.unique(y))
        for alpha in ("auto", 0.0)
    )
    assert_same_model(auto, none)


BAD_VALUES = [
    ("hidden_layer_sizes", 0),
    ("hidden_layer_sizes", (5, -1)),
    ("hidden_layer_sizes", (5, 0)),
    ("hidden_layer_sizes", (2.5,)),
    ("hidden_layer_sizes", [[3, 4]]),
    ("hidden_layer_sizes", np.array(5)),
    ("hidden_layer_sizes", "100"),
    ("hidden_layer_sizes", None),
    ("activation", "sin"),
    ("standardize", "yes"),
    ("learning_rate", 0.0),
    ("learning_rate", -1.0),
    ("learning_rate", np.nan),
    ("learning_rate", "adaptive"),
    ("beta", 1.0),
    ("beta", -0.1),
    ("epsilon", 0.0),
    ("momentum", 1.0),
    ("nesterov", "yes"),
    ("centered", 2),
    ("learning_rate_schedule", "invscaling"),
    ("alpha", -1e-9),
    ("weight_decay", -1e-9),
    ("dropout", 1.0),
    ("label_smoothing", 1.0),
    ("max_grad_norm", 0.0),
    ("batch_size", 0),
    ("batch_size", 2.0),
    ("batch_size", "full"),
    ("max_iter", 0),
    ("max_iter", 1.5),
    ("tol", -1.0),
    ("n_iter_no_change", 0),
    ("n_iter_no_change", 2.5),
    ("early_stopping", "auto"),
    ("validation_fraction", 0.0),
    ("validation_fraction", 1.0),
    ("scoring", "acuracy"),
    ("class_weight", "even"),
    ("class_weight", [1, 2, 3]),
    ("shuffle", "no"),
    ("random_state", -1),
    ("warm_start", "maybe"),
    ("verbose", -1),
]


@pytest.mark.parametrize(
    ("name", "value"), BAD_VALUES, ids=[f"{k}={v!r}" for k, v in BAD_VALUES]
)
def test_bad_values_are_refused_by_name(data, name, value):
    X, codes = data
    clf = small().fit(X, codes).set_params(**{name: value})
    before = vars(clf).copy()
    for call in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=name):
            call(X, codes)
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[key] is before[key] for key in before)


def test_every_parameter_is_checked():
    assert {name for name, _ in BAD_VALUES} == set(small().get_params())


@pytest.mark.parametrize("as_number", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0625),
        ("beta", 0.75),
        ("epsilon", 0.0625),
        ("momentum", 0.75),
        ("alpha", 0.0625),
        ("weight_decay", 0.0625),
        ("dropout", 0.25),
        ("label_smoothing", 0.25),
        ("max_grad_norm", 0.25),
        ("tol", 0.0625),
    ],
)
def test_numpys_numbers_are_as_good_as_pythons(data, name, value, as_number):
    # Searches pass them. All of these values are exact in any precision.
    X, codes = data[0].astype(np.float32), data[1]
    reference = small(**{name: value}).fit(X, codes, X_val=X, y_val=codes)
    clf = small(**{name: as_number(value)}).fit(X, codes, X_val=X, y_val=codes)
    assert_same_model(clf, reference)
    assert clf.history_ == reference.history_
    numbers = [value for record in clf.history_ for value in record.values()]
    numbers += [clf.loss_, clf.best_loss_, clf.best_validation_score_]
    assert {type(number) for number in numbers} == {int, float}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_activation_learns_with_every_schedule(data, activation, schedule):
    X, codes = data
    clf = small(activation=activation, learning_rate_schedule=schedule, max_iter=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert clf.fit(X, codes).score(X, codes) >= 0.95


def test_get_params_and_clone(data):
    X, codes = data
    params = {
        name: value
        for name, value in small().get_params().items()
        if name not in ("hidden_layer_sizes", "learning_rate")
    }
    clf = RMSpropMLPClassifier(hidden_layer_sizes=[3, 2], learning_rate=0.5, **params)
    assert clf.get_params() == {
        **params,
        "hidden_layer_sizes": [3, 2],
        "learning_rate": 0.5,
    }
    copied = clone(clf.fit(X, codes))
    assert copied.get_params() == clf.get_params()
    assert not hasattr(copied, "coefs_")
    assert_same_model(copied.fit(X, codes), clf)


def test_only_the_first_parameter_is_positional():
    assert RMSpropMLPClassifier((3,)).hidden_layer_sizes == (3,)
    with pytest.raises(TypeError, match="positional"):
        RMSpropMLPClassifier((3,), "tanh")


def test_html_links_to_the_documentation(data):
    X, codes = data
    for clf in (small(), small().fit(X, codes)):
        links = re.findall(r'href="([^"]+)"', clf._repr_html_())
        assert f"{DOCUMENTATION_URL}/api/RMSpropMLPClassifier.html" in links


# --- Failing --------------------------------------------------------------------------


def test_a_failed_fit_forgets_the_data_it_was_given(data):
    X, codes = data
    clf = small().fit(pd.DataFrame(X, columns=list("abcd")), codes)
    before = vars(clf).copy()
    other = pd.DataFrame(X[:, :3], columns=list("xyz"))
    for weight in (np.zeros(60), -np.ones(60)):
        with pytest.raises(ValueError, match="sample_weight"):
            clf.fit(other, codes, sample_weight=weight)
        assert vars(clf) == before
    assert clf.feature_names_in_.tolist() == list("abcd")
    assert clf.n_features_in_ == 4


def test_a_failed_call_uses_up_no_random_numbers(data):
    X, codes = data
    random_state = np.random.RandomState(0)
    clf = small(random_state=random_state, learning_rate=1e300)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(X, codes)
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X, codes, classes=[0, 1, 2])
    assert random_state.randint(2**31) == np.random.RandomState(0).randint(2**31)


# --- Random numbers -------------------------------------------------------------------


def test_same_seed_same_model(data):
    X, codes = data
    options = {"dropout": 0.3, "early_stopping": True}
    assert_same_model(small(**options).fit(X, codes), small(**options).fit(X, codes))
    other = small(random_state=1, **options).fit(X, codes)
    assert not np.array_equal(
        params_of(small(**options).fit(X, codes)), params_of(other)
    )


def test_without_a_seed_every_fit_is_another(data):
    X, codes = data
    clf = small(random_state=None)
    first = params_of(clf.fit(X, codes))
    assert not np.array_equal(params_of(clf.fit(X, codes)), first)


def test_a_random_state_is_used_up(data):
    X, codes = data
    clf = small(random_state=np.random.RandomState(0))
    first = params_of(clf.fit(X, codes))
    second = params_of(clf.fit(X, codes))
    assert not np.array_equal(first, second)
    again = small(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(params_of(again.fit(X, codes)), first)
    np.testing.assert_array_equal(params_of(again.fit(X, codes)), second)


def test_numpys_global_random_state_is_not_touched(data):
    X, codes = data
    before = np.random.get_state()  # noqa: NPY002
    clf = small(dropout=0.5, early_stopping=True).fit(X, codes)
    clf.set_params(early_stopping=False).partial_fit(X, codes)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_shuffle_depends_on_the_seed_and_can_be_off(data):
    X, codes = data
    shuffled, in_order = small(), small(shuffle=False)
    assert not np.array_equal(
        params_of(shuffled.fit(X, codes)), params_of(in_order.fit(X, codes))
    )
    # Unshuffled full batches leave nothing to chance but the start weights, and
    # softmax regression starts at 0.
    options = {"hidden_layer_sizes": (), "shuffle": False}
    assert_same_model(
        small(random_state=1, **options).fit(X, codes),
        small(random_state=2, **options).fit(X, codes),
    )


# --- Stopping and warnings ------------------------------------------------------------


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 7])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_stops_after_exactly_n_iter_no_change(data, n_iter_no_change, early_stopping):
    X, codes = data
    # Only the first epoch improves on anything: the steps are too small for more.
    clf = small(
        learning_rate=1e-9,
        n_iter_no_change=n_iter_no_change,
        max_iter=50,
        early_stopping=early_stopping,
    ).fit(X, codes)
    assert clf.n_iter_ == 1 + n_iter_no_change


@pytest.mark.parametrize("early_stopping", [False, True])
def test_infinite_n_iter_no_change_never_stops(data, early_stopping):
    X, codes = data
    clf = small(
        learning_rate=1e-9,
        n_iter_no_change=np.inf,
        max_iter=50,
        early_stopping=early_stopping,
    )
    assert clf.fit(X, codes).n_iter_ == 50


def test_tol_is_the_least_improvement_that_counts(data):
    X, codes = data
    options = {"n_iter_no_change": 1, "batch_size": 60, "max_iter": 100}
    clf = small(tol=0.05, **options).fit(X, codes)
    steps = -np.diff(clf.loss_curve_)
    assert 3 < clf.n_iter_ < 100
    assert (steps[:-1] > 0.05).all()
    assert steps[-1] <= 0.05
    assert small(tol=0.01, **options).fit(X, codes).n_iter_ > clf.n_iter_


WARNS = [("constant", {}), ("plateau", {}), ("constant", {"n_iter_no_change": np.inf})]
DOES_NOT_WARN = [
    ("linear", {}),
    ("cosine", {}),
    ("one_cycle", {}),
    ("constant", {"early_stopping": True}),
    ("plateau", {"early_stopping": True}),
    ("constant", {"tol": 10.0, "n_iter_no_change": 2}),
]


@pytest.mark.parametrize(("schedule", "params"), WARNS)
def test_convergence_warning(data, schedule, params):
    X, codes = data
    with pytest.warns(ConvergenceWarning, match="max_iter=8") as caught:
        small(learning_rate_schedule=schedule, **params).fit(X, codes)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("schedule", "params"), DOES_NOT_WARN)
def test_no_convergence_warning(data, schedule, params):
    X, codes = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(learning_rate_schedule=schedule, **params).fit(X, codes)


def test_partial_fit_never_warns(data):
    X, codes = data
    clf = small(learning_rate_schedule="constant", max_iter=1)
    for _ in range(3):
        clf.partial_fit(X, codes, classes=[0, 1, 2])


@pytest.mark.parametrize("verbose", [True, 1, 10])
def test_verbose_prints_a_line_per_epoch_and_the_reason(data, capsys, verbose):
    X, codes = data
    clf = small(verbose=verbose, max_iter=3).fit(X, codes)
    *lines, reason = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for record, line in zip(clf.history_, lines, strict=True):
        match = re.fullmatch(r"Iteration (\d+), loss = (\d+\.\d{8})", line)
        assert int(match[1]) == record["epoch"]
        assert float(match[2]) == pytest.approx(record["loss"], abs=5.1e-9)
    assert reason == "Training stopped after 3 epochs: all 3 epochs have been run."
    clf.partial_fit(X, codes)
    assert capsys.readouterr().out.startswith("Iteration 4, loss = ")


def test_verbose_prints_the_validation_too(data, capsys):
    X, codes = data
    clf = small(verbose=True, max_iter=2, scoring="accuracy")
    clf.fit(X, codes, X_val=X, y_val=codes)
    line = capsys.readouterr().out.splitlines()[1]
    record = clf.history_[1]
    assert f"validation loss = {record['validation_loss']:.8f}" in line
    assert f"validation score = {record['validation_score']:.8f}" in line


@pytest.mark.parametrize("verbose", [False, 0])
def test_quiet_by_default(data, capsys, verbose):
    X, codes = data
    small(verbose=verbose).fit(X, codes).partial_fit(X, codes)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


# --- partial_fit and going on ---------------------------------------------------------


def test_first_partial_fit_needs_classes(data):
    X, codes = data
    clf = small()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, codes)
    assert not hasattr(clf, "classes_")


def test_classes_may_come_in_any_order_and_twice(data):
    X, codes = data
    names = np.array(["ape", "bee", "cow"])
    y = names[codes]
    reference = small().partial_fit(X, y, classes=names)
    clf = small().partial_fit(X, y, classes=["cow", "ape", "bee", "ape"])
    assert clf.classes_.tolist() == ["ape", "bee", "cow"]
    assert_same_model(clf, reference)
    clf.partial_fit(X, y, classes=names[::-1])
    assert_same_model(clf, reference.partial_fit(X, y))


def test_pieces_need_not_have_all_classes(data):
    X, codes = data
    names = np.array(["ape", "bee", "cow", "dog"])
    clf = small(max_iter=50)
    for _ in range(30):
        for code in range(3):
            rows = codes == code
            clf.partial_fit(X[rows], names[codes[rows]], classes=names)
    assert clf.classes_.tolist() == names.tolist()
    assert clf.predict_proba(X).shape == (60, 4)
    assert clf.score(X, names[codes]) > 0.9


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        ([0, 1, 2, 3], None, r"not among the classes \[0 1 2\]: \[3\]"),
        (["0", "1", "2", "1"], None, "not among the classes"),
        ([0, 1, 2, 0], [0, 1, 2, 3], "the same"),
        ([0, 1, 1, 0], [0, 1], "the same"),
        ([[0, 1, 0]] * 4, None, "kind of y"),
        ([0.5, 1.0, 2.0, 0.0], None, r"not among the classes \[0 1 2\]: \[0.5\]"),
        (np.array([0, "a", None, 1], dtype=object), None, "y has labels"),
    ],
    ids=[
        "unknown label",
        "strings",
        "more classes",
        "fewer classes",
        "multilabel",
        "fraction",
        "mixed",
    ],
)
def test_later_partial_fits_keep_the_classes(data, y, classes, message):
    X, codes = data
    clf = small().partial_fit(X, codes, classes=[0, 1, 2])
    before = params_of(clf)
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(X[:4], y, classes=classes)
    np.testing.assert_array_equal(params_of(clf), before)


def test_first_partial_fit_refuses_labels_that_are_no_classes(data):
    X, codes = data
    with pytest.raises(ValueError, match=r"not among the classes \[0 1\]: \[2\]"):
        small().partial_fit(X, codes, classes=[0, 1])


@pytest.mark.parametrize(
    "classes",
    [[], [[0, 1, 2]], [0, 1, 2, np.nan], [0, 0.5, 1, 2], [0, 1, 2, None], {0, 1, 2}],
    ids=["empty", "2-D", "nan", "fraction", "none", "set"],
)
def test_bad_classes_are_refused(data, classes):
    X, codes = data
    fitted = small().partial_fit(X, codes, classes=[0, 1, 2])
    for clf in (small(), fitted):
        before = vars(clf).copy()
        with pytest.raises(ValueError, match="classes"):
            clf.partial_fit(X, codes, classes=classes)
        assert vars(clf) == before


def test_multilabel_partial_fit(data, labels):
    X, _ = data
    options = {"learning_rate_schedule": "constant", "n_iter_no_change": np.inf}
    clf = small(**options)
    for _ in range(4):
        clf.partial_fit(X, labels)
    with pytest.warns(ConvergenceWarning):
        reference = small(max_iter=4, **options).fit(X, labels)
    assert_same_model(clf, reference)
    assert clf.cost_history_ == reference.cost_history_
    with pytest.raises(ValueError, match="2 columns, but there are 3 labels"):
        clf.partial_fit(X, labels[:, :2])
    with pytest.raises(ValueError, match="kind of y"):
        clf.partial_fit(X, labels[:, 0] + labels[:, 1])


def test_multilabel_classes_are_optional(data, labels):
    X, _ = data
    clf = small().partial_fit(X, labels, classes=[0, 1, 2])
    assert_same_model(clf, small().partial_fit(X, labels))
    with pytest.raises(ValueError, match="3 columns, but there are 2 labels"):
        small().partial_fit(X, labels, classes=[0, 1])


def test_partial_fit_refuses_early_stopping(data):
    X, codes = data
    with pytest.raises(ValueError, match="early_stopping=True"):
        small(early_stopping=True).partial_fit(X, codes, classes=[0, 1, 2])


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_layer_sizes": (7,)},
        {"hidden_layer_sizes": (6, 6)},
        {"activation": "tanh"},
    ],
)
def test_another_network_after_fit(data, changed):
    X, codes = data
    clf = small().fit(X, codes)
    before = clf.predict_proba(X)
    clf.set_params(**changed)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    (name,) = changed
    with pytest.raises(ValueError, match=name):
        clf.partial_fit(X, codes)
    with pytest.raises(ValueError, match=name):
        clf.set_params(warm_start=True).fit(X, codes)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    # A fresh fit is free to change everything.
    assert clf.set_params(warm_start=False).fit(X, codes).n_iter_ == 8


def test_warm_start_needs_the_same_classes(data):
    X, codes = data
    clf = small(warm_start=True).fit(X, codes)
    with pytest.raises(ValueError, match="the same"):
        clf.fit(X[codes < 2], codes[codes < 2])
    with pytest.raises(ValueError, match="the same"):
        clf.fit(X, codes + 1)


@pytest.fixture
def one_batch(data):
    """A fitted model with a constant rate whose epochs are one batch, and its data."""
    X, codes = data
    clf = small(learning_rate_schedule="constant", batch_size=60, shuffle=False)
    for _ in range(3):
        clf.partial_fit(X, codes, classes=[0, 1, 2])
    return clf, X, codes


def step_of(clf, X, y, **params):
    """Return what one epoch with other parameters adds, and the model after it."""
    after = copy.deepcopy(clf).set_params(**params).partial_fit(X, y)
    return params_of(after) - params_of(clf), after


def test_a_new_learning_rate_takes_effect(one_batch):
    step, _ = step_of(*one_batch, learning_rate=0.001)
    tenfold, after = step_of(*one_batch, learning_rate=0.01)
    np.testing.assert_allclose(tenfold, 10 * step, rtol=1e-9, atol=1e-13)
    assert after.history_[-1]["learning_rate"] == 0.01


def test_a_new_beta_takes_effect(one_batch):
    before = one_batch[0].optimizer_.square_average_
    _, after = step_of(*one_batch, beta=0.0)
    square = after.optimizer_.square_average_
    _, after = step_of(*one_batch, beta=0.25)
    np.testing.assert_allclose(
        after.optimizer_.square_average_, before / 4 + square * 3 / 4
    )


def test_a_new_momentum_takes_effect(one_batch):
    clf, X, y = one_batch
    step, _ = step_of(clf, X, y)
    first, after = step_of(clf, X, y, momentum=0.5)
    # The velocity starts at 0, so that the first step is none the faster.
    np.testing.assert_array_equal(first, step)
    plain, _ = step_of(after, X, y, momentum=0.0)
    second, _ = step_of(after, X, y)
    np.testing.assert_allclose(second, plain + 0.5 * first, atol=1e-12)


def test_new_options_take_effect(one_batch):
    step, _ = step_of(*one_batch)
    for changed in (
        {"epsilon": 0.1},
        {"alpha": 0.1},
        {"weight_decay": 0.1},
        {"dropout": 0.5},
        {"label_smoothing": 0.5},
        {"max_grad_norm": 1e-3},
        {"centered": True},
        {"class_weight": {0: 3}},
    ):
        other, _ = step_of(*one_batch, **changed)
        assert np.abs(other - step).max() > 1e-5, changed


# --- Threads --------------------------------------------------------------------------


@pytest.fixture
def quick_switches():
    """Make threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Readers:
    """Threads that call a function until the ``with`` block ends."""

    def __init__(self, function, n_threads=2):
        self.function = function
        self.stopped = threading.Event()
        self.results, self.errors = [], []
        self.threads = [threading.Thread(target=self._read) for _ in range(n_threads)]

    def _read(self):
        while not self.stopped.is_set():
            try:
                self.results.append(self.function())
            except Exception as error:
                self.errors.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def test_predictions_during_partial_fit_are_of_one_epoch(data, quick_switches):
    X, codes = data
    clf = small().fit(X, codes)
    of_epochs = {clf.predict_proba(X).tobytes()}
    with Readers(lambda: clf.predict_proba(X).tobytes()) as readers:
        for _ in range(40):
            clf.partial_fit(X, codes)
            of_epochs.add(clf.predict_proba(X).tobytes())
    assert not readers.errors
    assert readers.results
    assert set(readers.results) <= of_epochs


def at_every_line(call, look):
    """Call `look` before every line of the package that `call` runs."""

    def trace(frame, event, arg):
        if not frame.f_globals.get("__name__", "").startswith("sk_rmsprop"):
            return None
        look()
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(previous)


def test_partial_fit_replaces_the_model_at_once(data):
    X, codes = data
    clf = small().fit(X, codes)
    before, seen = clf.coefs_[0].tobytes(), set()
    at_every_line(
        lambda: clf.partial_fit(X, codes), lambda: seen.add(clf.coefs_[0].tobytes())
    )
    assert seen == {before, clf.coefs_[0].tobytes()}


def test_a_failing_partial_fit_never_takes_the_model_away(data):
    X, codes = data
    clf = small().fit(X, codes)
    before, seen = vars(clf).copy(), []

    def fail():
        with pytest.raises(ValueError, match="Negative"):
            clf.partial_fit(X, codes, sample_weight=-np.ones(60))

    at_every_line(fail, lambda: seen.append(before.keys() - vars(clf).keys()))
    assert len(seen) > 10
    assert set().union(*seen) == set()
    assert vars(clf) == before


# --- Learning -------------------------------------------------------------------------


def test_digits():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    # So few hidden units that they must be learnt: with random ones the accuracy is
    # 0.83.
    clf = make_pipeline(
        StandardScaler(),
        RMSpropMLPClassifier(
            (16,),
            learning_rate=0.01,
            learning_rate_schedule="cosine",
            max_iter=20,
            batch_size=32,
            random_state=0,
        ),
    ).fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.94


@pytest.mark.parametrize(
    ("load", "accuracy"), [(load_iris, 0.94), (load_breast_cancer, 0.96)]
)
def test_cross_validated_accuracy(load, accuracy):
    X, y = load(return_X_y=True)
    clf = make_pipeline(
        StandardScaler(),
        RMSpropMLPClassifier(
            (10,),
            learning_rate=0.03,
            learning_rate_schedule="cosine",
            max_iter=60,
            batch_size=32,
            random_state=0,
        ),
    )
    assert cross_val_score(clf, X, y, cv=5).mean() > accuracy


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"momentum": 0.9, "nesterov": True, "learning_rate": 0.002},
        {"centered": True},
        {"hidden_layer_sizes": (8, 8, 8), "activation": "gelu"},
        {"alpha": 1e-3, "weight_decay": 1e-3, "max_grad_norm": 1.0},
        {"dropout": 0.1, "hidden_layer_sizes": (32,)},
        {"label_smoothing": 0.1},
    ],
    ids=lambda params: ", ".join(params) or "defaults",
)
def test_moons_need_a_curved_border(params):
    X, y = make_moons(300, noise=0.1, random_state=0)
    defaults = {
        "hidden_layer_sizes": (16,),
        "learning_rate": 0.02,
        "alpha": 0.0,
        "max_iter": 60,
        "batch_size": 30,
        "random_state": 0,
    }
    clf = RMSpropMLPClassifier(**{**defaults, **params}).fit(X, y)
    assert clf.score(X, y) > 0.98  # A straight border gets 0.87.


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_softmax_regression_finds_the_optimum(n_classes, weighted):
    X, y = load_iris(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[y < n_classes], y[y < n_classes]
    weight = np.linspace(0.5, 2, len(y)) if weighted else np.ones(len(y))
    alpha = 0.01
    clf = RMSpropMLPClassifier(
        (),
        standardize=False,
        alpha=alpha,
        weight_decay=0.0,
        learning_rate=0.05,
        learning_rate_schedule="cosine",
        batch_size=len(y),
        max_iter=2000,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y, sample_weight=weight)
    # LogisticRegression minimises C * sum(weight * loss) + penalty; with two classes
    # it has one vector w for our -w/2 and w/2, whose penalty is half of its own.
    C = 1 / (alpha * weight.sum()) * (2 if n_classes == 2 else 1)
    exact = LogisticRegression(C=C, solver="newton-cg", tol=1e-10)
    exact.fit(X, y, sample_weight=weight)
    coef = clf.coefs_[0].T
    if n_classes == 2:
        coef = np.diff(coef, axis=0)
    np.testing.assert_allclose(coef, exact.coef_, atol=2e-3)
    np.testing.assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=1e-3)


def test_classes_of_a_multilabel_y_are_its_columns(data):
    X, codes = data
    Y = np.eye(3, dtype=int)[codes]
    clf = small()
    with pytest.raises(ValueError, match="numbers of its columns"):
        clf.partial_fit(X, Y, classes=["z", "a", "b"])
    np.testing.assert_array_equal(
        clf.partial_fit(X, Y, classes=[2, 0, 1]).classes_, [0, 1, 2]
    )


def test_a_small_learning_rate_is_no_plateau(data):
    clf = small(learning_rate=5e-7, learning_rate_schedule="plateau", max_iter=4)
    with pytest.warns(ConvergenceWarning):
        clf.set_params(n_iter_no_change=np.inf).fit(*data)
    assert clf.n_iter_ == 4


def test_parameters_of_a_subclass_are_validated():
    class Subclass(RMSpropMLPClassifier):
        _parameter_constraints: ClassVar[dict] = {
            **RMSpropMLPClassifier._parameter_constraints,
            "beta": [Interval(Real, 0.9, 1, closed="left")],
            "verbose": "no_validation",
        }

    X, y = np.eye(4), [0, 1, 0, 1]
    Subclass(beta=0.95, verbose="").partial_fit(X, y, classes=[0, 1])
    with pytest.raises(InvalidParameterError, match="'beta' parameter of Subclass"):
        Subclass(beta=0.5).partial_fit(X, y, classes=[0, 1])


def test_n_iter_no_change_beyond_the_range_of_floats(data):
    never = small(n_iter_no_change=10**400).fit(*data)
    assert_same_model(never, small(n_iter_no_change=np.inf).fit(*data))


# --- max_iter="auto" ------------------------------------------------------------------

steady = partial(helpers.small, n_iter_no_change=np.inf)


@pytest.mark.parametrize(
    ("n_rows", "max_iter"), [(20, 100), (300, 100), (310, 97), (1450, 21), (9000, 20)]
)
def test_auto_max_iter(n_rows, max_iter):
    X = np.arange(float(n_rows))[:, np.newaxis] / n_rows
    clf = steady(max_iter="auto", batch_size=3000, hidden_layer_sizes=2)
    clf.fit(X, np.arange(n_rows) % 2)
    assert clf.n_iter_ == max_iter
    assert clf.get_params()["max_iter"] == "auto"


def test_auto_max_iter_counts_rows_of_non_zero_weight(data):
    X, y = np.tile(data[0], (20, 1)), np.tile(data[1], 20)  # 1200 rows: 25 epochs
    weight = np.tile([0.0, 1.0], len(y) // 2)
    auto = steady(max_iter="auto", batch_size=600).fit(X, y, sample_weight=weight)
    assert auto.n_iter_ == 50


def test_auto_max_iter_has_the_schedule_of_the_same_number(data):
    assert_same_model(
        steady(max_iter="auto").fit(*data), steady(max_iter=100).fit(*data)
    )


def test_auto_max_iter_warns_of_the_number_it_stands_for(data):
    clf = steady(max_iter="auto", learning_rate_schedule="constant", tol=0.0)
    with pytest.warns(ConvergenceWarning, match="max_iter=100 epochs"):
        clf.fit(*data)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_auto_max_iter_leaves_a_stream_open(data, schedule):
    X, y = data
    clf = steady(max_iter="auto", learning_rate_schedule=schedule)
    for _ in range(3):
        clf.partial_fit(X, y, classes=np.unique(y))
    assert [record["learning_rate"] for record in clf.history_] == [0.02] * 3


def test_partial_fit_goes_on_with_the_schedule_of_an_auto_fit(data):
    clf = steady(max_iter="auto").fit(*data)
    before = clf.history_[-1]["learning_rate"]
    clf.partial_fit(*data)
    assert clf.history_[-1]["learning_rate"] == pytest.approx(0.02 * 0.01)
    assert before == pytest.approx(0.02 * (1 - 0.99 * 0.99))


def test_auto_alpha_of_one_more_row_is_that_of_the_rows_before(data):
    X, y = data
    X, y = np.tile(X, (10, 1)), np.tile(y, 10)  # 600 rows, for which it is 0.005
    for alpha in ("auto", 0.005):
        clf = small(alpha=alpha, batch_size=600).fit(X, y).partial_fit(X[:1], y[:1])
        if alpha == "auto":
            expected = clf
    assert_same_model(clf, expected)
    other = small(alpha=0.01, batch_size=600).set_params(alpha=0.005).fit(X, y)
    other.set_params(alpha=0.01).partial_fit(X[:1], y[:1])
    assert params_of(other).tolist() != params_of(expected).tolist()
