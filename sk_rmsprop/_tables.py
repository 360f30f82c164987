"""Data frames of any library, and arrays of objects: read once into one array.

A `Table` knows what the columns of the training data were. It reads numbers as they
are, missing ones as NaN, and anything else as codes: positions in the column's list of
levels.
"""

from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Real

import numpy as np
from scipy.sparse import issparse

from sk_rmsprop._labels import is_missing

# What a value that was not among the levels is read as.
UNKNOWN_CODE = -1

TEMPORAL_TYPES = (date, time, timedelta, np.datetime64, np.timedelta64)


@dataclass(frozen=True)
class Table:
    """What the columns of the training data are.

    Attributes
    ----------
    names : list of str or None
        The columns' names; None for an array.
    categorical : list of int
        The categorical columns.
    levels : dict of int to ndarray
        For each column that is read as codes, the values that they stand for.
    complete : list of int
        The columns whose dtype lists all levels, those that do not occur included.
    n_columns : int
        The number of columns.
    """

    names: list | None
    categorical: list
    levels: dict
    complete: list
    n_columns: int

    @property
    def numeric(self):
        """The columns of numbers, as an array."""
        return np.setdiff1d(np.arange(self.n_columns), self.categorical)

    @classmethod
    def of(cls, X, categorical_features="from_dtype"):
        """Return the table of training data.

        Raises
        ------
        TypeError, ValueError
            If columns share a name, hold dates, or hold strings without being
            categorical; if `categorical_features` names no columns.
        """
        names = check_table(X)
        columns = _columns(X)
        if columns is None:
            shape = X.shape if issparse(X) else np.asarray(X).shape
            n_columns = shape[1] if len(shape) == 2 else 0
            categorical = _named_columns(categorical_features, n_columns)
            return cls(None, categorical, {}, [], n_columns)
        if isinstance(categorical_features, str):
            readable = [] if names is None else range(len(columns))
            categorical = [j for j in readable if _is_nominal(columns[j])]
            coded = categorical
        else:
            categorical = _named_columns(categorical_features, len(columns), names)
            coded = [j for j in categorical if _needs_levels(columns[j])]
        levels = {j: _levels(columns[j]) for j in coded}
        complete = [j for j in categorical if _categories(columns[j]) is not None]
        return cls(names, categorical, levels, complete, len(columns))

    def read(self, X):
        """Return the data as a numeric array, or as a CSR array if they are sparse.

        An array of numbers is returned as it is.
        """
        check_table(X)
        columns = _columns(X)
        if columns is None and self.levels:
            raise ValueError(
                f"X has no columns of strings, but {self.describe(min(self.levels))} "
                "had in the training data. Pass a data frame like that of fit."
            )
        if columns is None and isinstance(X, np.ma.MaskedArray):
            return np.ma.filled(X.astype(np.float64), np.nan)
        if columns is None:
            return X if issparse(X) or isinstance(X, np.ndarray) else np.asarray(X)
        if len(columns) != self.n_columns:
            raise ValueError(
                f"X has {len(columns)} features, but the model is expecting "
                f"{self.n_columns} features as input."
            )
        if not self.levels and _is_frame(X) and _has_one_numeric_dtype(X):
            return X.to_numpy()
        read = [self._read_column(j, column) for j, column in enumerate(columns)]
        dtype = np.result_type(*read) if read else np.float64
        array = np.empty((len(read[0]) if read else 0, len(read)), dtype)
        for j, values in enumerate(read):
            array[:, j] = values
        return array

    def _read_column(self, j, column):
        if j in self.levels:
            return _codes(column, self.levels[j])
        numbers = _as_numbers(column)
        if numbers is not None:
            return numbers
        example = _example(column)
        if example is None:
            return np.full(len(column), np.nan)
        if isinstance(example, TEMPORAL_TYPES):
            _check_no_dates([f"{self.describe(j)} ({type(example).__name__})"])
        if not isinstance(example, str):
            raise TypeError(
                f"Each argument must be a string or a real number, not "
                f"{type(example).__name__!r}: X has {example!r} in {self.describe(j)}."
            )
        raise ValueError(
            f"could not convert string to float: X has {example!r} in "
            f"{self.describe(j)}. Name the column in categorical_features (in a data "
            "frame 'from_dtype' does that), or encode it."
        )

    def check_names(self, X):
        """Raise if a frame does not have the columns of the training data."""
        if self.names is not None and _is_frame(X):
            names = [str(name) for name in X.columns]
            if names != self.names:
                raise ValueError(
                    f"X has the columns {names}, but the training data had "
                    f"{self.names}."
                )

    def copy(self):
        """Return a copy with plain arrays of its own."""
        levels = {j: np.array(levels) for j, levels in self.levels.items()}
        return replace(self, levels=levels)

    def of_codes(self):
        """Return the table of what `read` returns."""
        return replace(self, levels={})

    def describe(self, j):
        """Return how to call a column in a message."""
        return f"column {j}" if self.names is None else f"column {self.names[j]!r}"


