"""How numbers enter the network: what the columns of the training data say of it.

`NUMERICAL_ENCODINGS` is the only list of what can be done to numbers. A row of it makes
`Scales` of the columns, and says how many bins each of them gets.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sk_rmsprop._statistics import Moments, averages_of, moments_of, quantiles_of

# Factors of features whose numbers are all subnormal are kept this far below the
# largest float, so that their products with weights are finite.
MARGIN = 1e6

# Sparse features are standardized if more than this share of their values are not zero:
# the absent values of others have to stay zero.
DENSE_SHARE = 0.5

# Categories that occur often are no rare features: the factor of binary sparse features
# is at least their share times this. On one-hot tables of 3 to 500 levels the log-loss
# is then within 0.009 of that of the same table in dense form.
BINARY_SPARSE_FACTOR = 2.0

# The smooth clip ``z / sqrt(1 + (z / CLIP)**2)`` has values from -CLIP to CLIP.
CLIP = 3.0

# Larger numbers are on the clip's limit; their squares overflow in float32.
CLIP_INPUT = 1e6

# The piecewise-linear encoding has this many bins a column, or fewer if there would be
# more inputs than this in all.
MAX_BINS = 16
MAX_BIN_INPUTS = 256

# With "auto", tables of at most this many columns get bins.
MAX_BINNED_COLUMNS = 16

# The values of a bin are from 0 to this. With 1, functions that are smooth in many
# features are learned less well.
BIN_SCALE = 0.35


# --- Scales ---------------------------------------------------------------------------


class Scales(NamedTuple):
    """What is subtracted from numbers, and their factor then.

    Attributes
    ----------
    mean, factor : ndarray of shape (n_numeric,)
        The numbers are ``(x - mean) * factor``.
    clipped : ndarray of shape (2, n_numeric) or None
        What is subtracted from the smoothly clipped numbers, and their factor then;
        None if they are not to be clipped.
    """

    mean: np.ndarray
    factor: np.ndarray
    clipped: np.ndarray | None = None


def clip_smoothly(z):
    """Replace numbers by ``z / sqrt(1 + (z / CLIP)**2)``, in place."""
    np.clip(z, -CLIP_INPUT, CLIP_INPUT, out=z)
    size = z * z
    size *= 1 / CLIP**2
    size += 1.0
    np.sqrt(size, out=size)
    np.divide(z, size, out=z)
    return z


def _standard(columns, sparse_factor=None):
    moments = columns.moments
    deviation = moments.deviation
    factor = np.divide(1, deviation, out=np.ones_like(deviation), where=deviation > 0)
    return Scales(moments.mean.copy(), _finite(factor, moments))


def _robust(columns, sparse_factor):
    """Center at the median, divide by the interquartile range, clip, and standardize.

    If half of the values are equal, half of the range replaces the interquartile range.
    Binary columns become 0 and 1: standardized, a rare category would get a large
    value and decide alone.
    """
    moments = columns.moments
    low, first, median, third, high = columns.quantiles([0, 0.25, 0.5, 0.75, 1])
    with np.errstate(all="ignore"):
        spread = np.where(third > first, third - first, (high - low) / 2)
        factor = np.where(spread > 0, 1 / spread, 1.0)
    factor = _finite(factor, moments)
    binary = moments.is_binary
    median[binary] = 0.0
    factor[binary] = _finite(1 / moments.other[binary], moments, binary)
    # Few samples have a mean far from the median. In thousands of columns, that would
    # add up to an offset of all samples that is larger than their differences.
    mean, deviation = columns.moments_of_clipped(median, factor)
    clipped = np.divide(1, deviation, out=np.ones_like(deviation), where=deviation > 0)
    mean[binary] = 0.0
    clipped[binary] = np.sqrt(1 + 1 / CLIP**2)
    return Scales(median, factor, np.stack([mean, clipped]))


def _scaled_unless_dense(columns, sparse_factor):
    moments = columns.moments
    mean, factor, _ = _standard(columns)
    share, binary = moments.nonzero_share, moments.is_binary
    scaled = _scaled(columns, sparse_factor).factor
    binary_factor = np.clip(BINARY_SPARSE_FACTOR * share, sparse_factor, 1.0)
    # A word that occurs once has one value, too: it is not to be scaled up.
    scaled[binary] = (binary_factor / np.maximum(np.abs(moments.other), 1.0))[binary]
    is_sparse = binary | (share <= DENSE_SHARE)
    return Scales(np.where(is_sparse, 0.0, mean), np.where(is_sparse, scaled, factor))


def _scaled(columns, sparse_factor):
    size = np.maximum(columns.moments.root_mean_square, 1.0)
    return Scales(np.zeros_like(size), _finite(sparse_factor / size, columns.moments))


def _unchanged(columns, sparse_factor):
    mean = columns.moments.mean
    return Scales(np.zeros_like(mean), np.ones_like(mean))


def unit_norm_factor(moments):
    """Return the factor, at most 1, of samples with a root mean square norm of 1."""
    size = np.minimum(moments.root_mean_square, 1.0)  # `_scaled` makes it at most 1.
    return 1 / max(1.0, float(np.linalg.norm(size)))


def _finite(factor, moments, which=slice(None)):
    """Return factors that leave out columns whose variance overflows."""
    limit = np.finfo(np.float64).max / MARGIN
    factor = np.clip(factor, -limit, limit)
    finite = np.isfinite(moments.square[which])
    return np.where(finite, np.nan_to_num(factor), 0.0)


# --- Bins -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bins:
    """Piecewise-linear encoding: a bin's value rises from 0 to a scale within it.

    Y. Gorishniy, I. Rubachev and A. Babenko, On Embeddings for Numerical Features in
    Tabular Deep Learning, 2022, arXiv:2203.05556; here with values that stay within
    their limits beyond the first and the last bin, and centered.

    Attributes
    ----------
    columns : ndarray of int
        Which of the columns of numbers each bin belongs to.
    left : ndarray of shape (n_bins,)
        Where the bins begin.
    factor : ndarray of shape (n_bins,)
        The scale divided by their widths.
    scale : float
        The largest value.
    mean : ndarray of shape (n_bins,)
        The mean in the training data.
    """

    columns: np.ndarray
    left: np.ndarray
    factor: np.ndarray
    scale: float
    mean: np.ndarray

    @classmethod
    def of(cls, columns, n_bins):
        """Return the bins between weighted quantiles of columns, as far as they differ.

        Columns with two values or fewer have none; columns of few values have a bin
        between each pair of neighbors that are quantiles.
        """
        chosen = columns.with_many_values()
        edges = columns.quantiles(np.arange(n_bins + 1) / n_bins, chosen)
        which, left, right = [], [], []
        for j, column_edges in zip(chosen, edges.T, strict=True):
            different = np.unique(column_edges)
            if len(different) > 2:
                which += [j] * (len(different) - 1)
                left.append(different[:-1])
                right.append(different[1:])
        if not which:
            return None
        left, right = np.concatenate(left), np.concatenate(right)
        limit = np.finfo(np.float64).max / MARGIN
        with np.errstate(all="ignore"):
            factor = np.minimum(BIN_SCALE / (right - left), limit)
        bins = cls(np.array(which), left, factor, BIN_SCALE, np.zeros(len(left)))
        return replace(bins, mean=columns.mean_of(bins.values))

    def values(self, X):
        """Return the bins of rows of numbers, not centered."""
        values = X.take(self.columns, axis=1) - self.left
        values *= self.factor
        return np.clip(values, 0.0, self.scale, out=values)

    def numbered(self):
        """Return the column of each bin, and its number within it, from 1."""
        first = np.searchsorted(self.columns, self.columns)
        return self.columns, np.arange(len(first)) - first + 1

    def copy(self):
        """Return a copy with plain arrays of its own."""
        names = ("columns", "left", "factor", "mean")
        return replace(self, **{name: np.array(getattr(self, name)) for name in names})


def _no_bins(n_columns):
    return 0


def _all_bins(n_columns):
    return min(MAX_BINS, MAX_BIN_INPUTS // max(1, n_columns))


def _bins_of_few(n_columns):
    return _all_bins(n_columns) if n_columns <= MAX_BINNED_COLUMNS else 0


# --- The table ------------------------------------------------------------------------


class NumericalEncoding(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    dense, sparse : callable
        ``dense(columns, sparse_factor)`` returns the `Scales` of the columns of an
        array, ``sparse(columns, sparse_factor)`` those of a CSR array.
    n_bins : callable
        ``n_bins(n_columns)`` returns the number of bins of each column of an array, if
        so many columns have more than two values.
    """

    dense: Callable[["Columns", float], Scales]
    sparse: Callable[["Columns", float], Scales]
    n_bins: Callable[[int], int] = _no_bins


