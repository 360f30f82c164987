"""How samples enter the network: numbers on a common scale, gaps and categories as 0/1.

An `Encoding` maps rows of a numeric array (see `_tables`) to the network's inputs,
batch by batch: all numbers, in the order of their columns; then the bins of their
piecewise-linear encoding; then, for each column of numbers with missing values in the
training data, whether the value is missing; then the categories of each categorical
column. The encoded data are never made for all rows.

What is done to numbers is a row of `NUMERICAL_ENCODINGS` (see `_numbers`).
"""

import math
import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, issparse

from sk_rmsprop._categories import Categories, OneHot
from sk_rmsprop._numbers import (
    MARGIN,
    NUMERICAL_ENCODINGS,
    STREAM_ENCODING,
    Bins,
    Columns,
    clip_smoothly,
    unit_norm_factor,
)
from sk_rmsprop._sparse import CenteredRows
from sk_rmsprop._statistics import Moments
from sk_rmsprop._tables import Table

# A column with more categories than this, and than half of the samples, gets a warning.
MIN_IDENTIFIERS = 20

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
    clipped : ndarray of shape (2, n_numeric) or None
        What is subtracted after a smooth clip, and the factor then; None if they are
        not clipped.
    bins : Bins or None
        The bins of their piecewise-linear encoding.
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
    clipped: np.ndarray | None
    bins: Bins | None
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
        sparse = not isinstance(X, np.ndarray)
        row = STREAM_ENCODING if follows else NUMERICAL_ENCODINGS[numerical]
        exponent = 0 if weight is None else int(np.frexp(weight.max())[1])
        weight = _in_units(weight, exponent, X.shape[0])
        columns = Columns.of(X, table.numeric, rows, weight)
        if sparse_factor is None:
            sparse_factor = unit_norm_factor(columns.moments)
        scales = _scales(row, sparse, columns, sparse_factor)
        bins = None if sparse else _bins(row, columns)
        gaps = np.array(np.flatnonzero(columns.moments.gaps > 0))
        n_bins = 0 if bins is None else len(bins.left)
        n_before = len(columns.numbers) + n_bins + len(gaps)
        return cls(
            table=table,
            numeric=columns.numbers,
            numerical=numerical,
            mean=scales.mean,
            factor=scales.factor,
            clipped=scales.clipped,
            bins=bins,
            gaps=gaps,
            categories=_all_categories(table, X, rows, weight, n_before, is_stream),
            empty=np.array(np.flatnonzero(columns.moments.weight == 0)),
            sparse=sparse,
            sparse_factor=sparse_factor,
            moments=columns.moments if follows else None,
            weight_exponent=exponent,
        )

    def following(self, X, rows, weight):
        """Return the encoding of a stream after more data."""
        weight = _in_units(weight, self.weight_exponent, X.shape[0])
        columns = Columns.of(X, self.numeric, rows, weight, self.moments)
        scales = _scales(STREAM_ENCODING, self.sparse, columns, self.sparse_factor)
        return replace(
            self, mean=scales.mean, factor=scales.factor, moments=columns.moments
        )

    @property
    def scaled(self):
        """Whether numbers are scaled."""
        return self.numerical != "none"

    @property
    def n_inputs(self):
        """Number of inputs."""
        n_categories = sum(categories.n_inputs for categories in self.categories)
        return len(self.numeric) + self.n_bins + len(self.gaps) + n_categories

    @property
    def n_bins(self):
        """Number of bins, of all columns."""
        return 0 if self.bins is None else len(self.bins.left)

    @property
    def absent_inputs(self):
        """Inputs of numbers and categories that the training data do not have."""
        return np.concatenate(
            [self.empty, *(categories.absent for categories in self.categories)]
        )

    @property
    def only_scales(self):
        """Whether each feature is one input, on some scale."""
        not_clipped = self.clipped is None and self.bins is None
        return not_clipped and not len(self.gaps) and not self.categories

    def is_sparse(self, X):
        """Return whether the inputs of `X` are sparse.

        After training on an array they may be dense, whatever `X` is.
        """
        return self.only_scales and not isinstance(X, np.ndarray)

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return replace(
            self,
            numeric=np.array(self.numeric),
            mean=np.array(self.mean),
            factor=np.array(self.factor),
            clipped=None if self.clipped is None else np.array(self.clipped),
            bins=self.bins and self.bins.copy(),
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
        unchanged = self.only_scales and not self.scaled
        if unchanged and X.dtype == dtype and not _has_nan(X):
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
            The names of the numbers, ``NAME_bin1`` and so on for their bins,
            ``missingindicator_NAME`` where they can be missing, and
            ``NAME_CATEGORY``, ``NAME_infrequent`` for all rarer categories, and
            ``NAME_missing``.
        """
        given = self.table.names

        def name(j):
            return f"x{j}" if given is None else given[j]

        names = [name(j) for j in self.numeric]
        if self.bins is not None:
            names += [
                f"{name(self.numeric[i])}_bin{number}"
                for i, number in zip(*self.bins.numbered(), strict=True)
            ]
        names += [f"missingindicator_{name(self.numeric[i])}" for i in self.gaps]
        for categories in self.categories:
            levels = self.table.levels.get(categories.column)
            names += categories.names(name(categories.column), levels)
        return np.array(names, dtype=object)


def warn_of_identifiers(encoding, n_samples, stacklevel):
    """Warn of columns with almost as many categories as samples."""
    for categories in encoding.categories:
        n_categories = categories.n_occurring
        if n_categories > max(n_samples / 2, MIN_IDENTIFIERS):
            warnings.warn(
                f"X has {n_categories} categories among {n_samples} samples in "
                f"{encoding.table.describe(categories.column)}. Identifiers and free "
                "text do not generalize: drop the column, or encode it.",
                stacklevel=stacklevel,
            )


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


def _scales(row, sparse, columns, sparse_factor):
    """Return the scales of columns by a row of the table."""
    scale = row.sparse if sparse else row.dense
    with np.errstate(all="ignore"):
        scales = scale(columns, sparse_factor)
    return scales._replace(mean=np.where(scales.factor == 0, 0.0, scales.mean))


def _bins(row, columns):
    """Return the bins of columns by a row of the table, or None."""
    n_bins = row.n_bins(len(columns.with_many_values()))
    return Bins.of(columns, n_bins) if n_bins >= 2 else None


def _fill_gaps(numbers):
    """Replace missing numbers by 0, in place."""
    if _has_nan(numbers):
        numbers[np.isnan(numbers)] = 0.0


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
        self.clipped = encoding.clipped
        if self.clipped is not None:
            self.clipped = self.clipped.astype(self.dtype)
        self.bins = encoding.bins
        self.work = None
        self.one_hot = OneHot(encoding.categories) if encoding.categories else None

    @cached_property
    def centers(self):
        """Columns of sparse rows that are centered, and what is subtracted then."""
        columns = np.flatnonzero(self.mean)
        center = (self.mean * self.factor)[columns]
        return columns, center.astype(self.dtype, copy=False)

    def encode(self, X):
        """Return the inputs of rows of an array."""
        out = np.empty((len(X), self.encoding.n_inputs), self.dtype)
        self.write(X, out)
        return out

    def write(self, X, out):
        """Write the inputs of rows of an array into `out`, which may be `X` itself."""
        encoding = self.encoding
        n_numbers, n_gaps = len(encoding.numeric), len(encoding.gaps)
        n_before_gaps = n_numbers + encoding.n_bins
        numbers = X.take(encoding.numeric, axis=1) if n_numbers < X.shape[1] else X
        if self.bins is not None:
            self._write_bins(numbers, out[:, n_numbers:n_before_gaps])
        written = out if n_numbers == out.shape[1] else out[:, :n_numbers]
        if self.clipped is None:
            self._write_numbers(numbers, written)
        else:
            self._write_clipped(numbers, written)
        if n_gaps:
            gaps = written[:, encoding.gaps]
            np.isnan(gaps, out=gaps)
            out[:, n_before_gaps : n_before_gaps + n_gaps] = gaps
        if X.dtype.kind == "f":
            _fill_gaps(out[:, :n_before_gaps])
        if self.one_hot is not None:
            out[:, n_before_gaps + n_gaps :] = 0.0
            self.one_hot.write(X, out)

    def _write_numbers(self, X, numbers):
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

    def _write_clipped(self, X, numbers):
        with np.errstate(over="ignore"):  # What is infinite is at the limit.
            self._write_numbers(X, numbers)
            clip_smoothly(numbers)
            np.subtract(numbers, self.clipped[0], out=numbers)
            np.multiply(numbers, self.clipped[1], out=numbers)

    def _write_bins(self, X, out):
        """Write the bins of rows of numbers, centered."""
        with np.errstate(over="ignore"):
            values = self.bins.values(X.astype(self.work_dtype, copy=False))
        np.subtract(values, self.bins.mean, out=out, casting="same_kind")

    def encode_sparse(self, X):
        """Return the inputs of CSR rows: CSR again, `CenteredRows`, or an array."""
        if not self.encoding.is_sparse(X):
            return self.encode(X.toarray())
        data = X.data
        if self.encoding.scaled:
            data = data * self.factor[X.indices]
        data = data.astype(self.dtype, copy=False)
        scaled = csr_array((data, X.indices, X.indptr), shape=X.shape)
        columns, center = self.centers
        return CenteredRows(scaled, columns, center) if len(columns) else scaled
