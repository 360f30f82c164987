"""Training: one epoch, the loop over epochs, and when it stops.

Data flows one way: `Data` is cut into batches by `_Batches`, `Epochs` runs the
network and the optimiser over them and advances the `TrainingState`, `train` repeats
that and returns a `TrainingResult`.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.linalg

from sk_rmsprop._losses import LOSSES, scratch_like
from sk_rmsprop._network import CostGradient
from sk_rmsprop._schedules import SCHEDULES

# The "plateau" schedule divides the rate by this, and stops below that.
PLATEAU_DIVISOR = 5.0
PLATEAU_MIN_RATE = 1e-6

# Rows are gathered for several small batches at once, up to this many bytes: small
# batches would otherwise pay the calls' overhead for each one.
GATHER_BYTES = 2**18


STOP_REASONS = {
    "max_iter": "all {max_iter} epochs have been run.",
    "no_change": "the loss has not improved by more than tol={tol} in "
    "{n_iter_no_change} epochs.",
    "early_stopping": "the validation score has not improved by more than tol={tol} "
    "in {n_iter_no_change} epochs.",
    "plateau": "the learning rate has fallen below 1e-6.",
    "callback": "a callback has asked for it.",
    "interrupted": "it was interrupted.",
}


class Data(NamedTuple):
    """Rows to train on or to validate with.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Of the parameters' dtype; a dense one is C-ordered.
    target : ndarray
        Class indices of shape (n_rows,), or 0/1 labels of shape (n_rows, n_outputs).
    weight : ndarray of shape (n_rows,) or None
        Non-negative weights, in float64; None stands for ones.
    rows : ndarray of int
        The rows to use: those of non-zero weight, less those held out.
    standardization : Standardization or None
        What the rows of `X` pass through before the network.
    """

    X: object
    target: np.ndarray
    weight: np.ndarray | None
    rows: np.ndarray
    standardization: object = None


@dataclass(frozen=True)
class Options:
    """How to train: the estimator's parameters of the same names.

    None for `max_iter` leaves it open, for `partial_fit`, how many epochs there are.
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


# The "auto" rules, found by the study in benchmarks/defaults.py. They count rows, so
# that they could tell a row of weight 2 from two rows; but up to 300 rows epochs and
# penalty do not change, and up to 64 rows all are one batch.


def auto_batch_size(n_rows, n_features):
    """Return the rows per update: 32, and more for many rows or many features.

    It is then a thousandth of the rows or an eighth of the features, rounded up to a
    power of two, and at most 256. An update passes through all weights, however few
    its rows are: with many features small batches spend their time on that.
    """
    if n_rows <= 64:
        return n_rows
    wanted = max(n_rows / 1000, n_features / 8)
    return min(max(32, 2 ** math.ceil(math.log2(wanted))), 256)


def auto_max_iter(n_rows):
    """Return the epochs that go through 30,000 rows, but 20 to 100."""
    return min(max(20, math.ceil(30_000 / n_rows)), 100)


def auto_alpha(n_rows):
    """Return the L2 penalty, that of a prior as strong as a few rows, up to 0.01."""
    return min(3 / n_rows, 0.01)


@dataclass
class TrainingState:
    """All that the next epoch depends on beside the data and the options.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        See `Network`.
    optimizer : RMSprop
        With the state of its averages.
    seed : int
        Where the random numbers began; also picks the rows that are held out.
    rng_state : dict
        State of the bit generator.
    n_epochs : int
        Epochs so far.
    n_samples : int
        Rows seen so far.
    n_scheduled : int
        Epochs since the last `fit` began.
    n_planned : int or None
        Epochs that the last `fit` planned; None if there has been none.
    rate_factor : float
        What the "plateau" schedule has made of the rate.
    best_loss : float
        Lowest cost of an epoch so far.
    n_no_change : int
        Epochs in a row that lowered `best_loss` by no more than `tol`.
    standardization : Standardization or None
        What all rows pass through before the network.
    """

    params: np.ndarray
    optimizer: object
    seed: int
    rng_state: dict
    n_epochs: int = 0
    n_samples: int = 0
    n_scheduled: int = 0
    n_planned: int | None = None
    rate_factor: float = 1.0
    best_loss: float = math.inf
    n_no_change: int = 0
    standardization: object = None

    def copy(self, optimizer=None):
        """Return a state that shares nothing, with another optimiser if one is given.

        Memory-mapped arrays become plain ones.
        """
        return replace(
            self,
            params=np.array(self.params),
            optimizer=optimizer or self.optimizer.copy(),
            standardization=self.standardization and self.standardization.copy(),
        )


