"""Class labels of any type: as arrays of a natural dtype, and what kind of labels."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sk_rmsprop._losses import LOSSES, exactly_comparable

# Floats represent all integers up to here, so that none of them are merged.
MAX_EXACT_INTEGER = 2**53


def as_labels(y, name):
    """Return `y` as an array that keeps all its labels apart.

    Integers, booleans and floats of any container, nullable or object columns included,
    come in their NumPy dtype, anything else as strings or objects. Sparse indicators
    are returned as they are.

    Raises
    ------
    ValueError
        If labels are missing or infinite. `name` is the argument's name.
    """
    if y is None:
        raise ValueError(f"requires y to be passed, but the target {name} is None.")
    if issparse(y):
        return y
    labels = np.asarray(y)
    if isinstance(y, (list, tuple)) and labels.ndim == 1 and labels.dtype.kind in "fU":
        labels = _as_objects(y, labels)
    if labels.dtype == object:
        labels = _of_natural_dtype(labels)
    if _has_missing(labels):
        raise ValueError(
            f"Input {name} contains NaN, None or another missing value. Drop these "
            "samples, or give them a class of their own."
        )
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name=name)
    return labels


def _as_objects(y, labels):
    """Return the elements of a list as they are if NumPy's common dtype merges some."""
    if labels.dtype.kind == "U":
        merged = not all(isinstance(label, str) for label in y)
    else:
        merged = any(
            isinstance(label, Integral) and abs(label) > MAX_EXACT_INTEGER
            for label in y
        )
    if not merged:
        return labels
    objects = np.empty(len(y), object)
    objects[:] = y
    return objects


def _of_natural_dtype(labels):
    """Return objects in the NumPy dtype of their values, if all have the same kind."""
    types = {type(label) for label in labels.ravel()}
    if types and all(issubclass(kind, (bool, np.bool_)) for kind in types):
        return labels.astype(bool)
    if types and all(issubclass(kind, Integral) and kind is not bool for kind in types):
        for dtype in (np.int64, np.uint64):
            try:
                return labels.astype(dtype)
            except OverflowError:
                continue
        return labels
    if types and all(issubclass(kind, (float, np.floating)) for kind in types):
        return labels.astype(np.float64)
    return labels


def _has_missing(labels):
    if labels.dtype.kind in "mM":
        return bool(np.isnat(labels).any())
    if labels.dtype.kind == "f":
        return bool(np.isnan(labels).any())
    if labels.dtype != object:
        return False
    return any(is_missing(label) for label in labels.ravel())


def is_missing(label):
    """Return whether a value is None, NaN, NA, NaT or the like."""
    if label is None:
        return True
    try:
        return bool(label != label)  # NaN, NaT, and a Decimal's NaN
    except (TypeError, ValueError):  # pandas' NA has no truth value.
        return np.ndim(label) == 0


def check_labels(y, name):
    """Return the loss for these labels, and the labels as 1-D or as a 0/1 array."""
    if not issparse(y) and y.dtype == object and not _holds_sequences(y):
        kind = "multiclass" if y.ndim == 1 or y.shape[1:] == (1,) else "multioutput"
    else:
        kind = type_of_target(y, input_name=name)
    if kind in ("continuous", "continuous-multioutput", "unknown"):
        check_classification_targets(y)  # Raises scikit-learn's error.
    if kind == "multilabel-indicator":
        y = y.toarray() if issparse(y) else np.asarray(y)
        if not np.isin(y, (0, 1)).all():
            raise ValueError(f"A multilabel {name} must consist of zeros and ones.")
        return "sigmoid", y.astype(np.uint8)
    if kind.endswith("multioutput"):
        raise ValueError(
            f"{name} has shape {y.shape}: multioutput {name} is not supported, only a "
            "1-D array of labels or a 2-D indicator of zeros and ones."
        )
    return "softmax", column_or_1d(y, warn=True)


def _holds_sequences(y):
    return any(np.ndim(label) > 0 or isinstance(label, set) for label in y.ravel())


def check_classes(classes):
    """Return the classes named by the user, sorted and without duplicates."""
    try:
        labels = as_labels(classes, "classes")
        is_1d = np.ndim(labels) == 1 and len(labels) > 0
        loss, labels = check_labels(labels, "classes") if is_1d else (None, labels)
        if loss == "softmax":
            return LOSSES[loss].find_classes(labels)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"classes must be a 1-D array of labels, got {classes!r}: {error}"
        ) from error
    raise ValueError(f"classes must be a 1-D array of labels, got {classes!r}.")


def equal_labels(y, other):
    """Return for each sample whether its labels are equal, exactly."""
    y, other = exactly_comparable(y, other)
    is_equal = np.asarray(y == other)
    return is_equal.reshape(len(y), -1).all(axis=1)