NUMERICAL_ENCODINGS = {
    "auto": NumericalEncoding(_robust, _scaled_unless_dense, _bins_of_few),
    "none": NumericalEncoding(_unchanged, _unchanged),
    "standard": NumericalEncoding(_standard, _standard),
    "robust": NumericalEncoding(_robust, _scaled_unless_dense),
    "piecewise": NumericalEncoding(_robust, _scaled_unless_dense, _all_bins),
}

# Of a stream whose moments follow the data: what a column is may change at any time.
STREAM_ENCODING = NumericalEncoding(_standard, _scaled)


class Columns:
    """Columns of numbers in the training data, and what is known of them.

    Parameters
    ----------
    X : ndarray or CSR array
    numbers : ndarray of int
        The columns.
    rows : ndarray of int
        The rows to look at.
    weight : ndarray of shape (n_samples,) or None
    moments : Moments
        Of these columns and rows.
    """

    def __init__(self, X, numbers, rows, weight, moments):
        self.X = X
        self.numbers = numbers
        self.rows = rows
        self.weight = weight
        self.moments: Moments = moments

    @classmethod
    def of(cls, X, numbers, rows, weight, before=None):
        """Return the columns with their moments, `before` those of earlier data."""
        with np.errstate(all="ignore"):
            moments = moments_of(X, numbers, rows, weight, before)
        return cls(X, numbers, rows, weight, moments)

    def quantiles(self, levels, which=None):
        """Return weighted quantiles of some of the columns, all by default."""
        numbers = self.numbers if which is None else self.numbers[which]
        return quantiles_of(self.X, numbers, self.rows, self.weight, levels)

    def with_many_values(self):
        """Return which columns have values, but are not binary."""
        return np.flatnonzero((self.moments.weight > 0) & ~self.moments.is_binary)

    def mean_of(self, function):
        """Return the weighted mean of a function of rows of numbers."""
        (mean,) = averages_of(
            function, self.X, self.numbers, self.rows, self.weight, powers=1
        )
        return mean.copy()

    def moments_of_clipped(self, mean, factor):
        """Return mean and standard deviation of the smoothly clipped numbers."""
        average, square = averages_of(
            lambda numbers: clip_smoothly((numbers - mean) * factor),
            self.X,
            self.numbers,
            self.rows,
            self.weight,
            powers=2,
        )
        # The numbers are at most CLIP: the difference is exact enough.
        return average, np.sqrt(np.maximum(square - average**2, 0.0))