class TrainingResult(NamedTuple):
    """What `train` returns.

    Attributes
    ----------
    state : TrainingState
        After the last epoch, or after the best one with early stopping.
    n_iter : int
        Epochs run, those after the best one included.
    best_score : float or None
        The validation score of `state`, with early stopping.
    stop_reason : str
        A key of `STOP_REASONS`.
    """

    state: TrainingState
    n_iter: int
    best_score: float | None
    stop_reason: str


class DivergenceError(ValueError):
    """Training met a number that is not finite."""


class _Batches:
    """Batches of one size, gathered together into buffers that are reused.

    Iterating over ``gather(rows)`` yields ``(X, target, weight, total)`` for every
    batch: X of shape (batch_size, n_features), target of shape (n_outputs,
    batch_size) times the weights, weight of shape (batch_size,) summing to 1, and
    the total weight of the batch.
    """

    def __init__(self, data, n_outputs, n_batches, batch_size, label_smoothing, dtype):
        self.data = data
        self.label_smoothing = label_smoothing
        self.n_rows = n_batches * batch_size
        self.codes = np.empty(self.n_rows, np.intp)
        self.code_of_output = np.arange(n_outputs)[:, np.newaxis]
        if data.target.ndim == 2:
            self.labels = np.empty((self.n_rows, n_outputs), data.target.dtype)
        self.target = np.empty((n_batches, n_outputs, batch_size), dtype)
        self.weight = np.full((n_batches, batch_size), 1 / batch_size, dtype)
        self.totals = [float(batch_size)] * n_batches
        self.bounds = [
            slice(i * batch_size, (i + 1) * batch_size) for i in range(n_batches)
        ]
        if isinstance(data.X, np.ndarray):
            self.X = np.empty((self.n_rows, data.X.shape[1]), dtype)
            self.X_batches = [self.X[bounds] for bounds in self.bounds]

    def gather(self, rows):
        """Return the batches of `rows`, which are as many as they hold together."""
        self._gather_weight(rows)
        self._gather_target(rows)
        if isinstance(self.data.X, np.ndarray):
            # With mode="raise" NumPy would buffer the result.
            self.data.X.take(rows, axis=0, out=self.X, mode="clip")
            if self.data.standardization is not None:
                self.data.standardization.apply(self.X, out=self.X)
            X_batches = self.X_batches
        else:
            X_batches = [self.data.X[rows[bounds]] for bounds in self.bounds]
            if self.data.standardization is not None:
                X_batches = map(self.data.standardization.apply, X_batches)
        return zip(X_batches, self.target, self.weight, self.totals, strict=True)

    def _gather_weight(self, rows):
        if self.data.weight is None:
            return
        weight = self.data.weight.take(rows).reshape(self.weight.shape)
        totals = weight.sum(axis=1)
        np.divide(weight, totals[:, np.newaxis], out=self.weight, casting="same_kind")
        self.totals = totals.tolist()

    def _gather_target(self, rows):
        n_batches, n_outputs, batch_size = self.target.shape
        if self.data.target.ndim == 1:
            # One-hot encoding
            self.data.target.take(rows, out=self.codes, mode="clip")
            codes = self.codes.reshape(n_batches, 1, batch_size)
            np.equal(codes, self.code_of_output, out=self.target)
            n_labels = n_outputs
        else:
            self.data.target.take(rows, axis=0, out=self.labels, mode="clip")
            labels = self.labels.reshape(n_batches, batch_size, n_outputs)
            np.copyto(self.target, labels.transpose(0, 2, 1))
            n_labels = 2
        if self.label_smoothing:
            np.multiply(self.target, 1 - self.label_smoothing, out=self.target)
            np.add(self.target, self.label_smoothing / n_labels, out=self.target)
        np.multiply(self.target, self.weight[:, np.newaxis], out=self.target)


def _cuts(n_rows, batch_size, n_together):
    """Return the gathers of an epoch as (rows, number of batches, size of each)."""
    n_full, n_left = divmod(n_rows, batch_size)
    cuts = []
    for first in range(0, n_full, n_together):
        n_batches = min(n_together, n_full - first)
        start = first * batch_size
        rows = slice(start, start + n_batches * batch_size)
        cuts.append((rows, n_batches, batch_size))
    if n_left:
        cuts.append((slice(n_rows - n_left, n_rows), 1, n_left))
    return cuts


