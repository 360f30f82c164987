"""Data frames of any library: what their columns are, and which cannot be used."""

import numpy as np


def check_table(X):
    """Raise an error for a table that has no meaning as numbers.

    Raises
    ------
    TypeError
        If `X` is a lazy frame.
    ValueError
        If columns share a name, or hold dates or durations.
    """
    if isinstance(X, np.ndarray):
        _check_no_dates([str(X.dtype)] if X.dtype.kind in "mM" else [])
        return
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        raise TypeError("X is a lazy frame; pass X.collect() instead.")
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return
    names = list(X.columns)
    duplicates = sorted({str(name) for name in names if names.count(name) > 1})
    if duplicates:
        raise ValueError(
            f"X has several columns with the same name: {', '.join(duplicates)}. "
            "Rename or drop them."
        )
    _check_no_dates(
        [
            f"column {name!r} ({dtype})"
            for name, dtype in zip(names, X.dtypes, strict=True)
            if is_temporal(dtype)
        ]
    )


def is_temporal(dtype):
    """Return whether a column of this dtype holds dates, times or durations."""
    if hasattr(dtype, "is_temporal"):  # polars
        return dtype.is_temporal()
    return getattr(dtype, "kind", "") in tuple("mM")


def _check_no_dates(columns):
    if columns:
        raise ValueError(
            f"X has dates or durations, which have no natural scale: "
            f"{', '.join(columns)}. Convert them to numbers that mean something for "
            "the task: parts of the date such as the year, month or weekday, or the "
            "time since a fixed date in days."
        )
