"""One epoch of training: the steps over all mini-batches, which can be undone.

`Epochs` runs a network and its optimizer over mini-batches of the data and advances the
`TrainingState`. It does the same for a stack of networks, which share the mini-batches:
the members have a state and options each.
"""

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.linalg

from sk_rmsprop._data import Batches, batch_cuts
from sk_rmsprop._encoding import Encoding
from sk_rmsprop._network import CostGradient
from sk_rmsprop._rmsprop import RMSprop, stack_update_for
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._sparse import ColumnsPresent
from sk_rmsprop._updates import common

# Adaptive schedules divide the learning rate by this, and stop below that.
PLATEAU_DIVISOR = 5.0
PLATEAU_MIN_LEARNING_RATE = 1e-6


@dataclass(frozen=True)
class Options:
    """How to train: the estimator's parameters of the same names.

    `max_iter` is None where the number of epochs is unknown, in `partial_fit`.
    `updates_rows` says how sparse data are trained: see `RowSteps`. `tol` counts costs
    and validation scores in `cost_unit` and `score_unit`. Members of a stack
    may differ in `learning_rate`, `alpha`, `weight_decay`, `tol` and
    `n_iter_no_change`, beside the options of their optimizers.
    """

    learning_rate: float
    learning_rate_schedule: str
    alpha: float
    weight_decay: float
    dropout: float
    label_smoothing: float
    max_grad_norm: float | None
    batch_size: int
    shuffle: bool
    max_iter: int | None
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    updates_rows: bool
    verbose: bool
    cost_unit: float = 1.0
    score_unit: float = 1.0

    @property
    def score_tol(self):
        """What a validation score improves by at least."""
        return self.tol * self.score_unit


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
        The same since the last `fit` began, in the unit of the costs: what improvements
        are measured against.
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

    @property
    def samples_per_epoch(self):
        """Mean number of samples of the epochs so far."""
        return self.n_samples // max(1, self.n_epochs)

    def copy(self):
        """Return a state that can be trained apart.

        Memory-mapped parameters become plain ones. Encodings are never changed.
        """
        params, optimizer = np.array(self.params), self.optimizer.copy()
        return replace(self, params=params, optimizer=optimizer)

    def without_averages(self):
        """Return a copy for predictions, whose optimizer has not made a step."""
        params, optimizer = np.array(self.params), self.optimizer._without_state()
        return replace(self, params=params, optimizer=optimizer)

    def with_optimizer(self, optimizer, *, in_place):
        """Return a copy of this state that goes on with another optimizer.

        With `in_place` the arrays are not copied, where that is possible.
        """
        # With other decays, rows that lag are brought up to date before any backup.
        same = self.optimizer._decays == optimizer._decays
        state = self
        if not (in_place and same and self.params.flags.owndata):
            state = self.copy()
        optimizer.take_state(state.optimizer, copy=False)
        return replace(state, optimizer=optimizer)


class DivergenceError(ValueError):
    """A number became infinite or NaN during training."""


# --- One step ---


class Steps:
    """Steps of gradient descent in which every parameter has a gradient.

    Parameters
    ----------
    network : Network
    states : list of TrainingState
        One, or those of the members of a stack: their parameters and averages become
        rows of arrays of the whole stack.
    options : list of Options
        One for each state.
    rng : numpy.random.Generator
        Draws the dropout masks.
    """

    def __init__(self, network, states, options, rng):
        self.max_grad_norm = options[0].max_grad_norm
        optimizers = [state.optimizer for state in states]
        if len(states) == 1:
            params = states[0].params
            gradient = np.empty_like(params)
            self.gradients = [gradient]
            self.update = optimizers[0].update_for(
                params, gradient, n_decayed=network.n_weights
            )
        else:
            params = np.stack([state.params for state in states])
            for state, row in zip(states, params, strict=True):
                state.params = row
            gradient = np.empty_like(params)
            self.gradients = list(gradient)
            self.update = stack_update_for(
                optimizers, params, gradient, network.n_weights
            )
        self.cost_gradient = partial(
            CostGradient,
            network,
            params,
            gradient,
            alpha=common([one.alpha for one in options]),
            dropout=options[0].dropout,
            rng=rng,
        )

    def for_batches_of(self, batch_size):
        """Return a function that makes the step for a batch and returns its cost."""
        cost_and_gradient = self.cost_gradient(batch_size)

        def step(X, target, weight, learning_rate):
            cost = cost_and_gradient(X, target, weight)
            if self.max_grad_norm is not None:
                for gradient in self.gradients:
                    _clip([gradient], self.max_grad_norm)
            self.update(learning_rate)
            return cost

        return step

    def end_epoch(self):
        """Bring all parameters up to date: they are."""


