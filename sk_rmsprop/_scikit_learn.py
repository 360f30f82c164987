"""Everything that scikit-learn does not make public, and that an estimator needs.

No other module uses a private name of scikit-learn, so that a release of scikit-learn
that changes one is met here. `ScikitLearnEstimator` is the base of all estimators of
this package. Callbacks (``sklearn.callback``) exist from scikit-learn 1.9 on; before
that `FitCallbacks` never finds one to call.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, TypeVar, cast

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.metrics import check_scoring
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    make_constraint,
)
from sklearn.utils._param_validation import Options as OneOf
from sklearn.utils.validation import _get_feature_names, check_array, validate_data

from sk_rmsprop._data import Samples, check_sample_weight
from sk_rmsprop._tables import Table
from sk_rmsprop._training import ValidationLoss

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replaces scikit-learn's mixin before version 1.9."""


__all__ = [
    "FitCallbacks",
    "Interval",
    "OneOf",
    "ScikitLearnEstimator",
    "StrOptions",
    "Validation",
    "check_containers",
    "check_params",
    "draw_seed",
    "has_callbacks",
    "read_X",
    "read_samples",
    "unchanged_on_failure",
    "validating_parameters",
]

DOCUMENTATION_URL = "https://sk-rmsprop.readthedocs.io/en/stable"

Method = TypeVar("Method", bound=Callable)


class ScikitLearnEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators: subclasses define what their parameters may be.

    Attributes
    ----------
    _constraints : dict
        From each parameter's name to the list of what it may be.
    """

    _constraints: ClassVar[dict]

    _doc_link_module = "sk_rmsprop"
    _doc_link_template = f"{DOCUMENTATION_URL}/api/{{estimator_name}}.html"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "_constraints" in cls.__dict__:
            cls._parameter_constraints = cls._constraints


# --- Parameters ---


def validating_parameters(method: Method) -> Method:
    """Make a `fit` validate the parameters first, without losing its type."""
    return _fit_context(prefer_skip_nested_validation=True)(method)


def check_params(estimator):
    """Validate the parameters, in a fifth of the time that scikit-learn takes.

    For `partial_fit`: `validating_parameters` would skip an estimator that is fitted,
    though `set_params` may have changed its parameters.
    """
    for name, constraints in _made_constraints(type(estimator)).items():
        value = getattr(estimator, name)
        if not any(constraint.is_satisfied_by(value) for constraint in constraints):
            estimator._validate_params()  # It raises, and words the error.


@functools.cache
def _made_constraints(estimator_class):
    """Return the constraints of an estimator's parameters as scikit-learn's objects."""
    return {
        name: list(map(make_constraint, constraints))
        for name, constraints in estimator_class._parameter_constraints.items()
        if constraints != "no_validation"
    }


def draw_seed(random_state):
    """Return a seed that `random_state` determines."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


# --- Data ---


def check_containers(**arguments):
    """Raise a TypeError for what scikit-learn would not convert to a NumPy array.

    Without ``array_api_dispatch`` it converts all array-likes, tensors included.
    """
    for name, value in arguments.items():
        # Arrays of all libraries that scikit-learn dispatches to have this method.
        if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
            continue
        if get_config()["array_api_dispatch"]:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"{name} is a {kind}, which array_api_dispatch=True keeps as it is, "
                "but sk_rmsprop computes with NumPy. Convert it, for example with "
                f"numpy.asarray({name}), or set array_api_dispatch=False."
            )


def read_X(estimator, X, table=None, *, order=None, name="X"):
    """Return what the columns of X are, and X as a numeric array or in CSR.

    Parameters
    ----------
    estimator : estimator
        It gets the names and the number of the features if there is no `table`, and
        otherwise X has to agree with these.
    X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
    table : Table, default=None
        The columns of the training data; None if these are the training data.
    order : {"C"}, default=None
        Memory order of an array.
    name : str, default="X"
        The argument's name.
    """
    if table is not None and not table.levels and _is_plain(estimator, X):
        return table, X
    check_containers(**{name: X})
    is_lazy = hasattr(X, "collect")  # Asking it for its columns would be dear.
    reset, has_names = table is None, not is_lazy and hasattr(X, "columns")
    if has_names:
        frame = _FrameNames(X) if _get_feature_names(X) is None else X
        validate_data(estimator, frame, reset=reset, skip_check_array=True)
    if table is None:
        table = Table.of(X, estimator.categorical_features)
    array = check_array(
        table.read(X),
        accept_sparse="csr",
        dtype="numeric",
        order=order,
        ensure_all_finite="allow-nan",
        estimator=estimator,
        input_name=name,
    )
    if not has_names:
        validate_data(estimator, array, reset=reset, skip_check_array=True)
    if issparse(array):
        _check_sparse(array, table, name)
    elif not _is_native(array.dtype):
        array = np.asarray(array, np.float64, order=order)
    return table, array


