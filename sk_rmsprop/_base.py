"""What the estimators share: parameters, `fit` and `partial_fit`.

`BaseRMSpropMLP` is abstract. A subclass has the signature and the docstring, knows what
`y` is (the hooks `_encode_y`, `_encode_y_val`, `_class_weight`), and predicts.
"""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names

from sk_rmsprop import _rules as rules
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._data import split
from sk_rmsprop._encoding import Encoding, warn_of_identifiers
from sk_rmsprop._epochs import Options, TrainingState
from sk_rmsprop._fitted import FittedMLP, check_same
from sk_rmsprop._network import Network
from sk_rmsprop._numbers import NUMERICAL_ENCODINGS
from sk_rmsprop._predictions import MatrixLike
from sk_rmsprop._rmsprop import RMSprop
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._scikit_learn import (
    FitCallbacks,
    Interval,
    OneOf,
    StrOptions,
    Validation,
    check_params,
    draw_seed,
    read_samples,
    unchanged_on_failure,
    validating_parameters,
)
from sk_rmsprop._training import STOP_REASONS, Member, Stack, train, train_chunk

# `partial_fit` keeps the records of this many epochs, the last ones: its cost and the
# size of saved models then do not grow with the length of a stream.
MAX_STREAM_HISTORY = 1000

# Up to here dtype="auto" trains in float64: all guarantees hold to 1e-7 then. Larger
# data take half the time and memory in float32.
MAX_DOUBLE_SAMPLES = 1000

# The frames between a warning and the user's call of `fit`: the two that raise it, and
# the two decorators of `fit`.
WARNING_STACKLEVEL = 5


