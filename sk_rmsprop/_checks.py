"""What `RMSprop` accepts: options in their ranges, arrays it can update in place."""

from math import isfinite
from numbers import Integral, Real

import numpy as np

_RANGES = {
    "learning_rate": (lambda value: value > 0, "positive"),
    "beta": (lambda value: 0 <= value < 1, "in [0, 1)"),
    "epsilon": (lambda value: value > 0, "positive"),
    "momentum": (lambda value: 0 <= value < 1, "in [0, 1)"),
    "weight_decay": (lambda value: value >= 0, "non-negative"),
    "initial_square_average": (lambda value: value >= 0, "non-negative"),
}


def in_range(name, value):
    """Return `value` as a float, or raise if it is not in the range of `name`."""
    is_in_range, words = _RANGES[name]
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if not (isfinite(value) and is_in_range(value)):
        raise ValueError(f"{name} must be {words} and finite, got {value!r}.")
    return float(value)


def flag(name, value):
    """Return `value` as a bool, or raise if it is none."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a bool, got {value!r}.")
    return bool(value)


def check_params(params):
    """Raise if parameters cannot be updated in place."""
    _check_dtype("params", params)
    if not params.flags.writeable:
        raise ValueError("params is read-only, and would be updated in place; copy it.")
    if not params.flags.forc:
        raise ValueError(
            "params must be contiguous to be updated in place; copy it first."
        )


def check_gradient(gradient, dtype, shape):
    """Raise if a gradient does not have the dtype and shape of the parameters."""
    _check_dtype("gradient", gradient)
    if gradient.dtype != dtype:
        raise TypeError(
            f"gradient must have the dtype of params, {dtype}, got {gradient.dtype}."
        )
    if gradient.shape != shape:
        raise ValueError(
            f"gradient must have the shape of params, {shape}, got {gradient.shape}."
        )


def _check_dtype(name, array):
    floating = (np.float32, np.float64)
    if not isinstance(array, np.ndarray) or array.dtype not in floating:
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(
            f"{name} must be a NumPy array of float32 or float64, got {kind}."
        )


def check_rows(rows, params):
    """Return different rows of a matrix as an array, or raise."""
    if params.ndim != 2 or not params.flags.c_contiguous:
        raise ValueError("params must be a C-contiguous matrix to be updated by rows.")
    rows = np.asarray(rows)
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(f"rows must be integers, got {rows.dtype}.")
    rows = rows.astype(np.intp)
    outside = rows.size and not 0 <= rows.min() <= rows.max() < len(params)
    if rows.ndim != 1 or outside or len(np.unique(rows)) < len(rows):
        raise ValueError(
            f"rows must be different numbers from 0 to {len(params) - 1}, got {rows}."
        )
    return rows


def check_bound(params, gradient, n_decayed):
    """Raise if arrays cannot be bound to each other."""
    if not gradient.flags[f"{memory_order(params)}_CONTIGUOUS"]:
        raise ValueError(
            "gradient must be contiguous in the same order as params to be bound."
        )
    if np.may_share_memory(params, gradient):
        raise ValueError(
            "gradient must not share memory with params to be bound: the update would "
            "overwrite it. Copy it first."
        )
    if n_decayed is None:
        return
    if not isinstance(n_decayed, Integral):
        raise TypeError(f"n_decayed must be an integer or None, got {n_decayed!r}.")
    if not 0 <= n_decayed <= params.size:
        raise ValueError(
            f"n_decayed must be from 0 to the {params.size} parameters, got "
            f"{n_decayed!r}."
        )


def memory_order(array):
    """Return the order of a contiguous array, "C" or "F"."""
    return "C" if array.flags.c_contiguous else "F"