def read_samples(estimator, X, y, sample_weight, encode_y, *, table=None, suffix=""):
    """Return samples that the user passed, checked and encoded.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight : array-like
        The arguments; `sample_weight` may be None.
    encode_y : callable
        ``encode_y(y)`` returns the `Target`.
    table : Table, default=None
        As in `read_X`.
    suffix : {"", "_val"}, default=""
        What the arguments' names end with.
    """
    weight_name = f"sample_weight{suffix}"
    check_containers(**{f"X{suffix}": X, f"y{suffix}": y, weight_name: sample_weight})
    table, X = read_X(estimator, X, table, order="C", name=f"X{suffix}")
    target = encode_y(y)
    check_consistent_length(X, target.encoded)
    weight = check_sample_weight(sample_weight, X.shape[0], weight_name)
    return Samples(table, X, target, weight)


class _FrameNames:
    """The names and the shape of a data frame, where scikit-learn finds them.

    Version 1.6 looks for the names of all but pandas' data frames in
    ``__dataframe__``, which polars 2 no longer has.
    """

    def __init__(self, frame):
        self.shape = frame.shape
        self._names = list(frame.columns)

    def __dataframe__(self):
        return self

    def column_names(self):
        return self._names


def _check_sparse(X, table, name):
    if table.categorical:
        raise ValueError(
            "categorical_features need dense input; sparse input has numbers only."
        )
    if np.isnan(X.data).any():
        raise ValueError(
            f"Input {name} contains NaN. Missing values are supported in dense input "
            "only: pass an array or a data frame, or impute them first."
        )


def _is_native(dtype):
    """Return whether arrays of this dtype are read as they are."""
    return dtype.kind in "biuf" and dtype.isnative and dtype.itemsize <= 8


def _is_plain(estimator, X):
    """Return whether `X` can be used as it is, without conversion or complaint.

    This check spares a single row scikit-learn's validation, which takes several times
    as long as the network.
    """
    if (
        type(X) is not np.ndarray
        or X.ndim != 2
        or not _is_native(X.dtype)
        or "feature_names_in_" in vars(estimator)
        or X.shape[0] == 0
        or X.shape[1] != estimator.n_features_in_
        or not X.flags.c_contiguous
    ):
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(X.sum()))


# --- Failing ---


def unchanged_on_failure(method: Method) -> Method:
    """Make a method that raises leave the estimator as it was before the call.

    Training replaces what the estimator refers to, and undoes what it has changed in
    place (`train_chunk`), so that it is enough to restore the references. A generator
    that the user passed as `random_state` is restored, too.
    """

    @functools.wraps(method)
    def wrapper(estimator, *args, **kwargs):
        before = estimator.__dict__.copy()
        random_state = estimator.random_state
        if isinstance(random_state, np.random.RandomState):
            generator_before = random_state.get_state(legacy=False)
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            # At once, as another thread may be predicting meanwhile.
            estimator.__dict__ = before
            if isinstance(random_state, np.random.RandomState):
                random_state.set_state(generator_before)
            raise

    return cast(Method, wrapper)


# --- Callbacks ---


def has_callbacks(estimator):
    """Return whether callbacks have been set on an estimator."""
    return bool(getattr(estimator, "_skl_callbacks", None))


