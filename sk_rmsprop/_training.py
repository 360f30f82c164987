"""Training: one epoch, the loop over epochs, and when it stops.

`Epochs` runs the network and the optimizer over mini-batches of the data and advances
the `TrainingState`; `train` repeats that, validates, and returns a `TrainingResult`.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.linalg

from sk_rmsprop._data import Batches, batch_cuts
from sk_rmsprop._encoding import Encoding
from sk_rmsprop._losses import LOSSES, scratch_like
from sk_rmsprop._network import CostGradient
from sk_rmsprop._rmsprop import RMSprop
from sk_rmsprop._schedules import SCHEDULES

# Adaptive schedules divide the learning rate by this, and stop below that.
PLATEAU_DIVISOR = 5.0
PLATEAU_MIN_LEARNING_RATE = 1e-6

STOP_REASONS = {
    "max_iter": "all {max_iter} epochs have been run.",
    "no_change": "the loss has not improved by more than tol={tol} in "
    "{n_iter_no_change} epochs.",
    "early_stopping": "the validation score has not improved by more than tol={tol} "
    "in {n_iter_no_change} epochs.",
    "plateau": f"the learning rate has fallen below {PLATEAU_MIN_LEARNING_RATE}.",
    "callback": "a callback requested it.",
    "interrupted": "it was interrupted.",
}


@dataclass(frozen=True)
class Options:
    """How to train: the estimator's parameters of the same names.

    `max_iter` is None where the number of epochs is unknown, in `partial_fit`.
    """

    learning_rate: float
    learning_rate_schedule: str
    alpha: float
    dropout: float
    label_smoothing: float
    max_grad_norm: float | None
    batch_size: int
    shuffle: bool
    max_iter: int | None
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    verbose: bool


@dataclass
class TrainingState:
    """Everything but data and options that the next epoch depends on.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        See `Network`.
    optimizer : RMSprop
        With the state of its averages.
    encoding : Encoding
        How samples enter the network.
    seed : int
        The seed of all random numbers, those of the validation split included.
    rng_state : dict
        State of the bit generator.
    n_epochs : int
        Epochs so far.
    n_samples : int
        Samples seen so far, counted once per epoch.
    n_scheduled : int
        Epochs since the last `fit` began.
    n_planned : int or None
        Epochs that the last `fit` planned; None if there has been none.
    plateau_factor : float
        Learning-rate factor of adaptive schedules.
    cost : float
        Cost of the last epoch.
    best_cost : float
        Lowest cost of an epoch so far.
    reference_cost : float
        The same since the last `fit` began: what improvements are measured against.
    n_no_change : int
        Epochs in a row that lowered `reference_cost` by no more than `tol`.
    """

    params: np.ndarray
    optimizer: RMSprop
    encoding: Encoding
    seed: int
    rng_state: dict
    n_epochs: int = 0
    n_samples: int = 0
    n_scheduled: int = 0
    n_planned: int | None = None
    plateau_factor: float = 1.0
    cost: float = math.nan
    best_cost: float = math.inf
    reference_cost: float = math.inf
    n_no_change: int = 0

    def copy(self, optimizer=None):
        """Return a state that can be trained apart, with another optimizer if given.

        Memory-mapped parameters become plain ones. Encodings are never changed.
        """
        return replace(
            self,
            params=np.array(self.params),
            optimizer=optimizer or self.optimizer.copy(),
        )


class TrainingResult(NamedTuple):
    """The outcome of training, or of the epochs so far.

    Attributes
    ----------
    state : TrainingState
        After the last epoch, or after the best one with early stopping.
    history : list of dict
        The records of all epochs, those after the best one included.
    n_iter : int
        Epochs run, those after the best one included.
    best_score : float or None
        The validation score of `state`, with early stopping.
    stop_reason : str or None
        A key of `STOP_REASONS`; None while training continues.
    """

    state: TrainingState
    history: list
    n_iter: int
    best_score: float | None = None
    stop_reason: str | None = None


class DivergenceError(ValueError):
    """A number became infinite or NaN during training."""


# --- One epoch ---


class Epochs:
    """Epochs of training on one set of data, with all buffers allocated beforehand.

    Parameters
    ----------
    network : Network
    state : TrainingState
        Advanced in place by every epoch.
    data : Data
    options : Options
    """

    def __init__(self, network, state, data, options):
        self.network = network
        self.state = state
        self.data = data
        self.options = options
        self.rng = np.random.Generator(np.random.PCG64(0))
        self.rng.bit_generator.state = state.rng_state
        self.gradient = np.empty_like(state.params)
        self.update = state.optimizer.update_for(
            state.params, self.gradient, n_decayed=network.n_weights
        )
        self.parts = self._parts()

    def _parts(self):
        """Return (rows, their batches, the cost's gradient for them) of each gather."""
        X, params, batch_size = self.data.X, self.state.params, self.options.batch_size
        row_bytes = math.inf  # CSR: one batch at a time.
        if isinstance(X, np.ndarray):
            n_numbers = self.network.layer_sizes[0] + self.network.layer_sizes[-1]
            row_bytes = n_numbers * params.itemsize + X.shape[1] * X.itemsize
        batches, cost_gradients, parts = {}, {}, []
        for rows, *cut in batch_cuts(len(self.data.rows), batch_size, row_bytes):
            cut = n_batches, batch_size = tuple(cut)
            if cut not in batches:
                batches[cut] = self._batches(n_batches, batch_size)
            if batch_size not in cost_gradients:
                cost_gradients[batch_size] = self._cost_gradient(batch_size)
            parts.append((rows, batches[cut], cost_gradients[batch_size]))
        return parts

    def _batches(self, n_batches, batch_size):
        return Batches(
            self.data,
            self.network,
            self.state.encoding,
            n_batches,
            batch_size,
            self.options.label_smoothing,
            self.state.params.dtype,
        )

    def _cost_gradient(self, batch_size):
        return CostGradient(
            self.network,
            self.state.params,
            self.gradient,
            batch_size,
            alpha=self.options.alpha,
            dropout=self.options.dropout,
            rng=self.rng,
        )

    def run(self):
        """Run one epoch and return its record.

        Raises
        ------
        DivergenceError
            If the cost, a parameter or the optimizer's state is no longer finite.
        """
        state = self.state
        learning_rate = _learning_rate(state, self.options)
        with np.errstate(all="ignore"):  # _check_finite finds what overflows.
            cost = self._pass(learning_rate)
            _check_finite(cost, state)
        state.rng_state = self.rng.bit_generator.state
        state.n_epochs += 1
        state.n_samples += len(self.data.rows)
        state.n_scheduled += 1
        _track_cost(state, cost, self.options)
        return {"epoch": state.n_epochs, "learning_rate": learning_rate, "loss": cost}

    def _pass(self, learning_rate):
        """Visit every sample once, with an update per batch; return the mean cost."""
        rows = self.data.rows
        if self.options.shuffle:
            rows = self.rng.permutation(rows)
        max_norm = self.options.max_grad_norm
        cost_sum = total = 0.0
        for part, batches, cost_and_gradient in self.parts:
            for X, target, weight, batch_total in batches.gather(rows[part]):
                cost_sum += batch_total * cost_and_gradient(X, target, weight)
                total += batch_total
                if max_norm is not None:
                    _clip(self.gradient, max_norm)
                self.update(learning_rate)
        return cost_sum / total


def _clip(gradient, max_norm):
    """Scale the gradient down to `max_norm` if its Euclidean norm exceeds it."""
    norm = math.sqrt(gradient.dot(gradient))
    if not 0 < norm < math.inf:  # The squares over- or underflow; BLAS's nrm2 doesn't.
        norm = float(scipy.linalg.norm(gradient, check_finite=False))
    if norm > max_norm:
        np.multiply(gradient, max_norm / norm, gradient)


def _check_finite(cost, state):
    if not math.isfinite(cost):
        found = "a cost"
    elif not _all_finite(state.params):
        found = "a weight"
    elif not all(map(_all_finite, state.optimizer.state_arrays())):
        found = "a moving average of the optimizer"
    else:
        return
    remedy = "Lower learning_rate"
    if not state.encoding.scaled:
        remedy = "Scale X (for example with StandardScaler) or lower learning_rate"
    raise DivergenceError(
        f"Training diverged in epoch {state.n_epochs + 1}: {found} is not finite. "
        f"{remedy}; max_grad_norm helps against single large gradients."
    )


def _all_finite(array):
    # The product needs no array of truth values; where it overflows, look closer.
    return math.isfinite(array.dot(array)) or bool(np.isfinite(array).all())


# --- The learning rate and the cost ---


def _learning_rate(state, options):
    schedule = SCHEDULES[options.learning_rate_schedule]
    if schedule.adaptive:
        factor = state.plateau_factor
    elif options.max_iter is None:  # Progress is unknown.
        factor = 1.0
    else:
        factor = schedule.factor(min(1.0, state.n_scheduled / options.max_iter))
    return options.learning_rate * factor


def _track_cost(state, cost, options):
    """Record the cost of an epoch, and whether it is an improvement."""
    improved = state.reference_cost - cost > options.tol
    state.n_no_change = 0 if improved else state.n_no_change + 1
    state.cost = cost
    state.reference_cost = min(state.reference_cost, cost)
    state.best_cost = min(state.best_cost, cost)
    if SCHEDULES[options.learning_rate_schedule].adaptive:
        _reduce_on_plateau(state, options)


def _reduce_on_plateau(state, options):
    """Reduce the learning rate of an adaptive schedule if the cost stopped falling."""
    if state.n_no_change >= options.n_iter_no_change and not _at_floor(state, options):
        state.plateau_factor /= PLATEAU_DIVISOR
        state.n_no_change = 0


def _at_floor(state, options):
    """Return whether an adaptive schedule has reduced the learning rate far enough."""
    adaptive = SCHEDULES[options.learning_rate_schedule].adaptive
    learning_rate = options.learning_rate * state.plateau_factor
    reduced = state.plateau_factor < 1 and learning_rate < PLATEAU_MIN_LEARNING_RATE
    return adaptive and reduced


# --- Validation ---


class ValidationLoss:
    """The mean loss on some data, without penalties and label smoothing.

    Parameters
    ----------
    network : Network
    data : Data
        All its rows are used.
    dtype : dtype
        That of the parameters.
    """

    def __init__(self, network, data, dtype):
        self.network = network
        self.data = data
        self.dtype = dtype
        weight = np.ones(len(data.target)) if data.weight is None else data.weight
        with np.errstate(under="ignore"):
            self.weight = (weight / weight.sum()).astype(dtype)

    def __call__(self, state):
        """Return the loss in this state of training."""
        value = LOSSES[self.network.loss].value
        blocks = self.network.blocks(
            state.params, self.data.X, state.encoding, dtype=self.dtype
        )
        loss = 0.0
        with np.errstate(under="ignore", invalid="ignore"):  # See `Network.blocks`.
            for rows, raw in blocks:
                target = self._weighted_target(rows, raw)
                loss += value(raw, target, self.weight[rows], scratch_like(raw))
        return loss

    def _weighted_target(self, rows, raw):
        """Return the target of some rows: of many classes, that of all is large."""
        target = np.empty_like(raw)
        LOSSES[self.network.loss].write_target(
            self.data.target[rows], target[np.newaxis], 0.0
        )
        return np.multiply(target, self.weight[rows], out=target)


class BestEpoch(NamedTuple):
    """The state with the best validation score, and how long ago the score improved."""

    score: float | None = None
    state: TrainingState | None = None
    n_no_change: int = 0

    def after(self, score, state, tol):
        """Return the best of this and a later state; ties keep the later one.

        Any score is better than NaN, and of two that are NaN the later one is kept.
        """
        unknown = self.score is None or math.isnan(self.score)
        best = -math.inf if unknown else self.score
        n_no_change = 0 if score - best > tol else self.n_no_change + 1
        if score >= best or unknown:
            return BestEpoch(score, state, n_no_change)
        return self._replace(n_no_change=n_no_change)


# --- The loop over epochs ---


def train(network, state, data, options, *, history, validate, callbacks):
    """Run up to ``options.max_iter`` epochs; return a `TrainingResult`.

    Parameters
    ----------
    network : Network
    state : TrainingState
        Where training begins. It is not changed.
    data : Data
    options : Options
    history : list of dict
        The records of the epochs before. It is not changed.
    validate : callable or None
        ``validate(result)`` returns a dict with "validation_loss" and
        "validation_score" that becomes part of the epoch's record.
    callbacks : object
        Its method ``begin_epoch()`` is called before each epoch; ``end_epoch(result)``
        is called after it, and returns whether training should stop.

    Raises
    ------
    DivergenceError
        See `Epochs.run`.
    """
    state = _at_start_of_fit(state, options)
    history = list(history)
    first_epoch = state.n_epochs
    best = _best_before(state, history, options, validate)
    epochs = Epochs(network, state.copy(), data, options)
    stop_reason = None
    try:
        while stop_reason is None:
            callbacks.begin_epoch()
            record = epochs.run()
            history.append(record)
            finished, best_now = epochs.state.copy(), best
            result = TrainingResult(finished, history, finished.n_epochs - first_epoch)
            if validate is not None:
                record.update(validate(result))
            if options.early_stopping:
                best_now = best.after(record["validation_score"], finished, options.tol)
            # At once, so that an interrupt finds either all of an epoch or nothing.
            state, best = finished, best_now
            if options.verbose:
                print_record(record)
            asked_to_stop = callbacks.end_epoch(result)
            stop_reason = _stop_reason(state, options, best, asked_to_stop)
    except KeyboardInterrupt:
        if state.n_epochs == first_epoch:
            raise
        stop_reason = "interrupted"
    # Interrupted in between, the history is one epoch ahead of the state.
    history = [record for record in history if record["epoch"] <= state.n_epochs]
    n_iter = state.n_epochs - first_epoch
    if options.early_stopping:
        return TrainingResult(best.state, history, n_iter, best.score, stop_reason)
    return TrainingResult(state, history, n_iter, None, stop_reason)


def _best_before(state, history, options, validate):
    """Return the best state before the first epoch; None without early stopping."""
    if not options.early_stopping:
        return None
    if state.n_epochs == 0:
        return BestEpoch()
    # A warm start never returns a model that is worse than where it began.
    score = validate(TrainingResult(state, history, 0))["validation_score"]
    return BestEpoch().after(score, state, options.tol)


def _at_start_of_fit(state, options):
    """Return the state with the schedule and the stopping rules at their start.

    A schedule begins again at its high learning rate, where the cost is above what an
    earlier `fit` ended with; that is no reason to stop.
    """
    return replace(
        state,
        n_scheduled=0,
        n_planned=options.max_iter,
        plateau_factor=1.0,
        reference_cost=math.inf,
        n_no_change=0,
    )


def _stop_reason(state, options, best, asked_to_stop):
    """Return why training ends after this epoch, or None if it continues."""
    if best is not None and best.n_no_change >= options.n_iter_no_change:
        return "early_stopping"
    if _at_floor(state, options):
        return "plateau"
    # Adaptive schedules start counting again whenever they reduce the learning rate.
    if best is None and state.n_no_change >= options.n_iter_no_change:
        return "no_change"
    if asked_to_stop:
        return "callback"
    return "max_iter" if state.n_scheduled == options.max_iter else None


def print_record(record):
    """Print the record of an epoch as one line."""
    line = f"Iteration {record['epoch']}, loss = {record['loss']:.8f}"
    if "validation_loss" in record:
        line += f", validation loss = {record['validation_loss']:.8f}"
        line += f", validation score = {record['validation_score']:.8f}"
    print(line)