class RowSteps:
    """Steps of gradient descent on sparse data, at the cost of their values.

    The weights of inputs that a batch does not have get no gradient from it. Products,
    gradient and update are made for the rows of the first layer's weights that it has.

    Parameters
    ----------
    network, states, options, rng
        As in `Steps`, but of one network.
    """

    def __init__(self, network, states, options, rng):
        [state], [options] = states, options
        self.max_grad_norm = options.max_grad_norm
        rest = state.params[network.n_first_weights :]
        self.gradient = np.empty_like(rest)
        self.update = state.optimizer._row_update_for(
            state.params,
            network.layer_sizes[:2],
            self.gradient,
            n_decayed=network.n_weights,
        )
        self.columns_present = ColumnsPresent(network.layer_sizes[0])
        self.cost_gradient = partial(
            CostGradient,
            network.beyond_inputs,
            rest,
            self.gradient,
            dropout=options.dropout,
            rng=rng,
        )

    def for_batches_of(self, batch_size):
        """Return a function that makes the step for a batch and returns its cost."""
        cost_and_gradient = self.cost_gradient(batch_size)

        def step(X, target, weight, learning_rate):
            columns, X = self.columns_present(X)
            cost_and_gradient.set_first_weights(self.update.load(columns))
            cost = cost_and_gradient(X, target, weight)
            gradient = cost_and_gradient.first_gradient
            if self.max_grad_norm is not None:
                _clip([gradient.reshape(-1), self.gradient], self.max_grad_norm)
            self.update(learning_rate, gradient)
            return cost

        return step

    def end_epoch(self):
        """Bring all parameters up to date."""
        if self.update.decays:
            self.update.catch_up()


# --- One epoch ---


class Epochs:
    """Epochs of training on one set of data, with all buffers allocated beforehand.

    Parameters
    ----------
    network : Network
    states : list of TrainingState
        One, or those of the members of a stack, whose `rng_state` is the same. Advanced
        in place by every epoch.
    data : Data
        Its weights may differ between the members.
    options : list of Options
        One for each state.
    """

    def __init__(self, network, states, data, options):
        self.network = network
        self.states = states
        self.data = data
        self.options = options
        self.rng = np.random.Generator(np.random.PCG64(0))
        self.rng.bit_generator.state = states[0].rng_state
        steps = RowSteps if options[0].updates_rows else Steps
        self.steps = steps(network, states, options, self.rng)
        self.parts = self._parts()
        self.saved = None

    def _parts(self):
        """Return (rows, their batches, the step for them) of each gather."""
        X, itemsize = self.data.X, self.states[0].params.itemsize
        row_bytes = math.inf  # CSR: one batch at a time.
        if isinstance(X, np.ndarray):
            n_targets = self.network.layer_sizes[-1] * len(self.states)
            n_numbers = self.network.layer_sizes[0] + n_targets
            row_bytes = n_numbers * itemsize + X.shape[1] * X.itemsize
        batches, steps, parts = {}, {}, []
        batch_size = self.options[0].batch_size
        for rows, *cut in batch_cuts(len(self.data.rows), batch_size, row_bytes):
            cut = n_batches, batch_size = tuple(cut)
            if cut not in batches:
                batches[cut] = self._batches(n_batches, batch_size)
            if batch_size not in steps:
                steps[batch_size] = self.steps.for_batches_of(batch_size)
            parts.append((rows, batches[cut], steps[batch_size]))
        return parts

    def _batches(self, n_batches, batch_size):
        return Batches(
            self.data,
            self.network,
            self.states[0].encoding,
            n_batches,
            batch_size,
            self.options[0].label_smoothing,
            self.states[0].params.dtype,
        )

    def save(self):
        """Remember the states, for `undo`."""
        self.steps.update.save()
        self.saved = [replace(state) for state in self.states]

    def undo(self):
        """Go back to the states that were saved, if `save` has been called.

        Ctrl-C does not stop that half-way.
        """
        while self.saved is not None:
            with suppress(KeyboardInterrupt):
                self.steps.update.restore()
                for state, saved in zip(self.states, self.saved, strict=True):
                    vars(state).update(vars(saved))
                self.saved = None

    def run(self):
        """Run one epoch; return the record of each network.

        In place of a record there is a `DivergenceError` if the network's cost, a
        parameter or a moving average is no longer finite.
        """
        pairs = list(zip(self.states, self.options, strict=True))
        learning_rates = [_learning_rate(*pair) for pair in pairs]
        with np.errstate(all="ignore"):  # _divergence finds what overflows.
            costs = self._pass(common(learning_rates))
            found = self._divergences(costs)
        records = []
        for (state, options), rate, cost in zip(
            pairs, learning_rates, costs, strict=True
        ):
            state.rng_state = self.rng.bit_generator.state
            state.n_epochs += 1
            state.n_samples += len(self.data.rows)
            state.n_scheduled += 1
            _track_cost(state, cost, options)
            record = {"epoch": state.n_epochs, "learning_rate": rate, "loss": cost}
            records.append(record)
        return [error or record for error, record in zip(found, records, strict=True)]

    def _pass(self, learning_rate):
        """Visit every sample once, with a step per batch; return the mean costs."""
        rows = self.data.rows
        if self.options[0].shuffle:
            rows = self.rng.permutation(rows)
        cost_sum = total = 0.0
        for part, batches, step in self.parts:
            for X, target, weight, batch_total in batches.gather(rows[part]):
                cost_sum += batch_total * step(X, target, weight, learning_rate)
                total += batch_total
        self.steps.end_epoch()
        return np.atleast_1d(cost_sum / total).tolist()

    def _divergences(self, costs):
        """Return a `DivergenceError` for each network that has diverged, else None."""
        arrays = self.steps.update.unchecked()
        if len(self.states) == 1:
            return [_divergence(costs[0], arrays, self.states[0])]
        members = zip(*(zip(*part, strict=True) for part in arrays), strict=True)
        return [
            _divergence(cost, of_member, state)
            for cost, of_member, state in zip(costs, members, self.states, strict=True)
        ]