def check_table(X):
    """Return the names of the columns of a frame, None for an array.

    Raises
    ------
    TypeError
        If `X` is a lazy frame.
    ValueError
        If columns share a name, or hold dates or durations.
    """
    if isinstance(X, np.ndarray):
        _check_no_dates([str(X.dtype)] if X.dtype.kind in "mM" else [])
        return None
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        raise TypeError("X is a lazy frame; pass X.collect() instead.")
    if not _is_frame(X):
        return None
    names = list(X.columns)
    if len(set(names)) < len(names):
        duplicates = sorted({str(name) for name in names if names.count(name) > 1})
        raise ValueError(
            f"X has several columns with the same name: {', '.join(duplicates)}. "
            "Rename or drop them."
        )
    _check_no_dates(
        [
            f"column {name!r} ({dtype})"
            for name, dtype in zip(names, X.dtypes, strict=True)
            if _is_temporal(dtype)
        ]
    )
    return [str(name) for name in names]


def _is_frame(X):
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def _is_temporal(dtype):
    """Return whether a column of this dtype holds dates, times or durations."""
    if hasattr(dtype, "is_temporal"):  # polars
        return dtype.is_temporal()
    return getattr(dtype, "kind", "") in tuple("mM") or str(dtype).startswith("period")


def _check_no_dates(columns):
    if columns:
        raise ValueError(
            f"X has dates or durations, which have no natural scale: "
            f"{', '.join(columns)}. Convert them to numbers that mean something for "
            "the task: parts of the date such as the year, month or weekday, or the "
            "time since a fixed date in days."
        )


def _columns(X):
    """Return the columns to be read one by one, None for an array of numbers."""
    if _is_frame(X):
        if hasattr(X, "iloc"):
            return [X.iloc[:, j] for j in range(X.shape[1])]
        return list(X.get_columns())
    if issparse(X):
        return None
    array = np.asarray(X)
    if array.ndim != 2 or array.dtype.kind not in "OUT":
        return None
    return list(np.asarray(X, dtype=object).T)


def _named_columns(categorical_features, n_columns, names=None):
    """Return the indices of the columns that a mask, indices or names stand for."""
    if categorical_features is None or isinstance(categorical_features, str):
        return []
    named = np.asarray(categorical_features)
    if named.size == 0:
        return []
    kind = named.dtype.kind
    if named.ndim != 1 or kind not in "biuUO":
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a 1-D array of "
            f"booleans, of integers or of names, got {categorical_features!r}."
        )
    if kind == "b":
        if len(named) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(named)} columns, but X has "
                f"{n_columns}."
            )
        return np.flatnonzero(named).tolist()
    if kind in "iu":
        if named.min() < 0 or named.max() >= n_columns:
            raise ValueError(
                f"categorical_features has indices that are not from 0 to "
                f"{n_columns - 1}: {categorical_features!r}."
            )
        return sorted(set(named.tolist()))
    unknown = [name for name in named.tolist() if names is None or name not in names]
    if unknown:
        raise ValueError(
            f"categorical_features names {unknown}, but "
            f"{'X has no column names' if names is None else f'X has {names}'}."
        )
    return sorted({names.index(name) for name in named})


def _is_nominal(column):
    """Return whether a frame's column is categorical by its dtype and values."""
    if _categories(column) is not None or _is_text(column.dtype):
        return True
    if column.dtype == object and _example(column, other_than=()) is None:
        return True  # Missing throughout: strings may come.
    return _as_numbers(column) is None and isinstance(_example(column), str)


