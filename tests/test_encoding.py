"""How features are standardized on their way into the network.

That early stopping standardizes by the training split is in test_validation.
"""

import tracemalloc
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from tests import helpers
from tests.helpers import assert_same_model, params_of

small = partial(helpers.small, standardize=True)
plain = partial(helpers.small, standardize=False)


@pytest.fixture
def data():
    """Two classes, features of very different scales, the last one constant."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=90)
    X = rng.standard_normal((90, 4)) + y[:, np.newaxis] * [1, -1, 0, 0]
    X = X * [1e-4, 1.0, 1e5, 0.0] + [3e-4, 100.0, 0.0, 7.0]
    return X, y


@pytest.fixture
def sparse_data(data):
    """The same with zeros; the first feature is never zero."""
    X, y = data
    X = X * (np.random.default_rng(1).random(X.shape) < [1.0, 0.3, 0.3, 0.5])
    return X, y


def assert_standardizes(X, y, weight, mean, deviation, rtol=1e-9, **params):
    """Check that training is that on data standardized by these statistics."""
    clf = small(**params).fit(X, y, weight)
    scaled = ((X - mean) / deviation).astype(X.dtype)
    reference = plain(**params).fit(scaled, y, weight)
    np.testing.assert_allclose(clf.cost_history_, reference.cost_history_, rtol=rtol)
    np.testing.assert_allclose(
        clf.predict_proba(X), reference.predict_proba(scaled), rtol=100 * rtol
    )


# --- Statistics -----------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, np.linspace(0, 3, 90)])
def test_training_is_that_on_scaled_data(data, weight):
    X, y = data
    with np.errstate(invalid="ignore"):  # Of the constant feature's variance.
        scaler = StandardScaler().fit(X, sample_weight=weight)
    assert_standardizes(X, y, weight, scaler.mean_, scaler.scale_)


def test_statistics_by_hand():
    X = np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    # With weights 1, 1, 2 the mean is 15/4 and the variance 83/16: of 1, 2, 6, 6.
    mean, deviation = [3.75, 5.0], [np.sqrt(83) / 4, 1.0]
    assert_standardizes(X, np.array([0, 1, 1]), [1, 1, 2], mean, deviation)


def test_statistics_of_more_data_than_are_read_at_once():
    rng = np.random.default_rng(0)
    X = rng.normal(50, 3, (5000, 100))  # 4 MB
    weight = rng.random(len(X))
    mean = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    params = {"max_iter": 1, "batch_size": 10_000}
    y = rng.integers(2, size=len(X))
    assert_standardizes(X, y, weight, mean, deviation, **params)


def test_statistics_of_weights_that_differ_by_more_than_a_float_holds():
    # 2 MB of samples that weigh nothing beside the others
    X = np.random.default_rng(0).normal(3, 2, (40, 20_000)).astype(np.float32)
    weight = np.r_[np.full(25, 1e-50), np.ones(15)]
    mean, deviation = X[25:].mean(axis=0), X[25:].std(axis=0)
    params = {"hidden_layer_sizes": 1, "max_iter": 1, "batch_size": 40}
    y = np.arange(40) % 2
    assert_standardizes(X, y, weight, mean, deviation, rtol=1e-3, **params)


def test_class_weights_count(data):
    X, y = data
    by_class = small(class_weight={1: 5.0}).fit(X, y)
    assert_same_model(by_class, small().fit(X, y, np.where(y == 1, 5.0, 1.0)))


def test_feature_whose_mean_overflows_is_left_out():
    X = np.column_stack([np.tile([1e308, 1.7e308], 20), np.arange(40) % 5])
    y = (X[:, 1] > 2).astype(int)
    clf = small(learning_rate=0.05, max_iter=50).fit(X, y)
    assert clf.score(X, y) > 0.95
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(X * [0.5, 1.0]), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", [-1.0, 0.45, 0.9])
def test_extreme_scales(data, dtype, exponent):
    # Up to where squares overflow, and down to subnormal numbers.
    X, y = data
    info = np.finfo(dtype)
    scale = info.smallest_subnormal * 1e3 if exponent < 0 else info.max**exponent
    X = (StandardScaler().fit_transform(X) * float(scale)).astype(dtype)
    clf = small().fit(X, y)
    assert np.isfinite(params_of(clf)).all()
    assert np.isfinite(clf.predict_proba(X)).all()


# --- Sparse data ----------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
@pytest.mark.parametrize("as_format", [sp.csr_array, sp.csc_matrix])
def test_sparse_data(sparse_data, monkeypatch, hidden, as_format):
    X, y = sparse_data
    dense = small(hidden_layer_sizes=hidden).fit(X, y)
    expected = dense.predict_proba(X)
    for container in (sp.csr_array, sp.csr_matrix):
        monkeypatch.setattr(container, "toarray", None)
        monkeypatch.setattr(container, "todense", None)
    clf = small(hidden_layer_sizes=hidden).fit(as_format(X), y)
    np.testing.assert_allclose(clf.cost_history_, dense.cost_history_, rtol=1e-8)
    np.testing.assert_allclose(clf.predict_proba(as_format(X)), expected, rtol=1e-6)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_sparse_entries_in_pieces(index_dtype):
    rng = np.random.default_rng(0)
    n_samples = 20_000  # 1.6 MB as an array
    dense = rng.standard_normal((n_samples, 10)) * (rng.random((n_samples, 10)) < 0.3)
    whole = sp.csr_array(dense)
    X = sp.csr_array(
        (
            np.repeat(whole.data / 2, 2),
            np.repeat(whole.indices, 2).astype(index_dtype),
            (2 * whole.indptr).astype(index_dtype),
        ),
        shape=whole.shape,
    )
    y = np.arange(n_samples) % 2
    clf = small(max_iter=1, batch_size=n_samples).fit(X, y)
    assert X.nnz == 2 * whole.nnz  # X stays as it was.
    expected = small(max_iter=1, batch_size=n_samples).fit(dense, y)
    np.testing.assert_allclose(clf.loss_, expected.loss_)
    np.testing.assert_allclose(clf.predict_proba(dense), expected.predict_proba(dense))


def test_auto_standardizes_dense_data_alone(sparse_data):
    X, y = sparse_data
    X_sparse = sp.csr_array(X)
    dense_first = small(standardize="auto").fit(X, y)
    sparse_first = small(standardize="auto").fit(X_sparse, y)
    reference, sparse_reference = small().fit(X, y), plain().fit(X_sparse, y)
    assert_same_model(dense_first, reference)
    assert_same_model(sparse_first, sparse_reference)
    # It stays as it has begun.
    dense_first.partial_fit(X_sparse, y)
    assert_same_model(dense_first, reference.partial_fit(X_sparse, y))
    sparse_first.partial_fit(X, y)
    assert_same_model(sparse_first, sparse_reference.partial_fit(X, y))


# --- The model ------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (5, 4)])
def test_layers_apply_to_raw_data(data, hidden):
    X, y = data
    clf = small(hidden_layer_sizes=hidden, activation="tanh").fit(X, y)
    a = X
    for coef, intercept in zip(clf.coefs_, clf.intercepts_, strict=True):
        raw = a @ coef + intercept
        a = np.tanh(raw)
    odds = np.exp(raw[:, 1] - raw[:, 0])
    np.testing.assert_allclose(clf.predict_proba(X)[:, 1], odds / (1 + odds), rtol=1e-8)


def test_first_data_decide(data):
    X, y = data
    mean, deviation = X[:50].mean(axis=0), X[:50].std(axis=0) + [0, 0, 0, 1]
    clf, reference = small(warm_start=True), plain(warm_start=True)
    clf.partial_fit(X[:50], y[:50], classes=[0, 1])
    reference.partial_fit((X[:50] - mean) / deviation, y[:50], classes=[0, 1])
    later = X[50:] * 9
    clf.partial_fit(later, y[50:]).fit(later, y[50:])
    scaled = (later - mean) / deviation
    reference.partial_fit(scaled, y[50:]).fit(scaled, y[50:])
    np.testing.assert_allclose(clf.cost_history_, reference.cost_history_, rtol=1e-8)


@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
def test_validation_loss_is_that_of_the_model(data, as_format):
    X, y = as_format(data[0]), data[1]
    clf = small().fit(X, y, X_val=X, y_val=y)
    probability = clf.predict_proba(X)[np.arange(90), y]
    loss = clf.history_[-1]["validation_loss"]
    assert loss == pytest.approx(-np.log(probability).mean())


@pytest.mark.parametrize("standardize", [False, True])
def test_it_stays_when_training_continues(data, standardize):
    X, y = data
    X = X / [1e-4, 1, 1e5, 1]
    clf = small(standardize=standardize).fit(X, y)
    expected = clf.predict_proba(X)
    clf.set_params(standardize=not standardize, warm_start=True)
    before = vars(clf).copy()
    for call in (clf.fit, clf.partial_fit):
        with pytest.raises(
            ValueError, match=f"standardize .*was {standardize}, .* {not standardize}"
        ):
            call(X, y)
        assert vars(clf) == before
    # Predictions are those of the model as it was trained.
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


def test_data_are_not_copied():
    X = np.random.default_rng(0).normal(5, 1, (10_000, 500)).astype(np.float32)
    y = np.arange(10_000) % 2
    X.setflags(write=False)
    clf = small(max_iter=1, batch_size=200)
    tracemalloc.start()
    try:
        clf.fit(X, y).predict(X)
        # A block of 4 MiB and its float64 copies, of 20 MB.
        assert tracemalloc.get_traced_memory()[1] < 0.9 * X.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("standardize", [False, True])
def test_divergence_recommends_scaling_where_it_would_help(data, standardize):
    X, y = data
    clf = small(standardize=standardize, learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged") as error:
        clf.fit(X, y)
    assert ("StandardScaler" in str(error.value)) != standardize