class Epochs:
    """Epochs of training on one set of data, with all buffers made beforehand.

    Parameters
    ----------
    network : Network
    state : TrainingState
        Advanced in place by every epoch.
    data : Data
    options : Options
    """

    def __init__(self, network, state, data, options):
        self.state = state
        self.data = data
        self.options = options
        self.rng = np.random.Generator(np.random.PCG64(0))
        self.rng.bit_generator.state = state.rng_state
        self.gradient = np.empty_like(state.params)
        self.update = state.optimizer.update_for(
            state.params, self.gradient, n_decayed=network.n_weights
        )
        self.parts = self._parts(network)

    def _parts(self, network):
        """Return (rows, their batches, the cost's gradient for them) of each gather."""
        options, params = self.options, self.state.params
        row_bytes = self.data.X.shape[1] * params.itemsize
        n_together = max(1, GATHER_BYTES // (options.batch_size * row_bytes))
        if not isinstance(self.data.X, np.ndarray):
            n_together = 1
        batches, cost_gradients, parts = {}, {}, []
        for rows, *cut in _cuts(len(self.data.rows), options.batch_size, n_together):
            n_batches, batch_size = cut
            if (n_batches, batch_size) not in batches:
                batches[n_batches, batch_size] = _Batches(
                    self.data,
                    network.layer_sizes[-1],
                    n_batches,
                    batch_size,
                    options.label_smoothing,
                    params.dtype,
                )
            if batch_size not in cost_gradients:
                cost_gradients[batch_size] = CostGradient(
                    network,
                    params,
                    self.gradient,
                    batch_size,
                    alpha=options.alpha,
                    dropout=options.dropout,
                    rng=self.rng,
                )
            parts.append(
                (rows, batches[n_batches, batch_size], cost_gradients[batch_size])
            )
        return parts

    def run(self):
        """Run one epoch and return its record.

        Raises
        ------
        DivergenceError
            If the cost, a parameter or the optimiser's state is no longer finite.
        """
        state = self.state
        learning_rate = _learning_rate(state, self.options)
        with np.errstate(all="ignore"):  # What overflows is found by _check_finite.
            loss = self._pass(learning_rate)
            _check_finite(loss, state)
        state.rng_state = self.rng.bit_generator.state
        state.n_epochs += 1
        state.n_samples += len(self.data.rows)
        state.n_scheduled += 1
        _track_loss(state, loss, self.options)
        return {"epoch": state.n_epochs, "learning_rate": learning_rate, "loss": loss}

    def _pass(self, learning_rate):
        """Go through all rows once, with an update per batch; return the mean cost."""
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


class ValidationLoss:
    """The mean loss of some data, without penalties and label smoothing.

    Parameters
    ----------
    network : Network
    data : Data
        All its rows are used.
    """

    def __init__(self, network, data):
        self.network = network
        self.X = data.X
        self.standardization = data.standardization
        dtype = data.X.dtype
        n_rows, n_outputs = data.X.shape[0], network.layer_sizes[-1]
        weight = np.ones(n_rows) if data.weight is None else data.weight
        self.weight = (weight / weight.sum()).astype(dtype)
        labels = data.target.T
        if labels.ndim == 1:
            labels = labels == np.arange(n_outputs)[:, np.newaxis]
        self.target = labels * self.weight

    def __call__(self, params):
        """Return the loss with these parameters."""
        raw = self.network.predict(
            params, self.X, standardization=self.standardization
        ).T
        cost_and_gradient = LOSSES[self.network.loss].cost_and_gradient
        scratch = scratch_like(raw)
        with np.errstate(invalid="ignore"):  # See `Network.predict`.
            return cost_and_gradient(raw, self.target, self.weight, scratch)


class Monitor:
    """What hears of the epochs of a `train`; this one ignores them."""

    def begin_epoch(self):
        """Hear that an epoch begins."""

    def end_epoch(self, state, record):
        """Hear that an epoch has ended; return whether training should stop."""
        return False


def train(network, state, data, options, *, history, validate, early_stopping, monitor):
    """Run up to ``options.max_iter`` epochs; return a `TrainingResult`.

    Parameters
    ----------
    network : Network
    state : TrainingState
        Where training begins. It is not changed.
    data : Data
    options : Options
    history : list of dict
        The records of the state's epochs; gets one for every epoch run, whether or
        not its state is kept.
    validate : callable or None
        ``validate(state)`` returns a dict with "validation_loss" and
        "validation_score" that becomes part of the epoch's record.
    early_stopping : bool
        Whether the validation score decides when to stop and which state to keep.
    monitor : Monitor
        Hears of every epoch and may ask to stop.

    Raises
    ------
    DivergenceError
        See `Epochs.run`.
    """
    state = _at_start_of_fit(state, options)
    first_epoch = state.n_epochs
    best = EarlyStopping() if early_stopping else None
    if early_stopping and first_epoch:
        # A warm fit never returns a model that is worse than where it began.
        best = best.after(validate(state)["validation_score"], state, options.tol)
    epochs = Epochs(network, state.copy(), data, options)
    stop_reason = None
    try:
        while stop_reason is None:
            monitor.begin_epoch()
            record = epochs.run()
            history.append(record)
            finished, best_now = epochs.state.copy(), best
            if validate is not None:
                record.update(validate(finished))
            if early_stopping:
                best_now = best.after(record["validation_score"], finished, options.tol)
            # At once, so that an interrupt finds either all of an epoch or nothing.
            state, best = finished, best_now
            asked_to_stop = monitor.end_epoch(state, record)
            stop_reason = _stop_reason(state, options, best, asked_to_stop)
    except KeyboardInterrupt:
        if state.n_epochs == first_epoch:
            raise
        stop_reason = "interrupted"
    # Interrupted in between, the history is one epoch ahead of the state.
    del history[state.n_epochs :]
    n_iter = state.n_epochs - first_epoch
    if early_stopping:
        return TrainingResult(best.state, n_iter, best.score, stop_reason)
    return TrainingResult(state, n_iter, None, stop_reason)


class EarlyStopping(NamedTuple):
    """The best state by validation score, and how long ago that was."""

    score: float | None = None
    state: TrainingState | None = None
    n_no_change: int = 0

    def after(self, score, state, tol):
        """Take note of a state and its score; of equal scores, keep the later one."""
        unknown = self.score is None or math.isnan(self.score)
        best = -math.inf if unknown else self.score
        n_no_change = 0 if score - best > tol else self.n_no_change + 1
        if score >= best or self.state is None:
            return EarlyStopping(score, state, n_no_change)
        return self._replace(n_no_change=n_no_change)


def _at_start_of_fit(state, options):
    """Return the state with the schedule at its start, and free to go on."""
    stopped = state.n_no_change >= options.n_iter_no_change
    return replace(
        state,
        n_scheduled=0,
        n_planned=options.max_iter,
        rate_factor=1.0,
        n_no_change=0 if stopped else state.n_no_change,
    )


def _learning_rate(state, options):
    if options.learning_rate_schedule == "plateau":
        factor = state.rate_factor
    elif options.max_iter is None:  # Nobody knows how far training has come.
        factor = 1.0
    else:
        progress = min(1.0, state.n_scheduled / options.max_iter)
        factor = SCHEDULES[options.learning_rate_schedule](progress)
    return options.learning_rate * factor


def _track_loss(state, loss, options):
    """Count the epochs without improvement; the "plateau" schedule acts on them."""
    improved = state.best_loss - loss > options.tol
    state.n_no_change = 0 if improved else state.n_no_change + 1
    state.best_loss = min(state.best_loss, loss)
    if options.learning_rate_schedule != "plateau":
        return
    if state.n_no_change >= options.n_iter_no_change and not _at_floor(state, options):
        state.rate_factor /= PLATEAU_DIVISOR
        state.n_no_change = 0


def _at_floor(state, options):
    rate = options.learning_rate * state.rate_factor
    return state.rate_factor < 1 and rate < PLATEAU_MIN_RATE


def _stop_reason(state, options, best, asked_to_stop):
    """Return why training ends after this epoch, or None if it goes on."""
    if best is not None:
        no_change = best.n_no_change >= options.n_iter_no_change
    elif options.learning_rate_schedule == "plateau":
        no_change = False
    else:
        no_change = state.n_no_change >= options.n_iter_no_change
    at_floor = options.learning_rate_schedule == "plateau" and _at_floor(state, options)
    if no_change:
        return "early_stopping" if best is not None else "no_change"
    if at_floor:
        return "plateau"
    if asked_to_stop:
        return "callback"
    return "max_iter" if state.n_scheduled == options.max_iter else None


def _clip(gradient, max_norm):
    """Scale the gradient down to `max_norm` if its Euclidean norm exceeds it."""
    norm = math.sqrt(gradient.dot(gradient))
    if not 0 < norm < math.inf:  # The squares over- or underflow; BLAS's nrm2 doesn't.
        norm = float(scipy.linalg.norm(gradient, check_finite=False))
    if norm > max_norm:
        np.multiply(gradient, max_norm / norm, gradient)


def _check_finite(loss, state):
    if not math.isfinite(loss):
        found = "a cost"
    elif not _all_finite(state.params):
        found = "a weight"
    elif not all(map(_all_finite, state.optimizer.state_arrays())):
        found = "an average that the optimiser keeps"
    else:
        return
    remedy = "Lower learning_rate"
    if state.standardization is None:
        remedy = "Scale X (for example with StandardScaler) or lower learning_rate"
    raise DivergenceError(
        f"Training diverged in epoch {state.n_epochs + 1}: {found} is not finite. "
        f"{remedy}; max_grad_norm helps against single large gradients."
    )


def _all_finite(array):
    # The product needs no array of truth values; where it overflows, look closer.
    return math.isfinite(array.dot(array)) or bool(np.isfinite(array).all())