def _clip(gradients, max_norm):
    """Scale a gradient in parts down to `max_norm` if its Euclidean norm exceeds it."""
    norm = math.sqrt(sum(gradient.dot(gradient) for gradient in gradients))
    if not 0 < norm < math.inf:  # The squares over- or underflow; BLAS's nrm2 doesn't.
        norms = [
            scipy.linalg.norm(gradient, check_finite=False) for gradient in gradients
        ]
        norm = math.hypot(*norms)
    if norm > max_norm:
        for gradient in gradients:
            np.multiply(gradient, max_norm / norm, gradient)


def _divergence(cost, arrays, state):
    """Return an error if the cost, parameters or their averages are not finite."""
    found = None if math.isfinite(cost) else "a cost"
    for params, *averages in arrays:
        if found is None and not _all_finite(params):
            found = "a weight"
        elif found is None and not all(map(_all_finite, averages)):
            found = "a moving average of the optimizer"
    if found is None:
        return None
    remedy = "Lower learning_rate"
    if not state.encoding.scaled:
        remedy = "Scale X (for example with StandardScaler) or lower learning_rate"
    return DivergenceError(
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
    # In a stream of numbers the unit follows the data.
    scaled = cost / options.cost_unit
    improved = state.reference_cost - scaled > options.tol
    state.n_no_change = 0 if improved else state.n_no_change + 1
    state.cost = cost
    state.reference_cost = min(state.reference_cost, scaled)
    state.best_cost = min(state.best_cost, cost)
    if SCHEDULES[options.learning_rate_schedule].adaptive:
        _reduce_on_plateau(state, options)


def _reduce_on_plateau(state, options):
    """Reduce the learning rate of an adaptive schedule if the cost stopped falling."""
    if state.n_no_change >= options.n_iter_no_change and not at_floor(state, options):
        state.plateau_factor /= PLATEAU_DIVISOR
        state.n_no_change = 0


def at_floor(state, options):
    """Return whether an adaptive schedule has reduced the learning rate far enough."""
    adaptive = SCHEDULES[options.learning_rate_schedule].adaptive
    learning_rate = options.learning_rate * state.plateau_factor
    reduced = state.plateau_factor < 1 and learning_rate < PLATEAU_MIN_LEARNING_RATE
    return adaptive and reduced
