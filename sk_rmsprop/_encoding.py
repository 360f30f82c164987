"""How a row of the table enters the network: standardized, while `X` stays as it is."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.preprocessing import StandardScaler

# The statistics are computed from blocks of about this many bytes of X.
BLOCK_BYTES = 2**20

# Samples whose weight is below this share of the largest are not counted: in X's
# dtype the weights of a whole block could become 0, which StandardScaler rejects.
MIN_WEIGHT = 1e-30

# Factors of features whose numbers are all subnormal are kept this far below the
# largest float, so that their products with weights are finite.
MARGIN = 1e6


@dataclass(frozen=True)
class Standardization:
    """The affine map that gives features zero mean and unit standard deviation.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        Weighted means.
    factor : ndarray of shape (n_features,)
        Inverse standard deviations; 1 for constant features.
    """

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, X, rows, weight):
        """Return the map for the given rows of `X` and their weights."""
        # StandardScaler does not center sparse data, but still computes the mean.
        scaler = StandardScaler(with_mean=isinstance(X, np.ndarray))
        block_size = max(1, BLOCK_BYTES // (X.shape[1] * X.dtype.itemsize))
        with np.errstate(all="ignore"):
            if weight is not None:
                weight = weight / weight[rows].max()
                rows = rows[weight[rows] > MIN_WEIGHT]
            for start in range(0, len(rows), block_size):
                block = rows[start : start + block_size]
                scaler.partial_fit(
                    _for_scaler(X[block]),
                    sample_weight=None if weight is None else weight[block],
                )
            factor = np.minimum(1 / scaler.scale_, np.finfo(X.dtype).max / MARGIN)
        # Where the variance overflows, the factor is 0: such a feature is left out.
        factor = np.nan_to_num(factor)
        mean = np.where(factor == 0, 0, scaler.mean_)
        return cls(mean.astype(X.dtype), factor.astype(X.dtype))

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return Standardization(np.array(self.mean), np.array(self.factor))

    def apply(self, X, out=None):
        """Return standardized rows: an array, or `_CenteredRows` for sparse `X`."""
        if isinstance(X, np.ndarray):
            out = np.subtract(X, self.mean, out=out)
            return np.multiply(out, self.factor, out=out)
        scaled = X.data * self.factor[X.indices]
        scaled = csr_array((scaled, X.indices, X.indptr), shape=X.shape)
        return _CenteredRows(scaled, self.mean * self.factor)

    def raw_layer(self, coef, intercept):
        """Return the first layer for raw data that equals this one for standardized."""
        with np.errstate(under="ignore"):
            raw_coef = coef * self.factor[:, np.newaxis]
            shift = np.multiply(self.mean, self.factor, dtype=np.float64) @ coef
            return raw_coef, (intercept - shift).astype(intercept.dtype)


def _for_scaler(X):
    """Return these rows, which are a copy, as StandardScaler needs them."""
    if not isinstance(X, np.ndarray):
        X.sum_duplicates()  # Their variance would be that of the entries.
        # scikit-learn 1.6 accepts no other indices in a second block.
        X.indices = X.indices.astype(np.int32, copy=False)
        X.indptr = X.indptr.astype(np.int32, copy=False)
    return X


class _CenteredRows:
    """The matrix ``X - center`` of a sparse X, as products and never as an array."""

    def __init__(self, X, center):
        self.X = X
        self.center = center

    def __matmul__(self, coef):
        product = self.X @ coef
        product -= self.center @ coef
        return product

    @property
    def T(self):
        """The transpose, likewise."""
        return _TransposedCenteredRows(self)


class _TransposedCenteredRows:
    def __init__(self, rows):
        self.rows = rows

    def __matmul__(self, delta):
        product = self.rows.X.T @ delta
        product -= np.outer(self.rows.center, delta.sum(axis=0))
        return product
