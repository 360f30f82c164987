"""Weighted statistics of columns, from data that are read block by block."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import csr_array

# Statistics are computed from blocks of about this many bytes.
BLOCK_BYTES = 2**17

# Columns are gathered for their quantiles in blocks of about this many bytes: one alone
# would read most of the data, whose rows lie together.
QUANTILE_BLOCK_BYTES = 2**20

# A standard deviation below this share of the mean is rounding.
ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass
class Moments:
    """Weighted means and variances of columns, updated block by block.

    T. F. Chan, G. H. Golub and R. J. LeVeque, Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances, 1979. Missing values are left out.

    Attributes
    ----------
    weight : ndarray of shape (n_columns,)
        Total weight of the values that are not missing.
    mean, square : ndarray of shape (n_columns,)
        Mean, and weighted sum of squared deviations from it.
    gaps : ndarray of shape (n_columns,)
        Total weight of the missing values.
    zeros : ndarray of shape (n_columns,)
        Total weight of the zeros; of an array, only while `other` is a number.
    other : ndarray of shape (n_columns,)
        The one value beside 0 that occurs; NaN if there are several, 0 if none.
    """

    weight: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    gaps: np.ndarray
    zeros: np.ndarray
    other: np.ndarray

    @classmethod
    def of_nothing(cls, n_columns):
        """Return the moments before any data."""
        return cls(*(np.zeros(n_columns) for _ in fields(cls)))

    def copy(self):
        """Return a copy with plain arrays of its own."""
        arrays = (np.array(getattr(self, field.name)) for field in fields(self))
        return Moments(*arrays)

    def update(self, block, weight):
        """Take in a block of rows: a float64 array that may be changed."""
        # Most columns are known to have many values after a few rows.
        self._update_binary(block[:32], weight[:32])
        self._update_binary(block[32:], weight[32:])
        missing = np.isnan(block)
        has_missing = missing.any()
        if has_missing:
            block[missing] = 0.0
            self.gaps += weight @ missing
            total = (weight[:, np.newaxis] * ~missing).sum(axis=0)
        else:
            total = np.full(block.shape[1], weight.sum())
        mean = _ratio(weight @ block, total)
        block -= mean
        if has_missing:
            block[missing] = 0.0
        # What rounding has left of the mean is taken from both.
        rest = _ratio(weight @ block, total)
        np.multiply(block, block, out=block)
        self._combine(total, mean + rest, weight @ block - total * rest**2)

    def _update_binary(self, block, weight):
        """Count zeros, and take in other values, of columns that may be binary."""
        undecided = np.flatnonzero(~np.isnan(self.other))
        if len(undecided) and len(block):
            values = block[:, undecided]
            self.zeros[undecided] += weight @ (values == 0)
            counted = (weight > 0)[:, np.newaxis] & ~np.isnan(values)
            self._update_other(undecided, np.where(counted, values, 0.0))

    def update_sparse(self, block, weight):
        """Take in a block of CSR rows, where absent values are zeros."""
        total, n_columns = weight.sum(), block.shape[1]
        present, indices = np.unique(block.indices, return_inverse=True)
        shape = (block.shape[0], len(present))
        block = csr_array((block.data, indices, block.indptr), shape=shape)
        zeros = np.full(n_columns, total)
        mean, square = np.zeros((2, n_columns))
        zeros[present], mean[present], square[present] = self._of_sparse(
            present, block, weight, total
        )
        self.zeros += zeros
        self._combine(total, mean, square)

    def _of_sparse(self, present, block, weight, total):
        """Return zeros, means and squares of a block's columns; take in other values.

        `present` are the numbers of these columns.
        """
        block.sum_duplicates()
        columns = block.tocsc().astype(np.float64)
        weights = weight[columns.indices]
        is_stored = columns.data != 0
        stored = _sum_by_column(columns, weights * is_stored)
        n_stored = _sum_by_column(columns, (weights > 0) & is_stored)
        has_zeros = n_stored < np.count_nonzero(weight)  # Exact, unlike a difference.
        zeros = np.where(has_zeros, total - stored, 0.0)
        mean = _ratio(_sum_by_column(columns, weights * columns.data), total)
        of_value = np.repeat(mean, np.diff(columns.indptr))
        square = _sum_by_column(columns, weights * (columns.data - of_value) ** 2)
        absent = total - _sum_by_column(columns, weights)
        values = np.where(weights > 0, columns.data, 0.0)
        self._update_other(present, _extremes_by_column(columns, values))
        return zeros, mean, square + absent * mean * mean

    def _update_other(self, columns, values):
        """Take in values beside 0 of some columns; zeros stand for nothing."""
        other = self.other[columns]
        lowest = np.where(values != 0, values, np.inf).min(axis=0)
        highest = np.where(values != 0, values, -np.inf).max(axis=0)
        occurs = lowest <= highest
        other = np.where(occurs & (other == 0), lowest, other)
        differs = occurs & ((lowest != other) | (highest != other))
        self.other[columns] = np.where(differs, np.nan, other)

    def _combine(self, total, mean, square):
        before, self.weight = self.weight, self.weight + total
        share = _ratio(total, self.weight)
        shift = mean - self.mean
        self.square += square + shift * shift * before * share
        self.mean += shift * share

    @property
    def deviation(self):
        """Standard deviations; 0 for columns that are constant but for rounding."""
        deviation = np.sqrt(np.maximum(_ratio(self.square, self.weight), 0.0))
        return np.where(deviation <= ROUNDING * np.abs(self.mean), 0.0, deviation)

    @property
    def root_mean_square(self):
        """Root mean squares."""
        return np.sqrt(_ratio(self.square, self.weight) + self.mean**2)

    @property
    def nonzero_share(self):
        """Share of the values that are not zero, by weight."""
        return 1 - _ratio(self.zeros, self.weight)

    @property
    def is_binary(self):
        """Whether a column has two values, one of them 0."""
        return (self.zeros > 0) & np.isfinite(self.other) & (self.other != 0)


def _ratio(numerator, denominator):
    """Return the ratio, 0 where the denominator is."""
    zeros = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    return np.divide(numerator, denominator, out=zeros, where=denominator > 0)


def _sum_by_column(columns, values):
    return np.bincount(
        np.repeat(np.arange(columns.shape[1]), np.diff(columns.indptr)),
        weights=values,
        minlength=columns.shape[1],
    )


def _extremes_by_column(columns, values):
    """Return the smallest and the largest non-zero value of each column, 0 if none."""
    result = np.zeros((2, columns.shape[1]))
    present = values != 0
    of_value = np.repeat(np.arange(columns.shape[1]), np.diff(columns.indptr))[present]
    if not len(of_value):
        return result
    occurring, start = np.unique(of_value, return_index=True)
    result[0, occurring] = np.minimum.reduceat(values[present], start)
    result[1, occurring] = np.maximum.reduceat(values[present], start)
    return result


def moments_of(X, columns, rows, weight, moments=None):
    """Return the moments of some columns and rows of an array or a CSR array.

    `moments` are those of the data before; they are not changed.
    """
    moments = Moments.of_nothing(len(columns)) if moments is None else moments.copy()
    dense = isinstance(X, np.ndarray)
    n_values = max(1, X.shape[1] if dense else X.nnz // X.shape[0])
    # A block of few sparse values would cost what the arrays of all columns do.
    n_together = BLOCK_BYTES // 8 if dense else max(BLOCK_BYTES // 8, X.shape[1])
    block_size = max(1, n_together // n_values)
    for start in range(0, len(rows), block_size):
        block_rows = rows[start : start + block_size]
        ones = np.ones(len(block_rows))
        block_weight = ones if weight is None else weight[block_rows]
        block = X[block_rows]
        if dense:
            block = block if len(columns) == X.shape[1] else block[:, columns]
            moments.update(block.astype(np.float64), block_weight)
        else:
            moments.update_sparse(block, block_weight)
    return moments


def averages_of(function, X, columns, rows, weight, powers):
    """Return the weighted averages of the powers of a function of rows of numbers.

    `function` takes and returns a float64 array, which it may change. Missing values
    are left out. The result has the shape (powers, number of columns that it returns).
    """
    total = sums = np.zeros(())
    exponents = range(1, powers + 1)
    weight = np.ones(X.shape[0]) if weight is None else weight
    block_size = max(1, BLOCK_BYTES // 8 // X.shape[1])
    for start in range(0, len(rows), block_size):
        block_rows = rows[start : start + block_size]
        block_weight = weight[block_rows]
        with np.errstate(all="ignore"):
            values = function(X[block_rows][:, columns].astype(np.float64))
        missing = np.isnan(values)
        values[missing] = 0.0
        total = total + block_weight @ ~missing
        with np.errstate(under="ignore"):
            sums = sums + [block_weight @ values**power for power in exponents]
    return _ratio(sums, total)


def quantiles_of(X, columns, rows, weight, levels):
    """Return weighted quantiles of some columns of an array, without missing values.

    They are those of the averaged inverted distribution function: of R. J. Hyndman and
    Y. Fan, Sample Quantiles in Statistical Packages, 1996, definition 2. A weight of k
    is then the same as k copies. Columns without values have zeros.

    Returns
    -------
    ndarray of shape (n_levels, n_columns)
    """
    levels = np.asarray(levels, np.float64)
    weight = None if weight is None else weight[rows]
    result = np.zeros((len(levels), len(columns)))
    n_together = max(1, QUANTILE_BLOCK_BYTES // X.itemsize // max(1, len(rows)))
    for start in range(0, len(columns), n_together):
        block = X[np.ix_(rows, columns[start : start + n_together])]
        for j, values in enumerate(block.T, start=start):
            result[:, j] = _quantiles(values.astype(np.float64), weight, levels)
    return result


def _quantiles(values, weight, levels):
    """Return quantiles of the values of one column that are not missing."""
    missing = np.isnan(values)
    if missing.any():
        values = values[~missing]
        weight = None if weight is None else weight[~missing]
    if not len(values):
        return 0.0
    if weight is None:
        values.sort()
        cumulated = np.arange(1.0, len(values) + 1)
    else:
        order = np.argsort(values, kind="stable")
        values = values[order]
        cumulated = np.cumsum(weight[order])
    wanted = levels * cumulated[-1]
    last = len(values) - 1
    lower = values[np.minimum(np.searchsorted(cumulated, wanted, "left"), last)]
    upper = values[np.minimum(np.searchsorted(cumulated, wanted, "right"), last)]
    return lower / 2 + upper / 2
