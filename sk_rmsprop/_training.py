"""Training: the loop over epochs, validation, and when it stops."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sk_rmsprop._epochs import (
    PLATEAU_MIN_LEARNING_RATE,
    Epochs,
    TrainingState,
    at_floor,
)
from sk_rmsprop._losses import LOSSES, scratch_like

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


class TrainingResult(NamedTuple):
    """The outcome of training, or of the epochs so far.

    Attributes
    ----------
    state : TrainingState
        After the last epoch, or after the best one with early stopping. Training
        changes it in place: to keep it, `copy` the result.
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

    def copy(self):
        """Return the same result with a state of its own."""
        return self._replace(state=self.state.copy())


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
            return BestEpoch(score, state.copy(), n_no_change)
        return self._replace(n_no_change=n_no_change)


# --- The loop over epochs ---


def train(network, state, data, options, *, history, validate, callbacks):
    """Run up to ``options.max_iter`` epochs; return a `TrainingResult`.

    Parameters
    ----------
    network : Network
    state : TrainingState
        Where training begins. Its arrays are changed in place.
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
    first_epoch, stop_reason = state.n_epochs, None
    best = _best_before(state, history, options, validate)
    epochs = Epochs(network, state, data, options)
    try:
        while stop_reason is None:
            callbacks.begin_epoch()
            epochs.save()
            record = epochs.run()
            history.append(record)
            best_now = best
            result = TrainingResult(state, history, state.n_epochs - first_epoch)
            if validate is not None:
                record.update(validate(result))
            if options.early_stopping:
                best_now = best.after(record["validation_score"], state, options.tol)
            # At once, so that an interrupt finds either all of an epoch or nothing.
            epochs.saved, best = None, best_now
            if options.verbose:
                print_record(record)
            asked_to_stop = callbacks.end_epoch(result)
            stop_reason = _stop_reason(state, options, best, asked_to_stop)
    except KeyboardInterrupt:
        epochs.undo()
        if state.n_epochs == first_epoch:
            raise
        stop_reason = "interrupted"
    return _result(state, history, first_epoch, best, stop_reason)


def train_chunk(network, state, data, options, history, finish):
    """Run one epoch and return what `finish` does for its `TrainingResult`.

    Where sparse data are trained in place, a failure undoes the epoch, one of `finish`
    included.
    """
    epochs = Epochs(network, state, data, options)
    try:
        if options.updates_rows:
            epochs.save()
        record = epochs.run()
        finished = finish(TrainingResult(state, [*history, record], 1))
        if options.verbose:
            print_record(record)
        return finished
    except BaseException:
        epochs.undo()
        raise


def _result(state, history, first_epoch, best, stop_reason):
    """Return the result at the end of training."""
    # Interrupted in between, the history is one epoch ahead of the state.
    history = [record for record in history if record["epoch"] <= state.n_epochs]
    n_iter = state.n_epochs - first_epoch
    if best is None:
        return TrainingResult(state, history, n_iter, None, stop_reason)
    return TrainingResult(best.state, history, n_iter, best.score, stop_reason)


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
    if at_floor(state, options):
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
