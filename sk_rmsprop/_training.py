"""Training: the loop over epochs, validation, and when it stops.

The loop trains stacks of networks. A single network is a stack of one member.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sk_rmsprop._epochs import (
    PLATEAU_MIN_LEARNING_RATE,
    DivergenceError,
    Epochs,
    TrainingState,
    at_floor,
)

STOP_REASONS = {
    "max_iter": "all {max_iter} epochs have been run.",
    "no_change": "the loss has not improved by more than tol={tol} in "
    "{n_iter_no_change} epochs.",
    "early_stopping": "the validation score has not improved by more than tol={tol} "
    "in {n_iter_no_change} epochs.",
    "plateau": f"the learning rate has fallen below {PLATEAU_MIN_LEARNING_RATE}.",
    "callback": "a callback requested it.",
    "interrupted": "it was interrupted.",
    "divergence": "it diverged.",
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
    error : DivergenceError or None
        Why the state is useless, if training diverged.
    """

    state: TrainingState
    history: list
    n_iter: int
    best_score: float | None = None
    stop_reason: str | None = None
    error: DivergenceError | None = None

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
        self.loss = network.bound_loss
        self.data = data
        self.dtype = dtype
        weight = np.ones(len(data.target)) if data.weight is None else data.weight
        with np.errstate(under="ignore"):
            self.weight = (weight / weight.sum()).astype(dtype)

    def __call__(self, state):
        """Return the loss in this state of training."""
        blocks = self.network.blocks(
            state.params, self.data.X, state.encoding, dtype=self.dtype
        )
        loss = 0.0
        # A loss may be infinite; for the others see `Network.blocks`.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for rows, raw in blocks:
                target = self._target(rows, raw)
                weight, scratch = self.weight[rows], self.loss.scratch(raw)
                loss += self.loss.value(raw, target, weight, scratch)
        return loss

    def _target(self, rows, raw):
        """Return the target of some rows: of many classes, that of all is large."""
        target = np.empty_like(raw)
        self.loss.write_target(self.data.target[rows], target[np.newaxis], 0.0)
        if self.loss.weighs_target:
            np.multiply(target, self.weight[rows], out=target)
        return target


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


# --- One network of a stack ---


class Member:
    """One network in training: its state, its records, its best epoch.

    Parameters
    ----------
    state : TrainingState
        Where training begins. Its arrays are changed in place.
    options : Options
    history : list of dict, default=()
        The records of the epochs before. It is not changed.
    validate : callable, default=None
        ``validate(result)`` returns a dict with "validation_loss" and
        "validation_score" that becomes part of the epoch's record.
    """

    def __init__(self, state, options, history=(), validate=None):
        self.state = _at_start_of_fit(state, options)
        self.options = options
        self.history = list(history)
        self.validate = validate
        self.first_epoch = state.n_epochs
        self.stop_reason = None
        self.error = None
        self.best = self._best_before()

    def _best_before(self):
        """Return the best state before the first epoch; None without early stopping."""
        if not self.options.early_stopping:
            return None
        if self.state.n_epochs == 0:
            return BestEpoch()
        # A warm start never returns a model that is worse than where it began.
        score = self.validate(self.result())["validation_score"]
        return BestEpoch().after(score, self.state, self.options.score_tol)

    def after(self, record):
        """Keep the record of an epoch; return the best epoch so far.

        Instead of a record there may be the error of a network that has diverged.
        """
        if isinstance(record, DivergenceError):
            self.error = record
            return self.best
        self.history.append(record)
        if self.validate is not None:
            record.update(self.validate(self.result()))
        if not self.options.early_stopping:
            return self.best
        score = record["validation_score"]
        return self.best.after(score, self.state, self.options.score_tol)

    def result(self):
        """Return the outcome so far, with the state of the last epoch."""
        n_iter = self.state.n_epochs - self.first_epoch
        reason, error = self.stop_reason, self.error
        return TrainingResult(self.state, self.history, n_iter, None, reason, error)

    def final_result(self):
        """Return the outcome of training, with the state that is kept."""
        # Interrupted in between, the history is one epoch ahead of the state.
        n_epochs = self.state.n_epochs
        history = [record for record in self.history if record["epoch"] <= n_epochs]
        result = self.result()._replace(history=history)
        if self.best is None:
            return result
        return result._replace(state=self.best.state, best_score=self.best.score)

    def reason_to_stop(self, asked_to_stop):
        """Return why training ends after this epoch, or None if it continues."""
        state, options, best = self.state, self.options, self.best
        if self.error is not None:
            return "divergence"
        if best is not None and best.n_no_change >= options.n_iter_no_change:
            return "early_stopping"
        if at_floor(state, options):
            return "plateau"
        # Adaptive schedules start counting again whenever they reduce the rate.
        if best is None and state.n_no_change >= options.n_iter_no_change:
            return "no_change"
        if asked_to_stop:
            return "callback"
        return "max_iter" if state.n_scheduled == options.max_iter else None