class FitCallbacks:
    """The callbacks of one `fit`: a root task with one subtask per epoch.

    Parameters
    ----------
    estimator : estimator
        The estimator whose callbacks are called.
    max_iter : int
        How many epochs there are at most.
    fitted_attributes : callable
        ``fitted_attributes(results)`` returns the attributes with which a copy of the
        estimator is fitted, from what `train` returns.
    """

    def __init__(self, estimator, max_iter, fitted_attributes):
        self.estimator = estimator
        self.active = has_callbacks(estimator)
        self.max_iter = max_iter
        self.fitted_attributes = fitted_attributes

    def begin_fit(self, X, y, sample_weight):
        """Call the callbacks before training, with the data as the user passed them."""
        if not self.active:
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.task = {"estimator": self.estimator, "X": X, "y": y, "metadata": metadata}
        self.fit_context = self.estimator._init_callback_context(
            max_subtasks=self.max_iter
        )
        self.fit_context.call_on_fit_task_begin(**self.task)

    def begin_epoch(self):
        """Call the callbacks before an epoch."""
        if self.active:
            self.epoch_context = self.fit_context.subcontext(task_name="epoch")
            self.epoch_context.call_on_fit_task_begin(**self.task)

    def end_epoch(self, results):
        """Call the callbacks after an epoch; return whether one requests to stop."""

        def attributes():
            # A callback may keep the fitted estimator.
            copies = [[result.copy() for result in stack] for stack in results]
            return self.fitted_attributes(copies)

        return self.active and self.epoch_context.call_on_fit_task_end(
            **self.task, reconstruction_attributes=attributes
        )

    def end_fit(self):
        """Call the callbacks after the fit, when the estimator is fitted."""
        if self.active:
            self.fit_context.call_on_fit_task_end(
                **self.task, reconstruction_attributes=dict
            )


# --- Validation ---


class Validation:
    """The validation of one `fit`: loss and score of a model on validation data.

    Parameters
    ----------
    estimator : estimator
    samples : Samples
    rows : ndarray of int
        Those to validate on, all of non-zero weight.
    class_weight : ndarray or None
    network : Network
    fitted_attributes : callable
        ``fitted_attributes(result)`` returns the attributes of a fitted estimator.
    dtype : dtype
        That of the parameters.
    remedy : str
        What to do if the rows lack a class, for error messages.
    """

    def __init__(
        self,
        estimator,
        samples,
        rows,
        class_weight,
        network,
        fitted_attributes,
        dtype,
        remedy="pass X_val and y_val with samples of all classes, increase "
        "validation_fraction",
    ):
        data = samples.data(rows, class_weight).compact()
        self.estimator = estimator
        self.remedy = remedy
        self.fitted_attributes = fitted_attributes
        self.loss = ValidationLoss(network, data, dtype)
        self.table = samples.table.of_codes()
        self.missing = samples.target.missing(rows)
        self.scorer = None
        if estimator.scoring != "loss":
            self.scorer = check_scoring(estimator, estimator.scoring)
            self.X = data.X
            target = samples.target
            self.is_scorable = target.is_scorable
            self.y = (target.y if self.is_scorable else target.encoded)[rows]
            self.weights = {}
            weighted = samples.sample_weight is not None
            if weighted and _takes_sample_weight(self.scorer):
                self.weights["sample_weight"] = samples.sample_weight[rows]

    def __call__(self, result):
        """Return the validation loss and score, as part of an epoch's record."""
        loss = self.loss(result.state)
        score = -loss if self.scorer is None else self._score(result)
        return {"validation_loss": loss, "validation_score": score}

    def _score(self, result):
        result = result.copy()  # A scorer may keep the fitted estimator.
        fitted = object.__new__(type(self.estimator))
        fitted.__dict__.update(self.estimator.__dict__)
        fitted.__dict__.update(self.fitted_attributes(result))
        # X has been read: it has numbers only, and no names to be missed.
        fitted.__dict__.pop("feature_names_in_", None)
        encoding = replace(result.state.encoding, table=self.table)
        fitted._state = replace(result.state, encoding=encoding)
        if not self.is_scorable:  # Then class numbers replace the labels.
            fitted.classes_ = np.arange(len(fitted.classes_))
        try:
            return float(self.scorer(fitted, self.X, self.y, **self.weights))
        except ValueError as error:
            raise ValueError(
                f"scoring={self.estimator.scoring!r} failed on the validation set."
                f"{self.explanation()} The error was: {error}"
            ) from error

    def explanation(self):
        """Return why a score may be undefined, and what to do, as part of an error."""
        if not len(self.missing):
            return ""
        return (
            f" The validation set has no sample of the classes {self.missing}: "
            f'{self.remedy}, or use scoring="loss".'
        )


def _takes_sample_weight(scorer):
    """Return whether a scorer, or its metric if it is scikit-learn's, has weights."""
    try:
        signature = inspect.signature(getattr(scorer, "_score_func", scorer))
    except (TypeError, ValueError):  # A callable without a signature.
        return False
    return any(
        parameter.name == "sample_weight" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in signature.parameters.values()
    )