class BaseRMSpropMLP(FittedMLP, ABC):
    """Multilayer perceptron trained by RMSprop, for any kind of `y`."""

    _constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "numerical_encoding": [StrOptions(set(NUMERICAL_ENCODINGS))],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterov": ["boolean"],
        "centered": ["boolean"],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES))],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "weight_decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            OneOf(Real, {np.inf}),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    # --- Hooks ---

    @abstractmethod
    def _encode_y(self, y, *, resumed, classes=None):
        """Return `y` as the `Target` of training.

        `resumed` says whether a fitted model is trained further, whose kind of target
        it then must be; `classes` are those that the user named.
        """

    def _targets(self, data, resumed, stream=None):
        """Return the scale of numbers to be predicted, None for classes."""
        return None

    def _label_smoothing(self):
        """Return the amount of label smoothing."""
        return 0.0

    @abstractmethod
    def _encode_y_val(self, y_val, target):
        """Return the `Target` of validation data, of the same kind as the other."""

    def _chunk_classes(self, y, classes):
        """Return the classes that a chunk may have, where there are classes at all."""
        return None

    @abstractmethod
    def _class_weight(self, samples, rows=None):
        """Return the weight of each class, or None if all are equal.

        `rows` is the training split; where weights depend on it, None is returned
        without it.
        """

    # --- Training ---

    @unchanged_on_failure
    @validating_parameters
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The training data. Missing values (NaN, None, NA, null) are supported in
            dense data. A C-ordered array of any real dtype is not copied, a data frame
            is read once.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values. For classification, class labels of any type; a 2-D
            array of zeros and ones is multilabel.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights.
        X_val, y_val : array-like, default=None
            Validation data, of the same form as `X` and `y`. Their loss and score are
            recorded after every epoch; with `early_stopping` they replace the
            validation split.
        sample_weight_val : array-like, default=None
            Sample weights of the validation data.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid, or training diverges. The
            estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            If a "constant" or "plateau" run reached `max_iter` without early stopping.
        UserWarning
            If training was interrupted (Ctrl-C). The model is as it was after the
            last complete epoch, with `early_stopping` after the best one.
        """
        resumed = self.warm_start and self.__sklearn_is_fitted__()
        seed = self._state.seed if resumed else draw_seed(self.random_state)
        samples = self._samples(X, y, sample_weight, resumed=resumed)
        given = self._given_validation(X_val, y_val, sample_weight_val, samples)
        rows, held_out = self._split(samples, seed, given)
        class_weight = self._class_weight(samples, rows)
        data = samples.data(rows, class_weight)
        encoding, network, options = self._plan(samples, data, resumed)
        if not resumed:
            warn_of_identifiers(encoding, len(rows), WARNING_STACKLEVEL)
        state = self._make_state(network, encoding, seed, data, options, resumed)
        attributes = partial(self._fitted_attributes, network, samples.target)
        validate = self._validation(
            samples, held_out, given, class_weight, network, attributes, state
        )
        callbacks = FitCallbacks(
            self, options.max_iter, lambda results: attributes(*results[0])
        )
        callbacks.begin_fit(X, y, sample_weight)
        member = Member(state, options, self._kept_history(resumed), validate)
        stack = Stack(network, [member], data)
        [[result]] = train([stack], callbacks, verbose=options.verbose)
        check_score(result, validate, self.scoring)
        self.__dict__.update(attributes(result))
        _report_end(callbacks, result, options)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch on a chunk of data."""
        check_params(self)
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True; set it to False, or "
                "use fit."
            )
        classes = self._chunk_classes(y, classes)
        resumed = self.__sklearn_is_fitted__()
        seed = self._state.seed if resumed else draw_seed(self.random_state)
        samples = self._samples(X, y, sample_weight, resumed=resumed, classes=classes)
        class_weight = self._class_weight(samples)
        data = samples.data(samples.rows(class_weight, "sample"), class_weight)
        weight = samples.plain_weight(class_weight)
        encoding = self._encoding(
            samples.table, data, resumed, chunk_weight=weight, is_chunk=True
        )
        if not resumed:
            warn_of_identifiers(encoding, len(data.rows), WARNING_STACKLEVEL)
        targets = self._targets(data, resumed, data._replace(weight=weight))
        network = self._make_network(encoding, samples.target, targets, resumed)
        n_planned, n_samples = None, len(data.rows)
        if resumed:  # A small chunk does not mean a small data set.
            n_planned = self._state.n_planned
            n_samples = max(n_samples, self._state.samples_per_epoch)
        options = self._options(data, encoding, network, n_samples, n_planned)
        if resumed and self.weight_decay == "auto":  # As in the first call.
            decay = self._state.optimizer.weight_decay
            options = replace(options, weight_decay=decay)
        state = self._make_state(
            network, encoding, seed, data, options, resumed, options.updates_rows
        )

        def finish(result):
            target = samples.target
            self.__dict__.update(self._fitted_attributes(network, target, result))
            return self

        history = self._kept_history(resumed, MAX_STREAM_HISTORY - 1)
        return train_chunk(network, state, data, options, history, finish)

    # --- The steps of training, in their order ---

    def _samples(self, X, y, sample_weight, *, resumed, classes=None):
        """Return the training samples, checked and encoded."""
        table = self._state.encoding.table if resumed else None
        encode_y = partial(self._encode_y, resumed=resumed, classes=classes)
        return read_samples(self, X, y, sample_weight, encode_y, table=table)

    def _given_validation(self, X_val, y_val, sample_weight_val, samples):
        """Return the samples that `fit` was given for validation, or None."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together.")
        if X_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val needs X_val and y_val.")
            return None
        return read_samples(
            self,
            X_val,
            y_val,
            sample_weight_val,
            partial(self._encode_y_val, target=samples.target),
            table=samples.table,
            suffix="_val",
        )

    def _split(self, samples, seed, given):
        """Return the rows of the training and of the validation split, or None."""
        rows = samples.rows(self._class_weight(samples), "sample")
        if given is not None or not self.early_stopping:
            return rows, None
        rows, held_out = split(
            rows, samples.target.strata, self.validation_fraction, seed
        )
        if not len(held_out):
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction="
                f"{self.validation_fraction} of n_samples={len(rows)} samples: one (of "
                "each class) stays in the training split, and there are no others. "
                "Pass more samples, or X_val and y_val, to fit, or set "
                "early_stopping=False."
            )
        return rows, held_out

    def _encoding(self, table, data, resumed, *, chunk_weight=None, is_chunk=False):
        """Return how samples enter the network.

        The data of the first call decide. The scales of a stream follow its data, with
        weights that mean the same in every chunk.
        """
        X, rows, weight = data.X, data.rows, data.weight
        if resumed:
            encoding = self._state.encoding
            check_same(
                "numerical_encoding", encoding.numerical, self.numerical_encoding
            )
            if is_chunk and encoding.moments is not None and not self._state.n_planned:
                return encoding.following(X, rows, chunk_weight)
            # A loaded one may be mapped from a file.
            return encoding if encoding.mean.flags.owndata else encoding.copy()
        is_stream = is_chunk and self.max_iter == "auto"
        follows = is_stream and self.numerical_encoding == "auto"
        return Encoding.of(
            table,
            X,
            rows,
            chunk_weight if follows else weight,
            self.numerical_encoding,
            sparse_factor=rules.auto_sparse_factor(
                len(rows), X.shape[1], rare=data.has_rare_features
            ),
            is_stream=is_stream,
            follows=follows,
        )

    def _params_dtype(self, data, resumed):
        """Return the dtype of parameters and arithmetic."""
        if resumed:
            dtype = self._state.params.dtype
            if self.dtype != "auto":
                check_same("dtype", dtype.name, self.dtype)
            return dtype
        if self.dtype != "auto":
            return np.dtype(self.dtype)
        is_small = len(data.rows) <= MAX_DOUBLE_SAMPLES
        return np.dtype(
            np.float64 if is_small and data.X.dtype != np.float32 else np.float32
        )

    def _make_network(self, encoding, target, targets, resumed):
        hidden = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, Integral) else hidden
        ordered = isinstance(hidden, Sequence) or getattr(hidden, "ndim", 0) == 1
        if not ordered or not all(
            isinstance(size, Integral) and size > 0 for size in hidden
        ):
            raise ValueError(
                "hidden_layer_sizes must be positive integers, got "
                f"{self.hidden_layer_sizes!r}."
            )
        sizes = (encoding.n_inputs, *map(int, hidden), target.n_outputs)
        network = Network(sizes, self.activation, target.loss, targets)
        if resumed:
            fitted = self._network
            fitted_sizes = fitted.layer_sizes[1:-1]
            check_same("hidden_layer_sizes", fitted_sizes, network.layer_sizes[1:-1])
            check_same("activation", fitted.activation, network.activation)
        return network

    def _make_state(
        self, network, encoding, seed, data, options, resumed, in_place=False
    ):
        """Return where training begins: if resumed, a copy unless `in_place`."""
        optimizer = RMSprop(
            self.learning_rate,
            beta=self.beta,
            epsilon=self.epsilon,
            momentum=self.momentum,
            nesterov=self.nesterov,
            centered=self.centered,
            weight_decay=options.weight_decay,
        )
        dtype = self._params_dtype(data, resumed)
        if resumed:
            state = self._state.with_optimizer(optimizer, in_place=in_place)
            return replace(state, encoding=encoding)
        bit_generator = np.random.PCG64(seed)
        params = network.initial_params(
            np.random.Generator(bit_generator),
            dtype,
            output_bias=data.initial_bias(network),
            absent_inputs=encoding.absent_inputs,
        )
        return TrainingState(params, optimizer, encoding, seed, bit_generator.state)

    def _kept_history(self, resumed, limit=None):
        """Return the last records, up to a limit, that led to the current weights."""
        if not resumed:
            return []
        stop = len(self.history_)
        while stop > 0 and self.history_[stop - 1]["epoch"] > self._state.n_epochs:
            stop -= 1  # Epochs after the best one
        return self.history_[0 if limit is None else max(0, stop - limit) : stop]

    def _plan(self, samples, data, resumed=False):
        """Return encoding, network and options of a `fit` on some of the samples."""
        encoding = self._encoding(samples.table, data, resumed)
        target, targets = samples.target, self._targets(data, resumed)
        network = self._make_network(encoding, target, targets, resumed)
        n_samples = len(data.rows)
        n_epochs = rules.auto_max_iter(n_samples, rare=data.has_rare_features)
        options = self._options(data, encoding, network, n_samples, n_epochs)
        return encoding, network, options

    def _options(self, data, encoding, network, n_samples, auto_epochs):
        """Return the options of training.

        `n_samples` is the number that "auto" uses in the rule of `alpha`, and
        `auto_epochs` what it means for `max_iter`: None for a stream, where the number
        of epochs and samples is unknown.
        """
        max_iter = auto_epochs if self.max_iter == "auto" else int(self.max_iter)
        alpha, weight_decay = self._penalties(data, network, n_samples, max_iter)
        batch_size, rare = self.batch_size, data.has_rare_features
        if batch_size == "auto":
            n_inputs = encoding.n_inputs
            batch_size = rules.auto_batch_size(len(data.rows), n_inputs, rare=rare)
        batch_size = int(min(batch_size, len(data.rows)))
        max_norm = self.max_grad_norm
        # Python floats: with NumPy's float64 numbers float32 arithmetic would widen.
        return Options(
            learning_rate=float(self.learning_rate),
            learning_rate_schedule=self.learning_rate_schedule,
            alpha=alpha,
            weight_decay=weight_decay,
            dropout=float(self.dropout),
            label_smoothing=float(self._label_smoothing()),
            max_grad_norm=None if max_norm is None else float(max_norm),
            batch_size=batch_size,
            shuffle=bool(self.shuffle),
            max_iter=max_iter,
            tol=float(self.tol),
            n_iter_no_change=self.n_iter_no_change,
            early_stopping=bool(self.early_stopping),
            updates_rows=rules.updates_rows(
                data.values_per_row * batch_size,
                data.X.shape[1] if encoding.is_sparse(data.X) else 0,
                moves_all=alpha > 0 or self.momentum > 0 or self.centered,
            ),
            verbose=bool(self.verbose),
            cost_unit=network.bound_loss.unit,
            score_unit=network.bound_loss.unit if self.scoring == "loss" else 1.0,
        )

    def _penalties(self, data, network, n_samples, max_iter):
        """Return `alpha` and `weight_decay` as numbers."""
        alpha, weight_decay = self.alpha, self.weight_decay
        if weight_decay == "auto":
            n_known = None if max_iter is None else n_samples
            rare = data.has_rare_features
            weight_decay = rules.auto_weight_decay(n_known, rare=rare)
        if alpha == "auto":
            # Rare features would be pulled to 0 in every step that they are not in.
            is_free = max_iter is None or not isinstance(data.X, np.ndarray)
            of_numbers = network.targets is not None
            alpha = rules.auto_alpha(n_samples, of_numbers=of_numbers)
            alpha = 0.0 if is_free else alpha
        return float(alpha), float(weight_decay)

    def _validation(
        self, samples, held_out, given, class_weight, network, attributes, state
    ):
        """Return the validation of a `fit`, or None."""
        if given is not None:
            samples, rows = given, given.rows(class_weight, "validation sample")
        elif held_out is not None:
            rows = held_out
        else:
            return None
        dtype = state.params.dtype
        return Validation(self, samples, rows, class_weight, network, attributes, dtype)


def check_score(result, validate, scoring):
    """Raise if early stopping had no score to select an epoch by."""
    score = result.best_score
    if score is None or not math.isnan(score):
        return
    if result.stop_reason != "interrupted":
        raise ValueError(
            f"scoring={scoring!r} returned NaN after every epoch: early "
            f"stopping cannot select an epoch.{validate.explanation()}"
        )


def _report_end(callbacks, result, options):
    """Tell callbacks and the user that training has ended, and why."""
    try:
        callbacks.end_fit()
    except KeyboardInterrupt:
        result = result._replace(stop_reason="interrupted")
    reason = STOP_REASONS[result.stop_reason].format(**vars(options))
    if options.verbose:
        print(f"Training stopped after {result.n_iter} epochs: {reason}")
    if result.stop_reason == "interrupted":
        warnings.warn(
            f"Training was interrupted. The model is as it was after "
            f"{result.state.n_epochs} epochs. partial_fit continues from there; "
            "fit with warm_start=True does too, but starts its schedule again.",
            stacklevel=WARNING_STACKLEVEL,
        )
    planned = SCHEDULES[options.learning_rate_schedule].planned
    if result.stop_reason != "max_iter" or planned or options.early_stopping:
        return
    warnings.warn(
        f"Training has not converged within max_iter={options.max_iter} epochs. "
        "Increase max_iter or learning_rate, or choose a learning_rate_schedule "
        'that ends with max_iter, such as "cosine".',
        ConvergenceWarning,
        stacklevel=WARNING_STACKLEVEL,
    )
