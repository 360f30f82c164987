"""Training on sparse data at the cost of their values, and predictions for them."""

import copy
import pickle
import tracemalloc

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._sparse import CenteredRows, ColumnsPresent
from tests.cases import CASES, WEIGHT, X_WORDS, Case, make_words, trained, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def updates_rows(clf):
    """Return whether only the weights of inputs that a batch had were updated."""
    return clf.optimizer_.row_steps_ is not None


# --- Batches --------------------------------------------------------------------------


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_columns_present(index_dtype):
    X = csr_array(
        (
            np.arange(1.0, 7.0),
            np.array([7, 2, 2, 9, 7, 7], index_dtype),  # 7 twice in a row
            np.array([0, 2, 2, 4, 6], index_dtype),
        ),
        shape=(4, 12),
    )
    cut = ColumnsPresent(12)
    for _ in range(2):
        columns, rows = cut(X)
        assert sorted(columns) == [2, 7, 9]
        expected = np.zeros((4, 12))
        expected[:, columns] = rows.toarray()
        np.testing.assert_array_equal(expected, X.toarray())
    columns, rows = cut(X[1:2])
    assert (len(columns), rows.shape) == (0, (1, 0))


def test_centered_columns_are_always_present():
    X = csr_array(np.array([[0.0, 5.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    columns, rows = ColumnsPresent(4)(
        CenteredRows(X, np.array([1, 3]), np.array([2.0, -1.0]))
    )
    assert sorted(columns) == [1, 3]
    coef = np.zeros((4, 1))
    coef[1], coef[3] = 10.0, 100.0
    np.testing.assert_allclose(rows @ coef[columns], [[130.0], [80.0]])
    gradient = np.zeros((4, 1))
    gradient[columns] = rows.T @ np.array([[1.0], [2.0]])
    np.testing.assert_allclose(gradient.ravel(), [0, 5 - 3 * 2, 0, 3])


# --- Training -------------------------------------------------------------------------

# Nothing that makes rounding errors grow: the comparison is to the last digits.
SMOOTH = {"epsilon": 1e-3, "max_iter": 40, "activation": "gelu"}
OPTIONS = {
    "plain": {},
    "weight_decay": {"weight_decay": 0.5},
    "cosine": {"learning_rate_schedule": "cosine", "weight_decay": 0.5},
    "plateau": {
        "learning_rate_schedule": "plateau",
        "n_iter_no_change": 2,
        "tol": 10.0,
        "weight_decay": 0.5,
    },
    "beta 0": {"beta": 0.0, "learning_rate": 1e-3},
    "slow": {"beta": 0.999},
    "dropout": {"dropout": 0.3},
    "label_smoothing": {"label_smoothing": 0.1},
    "max_grad_norm": {"max_grad_norm": 0.05},
    "class_weight": {"class_weight": {0: 2.0, 1: 0.5}},
    "standard": {"numerical_encoding": "standard"},
    "linear": {"hidden_layer_sizes": ()},
    "batch_size 1": {"batch_size": 1, "max_iter": 4},
    "float32": {"dtype": "float32", "max_iter": 3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_training_is_that_on_dense_data(options, weight):
    case = Case(SMOOTH | options, X_WORDS, y, weight)
    sparse = case.fit(case.make())
    dense = case._replace(X=X_WORDS.toarray())
    dense = dense.fit(dense.make())
    assert not updates_rows(dense)
    # Standardized, every column is present in every batch.
    assert updates_rows(sparse)
    tolerance = 1e-4 if options.get("dtype") == "float32" else 1e-8
    np.testing.assert_allclose(
        sparse.cost_history_, dense.cost_history_, rtol=tolerance
    )
    np.testing.assert_allclose(
        sparse.coefs_[0], dense.coefs_[0], rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize(
    "options",
    [{"momentum": 0.5}, {"centered": True}, {"alpha": 0.01}, {"batch_size": 30}],
    ids=str,
)
def test_dense_updates_remain(options):
    # 30 rows of three values each are more than the 60 features.
    case = CASES["words"]
    assert not updates_rows(case.fit(case.make(max_iter=2, **options)))


def test_row_and_dense_updates_may_alternate():
    case = CASES["words, weight_decay"]
    clf, expected = case.make(epsilon=1e-3), case.make(epsilon=1e-3)
    dense = case._replace(X=X_WORDS.toarray())
    for times, params in enumerate(
        ({}, {"momentum": 0.5}, {"momentum": 0.0}, {"beta": 0.8}, {"weight_decay": 0.2})
    ):
        case.partial_fit(clf.set_params(**params), 2)
        dense.partial_fit(expected.set_params(**params), 2)
        assert updates_rows(clf) == (times != 1)
    np.testing.assert_allclose(clf.coefs_[0], expected.coefs_[0], rtol=1e-8, atol=1e-9)


def test_zero_weights_do_not_decide_on_the_updates():
    # Promise: weight 0 is absence. Rows of many values, with weight 0.
    X = csr_array(np.vstack([X_WORDS.toarray(), np.ones((65, 60))]))
    weight = np.repeat([1.0, 0.0], 65)
    case = Case({"max_iter": 3}, X, np.tile(y, 2), weight)
    assert updates_rows(case.fit(case.make()))


def test_a_square_average_of_rows_that_overflows_is_found():
    # The weights start at 0, and the steps are 0: cost and weights are finite.
    case = CASES["words, linear"]._replace(X=X_WORDS.astype(np.float32) * 1e25)
    with pytest.raises(ValueError, match="moving average of the optimizer"):
        case.fit(case.make(max_iter=1, batch_size=10))


def test_a_chunk_smaller_than_a_batch_updates_rows():
    clf = CASES["words"].make(batch_size=1000)
    clf.partial_fit(X_WORDS[:2], y[:2], classes=[0, 1, 2])
    assert updates_rows(clf)


def test_auto_weight_decay_of_a_stream_stays_that_of_the_first_chunk():
    clf = RMSpropMLPClassifier((3,), random_state=0)
    clf.partial_fit(X_WORDS[:20], y[:20], classes=[0, 1, 2])
    assert clf.optimizer_.weight_decay == 0.03  # 5 % of the values are not 0.
    clf.partial_fit(csr_array((1, 60)), y[:1])
    assert clf.optimizer_.weight_decay == 0.03


@pytest.mark.parametrize("mmap_mode", ["r", "r+", "c"])
def test_training_leaves_a_mapped_file_alone(mmap_mode, tmp_path):
    case, path = CASES["words"], tmp_path / "clf.joblib"
    clf = case.partial_fit(case.make(), 2)
    joblib.dump(clf, path)
    content = path.read_bytes()
    mapped = joblib.load(path, mmap_mode=mmap_mode)
    case.partial_fit(mapped, 2)
    assert path.read_bytes() == content
    assert trained(mapped) == trained(case.partial_fit(clf, 2))


@pytest.mark.parametrize("hidden", [(10,), (100,)])
def test_saved_models_hold_weights_averages_and_a_step_per_feature(hidden):
    n_words = 20_000
    X = make_words(n_samples=40, n_words=n_words).astype(np.float32)
    clf = RMSpropMLPClassifier(hidden, max_iter=2, random_state=0)
    clf.fit(X, np.arange(40) % 2)
    weights = sum(coef.nbytes for coef in clf.coefs_)
    encoding = len(pickle.dumps(clf.encoding_))
    size = len(pickle.dumps(clf))
    assert size < 2.02 * weights + 4 * n_words + encoding + 2**13


def test_a_shallow_copy_is_trained_apart():
    case = CASES["words"]
    clf = case.partial_fit(case.make())
    other = copy.copy(clf)
    before = other.coefs_[0].copy()
    case.partial_fit(clf)
    np.testing.assert_array_equal(other.coefs_[0], before)
    assert not np.array_equal(clf.coefs_[0], before)
    case.partial_fit(other)
    np.testing.assert_array_equal(other.coefs_[0], clf.coefs_[0])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_chunks_need_memory_for_their_words_alone(weight_decay):
    X = make_words(n_samples=40, n_words=100_000)
    clf = RMSpropMLPClassifier(
        (64,), weight_decay=weight_decay, batch_size=10, random_state=0
    )
    clf.partial_fit(X, np.arange(40) % 2, classes=[0, 1])
    size = clf.coefs_[0].nbytes
    tracemalloc.start()
    try:
        clf.partial_fit(X, np.arange(40) % 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Moments and scales of 100,000 features, 8 bytes each, and a few blocks of rows.
    # With weight decay all weights change, and all are kept to be restored.
    expected = 20 * 8 * 100_000 + (3 * size if weight_decay else 0)
    assert peak < expected
    assert weight_decay or peak < size / 2


# --- Prediction -----------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
@pytest.mark.parametrize("numerical", ["none", "standard"])
def test_predictions_in_another_dtype(hidden, numerical):
    # Weights in float32, data in float64: those of the words at hand are converted.
    case = CASES["words"]
    clf = case.make(hidden_layer_sizes=hidden, numerical_encoding=numerical)
    case.fit(clf, dtype="float32", max_iter=3)
    expected = clf.predict_proba(X_WORDS.toarray())
    for n in (1, 5, 65):
        found = clf.predict_proba(X_WORDS[:n])
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected[:n], rtol=1e-12)
    empty = csr_array((2, 60))
    np.testing.assert_allclose(
        clf.predict_proba(empty), clf.predict_proba(np.zeros((2, 60))), rtol=1e-12
    )


def test_a_document_needs_the_weights_of_its_words():
    X = make_words(n_samples=40, n_words=100_000)
    clf = RMSpropMLPClassifier((16,), dtype="float32", max_iter=1, random_state=0)
    clf.fit(X, np.arange(40) % 2)
    tracemalloc.start()
    try:
        clf.predict_proba(X[:1])
        # A place and a few numbers per feature; the weights are 6.4 MB.
        assert tracemalloc.get_traced_memory()[1] < 0.7 * clf.coefs_[0].nbytes
    finally:
        tracemalloc.stop()
