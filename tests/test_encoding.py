"""How samples enter the network: numbers, missing values, categories.

That early stopping standardizes by the training split is in test_validation.
"""

from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._statistics import BLOCK_BYTES
from tests import cases, helpers
from tests.helpers import assert_almost_same_model, assert_same_model, params_of

small = partial(helpers.small, numerical_encoding="standard")
plain = partial(helpers.small, numerical_encoding="none")


def encoding_of(X, weight=None, **params):
    """Return the encoding that is learned from X."""
    clf = RMSpropMLPClassifier((), max_iter=1, random_state=0, **params)
    return clf.fit(X, np.arange(X.shape[0]) % 2, weight).encoding_


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


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_scales_that_float32_does_not_hold(data, scale):
    X, y = StandardScaler().fit_transform(data[0])[:, :3], data[1]
    clf = small(dtype="float32").fit(X * scale, y)
    reference = small(dtype="float32").fit(X, y)
    np.testing.assert_allclose(clf.cost_history_, reference.cost_history_, rtol=1e-4)
    np.testing.assert_allclose(
        clf.predict_proba(X * scale), reference.predict_proba(X), rtol=1e-3
    )


@pytest.mark.parametrize("extra", [-1, 0, 1, 8001])
@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
def test_statistics_do_not_depend_on_the_blocks(as_format, extra):
    n_rows = BLOCK_BYTES // 32 + extra  # 4 columns in float64
    rng = np.random.default_rng(0)
    X = rng.normal(1e6, [1e-2, 1, 1e3, 1e6], (n_rows, 4))
    if as_format is sp.csr_array:
        X *= rng.random(X.shape) < 0.9
    weight = rng.random(n_rows)
    encoding = encoding_of(as_format(X), weight, numerical_encoding="standard")
    mean = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(encoding.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(encoding.factor, 1 / deviation, rtol=1e-7)


def test_timestamps_in_seconds_keep_their_digits_in_float32():
    # Of today; a float32 tells them apart by 128 seconds.
    X = 1.7e9 + np.random.default_rng(0).permutation(200)[:, np.newaxis] / 4
    y = (X[:, 0] > X.mean()).astype(int)
    params = {"dtype": "float32", "max_iter": 30, "learning_rate": 0.05}
    clf = small(**params).fit(X, y)
    assert params_of(clf).dtype == np.float32
    assert clf.score(X, y) > 0.97
    reference = small(**params).fit(X - 1.7e9, y)
    np.testing.assert_allclose(clf.cost_history_, reference.cost_history_, rtol=1e-3)
    np.testing.assert_allclose(clf.encoding_.transform(X).std(), 1)


# --- Columns of two values ------------------------------------------------------------


def test_auto_leaves_zero_in_columns_of_two_values():
    nan = np.nan
    X = np.array(
        [[0, 0, 0, nan, 1, 5, 0], [1, 7, -2, 7, 2, 5, 0], [0, 7, 0, 0, 1, 5, 0]]
    )
    encoding = encoding_of(X)
    # No zero among its values 1, 2 and 1: median 1, interquartile range 1
    clipped = np.array([0, 1, 0]) / np.sqrt(1 + 1 / 9)
    z = (clipped - clipped.mean()) / clipped.std()
    expected = [[0, 0, 0, 0, z[0], 0, 0, 1], [1, 1, 1, 1, z[1], 0, 0, 0]]
    expected += [[0, 1, 0, 0, z[2], 0, 0, 0]]
    np.testing.assert_allclose(encoding.transform(X), expected)
    # Booleans are numbers.
    is_right = np.array([[True], [False], [True]])
    np.testing.assert_array_equal(encoding_of(is_right).transform(is_right), is_right)
    standard = encoding_of(is_right, numerical_encoding="standard")
    assert abs(standard.transform(is_right).mean()) < 1e-15


# --- Missing values -------------------------------------------------------------------


def test_missing_numbers_by_hand():
    X = np.array([[1, np.nan, 4], [np.nan, np.nan, 8], [3, np.nan, 6]])
    root = np.sqrt(1.5)  # 1 / deviation of -1, 0, 1
    z = {"none": [[1, 0, 4], [0, 0, 8], [3, 0, 6]]}
    z["standard"] = [[-1, 0, -root], [0, 0, root], [1, 0, 0]]
    for numerical, numbers in z.items():
        encoding = encoding_of(X, numerical_encoding=numerical)
        expected = np.c_[numbers, [0, 1, 0], [1, 1, 1]]
        np.testing.assert_allclose(encoding.transform(X), expected, atol=1e-15)
        names = ["x0", "x1", "x2", "missingindicator_x0", "missingindicator_x1"]
        assert encoding.get_feature_names_out().tolist() == names


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("numerical", ["standard", "none"])
def test_a_gap_that_is_new_at_prediction_is_the_mean(data, numerical, dtype):
    X, y = (data[0] / [1e-4, 1, 1e5, 1]).astype(dtype), data[1]
    clf = small(numerical_encoding=numerical).fit(X, y)
    assert len(clf.encoding_.get_feature_names_out()) == 4
    gap, mean = X[:1].copy(), X[:1].copy()
    gap[0, 1], mean[0, 1] = np.nan, X[:, 1].mean() if numerical == "standard" else 0
    np.testing.assert_allclose(clf.predict_proba(gap), clf.predict_proba(mean), 1e-4)
    assert np.isfinite(
        clf.partial_fit(np.full_like(X, np.nan), y).predict_proba(X)
    ).all()


# --- Categories -----------------------------------------------------------------------


def test_categories_by_hand():
    # 5 and 3 are equally frequent: the smaller level comes first.
    X = np.array([7, 5, 5, np.nan, 3, 3, 9, 5, 3])[:, np.newaxis]
    encoding = encoding_of(X, categorical_features=[0])
    names = ["x0_3", "x0_5", "x0_7", "x0_9", "x0_missing"]
    assert encoding.get_feature_names_out().tolist() == names
    values = [3, 5, 7, 9, np.nan, 4, 5.5, -1, 1e300, -1e300]
    found = encoding.transform(np.array(values)[:, np.newaxis])
    np.testing.assert_array_equal(found, np.vstack([np.eye(5), np.zeros((5, 5))]))
    weight = np.array([9, 1, 1, 5, 1, 1, 1, 1, 0.5])
    encoding = encoding_of(X, weight, categorical_features=[0])
    order = [names[k] for k in (2, 1, 0, 3, 4)]  # Weights of 9, 3, 2.5, 1
    assert encoding.get_feature_names_out().tolist() == order


def test_a_missing_category_that_is_new_at_prediction_is_zeros():
    encoding = encoding_of(np.arange(8.0)[:, None] // 4, categorical_features=[True])
    np.testing.assert_array_equal(encoding.transform([[np.nan], [1]]), [[0, 0], [0, 1]])


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("n_levels", [255, 256, 300])
def test_rare_categories_share_an_input(n_levels, fractions):
    rng = np.random.default_rng(0)
    levels = np.arange(n_levels) + (1_234_567.5 if fractions else 0)
    column = rng.permutation(np.repeat(levels, 3 + np.arange(n_levels) * 7 % 5))
    counts = Counter(column.tolist())
    ranking = sorted(counts, key=lambda level: (-counts[level], level))
    encoding = encoding_of(column[:, np.newaxis], categorical_features=[0])
    found = encoding.transform(np.array(ranking)[:, np.newaxis])
    rank = np.minimum(np.arange(n_levels), 255)
    np.testing.assert_array_equal(found, np.eye(min(n_levels, 256))[rank])
    names = [f"x0_{level}" for level in ranking]
    if n_levels == 300:
        names[255:] = ["x0_infrequent"]
    assert encoding.get_feature_names_out().tolist() == names


def test_categories_and_numbers_of_one_input_each():
    # As many inputs as columns, but not the same.
    X = np.c_[np.full(60, 3.0), np.random.default_rng(0).standard_normal((60, 1))]
    clf = small(categorical_features=[0], batch_size=60).fit(X, np.arange(60) % 2)
    reference = plain(batch_size=60).fit(clf.encoding_.transform(X), np.arange(60) % 2)
    assert_almost_same_model(clf, reference)


def test_levels_that_do_not_occur_may_follow_in_a_stream():
    frame = pd.DataFrame(
        {"x": np.arange(40.0), "kind": pd.Categorical(["a", "b"] * 20)}
    )
    frame["kind"] = frame["kind"].cat.set_categories(["unused", "a", "b"])
    y = np.arange(40) // 20
    assert small().fit(frame, y).encoding_.n_inputs == 3
    clf = RMSpropMLPClassifier(5, random_state=0).partial_fit(frame, y, [0, 1])
    names = clf.encoding_.get_feature_names_out().tolist()
    assert names == ["x", "kind_a", "kind_b", "kind_unused"]
    assert not clf.coefs_[0][3].any()
    assert clf.coefs_[0][:3].all()
    frame.loc[::4, "kind"] = "unused"
    np.testing.assert_array_equal(clf.encoding_.transform(frame)[::4, 3], 1)
    assert clf.partial_fit(frame, y).coefs_[0][3].any()


# --- Whole tables ---------------------------------------------------------------------


def test_encoding_is_that_of_a_column_transformer():
    numbers, nominal = ["a", "b", "c", "count"], ["kind", "sign"]
    frame = cases.FRAME
    by_hand = make_column_transformer(
        (make_pipeline(StandardScaler(), SimpleImputer()), numbers),
        (MissingIndicator(), numbers),
        (OneHotEncoder(), nominal),
        sparse_threshold=0,
    ).set_output(transform="default")
    expected = by_hand.fit_transform(frame)
    encoding = encoding_of(frame, numerical_encoding="standard")
    found = encoding.transform(frame)
    names = encoding.get_feature_names_out().tolist()
    assert names[:7] == [*numbers, *(f"missingindicator_{name}" for name in "abc")]
    rounded = [np.round(table, 9) + 0.0 for table in (found, expected)]
    order, other_order = (np.lexsort(table) for table in rounded)
    np.testing.assert_allclose(found[:, order], expected[:, other_order], atol=1e-12)


def test_weights_are_repetitions_in_all_statistics():
    weight = np.random.default_rng(1).integers(0, 4, 65)
    absent = np.flatnonzero(weight == 0)
    frame = cases.FRAME.copy()
    frame.loc[absent[0], "sign"] = "zero"
    frame.loc[absent[1], "count"] = np.nan
    frame["kind"] = frame["kind"].fillna("tall").mask(frame.index == absent[2])
    repeated = frame.loc[np.repeat(np.arange(65), weight)]
    encoding, reference = encoding_of(frame, weight), encoding_of(repeated)
    names = encoding.get_feature_names_out().tolist()
    assert names == reference.get_feature_names_out().tolist()
    assert not {"sign_zero", "missingindicator_count", "kind_missing"} & set(names)
    np.testing.assert_allclose(
        encoding.transform(frame), reference.transform(frame), rtol=1e-12, atol=1e-14
    )


def test_early_stopping_encodes_by_the_training_split():
    frame, y, scorer = cases.FRAME.assign(b=0.0), cases.y, helpers.Scorer()
    frame["a"] = np.arange(65)
    clf = small(early_stopping=True, scoring=scorer, validation_fraction=0.3)
    clf.fit(frame, y)
    held_out = scorer.calls[0][1][:, 0].astype(int)
    kept = np.setdiff1d(np.arange(65), held_out)
    reference = small(max_iter=clf.best_epoch_).fit(frame.loc[kept], y[kept])
    np.testing.assert_array_equal(
        clf.encoding_.transform(frame), reference.encoding_.transform(frame)
    )


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


def test_auto_scales_rare_features_to_a_unit_norm():
    # Twelve of 400 words, each in every twelfth sample
    n = 72
    values = np.tile([3.0, 4.0, 0.5, 0.25], n // 4)
    columns = np.tile([5, 7, 9, 11], n // 4) + 100 * (np.arange(n) % 3)
    X = sp.csr_array((values, columns, np.arange(n + 1)), shape=(n, 400))
    weight = np.where(np.arange(n) < n // 2, 2.0, 1.0)
    clf = small(numerical_encoding="auto")
    encoding = clf.fit(X, np.arange(n) % 2, weight).encoding_
    # Of 4s the mean square is 16 / 12, and counts as 1.
    size = np.sqrt(3 * (9 / 12 + 1 + 0.25 / 12 + 0.0625 / 12))
    assert encoding.sparse_factor == pytest.approx(1 / size)
    # Columns of one value above 1 become 0 and 1, before that.
    inputs = encoding.transform(X)
    np.testing.assert_allclose(inputs[1, 107], 1 / size)
    np.testing.assert_allclose(inputs[2, 209], 0.5 / size)
    short = small(numerical_encoding="auto").fit(X / 4, np.arange(n) % 2).encoding_
    assert short.sparse_factor == 1.0


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


def test_auto_scales_sparse_features_by_hand():
    rng = np.random.default_rng(0)
    X = np.zeros((100, 8))
    X[:20, 0] = np.arange(1, 21) * 1e5  # large and rare
    X[10:60, 1] = np.linspace(0.1, 0.9, 50)  # small, and not zero in just half
    X[:80, 2] = np.linspace(3, 9, 80)  # not zero in more than half of the rows
    X[4, 3] = 5.0  # two values, one of them 0
    X[:30, 4] = -2.0
    X[:90, 5] = 7.0
    X[:30, 6] = 0.3
    X[:20, 7] = 1.0
    X[20:90, 7] = 2.0  # which become zeros that are stored
    rng.shuffle(X)
    X_sparse = sp.csr_array(X)
    X_sparse.data[X_sparse.data == 2] = 0.0
    X[:, 7] %= 2
    encoding = encoding_of(X_sparse)
    size = np.sqrt((X[:, 0] ** 2).mean())
    # 45 by the updates of 100 epochs of four batches; a binary feature has twice its
    # share if that is more, up to 1.
    sparse = 45 / 400
    factor = [
        sparse / size,
        sparse,
        1 / X[:, 2].std(),
        sparse / 5,
        2 * 0.3 / 2,
        1 / 7,
        0.6,
        0.4,
    ]
    mean = np.where(np.arange(8) == 2, X[:, 2].mean(), 0)
    expected = (X - mean) * factor
    np.testing.assert_allclose(encoding.transform(sp.csr_array(X)), expected)
    np.testing.assert_allclose(encoding.transform(X), expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("numerical", ["none", "auto", "standard"])
def test_the_scale_stays_that_of_the_first_container(sparse_data, numerical, method):
    X, y = sparse_data
    X_sparse = sp.csr_array(X)
    new = small(numerical_encoding=numerical, max_iter="auto")
    classes = {"classes": [0, 1]} if method == "partial_fit" else {}
    for first, second in ((X_sparse, X), (X, X_sparse)):
        clf, reference = (
            getattr(model, method)(first, y, **classes).partial_fit(then, y)
            for model, then in ((clone(new), second), (clone(new), first))
        )
        assert_almost_same_model(clf, reference)


# --- The model ------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (5, 4)])
def test_layers_apply_to_encoded_data(data, hidden):
    X, y = data
    clf = small(hidden_layer_sizes=hidden, activation="tanh").fit(X, y)
    a = clf.encoding_.transform(X)
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


@pytest.mark.parametrize(
    ("encoding", "other"), [("none", "standard"), ("standard", "none")]
)
def test_it_stays_when_training_continues(data, encoding, other):
    X, y = data
    X = X / [1e-4, 1, 1e5, 1]
    clf = small(numerical_encoding=encoding).fit(X, y)
    expected = clf.predict_proba(X)
    clf.set_params(numerical_encoding=other, warm_start=True)
    before = vars(clf).copy()
    for call in (clf.fit, clf.partial_fit):
        with pytest.raises(
            ValueError, match=f"numerical_encoding .*was '{encoding}', .*'{other}'"
        ):
            call(X, y)
        assert vars(clf) == before
    # Predictions are those of the model as it was trained.
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("encoding", ["none", "standard"])
def test_divergence_recommends_scaling_where_it_would_help(data, encoding):
    X, y = data
    clf = small(numerical_encoding=encoding, learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged") as error:
        clf.fit(X, y)
    assert ("StandardScaler" in str(error.value)) == (encoding == "none")


# --- Streams --------------------------------------------------------------------------


@pytest.fixture
def stream():
    rng = np.random.default_rng(0)
    X = rng.normal([3, 100, 0, 0, 7], [1, 1e3, 1e-3, 0, 0], (90, 5))
    X[:40, 2] = 0  # An idle sensor
    X[rng.random(90) < 0.2, 1] = np.nan
    return X, rng.integers(0, 2, 90), rng.integers(0, 3, 90).astype(float)


CHUNKS = [slice(0, 2), slice(2, 3), slice(3, 30), slice(30, 90)]


def assert_standardizes_by(clf, X, weight):
    scaler = StandardScaler().fit(X, sample_weight=weight)
    np.testing.assert_allclose(clf.encoding_.mean, scaler.mean_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(clf.encoding_.factor, 1 / scaler.scale_, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_scales_follow_a_stream(stream, weighted):
    X, y, weight = stream
    weight = weight + (np.arange(90) < 2) if weighted else np.ones(90)
    clf = RMSpropMLPClassifier(3, random_state=0)
    for rows in CHUNKS:
        clf = cases.by_pickle(clf, None)
        clf.partial_fit(X[rows], y[rows], [0, 1], weight[rows])
        assert_standardizes_by(clf, X[: rows.stop], weight[: rows.stop])
    # Statistics of a fit stay, whatever follows.
    clf.set_params(warm_start=True)
    for call in (clf.fit, clf.partial_fit):
        call(X[:7] * 9, y[:7] * 0 + [0, 1, 0, 1, 0, 1, 0])
        assert_standardizes_by(clf, X, weight)


def test_a_chunk_that_fails_leaves_the_scales_of_a_stream(stream):
    X, y, _ = stream
    clf = RMSpropMLPClassifier(3, random_state=0).partial_fit(X, y, [0, 1])
    before = cases.everything(clf.set_params(learning_rate=1e300))
    for bad in ({"X": X, "y": y}, {"X": X, "y": y + 1}):
        with pytest.raises(ValueError, match=r"diverged|not among the classes"):
            clf.partial_fit(**bad)
        assert cases.everything(clf) == before


@pytest.mark.parametrize("factor", [1e-310, 2.0**-900, 3.0, 1e307])
def test_only_ratios_of_the_weights_of_a_stream_matter(stream, factor):
    X, y, weight = stream
    clf, reference = (RMSpropMLPClassifier(3, random_state=0) for _ in range(2))
    for rows in (slice(0, 40), slice(40, 90)):
        reference.partial_fit(X[rows], y[rows], [0, 1], weight[rows])
        clf.partial_fit(X[rows], y[rows], [0, 1], weight[rows] * factor)
    assert_almost_same_model(clf, reference, rtol=1e-5, atol=1e-7)


def test_scales_follow_a_sparse_stream_without_centering(stream):
    X, y, _ = stream
    X = np.nan_to_num(X)
    clf = RMSpropMLPClassifier(3, random_state=0)
    for rows in CHUNKS:
        clf.partial_fit(sp.csr_array(X[rows]), y[rows], [0, 1])
        size = np.sqrt((X[: rows.stop] ** 2).mean(axis=0))
        expected = clf.encoding_.sparse_factor / np.maximum(size, 1)
        np.testing.assert_allclose(clf.encoding_.factor, expected)
        assert not clf.encoding_.mean.any()


def test_scales_follow_a_stream_that_turns_sparse(stream):
    X, y, _ = stream
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.3, np.nan, X)
    chunk = np.where(np.isnan(X[50:90]), 0.0, X[50:90])
    models = []
    for second in (chunk, sp.csr_array(chunk)):
        clf = RMSpropMLPClassifier(3, random_state=0)
        clf.partial_fit(X[:50], y[:50], [0, 1])
        models.append(clf.partial_fit(second, y[50:90]))
    for name in ("mean", "factor"):
        dense, sparse = (getattr(clf.encoding_, name) for clf in models)
        np.testing.assert_allclose(sparse, dense, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("max_iter", [9, "auto"])
def test_the_first_chunk_decides_where_an_encoding_is_named(stream, max_iter):
    X, y, _ = stream
    clf = RMSpropMLPClassifier(
        3, numerical_encoding="standard", max_iter=max_iter, random_state=0
    )
    for rows in (slice(0, 50), *CHUNKS):
        clf.partial_fit(X[rows], y[rows], [0, 1])
        assert_standardizes_by(clf, X[:50], None)


def test_a_stream_that_begins_with_two_rows_is_learned():
    rng = np.random.default_rng(0)
    X = rng.normal([100, -3], [30, 0.1], (600, 2))
    y = (X[:, 1] > -3).astype(int)
    clf = RMSpropMLPClassifier(20, random_state=0)
    for start in range(0, 600, 2):
        clf.partial_fit(X[start : start + 2], y[start : start + 2], [0, 1])
    assert clf.score(X, y) > 0.95
