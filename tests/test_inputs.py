"""Tests of the labels and inputs that the classifier takes, and of their containers.

That bad ones are refused, and change nothing, is in test_failures.
"""

import tracemalloc
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from tests import helpers
from tests.cases import everything, trained
from tests.helpers import (
    assert_almost_same_model,
    assert_same_model,
    ensemble,
    params_of,
)

small = partial(helpers.small, learning_rate=0.03, max_iter=8)

every_kind = pytest.mark.parametrize(
    "make", [small, ensemble], ids=["network", "ensemble"]
)

# --- Labels ---------------------------------------------------------------------------

LABELS = {
    "strings": np.array(["ape", "bee", "cow"]),
    "objects": np.array(["ape", "bee", "cow"], dtype=object),
    "negative ints": np.array([-7, -1, 0]),
    "gapped ints": np.array([2, 3, 50]),
    "int32": np.array([0, 1, 2], dtype=np.int32),
    "int8": np.array([-128, 0, 127], dtype=np.int8),
    "uint8": np.array([0, 1, 255], dtype=np.uint8),
    "uint16": np.array([0, 1, 2], dtype=np.uint16),
    "floats": np.array([1.0, 2.0, 4.0]),
    "digits as strings": np.array(["1", "2", "3"]),
    "bools": np.array([False, True]),
    "two strings": np.array(["no", "yes"]),
    "1 and 2": np.array([1, 2]),
    "-1 and 1": np.array([-1, 1]),
    "one string": np.array(["only"]),
    "one int": np.array([7]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_values_of_labels_do_not_matter(data, labels):
    X, codes = data
    codes = np.minimum(codes, len(labels) - 1)
    reference = small().fit(X, codes)
    clf = small().fit(X, labels[codes])
    assert_same_model(clf, reference)
    np.testing.assert_array_equal(clf.classes_, labels, strict=True)
    predicted = clf.predict(X)
    np.testing.assert_array_equal(predicted, labels[codes], strict=True)
    assert clf.score(X, labels[codes]) == 1.0


BIG = 2**53  # Not all integers beyond it have a float64.
KEPT_APART = {
    "nullable ints": (pd.Series([BIG, BIG + 1, BIG + 2], dtype="Int64"), np.int64),
    "object ints": (np.array([BIG, BIG + 1, -5], object), np.int64),
    "a list of large ints": ([2**63, 2**63 + 1, 3], np.uint64),
    "a list of larger ints": ([2**64, 2**64 + 1, -1], object),
    "nullable booleans": (pd.Series([True, False], dtype="boolean"), bool),
    "object booleans": (np.array([True, False], object), bool),
    "a categorical of nullable ints": (
        pd.Series([BIG, BIG + 1, 0], dtype="Int64").astype("category"),
        np.int64,
    ),
    "polars booleans": (pl.Series([True, False]), bool),
    "polars ints": (pl.Series([BIG, BIG + 1, 0]), np.int64),
    "decimals": (np.array([Decimal("0.1"), Decimal("0.3"), Decimal(2)]), object),
    "periods": (pd.Series(pd.period_range("2024-01", periods=3, freq="M")), object),
    "intervals": (pd.Series(pd.cut([1.0, 2.0, 3.0], 3)), object),
    "dates": (pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"])), "datetime64"),
}


@pytest.mark.parametrize(("labels", "dtype"), KEPT_APART.values(), ids=KEPT_APART)
def test_labels_are_kept_apart_in_their_natural_dtype(data, labels, dtype):
    X, codes = data
    codes = np.minimum(codes, len(labels) - 1)
    as_list = labels if isinstance(labels, list) else list(labels)
    if isinstance(labels, list):
        y = [labels[code] for code in codes]
    else:
        y = labels[codes] if not isinstance(labels, pd.Series) else labels.iloc[codes]
    ranks = np.argsort(np.argsort(np.array(as_list, object)))
    reference = small().fit(X, ranks[codes])
    validated = small(early_stopping=True, scoring="accuracy")
    for clf in (
        small().fit(X, y),
        small(max_iter=1).partial_fit(X, y, classes=labels),
        validated.fit(X, y, X_val=X, y_val=y),
    ):
        assert np.issubdtype(clf.classes_.dtype, dtype)
        assert clf.classes_.tolist() == sorted(as_list)
        predicted = clf.predict(X)
        assert predicted.dtype == clf.classes_.dtype
        right = [label == true for label, true in zip(predicted, y, strict=True)]
        assert clf.score(X, y) == np.mean(right)
    assert_same_model(small().fit(X, y), reference)
    assert validated.best_validation_score_ == 1.0
    heavy = small(class_weight={as_list[0]: 3}).fit(X, y)
    assert_same_model(heavy, small(class_weight={ranks[0]: 3}).fit(X, ranks[codes]))


def test_numbers_of_other_dtypes_are_compared_exactly(data):
    X, codes = data
    ids = BIG + codes
    clf = small().fit(X, ids)
    assert clf.score(X, ids.astype(np.uint64)) == 1.0
    # The second class has no float of its own.
    assert clf.score(X, ids.astype(float)) == pytest.approx(40 / 60)
    with pytest.raises(ValueError, match="not among the classes"):
        clf.partial_fit(X, np.full(60, BIG + 4.0))


MISSING = {
    "None among strings": ["ape", None, "bee"],
    "None among ints": np.array([1, None, 0], object),
    "NaN among strings": np.array(["ape", np.nan, "bee"], object),
    "NaN among floats": [0.0, np.nan, 1.0],
    "NA": pd.Series([1, None, 0], dtype="Int64"),
    "NA of strings": pd.Series(["ape", None, "bee"], dtype="string"),
    "NaT": np.array(["2024-01-01", "NaT", "2024-01-02"], "datetime64[D]"),
    "a Decimal's NaN": np.array([Decimal(1), Decimal("nan"), Decimal(2)]),
    "a polars null": pl.Series([True, None, False]),
    "a categorical's": pd.Series(["ape", None, "bee"]).astype("category"),
}


@pytest.mark.parametrize("y", MISSING.values(), ids=MISSING)
def test_missing_labels_are_named(y):
    X = np.zeros((3, 2))
    with pytest.raises(ValueError, match="Input y contains NaN, None or another"):
        small().fit(X, y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        small().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="Input y_val contains NaN"):
        small().fit(X, [0, 1, 0], X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"(?s)classes must be a 1-D .*contains NaN"):
        small().partial_fit(X, [0, 1, 0], classes=y)


@pytest.mark.parametrize("y", [[1, "1", 2], np.array([1, "a", 2.5], object)])
def test_labels_that_cannot_be_sorted_are_named(y):
    with pytest.raises(ValueError, match=r"y has labels .* of the types .*int.*, str"):
        small().fit(np.zeros((3, 2)), y)


def test_accuracy_counts_unknown_labels_as_errors(data, names):
    X, codes = data
    clf = small().fit(X, names[codes])
    y = names[codes].astype(object)
    y[:15] = "dog"
    assert clf.score(X, y) == 0.75
    assert clf.score(X, y, sample_weight=np.arange(60) < 20) == 0.25


def test_accuracy_of_multilabels_needs_all_of_a_sample(data, labels):
    X, _ = data
    clf = small(max_iter=100).fit(X, labels)
    right = (clf.predict(X) == labels).all(axis=1)
    assert clf.score(X, labels) == clf.score(X, sp.csr_array(labels)) == right.mean()


LABEL_CONTAINERS = {
    "list": list,
    "pandas Series": lambda y: pd.Series(y, index=np.arange(len(y)) + 100),
    "pandas categorical": lambda y: pd.Series(pd.Categorical(y)),
    "pandas string": lambda y: pd.Series(y, dtype="string"),
    "polars Series": pl.Series,
    "polars Categorical": lambda y: pl.Series(y, dtype=pl.Categorical),
}


@pytest.mark.parametrize(
    "container", LABEL_CONTAINERS.values(), ids=list(LABEL_CONTAINERS)
)
def test_label_containers(data, names, container):
    X, codes = data
    y = container(names[codes])
    clf = small().fit(X, y)
    assert_same_model(clf, small().fit(X, codes))
    assert clf.predict(X).tolist() == names[codes].tolist()
    assert clf.score(X, y) == 1.0


@pytest.mark.parametrize(
    "container", [list, pd.Series, pl.Series], ids=["list", "pandas", "polars"]
)
def test_containers_of_bools(data, container):
    X, codes = data
    clf = small().fit(X, container(codes == 2))
    assert_same_model(clf, small().fit(X, (codes == 2).astype(int)))
    assert clf.classes_.dtype == clf.predict(X).dtype == bool


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


def test_column_vector_is_accepted_with_a_warning(data):
    X, codes = data
    with pytest.warns(DataConversionWarning, match="column-vector"):
        clf = small().fit(X, codes[:, np.newaxis])
    assert_same_model(clf, small().fit(X, codes))
    assert clf.predict(X).shape == (60,)


# --- Dense inputs ---------------------------------------------------------------------

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


@every_kind
@pytest.mark.parametrize(
    "container", DENSE_CONTAINERS.values(), ids=list(DENSE_CONTAINERS)
)
@pytest.mark.usefixtures("folds_of_few")
def test_dense_inputs(data, make, container):
    X, codes = data
    reference = make().fit(X, codes)
    clf = make().fit(container(X), codes)
    assert_same_model(clf, reference)
    # Old versions of NumPy multiply strided arrays by stacks of matrices without BLAS.
    np.testing.assert_allclose(
        clf.predict_proba(container(X)),
        reference.predict_proba(X),
        rtol=0 if make is small else 1e-12,
    )
    if hasattr(clf, "partial_fit"):
        assert_same_model(
            clf.partial_fit(container(X), codes), reference.partial_fit(X, codes)
        )


@every_kind
@pytest.mark.usefixtures("folds_of_few")
def test_read_only_and_memory_mapped_inputs(data, tmp_path, make):
    X, codes = data
    reference = make().fit(X, codes)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_same_model(make().fit(mapped, codes), reference)
    for array in (X, codes, weight := np.ones(60)):
        array.flags.writeable = False
    clf = make().fit(X, codes, sample_weight=weight)
    assert_almost_same_model(clf, reference)
    np.testing.assert_array_equal(
        reference.predict_proba(mapped), reference.predict_proba(X)
    )


DTYPES = [np.int8, np.uint8, np.int64, np.uint64, bool, np.float16, np.longdouble]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("numerical", ["none", "auto", "standard"])
def test_other_dtypes_are_computed_in_float64(data, dtype, numerical):
    X, codes = data
    X = np.abs(4 * X).astype(dtype)
    clf = small(numerical_encoding=numerical, dtype="float64").fit(X, codes)
    reference = clone(clf).fit(X.astype(np.float64), codes)
    assert params_of(clf).dtype == np.float64
    assert trained(clf) == trained(reference)
    assert clf.predict_proba(X).dtype == np.float64
    np.testing.assert_array_equal(clf.predict_proba(X), reference.predict_proba(X))


# Bytes of X, and what may be allocated beside it: two blocks of predictions of 2 MiB
LARGE = {
    "uint8": (30_000, 400, np.uint8),
    "float32": (10_000, 500, np.float32),
    "float64": (8_000, 500, np.float64),
}


@pytest.mark.parametrize(("n_rows", "n_columns", "dtype"), LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("numerical", ["auto", "none"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_large_array_is_not_copied(
    tmp_path, n_rows, n_columns, dtype, method, numerical
):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", (9 * rng.random((n_rows, n_columns))).astype(dtype))
    y = np.arange(n_rows) % 3
    for X in (np.load(tmp_path / "X.npy", mmap_mode=mode) for mode in (None, "r")):
        X.flags.writeable = False
        clf = small(numerical_encoding=numerical, max_iter=1, batch_size=200)
        clf.partial_fit(X[:9], y[:9], classes=[0, 1, 2])
        tracemalloc.start()
        try:
            getattr(clf, method)(X, y, sample_weight=y)
            clf.predict(X)
            assert tracemalloc.get_traced_memory()[1] < 6e6 < X.nbytes / 1.9
        finally:
            tracemalloc.stop()


def test_one_sample_of_one_feature():
    clf = small(hidden_layer_sizes=()).fit([[2.0]], ["a"])
    assert clf.predict([[5.0]]).tolist() == ["a"]


# --- Sparse inputs --------------------------------------------------------------------

SPARSE_FORMATS = [
    sp.csr_matrix,
    sp.csr_array,
    sp.csc_matrix,
    sp.csc_array,
    sp.coo_matrix,
    sp.coo_array,
]


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


# --- Float32 --------------------------------------------------------------------------


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
    # Continued training keeps the dtype of the model.
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


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.zeros((1000, 1)), np.float64),
        (np.zeros((1001, 1)), np.float32),
        (np.zeros((1000, 1), np.int8), np.float64),
        (np.zeros((1001, 1), np.int8), np.float32),
        (np.zeros((2, 1), np.float32), np.float32),
        (np.zeros((2, 1), np.float16), np.float64),
        (sp.csr_array(np.eye(1001)), np.float32),
        (pd.DataFrame(np.zeros((1000, 1))), np.float64),
        (pd.DataFrame({"a": np.zeros(4, np.float32), "b": [*"xyxy"]}), np.float32),
        (pd.DataFrame({"a": np.zeros(4, np.int8), "b": ["x", None] * 2}), np.float64),
    ],
)
def test_dtype_of_training(X, expected):
    y = np.arange(X.shape[0]) % 2
    clf = small(hidden_layer_sizes=(), max_iter=1).fit(X, y)
    assert clf.coefs_[0].dtype == clf.optimizer_.square_average_.dtype == expected
    for dtype in ("float32", "float64"):
        assert clf.set_params(dtype=dtype).fit(X, y).coefs_[0].dtype == dtype


def test_dtype_is_decided_by_the_samples_that_are_trained_on_first():
    X, y = np.random.default_rng(0).standard_normal((1001, 2)), np.arange(1001) % 2
    clf = small(max_iter=1).fit(X, y, sample_weight=np.arange(1001) > 0)
    assert params_of(clf).dtype == np.float64
    assert params_of(clone(clf).set_params(early_stopping=True).fit(X, y)).dtype == "f8"
    clf = small(max_iter=1).partial_fit(X[:9], y[:9], [0, 1])
    assert params_of(clf.partial_fit(X, y)).dtype == np.float64


@pytest.mark.parametrize(
    ("first", "then"), [("float32", "float64"), ("float64", "float32")]
)
def test_dtype_stays_when_training_continues(data, first, then):
    clf = small(dtype=first, warm_start=True).fit(*data)
    before = everything(clf.set_params(dtype=then))
    for call in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=f"same dtype .*'{first}', .*'{then}'"):
            call(*data)
        assert everything(clf) == before
    for dtype in ("auto", first):
        clf.set_params(dtype=dtype).fit(*data).partial_fit(*data)
        assert params_of(clf).dtype == first


def test_float32_weights_predict_float64_rows_whatever_their_batches(data):
    X, codes = data
    clf = small(dtype="float32", hidden_layer_sizes=(50, 20)).fit(X, codes)
    rows = np.tile(X, (300, 1)) + np.linspace(0, 1, 18_000)[:, np.newaxis]
    whole = clf.predict_proba(rows)
    assert whole.dtype == np.float64
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-14)
    for n_rows in (1, 7, 1000):
        part = clf.predict_proba(rows[-n_rows:])
        np.testing.assert_allclose(part, whole[-n_rows:], rtol=1e-9)
    single = clf.predict_proba(rows.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(single, whole, rtol=1e-3, atol=1e-6)


# --- Inputs of predictions ------------------------------------------------------------

METHODS = ["predict", "predict_proba", "predict_log_proba"]


@every_kind
@pytest.mark.parametrize("method", METHODS)
def test_prediction_needs_fit(data, make, method):
    with pytest.raises(NotFittedError):
        getattr(make(), method)(data[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_inputs_of_predictions_must_not_be_infinite(data, method, value):
    X, codes = data
    clf = small().fit(X, codes)
    X = X.copy()
    X[7, 2] = value
    with pytest.raises(ValueError, match="X contains infinity"):
        getattr(clf, method)(X)
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match="supported in dense input only"):
        getattr(clf, method)(sp.csr_array(X))


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_features_is_known_and_checked(data, method):
    X, codes = data
    clf = small().fit(X, codes)
    assert clf.n_features_in_ == 4
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 4 features"):
        getattr(clf, method)(X[:, :3])


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


def test_samples_are_predicted_independently(data):
    X, codes = data
    clf = small().fit(X, codes)
    many = np.tile(X, (2000, 1))
    probabilities = clf.predict_proba(many)
    np.testing.assert_allclose(probabilities[-60:], clf.predict_proba(X))
    np.testing.assert_allclose(probabilities[-1:], clf.predict_proba(X[-1:]))


# --- Floating-point errors ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("multilabel", [False, True])
def test_rounding_to_zero_is_no_error(
    data, labels, activation, as_format, dtype, multilabel
):
    X, y = data
    # Probabilities, activations and the weights of three samples underflow.
    X = as_format((X * np.geomspace(1e-3, 1e4, 60)[:, np.newaxis]).astype(dtype))
    y = labels if multilabel else y
    weight = np.r_[1e-300, 1e-310, 1e-320, np.full(57, 1e5)]
    for numerical, class_weight in [("none", None), ("standard", {0: 1e-9, 1: 3.0})]:
        clf = RMSpropMLPClassifier(
            hidden_layer_sizes=(4, 4),
            activation=activation,
            numerical_encoding=numerical,
            class_weight=None if multilabel else class_weight,
            learning_rate=0.1,
            max_iter=3,
            scoring="accuracy",
            random_state=0,
        )
        with np.errstate(all="raise"):
            clf.fit(X, y, weight, X_val=X, y_val=y, sample_weight_val=weight)
            clf.set_params(early_stopping=True).fit(X, y, weight)
            clf.set_params(early_stopping=False).partial_fit(X, y, sample_weight=weight)
            for method in (clf.predict, clf.predict_proba, clf.predict_log_proba):
                assert np.isfinite(method(X)).all()
                assert np.isfinite(method(100 * X)).all()
            clf.score(X, y, weight)
            assert all(np.isfinite(coef).all() for coef in clf.coefs_)
