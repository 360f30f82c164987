"""How numbers enter the network: quantiles, robust scales, piecewise-linear bins."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._statistics import quantiles_of


def encoding_of(X, numerical="piecewise", weight=None):
    """Return the encoding of a classifier that is fitted to some numbers."""
    clf = RMSpropMLPClassifier(
        2, numerical_encoding=numerical, max_iter=1, random_state=0
    )
    return clf.fit(X, np.arange(X.shape[0]) % 2, weight).encoding_


# --- Quantiles ------------------------------------------------------------------------

LEVELS = np.arange(17) / 16


@pytest.mark.parametrize("n", [1, 2, 7, 16, 33])
def test_quantiles_are_those_of_numpy(n):
    X = np.random.default_rng(n).integers(0, 9, (n, 3)).astype(float)
    found = quantiles_of(X, np.arange(3), np.arange(n), None, LEVELS)
    expected = np.quantile(X, LEVELS, axis=0, method="averaged_inverted_cdf")
    np.testing.assert_allclose(found, expected)


def test_weighted_quantiles_are_those_of_copies():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(40, 4)).round(1), rng.integers(0, 4, 40).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 3] = np.nan
    rows = np.flatnonzero(weight)
    found = quantiles_of(X, np.arange(4), rows, weight, LEVELS)
    copies = np.repeat(X, weight.astype(int), axis=0)
    for j in range(3):
        values = copies[~np.isnan(copies[:, j]), j]
        expected = np.quantile(values, LEVELS, method="averaged_inverted_cdf")
        np.testing.assert_array_equal(found[:, j], expected)
    np.testing.assert_array_equal(found[:, 3], 0)  # It has no values.


def test_quantiles_of_some_columns_and_rows_in_several_blocks(monkeypatch):
    monkeypatch.setattr("sk_rmsprop._statistics.QUANTILE_BLOCK_BYTES", 2 * 8 * 9)
    X = np.random.default_rng(0).integers(0, 255, (12, 7)).astype(np.uint8)
    rows, columns = np.arange(1, 10), np.array([0, 2, 3, 6])
    found = quantiles_of(X, columns, rows, None, [0.5])
    np.testing.assert_array_equal(found[0], np.median(X[np.ix_(rows, columns)], axis=0))


# --- Robust scales --------------------------------------------------------------------


def test_robust_scales_by_hand():
    # Median 2 and quartiles 1 and 3; half of the second column is 5, of the range 0 to
    # 20; the third is constant, the fourth binary.
    X = np.array(
        [
            [0.0, 0.0, 7.0, 0.0],
            [1.0, 5.0, 7.0, 3.0],
            [2.0, 5.0, 7.0, 0.0],
            [3.0, 5.0, 7.0, 0.0],
            [1000.0, 20.0, 7.0, 3.0],
        ]
    )
    encoding = encoding_of(X, "robust")
    z = np.column_stack([(X[:, 0] - 2) / 2, (X[:, 1] - 5) / 10])
    z /= np.sqrt(1 + z**2 / 9)
    assert z.max() < 3
    z_scaled = (z - z.mean(axis=0)) / z.std(axis=0)
    expected = np.column_stack([z_scaled, np.zeros(5), X[:, 3] / 3])
    np.testing.assert_allclose(encoding.transform(X), expected, atol=1e-15)
    # Another value of the constant column counts; an infinite one is on the limit.
    others = encoding.transform([[1e300, -1e300, 8.0, 1.5]])[0]
    np.testing.assert_allclose(others[:2] * z.std(axis=0) + z.mean(axis=0), [3, -3])
    assert others[2] > 0


def test_robust_inputs_hardly_change_with_an_outlier():
    X = np.random.default_rng(0).normal(size=(200, 1))
    plain = encoding_of(X, "robust").transform(X[1:])
    X[0] = 1e12
    found = encoding_of(X, "robust").transform(X[1:])
    np.testing.assert_allclose(found, plain, atol=0.15)


@pytest.mark.parametrize("numerical", ["auto", "robust", "piecewise"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_bounded(numerical, dtype):
    rng = np.random.default_rng(0)
    X = (rng.standard_t(0.5, (300, 4)) * [1e-6, 1, 1e6, 1e12]).astype(dtype)
    encoding = encoding_of(X, numerical)
    limits = np.finfo(dtype).max * np.array([[1], [-1]]) * np.ones((2, 4), dtype)
    for values in (X, limits.astype(dtype)):
        assert np.abs(encoding.transform(values)).max() < 20


@pytest.mark.parametrize("numerical", ["auto", "robust", "piecewise"])
def test_a_number_near_the_largest_float_is_no_problem(numerical):
    X = np.random.default_rng(0).normal(size=(40, 2))
    X[7, 0], X[8, 0] = 1.7e308, -1.7e308
    inputs = encoding_of(X, numerical).transform(X)
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() < 20


# --- Bins -----------------------------------------------------------------------------


def test_bins_by_hand():
    # Quantiles in 16ths of 0, 1, .. 16 are these numbers but for the ends.
    X = np.arange(33.0)[:, np.newaxis] / 2
    encoding = encoding_of(X)
    np.testing.assert_allclose(encoding.bins.left, np.arange(16))
    inputs = encoding.transform([[3.25], [-5.0], [40.0], [np.nan]])
    names = encoding.get_feature_names_out()
    assert names.tolist() == ["x0", *(f"x0_bin{k}" for k in range(1, 17))]
    bins = inputs[:, 1:] + encoding.bins.mean
    scale = bins[0, 0]
    expected = np.zeros((3, 16))
    expected[0, :3], expected[0, 3], expected[2] = 1, 0.25, 1
    np.testing.assert_allclose(bins[:3], scale * expected, atol=1e-15)
    np.testing.assert_array_equal(inputs[3], 0)
    # Centered
    np.testing.assert_allclose(encoding.transform(X)[:, 1:].mean(axis=0), 0, atol=1e-15)


def test_columns_have_the_bins_that_they_can_carry():
    n = 160
    X = np.column_stack(
        [
            np.arange(n) % 2,  # binary: none
            np.full(n, 3.0),  # constant: none
            np.arange(n) % 3,  # three values: two bins
            np.where(np.arange(n) < 150, 0, np.arange(n)),  # mostly zeros
            np.full(n, np.nan),
            np.arange(n),
        ]
    )
    encoding = encoding_of(X)
    counts = np.bincount(encoding.bins.columns, minlength=6)
    assert counts[[0, 1, 2, 4, 5]].tolist() == [0, 0, 2, 0, 16]
    assert 1 <= counts[3] <= 2
    assert encoding.n_inputs == 6 + counts.sum() + 1
    assert np.isfinite(encoding.transform(X)).all()


@pytest.mark.parametrize(
    ("n_columns", "piecewise", "auto"),
    [(1, 16, 16), (16, 16, 16), (17, 15, 0), (64, 4, 0), (128, 2, 0), (129, 0, 0)],
)
def test_the_number_of_bins_is_bounded(n_columns, piecewise, auto):
    X = np.random.default_rng(0).normal(size=(40, n_columns))
    for numerical, n_bins in (("piecewise", piecewise), ("auto", auto)):
        encoding = encoding_of(X, numerical)
        assert encoding.n_inputs == n_columns * (1 + n_bins)


@pytest.mark.parametrize("numerical", ["robust", "piecewise"])
def test_weights_mean_repetition_in_scales_and_bins(numerical):
    rng = np.random.default_rng(1)
    X, weight = rng.normal(size=(60, 3)).round(1), rng.integers(0, 4, 60)
    X[::7, 0] = np.nan
    weighted = encoding_of(X, numerical, weight)
    copies = encoding_of(np.repeat(X, weight, axis=0), numerical)
    np.testing.assert_allclose(weighted.transform(X), copies.transform(X), atol=1e-13)


@pytest.mark.parametrize("numerical", ["auto", "robust", "piecewise"])
def test_sparse_data_are_only_scaled(numerical):
    X = np.random.default_rng(0).random((50, 4)) * (np.arange(4) % 2)
    encoding = encoding_of(csr_array(X), numerical)
    assert encoding.n_inputs == 4
    expected = encoding_of(csr_array(X), "auto").transform(X)
    np.testing.assert_array_equal(encoding.transform(X), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 50])
def test_predictions_for_sparse_rows_after_training_on_an_array(dtype, n):
    X = np.random.default_rng(0).normal(size=(50, 9)).clip(1) - 1
    clf = RMSpropMLPClassifier((4,), dtype=dtype, max_iter=2, random_state=0)
    clf.fit(X, np.arange(50) % 2)
    found = clf.predict_proba(csr_array(X[:n]))
    np.testing.assert_allclose(found, clf.predict_proba(X[:n]), rtol=1e-12)


def test_sparse_rows_after_training_on_an_array():
    X = np.random.default_rng(0).normal(size=(50, 3)).clip(0)
    y = np.arange(50) % 2
    clf = RMSpropMLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    found = clf.predict_proba(csr_array(X))
    np.testing.assert_allclose(found, clf.predict_proba(X), rtol=1e-12)
    other = RMSpropMLPClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    clf.set_params(alpha=0.01).partial_fit(X, y)
    other.set_params(alpha=0.01).partial_fit(csr_array(X), y)
    np.testing.assert_allclose(other.coefs_[0], clf.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize("numerical", ["robust", "piecewise"])
def test_a_stream_keeps_the_encoding_of_its_first_chunk(numerical):
    rng = np.random.default_rng(0)
    clf = RMSpropMLPClassifier((3,), numerical_encoding=numerical, random_state=0)
    clf.partial_fit(rng.normal(size=(40, 2)), np.arange(40) % 2, classes=[0, 1])
    before = clf.encoding_.transform([[1.0, 2.0]])
    clf.partial_fit(9 + rng.normal(size=(40, 2)), np.arange(40) % 2)
    np.testing.assert_array_equal(clf.encoding_.transform([[1.0, 2.0]]), before)


def test_sharp_borders_are_learned_from_bins():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1500, 3))
    y = (np.floor(6 * X[:, 0]) % 2).astype(int)
    scores = {
        numerical: RMSpropMLPClassifier(numerical_encoding=numerical, random_state=0)
        .fit(X[:1000], y[:1000])
        .score(X[1000:], y[1000:])
        for numerical in ("auto", "standard")
    }
    assert scores["auto"] > 0.9
    assert scores["auto"] > scores["standard"] + 0.05