def _needs_levels(column):
    """Return whether a categorical column has to be read as codes."""
    return _is_nominal(column) or _as_numbers(column) is None


def _is_text(dtype):
    return str(dtype).startswith(
        ("str", "String", "Categorical", "Enum", "large_string")
    )


def _has_one_numeric_dtype(X):
    """Return whether a frame can be read at once: other dtypes would be widened."""
    dtypes = set(X.dtypes)
    if len(dtypes) != 1:
        return False
    (dtype,) = dtypes
    if hasattr(X, "iloc"):
        return isinstance(dtype, np.dtype) and dtype.kind in "biuf"
    return dtype.is_integer() or dtype.is_float()


def _is_pandas_categorical(column):
    return hasattr(column, "cat") and hasattr(column.cat, "codes")


def _categories(column):
    """Return the categories that the dtype of a column lists, None if it lists none."""
    if _is_pandas_categorical(column):
        return column.cat.categories.tolist()
    categories = getattr(getattr(column, "dtype", None), "categories", None)
    if categories is None or not hasattr(categories, "to_list"):
        return None
    if type(column.dtype).__name__ != "Enum":  # polars shares those of Categorical
        return None
    return categories.to_list()


def _as_numbers(column):
    """Return a column as an array with NaN for missing values, None if that fails."""
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return np.asarray(column)
    if hasattr(dtype, "is_numeric"):  # polars
        if dtype.is_numeric():
            return _floats_if_objects(column.to_numpy())
        if _is_text(dtype):
            return None
        if str(dtype) == "Boolean" and column.null_count() == 0:
            return column.to_numpy()
        return _floats_if_objects(np.array([*column.to_list(), None], object)[:-1])
    if getattr(dtype, "kind", "O") in "biuf":  # pandas' nullable and sparse dtypes
        if column.isna().any():
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(column)
    return _floats_if_objects(np.asarray(column, dtype=object))


def _floats_if_objects(values):
    """Return objects as float64 if all are numbers, booleans or missing."""
    if values.dtype != object:
        return values
    floats = np.empty(len(values))
    for i, value in enumerate(values):
        if isinstance(value, (Real, np.bool_, Decimal)):
            floats[i] = value
        elif is_missing(value):
            floats[i] = np.nan
        else:
            return None
    return floats


def _levels(column):
    """Return the levels of a column: its dtype's, or those that occur, sorted."""
    categories = _categories(column)
    if categories is None:
        found = {_key(value) for value in _values(column) if not is_missing(value)}
        categories = sorted(found, key=lambda level: (type(level).__name__, level))
    levels = np.empty(len(categories), object)
    levels[:] = [_key(level) for level in categories]
    return levels


def _codes(column, levels):
    """Return the positions of a column's values in its levels, NaN for missing ones."""
    index = {level: code for code, level in enumerate(levels)}
    if _is_pandas_categorical(column):
        categories = column.cat.categories.tolist()
        code_of = [index.get(_key(level), UNKNOWN_CODE) for level in categories]
        code_of = np.array([*code_of, np.nan])  # pandas' code of a missing value is -1.
        codes = code_of[np.asarray(column.cat.codes)]
    else:
        codes = np.array([_code(value, index) for value in _values(column)], np.float64)
    if np.isnan(codes).any() or len(levels) == 0:
        return codes  # In float64: float32 would make single precision of the table.
    return codes.astype(np.min_scalar_type(-len(levels)))


def _code(value, index):
    code = index.get(_key(value))
    if code is not None:
        return code
    return np.nan if is_missing(value) else UNKNOWN_CODE


def _key(level):
    """Return a level as it is stored: plain values as they are, others as strings."""
    if isinstance(level, np.generic):
        level = level.item()
    if level is None or isinstance(level, (str, bool, int, float)):
        return level
    return level if is_missing(level) else str(level)


def _values(column):
    return column.to_list() if hasattr(column, "to_list") else column.tolist()


def _example(column, other_than=(Real, np.bool_, Decimal)):
    """Return a value that is neither missing nor of these types, None without one."""
    values = (value for value in _values(column) if not is_missing(value))
    return next((value for value in values if not isinstance(value, other_than)), None)
