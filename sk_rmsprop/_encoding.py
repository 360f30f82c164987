"""How samples enter the network: numbers on a common scale, gaps and categories as 0/1.

An `Encoding` maps rows of a numeric array (see `_tables`) to the network's inputs,
batch by batch: all numbers, in the order of their columns; then, for each column of
numbers with missing values in the training data, whether the value is missing; then the
categories of each categorical column. The encoded data are never made for all rows.

`NUMERICAL_ENCODINGS` is the only list of what can be done to numbers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from sk_rmsprop._categories import Categories, OneHot
from sk_rmsprop._sparse import CenteredRows
from sk_rmsprop._statistics import Moments, moments_of
from sk_rmsprop._tables import Table

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


# --- Numbers --------------------------------------------------------------------------


class NumericalEncoding(NamedTuple):
    """One row of the table: what is subtracted from numbers, and their factor.

    Attributes
    ----------
    dense, sparse : callable or None
        ``dense(moments, sparse_factor)`` returns means and factors of the columns of an
        array, ``sparse(moments, sparse_factor)`` those of a CSR array. None leaves the
        numbers as they are.
    """

    dense: Callable[[Moments, float], tuple] | None
    sparse: Callable[[Moments, float], tuple] | None


def _standard(moments, sparse_factor=None):
    deviation = moments.deviation
    factor = np.divide(1, deviation, out=np.ones_like(deviation), where=deviation > 0)
    return moments.mean.copy(), _finite(factor, moments)


def _standard_but_binary(moments, sparse_factor):
    # Standardized, a category that is rare would get a large value and decide alone.
    mean, factor = _standard(moments)
    binary = moments.is_binary
    mean[binary] = 0.0
    factor[binary] = 1 / moments.other[binary]
    return mean, _finite(factor, moments)


def _scaled_unless_dense(moments, sparse_factor):
    mean, factor = _standard(moments)
    share, binary = moments.nonzero_share, moments.is_binary
    _, scaled = _scaled(moments, sparse_factor)
    binary_factor = np.clip(BINARY_SPARSE_FACTOR * share, sparse_factor, 1.0)
    # A word that occurs once has one value, too: it is not to be scaled up.
    scaled[binary] = (binary_factor / np.maximum(np.abs(moments.other), 1.0))[binary]
    is_sparse = binary | (share <= DENSE_SHARE)
    return np.where(is_sparse, 0.0, mean), np.where(is_sparse, scaled, factor)


def _scaled(moments, sparse_factor):
    size = np.maximum(moments.root_mean_square, 1.0)
    return np.zeros_like(size), _finite(sparse_factor / size, moments)


def _unit_norm_factor(moments):
    """Return the factor, at most 1, of samples with a root mean square norm of 1."""
    size = np.minimum(moments.root_mean_square, 1.0)  # `_scaled` makes it at most 1.
    return 1 / max(1.0, float(np.linalg.norm(size)))


def _finite(factor, moments):
    """Return factors that leave out columns whose variance overflows."""
    limit = np.finfo(np.float64).max / MARGIN
    factor = np.clip(factor, -limit, limit)
    return np.where(np.isfinite(moments.square), np.nan_to_num(factor), 0.0)


NUMERICAL_ENCODINGS = {
    "auto": NumericalEncoding(_standard_but_binary, _scaled_unless_dense),
    "none": NumericalEncoding(None, None),
    "standard": NumericalEncoding(_standard, _standard),
}

# Of a stream whose moments follow the data: what a column is may change at any time.
STREAM_ENCODING = NumericalEncoding(_standard, _scaled)


# --- All columns ----------------------------------------------------------------------


@dataclass(frozen=True)
class Encoding:
    """The map from the features to the inputs of the network.

    Attributes
    ----------
    table : Table
        What the columns are.
    numeric : ndarray of int
        The columns of numbers.
    numerical : str
        What was asked for, a key of `NUMERICAL_ENCODINGS`.
    mean, factor : ndarray of shape (n_numeric,)
        What is subtracted from numbers, and their factor then.
    gaps : ndarray of int
        Which of them have an input that says whether they are missing.
    categories : list of Categories
    empty : ndarray of int
        Which of them are missing throughout the training data.
    sparse : bool
        Whether the training data are sparse.
    sparse_factor : float
        The factor of sparse features.
    moments : Moments or None
        Of a stream, the moments of all data so far.
    weight_exponent : int
        They count weights in units of this power of 2, so that no sum overflows.
    """

    table: Table
    numeric: np.ndarray
    numerical: str
    mean: np.ndarray
    factor: np.ndarray
    gaps: np.ndarray
    categories: list
    empty: np.ndarray
    sparse: bool
    sparse_factor: float
    moments: Moments | None = None
    weight_exponent: int = 0

    @classmethod
    def of(
        cls,
        table,
        X,
        rows,
        weight,
        numerical,
        *,
        sparse_factor=1.0,
        is_stream=False,
        follows=False,
    ):
        """Return the encoding of training data.

        Parameters
        ----------
        table : Table
        X : ndarray or CSR array of shape (n_samples, n_features)
        rows : ndarray of int
            The rows to learn from.
        weight : ndarray of shape (n_samples,) or None
        numerical : str
            Key of `NUMERICAL_ENCODINGS`.
        sparse_factor : float or None, default=1.0
            The factor of sparse features; None scales samples to a norm of 1, on
            average.
        is_stream : bool, default=False
            Whether more data will come, with levels that only the dtype lists so far.
        follows : bool, default=False
            Whether the scales will follow these data: `STREAM_ENCODING` replaces the
            row of the table then.
        """
        categorical = set(table.categorical)
        numeric = np.array([j for j in range(X.shape[1]) if j not in categorical], int)
        exponent = 0 if weight is None else int(np.frexp(weight.max())[1])
        weight = _in_units(weight, exponent, X.shape[0])
        with np.errstate(all="ignore"):
            moments = moments_of(X, numeric, rows, weight)
        gaps = np.array(np.flatnonzero(moments.gaps > 0))
        categories = _all_categories(
            table, X, rows, weight, len(numeric) + len(gaps), is_stream
        )
        sparse = not isinstance(X, np.ndarray)
        row = STREAM_ENCODING if follows else NUMERICAL_ENCODINGS[numerical]
        with np.errstate(all="ignore"):
            if sparse_factor is None:
                sparse_factor = _unit_norm_factor(moments)
            mean, factor = _scales(row, sparse, moments, sparse_factor)
        return cls(
            table=table,
            numeric=numeric,
            numerical=numerical,
            mean=mean,
            factor=factor,
            gaps=gaps,
            categories=categories,
            empty=np.array(np.flatnonzero(moments.weight == 0)),
            sparse=sparse,
            sparse_factor=sparse_factor,
            moments=moments if follows else None,
            weight_exponent=exponent,
        )

    def following(self, X, rows, weight):
        """Return the encoding of a stream after more data."""
        weight = _in_units(weight, self.weight_exponent, X.shape[0])
        with np.errstate(all="ignore"):
            moments = moments_of(X, self.numeric, rows, weight, self.moments)
            mean, factor = _scales(
                STREAM_ENCODING, self.sparse, moments, self.sparse_factor
            )
        return replace(self, mean=mean, factor=factor, moments=moments)

    @property
    def scaled(self):
        """Whether numbers are scaled."""
        return self.numerical != "none"

    @property
    def n_inputs(self):
        """Number of inputs."""
        n_categories = sum(categories.n_inputs for categories in self.categories)
        return len(self.numeric) + len(self.gaps) + n_categories

    @property
    def absent_inputs(self):
        """Inputs of numbers and categories that the training data do not have."""
        return np.concatenate(
            [self.empty, *(categories.absent for categories in self.categories)]
        )

    @property
    def keeps_numbers(self):
        """Whether the inputs are the features as they are."""
        return not self.scaled and not len(self.gaps) and not self.categories

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return replace(
            self,
            numeric=np.array(self.numeric),
            mean=np.array(self.mean),
            factor=np.array(self.factor),
            gaps=np.array(self.gaps),
            empty=np.array(self.empty),
            table=self.table.copy(),
            categories=[categories.copy() for categories in self.categories],
            moments=self.moments and self.moments.copy(),
        )

    def encoder(self, X, dtype):
        """Return a function from rows like those of `X` to inputs of a dtype."""
        if not isinstance(X, np.ndarray):
            return Encoder(self, X.dtype, dtype).encode_sparse
        if self.keeps_numbers and X.dtype == dtype and not _has_nan(X):
            return np.asarray
        return Encoder(self, X.dtype, dtype).encode

    def transform(self, X):
        """Return the inputs of the network.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples, with the columns of the training data.

        Returns
        -------
        ndarray of shape (n_samples, n_inputs)
            In float64, or float32 for float32 input. Sparse data become dense.
        """
        self.table.check_names(X)
        X = self.table.read(X)
        if issparse(X):
            X = X.toarray()
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        return Encoder(self, X.dtype, dtype).encode(X)

    def get_feature_names_out(self):
        """Return the names of the inputs.

        Returns
        -------
        ndarray of str
            The names of the numbers, ``missingindicator_NAME`` where they can be
            missing, and ``NAME_CATEGORY``, ``NAME_infrequent`` for all rarer
            categories, and ``NAME_missing``.
        """
        given = self.table.names

        def name(j):
            return f"x{j}" if given is None else given[j]

        names = [name(j) for j in self.numeric]
        names += [f"missingindicator_{name(self.numeric[i])}" for i in self.gaps]
        for categories in self.categories:
            levels = self.table.levels.get(categories.column)
            names += categories.names(name(categories.column), levels)
        return np.array(names, dtype=object)


def _in_units(weight, exponent, n_samples):
    """Return weights in units of a power of 2; None stands for ones."""
    if weight is None:
        return np.full(n_samples, 2.0**-exponent) if exponent else None
    with np.errstate(under="ignore"):
        return np.ldexp(weight, -exponent)


def _all_categories(table, X, rows, weight, first_input, is_stream):
    """Return the categories of all categorical columns."""
    weight = np.ones(len(rows)) if weight is None else weight[rows]
    categories = []
    for j in table.categorical:
        # In a stream, a level that the dtype lists may occur later.
        is_listed = is_stream and j in table.complete
        n_levels = len(table.levels[j]) if is_listed else None
        values = X[rows, j].astype(np.float64)
        categories.append(Categories.of(values, weight, j, n_levels, first_input))
        first_input += categories[-1].n_inputs
    return categories


def _scales(row, sparse, moments, sparse_factor):
    """Return means and factors by a row of the table."""
    scale = row.sparse if sparse else row.dense
    if scale is None:
        return np.zeros_like(moments.mean), np.ones_like(moments.mean)
    mean, factor = scale(moments, sparse_factor)
    return np.where(factor == 0, 0.0, mean), factor


def _has_nan(X):
    """Return whether there may be a NaN, with one pass and no array of truth values."""
    with np.errstate(all="ignore"):
        return math.isnan(np.add.reduce(X, axis=None))


class Encoder:
    """Encodes rows of one dtype into inputs of another, dense or CSR.

    Differences from the mean are taken in the rows' own precision.

    Parameters
    ----------
    encoding : Encoding
    source, dtype : dtype
        Of the rows, and of the inputs.
    """

    def __init__(self, encoding, source, dtype):
        self.encoding = encoding
        self.dtype = np.dtype(dtype)
        self.work_dtype = np.promote_types(source, dtype)
        self.mean = encoding.mean.astype(self.work_dtype, copy=False)
        self.factor = encoding.factor
        if self.work_dtype == np.float32:
            limit = np.finfo(np.float32).max / MARGIN
            self.factor = np.clip(self.factor, -limit, limit)
        self.factor = self.factor.astype(self.work_dtype, copy=False)
        self.work = None
        # Columns of sparse rows that are centered, and by how much.
        self.centered = np.flatnonzero(self.mean)
        center = (self.mean * self.factor)[self.centered]
        self.center = center.astype(self.dtype, copy=False)
        self.one_hot = OneHot(encoding.categories) if encoding.categories else None

    def encode(self, X):
        """Return the inputs of rows of an array."""
        out = np.empty((len(X), self.encoding.n_inputs), self.dtype)
        self.write(X, out)
        return out

    def write(self, X, out):
        """Write the inputs of rows of an array into `out`, which may be `X` itself."""
        encoding = self.encoding
        n_numbers, n_gaps = len(encoding.numeric), len(encoding.gaps)
        numbers = out if n_numbers == out.shape[1] else out[:, :n_numbers]
        self._write_numbers(X, numbers)
        if n_gaps:
            gaps = numbers[:, encoding.gaps]
            np.isnan(gaps, out=gaps)
            out[:, n_numbers : n_numbers + n_gaps] = gaps
        if X.dtype.kind == "f" and _has_nan(numbers):
            numbers[np.isnan(numbers)] = 0.0
        if self.one_hot is not None:
            out[:, n_numbers + n_gaps :] = 0.0
            self.one_hot.write(X, out)

    def _write_numbers(self, X, numbers):
        if numbers.shape[1] < X.shape[1]:
            X = X.take(self.encoding.numeric, axis=1)
        if not self.encoding.scaled:
            if X is not numbers:
                np.copyto(numbers, X, casting="same_kind")
            return
        work = numbers
        if self.work_dtype != numbers.dtype:
            if self.work is None or len(self.work) != len(X):
                self.work = np.empty(X.shape, self.work_dtype)
            work = self.work
        np.subtract(X, self.mean, out=work)
        np.multiply(work, self.factor, out=numbers, casting="same_kind")

    def encode_sparse(self, X):
        """Return the inputs of CSR rows: CSR again, or `CenteredRows`."""
        data = X.data
        if self.encoding.scaled:
            data = data * self.factor[X.indices]
        data = data.astype(self.dtype, copy=False)
        # Sparse values are never missing: indicators are columns without values.
        shape = (X.shape[0], self.encoding.n_inputs)
        scaled = csr_array((data, X.indices, X.indptr), shape=shape)
        if not len(self.centered):
            return scaled
        return CenteredRows(scaled, self.centered, self.center)