class Stack:
    """Networks of equal shapes that are trained on the same mini-batches.

    Members stop and diverge by themselves: one that is done is taken out, the others go
    on.

    Parameters
    ----------
    network : Network
    members : list of Member
    data : Data
    """

    def __init__(self, network, members, data):
        self.network = network
        self.members = members
        self.data = data
        self.running = list(range(len(members)))
        self._start()

    def _start(self):
        """Make the arrays of the members that are running."""
        members = [self.members[i] for i in self.running]
        data = self.data
        if data.weight is not None and data.weight.ndim == 2:
            if len(members) == 1:
                data = data._replace(weight=data.weight[self.running[0]])
            elif len(members) < len(self.members):
                data = data._replace(weight=data.weight[self.running])
        self.epochs = Epochs(
            self.network,
            [member.state for member in members],
            data,
            [member.options for member in members],
        )

    def run(self):
        """Run one epoch of the members that are running; return their best epochs."""
        records = zip(self.running, self.epochs.run(), strict=True)
        return {i: self.members[i].after(record) for i, record in records}

    def undo(self):
        """Go back to where the epoch began."""
        self.epochs.undo()
        for i in self.running:
            self.members[i].error = None

    def commit(self, bests):
        """Keep what `run` has returned."""
        for i, best in bests.items():
            self.members[i].best = best

    def stop(self, asked_to_stop):
        """Take out members that have reason to stop."""
        for i in self.running:
            member = self.members[i]
            member.stop_reason = member.reason_to_stop(asked_to_stop)
            if member.stop_reason is not None and len(self.running) > 1:
                # Its arrays are rows of the stack's, which would be kept with them.
                member.state = member.state.copy()
        running = [i for i in self.running if self.members[i].stop_reason is None]
        if running and running != self.running:
            self.running = running
            self._start()
        self.running = running

    def results(self):
        """Return the outcomes of all members, if training ended now."""
        return [member.final_result() for member in self.members]


# --- The loop over epochs ---


def train(stacks, callbacks, *, verbose=False, raise_error=True):
    """Run epochs of all stacks until all members have stopped.

    Parameters
    ----------
    stacks : list of Stack
    callbacks : object
        Its method ``begin_epoch()`` is called before each epoch; ``end_epoch(results)``
        is called after it, with a list of `TrainingResult` for each stack, and returns
        whether training should stop.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    raise_error : bool, default=True
        Whether to raise the error of a network that diverges. Otherwise its result has
        it, and the other networks are trained on.

    Returns
    -------
    list of list of TrainingResult
        One for each member of each stack.

    Raises
    ------
    DivergenceError
        If a cost, a parameter or an optimizer's state is no longer finite.
    """
    running, unfinished, bests = stacks, [], []
    try:
        while running:
            callbacks.begin_epoch()
            for stack in running:
                stack.epochs.save()
            unfinished, bests = running, []
            bests_now = [stack.run() for stack in running]
            # At once, so that an interrupt finds either all of an epoch or nothing.
            unfinished, bests = [], list(zip(running, bests_now, strict=True))
            _commit(bests)
            if raise_error:
                _check_finite(running)
            if verbose:
                _print_mean(running)
            asked_to_stop = callbacks.end_epoch([stack.results() for stack in stacks])
            for stack in running:
                stack.stop(asked_to_stop)
            running = [stack for stack in running if stack.running]
    except KeyboardInterrupt:
        for stack in unfinished:
            stack.undo()
        _commit(bests)
        if not _interrupt(stacks):
            raise
    return [stack.results() for stack in stacks]


def _commit(bests):
    for stack, best_epochs in bests:
        stack.commit(best_epochs)


def _print_mean(stacks):
    """Print the mean of the records of an epoch, unless all networks have diverged."""
    members = [stack.members[i] for stack in stacks for i in stack.running]
    records = [member.history[-1] for member in members if member.error is None]
    if records:
        print_record(mean_record(records))


def _interrupt(stacks):
    """Stop all members; return whether any of them has finished an epoch."""
    members = [member for stack in stacks for member in stack.members]
    for member in members:
        member.stop_reason = member.stop_reason or "interrupted"
    return any(member.state.n_epochs > member.first_epoch for member in members)


def _check_finite(stacks):
    """Raise the error of a network that has diverged."""
    for stack in stacks:
        for i in stack.running:
            if stack.members[i].error is not None:
                raise stack.members[i].error


def train_chunk(network, state, data, options, history, finish):
    """Run one epoch and return what `finish` does for its `TrainingResult`.

    Where sparse data are trained in place, a failure undoes the epoch, one of `finish`
    included.
    """
    epochs = Epochs(network, [state], data, [options])
    try:
        if options.updates_rows:
            epochs.save()
        [record] = epochs.run()
        if isinstance(record, DivergenceError):
            raise record
        finished = finish(TrainingResult(state, [*history, record], 1))
        if options.verbose:
            print_record(record)
        return finished
    except BaseException:
        epochs.undo()
        raise


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


def mean_record(records, names=None):
    """Return one record of an epoch of several networks: the means of theirs.

    It has the entries named, by default those that all of them have.
    """
    if names is None:
        names = set.intersection(*map(set, records))
    means = {
        name: sum(record[name] for record in records) / len(records)
        for name in records[0]
        if name in names
    }
    return {**means, "epoch": records[0]["epoch"]}


def print_record(record):
    """Print the record of an epoch as one line."""
    line = f"Iteration {record['epoch']}, loss = {record['loss']:.8f}"
    if "validation_loss" in record:
        line += f", validation loss = {record['validation_loss']:.8f}"
        line += f", validation score = {record['validation_score']:.8f}"
    print(line)
