"""Stacks of networks: their arrays and their training are those of each network alone.

What is expected of a member of a stack is what the same network does by itself, in
arrays without the axis of members.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from sk_rmsprop import _data, _network, _updates
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._data import Data
from sk_rmsprop._encoding import Encoding
from sk_rmsprop._epochs import DivergenceError
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._network import CostGradient, Network
from sk_rmsprop._rmsprop import RMSprop, stack_update_for
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._tables import Table
from sk_rmsprop._training import Member, Stack, ValidationLoss, train
from tests.cases import WEIGHT, X_GAPS, X_VAL, Y_MULTILABEL, Y_VAL, X, frozen, y
from tests.helpers import CLASS_LOSSES, small

# Of OpenBLAS, now and then and for nothing: see `Network.predict`.
pytestmark = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in (dot|matmul|vecdot):RuntimeWarning"
)

PRECISION = {
    "float32": {"rtol": 2e-5, "atol": 2e-6},
    "float64": {"rtol": 1e-12, "atol": 1e-14},
}

every_loss = pytest.mark.parametrize("loss", CLASS_LOSSES)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_depth = pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=str)
both_dtypes = pytest.mark.parametrize("dtype", PRECISION)
shared_or_not = pytest.mark.parametrize("weights", ["shared", "of each member"])

# --- Losses ---------------------------------------------------------------------------


def problem(weights, dtype="float64", n_outputs=3, n_samples=5):
    """Return one-hot targets times weights, and the weights, for three members.

    The second sample has no weight; of weights of each member, all of the last are 0.
    """
    rng = np.random.default_rng(1)
    labels = np.eye(n_outputs)[rng.integers(n_outputs, size=n_samples)].T
    weight = rng.random((3, n_samples) if weights == "of each member" else n_samples)
    weight[..., 1] = 0
    if weights == "of each member":
        weight[2] = 0
    weight = weight.astype(dtype)
    target = (labels * weight[..., np.newaxis, :]).astype(dtype)
    return target, weight


def of_member(i, weights, target, weight):
    """Return the target and the weights of a member: all may share them."""
    return (target, weight) if weights == "shared" else (target[i], weight[i])


def call_loss(loss, method, raw, target, weight):
    """Return what a method of a loss returns, and what it leaves in `raw`."""
    raw = raw.copy()
    scratch = LOSSES[loss].scratch(raw)
    for array in scratch if isinstance(scratch, tuple) else [scratch]:
        array[...] = np.nan
    for array in (target, weight):
        array.setflags(write=False)
    return getattr(LOSSES[loss], method)(raw, target, weight, scratch), raw


@every_loss
@shared_or_not
@both_dtypes
@pytest.mark.parametrize("method", ["value", "value_and_gradient"])
def test_losses_are_those_of_each_member(loss, weights, dtype, method):
    raw = 3 * np.random.default_rng(0).standard_normal((3, 3, 5)).astype(dtype)
    target, weight = problem(weights, dtype)
    values, gradients = call_loss(loss, method, raw, target, weight)
    assert values.shape == (3,)
    for i in range(3):
        own = of_member(i, weights, target, weight)
        value, gradient = call_loss(loss, method, raw[i], *own)
        np.testing.assert_allclose(values[i], value, **PRECISION[dtype])
        if method == "value_and_gradient":
            np.testing.assert_allclose(gradients[i], gradient, **PRECISION[dtype])


@every_loss
def test_loss_of_a_member_without_weight_is_0(loss):
    raw = 3 * np.random.default_rng(0).standard_normal((3, 3, 5))
    values, gradients = call_loss(
        loss, "value_and_gradient", raw, *problem("of each member")
    )
    assert values[2] == 0
    assert (values[:2] > 0).all()
    np.testing.assert_array_equal(gradients[2], np.zeros((3, 5)))


# --- The network ----------------------------------------------------------------------


def inputs(n_rows=5, dtype="float64"):
    return np.random.default_rng(2).standard_normal((n_rows, 4)).astype(dtype)


def random_params(network, dtype="float64"):
    """Return the parameters of three members."""
    rng = np.random.default_rng(3)
    return 0.7 * rng.standard_normal((3, network.n_params)).astype(dtype)


def cost_and_gradient(network, params, target, weight, alpha):
    gradient = np.full_like(params, np.nan)
    compute = CostGradient(network, params, gradient, 5, alpha=alpha)
    return compute(inputs(dtype=params.dtype), target, weight), gradient


@every_activation
@every_depth
@both_dtypes
@pytest.mark.parametrize(
    "alphas", [[0.0, 0.3, 0.05], [0.3, 0.3, 0.3]], ids=["alphas", "one alpha"]
)
def test_cost_and_gradient_are_those_of_each_member(activation, hidden, dtype, alphas):
    for loss, weights in itertools.product(CLASS_LOSSES, ["shared", "of each member"]):
        network = Network((4, *hidden, 3), activation, loss)
        params = random_params(network, dtype)
        target, weight = problem(weights, dtype)
        alpha = 0.3 if len(set(alphas)) == 1 else np.array(alphas)[:, np.newaxis]
        costs, gradients = cost_and_gradient(network, params, target, weight, alpha)
        for i in range(3):
            own = of_member(i, weights, target, weight)
            cost, gradient = cost_and_gradient(network, params[i], *own, alphas[i])
            np.testing.assert_allclose(costs[i], cost, **PRECISION[dtype])
            np.testing.assert_allclose(gradients[i], gradient, **PRECISION[dtype])


@every_loss
def test_gradient_of_a_stack_by_finite_differences(loss):
    network = Network((4, 4, 3), "tanh", loss)
    params, alpha = random_params(network), np.array([[0.0], [0.3], [0.05]])

    def compute(params):
        return cost_and_gradient(network, params, *problem("of each member"), alpha)

    step = 1e-6
    differences = np.empty((3, *params.shape))
    for index in np.ndindex(params.shape):
        change = np.zeros_like(params)
        change[index] = step
        costs, lower_costs = compute(params + change)[0], compute(params - change)[0]
        differences[:, *index] = (costs - lower_costs) / (2 * step)
    # A member's cost depends on its own parameters alone.
    expected = np.zeros_like(differences)
    expected[range(3), range(3)] = compute(params)[1]
    np.testing.assert_allclose(differences, expected, rtol=0, atol=1e-8)


# Blocks of one row, of two rows of 6 numbers of each member, and of all rows
@pytest.mark.parametrize(
    ("block_bytes", "n_blocks"), [(1, 7), (2 * 3 * 6 * 8, 4), (2**21, 1)]
)
@pytest.mark.parametrize("link", [None, "link", "log_link"])
@every_loss
def test_predictions_are_those_of_each_member(
    loss, link, block_bytes, n_blocks, monkeypatch
):
    monkeypatch.setattr(_network, "PREDICTION_BLOCK_BYTES", block_bytes)
    network = Network((4, 6, 3), "silu", loss)
    params, rows = random_params(network), inputs(n_rows=7)
    table = Table.of(rows, None)
    encoding = Encoding.of(table, rows, np.arange(7), None, "standard")
    link = link and getattr(LOSSES[loss], link)
    assert len(list(network.blocks(params, rows, encoding, link))) == n_blocks
    outputs = network.predict(params, rows, encoding, link)
    expected = [network.predict(own, rows, encoding, link) for own in params]
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-14)


# --- The optimizer --------------------------------------------------------------------

OPTIMIZERS = [
    {"beta": 0.9, "epsilon": 1e-8, "weight_decay": 0.0, "initial_square_average": 0.5},
    {"beta": 0.5, "epsilon": 1e-2, "weight_decay": 0.2},
    {"beta": 0.99, "epsilon": 1e-5, "weight_decay": 1.0},
]
MOMENTA = [{"momentum": 0.5}, {"momentum": 0.9}, {"momentum": 0.1}]
FLAGS = {
    "plain": {},
    "momentum": {"momentum": True},
    "nesterov": {"momentum": True, "nesterov": True},
    "centered": {"centered": True},
    "bias_correction": {"bias_correction": True},
    "epsilon_in_sqrt": {"epsilon_in_sqrt": True},
    "all": {
        "momentum": True,
        "nesterov": True,
        "centered": True,
        "bias_correction": True,
        "epsilon_in_sqrt": True,
    },
}

every_flag = pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)


def make_optimizers(flags, numbers=OPTIMIZERS):
    """Return optimizers with numbers of their own, and momenta if that is a flag."""
    flags = flags.copy()
    momenta = MOMENTA if flags.pop("momentum", False) else [{}] * 3
    return [
        RMSprop(**own, **momentum, **flags)
        for own, momentum in zip(numbers, momenta, strict=True)
    ]


def optimization(dtype="float64", n_steps=50):
    """Return parameters of three members, and a gradient for every step."""
    rng = np.random.default_rng(4)
    params = rng.standard_normal((3, 11)).astype(dtype)
    return params, rng.standard_normal((n_steps, 3, 11)).astype(dtype) ** 3


def step_alone(optimizers, params, gradients, learning_rates, n_decayed):
    """Step each member by an update of its own."""
    for i, (optimizer, row) in enumerate(zip(optimizers, params, strict=True)):
        gradient = np.empty_like(row)
        update = optimizer.update_for(row, gradient, n_decayed)
        for gradient_now, rates in zip(gradients, learning_rates, strict=True):
            gradient[:] = gradient_now[i]
            update(float(np.broadcast_to(rates, (3, 1))[i, 0]))


def step_together(optimizers, params, gradients, learning_rates, n_decayed):
    gradient = np.empty_like(params)
    update = stack_update_for(optimizers, params, gradient, n_decayed)
    for gradient_now, rates in zip(gradients, learning_rates, strict=True):
        gradient[:] = gradient_now
        update(rates)


def assert_same_optimizers(optimizers, others, precision):
    for optimizer, other in zip(optimizers, others, strict=True):
        assert optimizer.n_steps_ == other.n_steps_
        arrays, expected = optimizer.state_arrays(), other.state_arrays()
        assert len(arrays) == len(expected) > 0
        for array, expected_array in zip(arrays, expected, strict=True):
            np.testing.assert_allclose(array, expected_array, **precision)


RATES = {
    "a rate of each": np.array([[0.01], [0.1], [0.003]]),
    "one rate": 0.02,
}


@every_flag
@both_dtypes
@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
# All parameters at once, two of each member, one of each
@pytest.mark.parametrize("block_size", [65536, 8, 2])
def test_steps_are_those_of_each_optimizer(
    flags, dtype, rates, block_size, monkeypatch
):
    params, gradients = optimization(dtype)
    learning_rates = [rates / (1 + step % 3) for step in range(len(gradients))]
    alone, others = params.copy(), make_optimizers(flags)
    step_alone(others, alone, gradients, learning_rates, n_decayed=7)
    monkeypatch.setattr(_updates, "BLOCK_SIZE", block_size)
    optimizers = make_optimizers(flags)
    step_together(optimizers, params, gradients, learning_rates, n_decayed=7)
    np.testing.assert_allclose(params, alone, **PRECISION[dtype])
    assert_same_optimizers(optimizers, others, PRECISION[dtype])


@every_flag
def test_steps_of_equal_optimizers(flags):
    params, gradients = optimization()
    learning_rates, alone = [0.01] * len(gradients), params.copy()
    others = make_optimizers(flags, [OPTIMIZERS[1]] * 3)
    step_alone(others, alone, gradients, learning_rates, n_decayed=7)
    optimizers = make_optimizers(flags, [OPTIMIZERS[1]] * 3)
    step_together(optimizers, params, gradients, learning_rates, n_decayed=7)
    np.testing.assert_allclose(params, alone, **PRECISION["float64"])
    assert_same_optimizers(optimizers, others, PRECISION["float64"])


@every_flag
def test_a_stack_goes_on_from_the_steps_of_each_member(flags):
    params, gradients = optimization(n_steps=10)
    rates, optimizers = [RATES["a rate of each"]] * 10, make_optimizers(flags)
    for i, n_earlier in enumerate([0, 1, 5]):
        own = slice(i, i + 1)
        earlier = gradients[:n_earlier, own]
        step_alone(optimizers[own], params[own], earlier, [0.01] * n_earlier, 7)
    alone, others = params.copy(), [optimizer.copy() for optimizer in optimizers]
    step_alone(others, alone, gradients, rates, n_decayed=7)
    step_together(optimizers, params, gradients, rates, n_decayed=7)
    assert [optimizer.n_steps_ for optimizer in optimizers] == [10, 11, 15]
    np.testing.assert_allclose(params, alone, **PRECISION["float64"])
    assert_same_optimizers(optimizers, others, PRECISION["float64"])


@pytest.mark.parametrize("momenta", [(0.0, 0.9), (0.9, 0.0)])
def test_optimizers_with_and_without_momentum_are_no_stack(momenta):
    optimizers = [RMSprop(momentum=momentum) for momentum in momenta]
    with pytest.raises(ValueError, match="same flags"):
        stack_update_for(optimizers, np.ones((2, 3)), np.ones((2, 3)), 3)


def test_an_option_that_was_switched_off_is_not_used():
    rng = np.random.default_rng(0)
    optimizers, alone = make_optimizers({"centered": True}), []
    params, gradient = rng.standard_normal((2, 3, 5))
    stack_update_for(optimizers, params, gradient, 5)(0.01)
    for optimizer, row, of_row in zip(optimizers, params, gradient, strict=True):
        optimizer.centered = False
        other = optimizer.copy()
        alone.append(row.copy())
        other.step(alone[-1], of_row, 0.01)
    stack_update_for(optimizers, params, gradient, 5)(0.01)
    np.testing.assert_allclose(params, alone, rtol=1e-12)


@every_flag
def test_restore_goes_back_to_what_each_member_was(flags):
    params, (gradient, *_) = optimization()
    optimizers = make_optimizers(flags)
    step_alone(optimizers[1:2], params[1:2], [gradient[1:2]], [0.01], 7)
    update = stack_update_for(optimizers, params, gradient, 7)
    update(0.01)
    update.save()
    before = frozen([params, [vars(optimizer) for optimizer in optimizers]])
    update(0.01)
    update.restore()
    assert [optimizer.n_steps_ for optimizer in optimizers] == [1, 2, 1]
    assert frozen([params, [vars(optimizer) for optimizer in optimizers]]) == before


def test_rows_that_lag_are_brought_up_to_date():
    # The first members have stepped some of the three rows that their parameters
    # begin with.
    params, gradients = optimization(n_steps=3)
    optimizers = make_optimizers({})
    for optimizer, row, rows in zip(
        optimizers[:2], params[:2], [[1], [0, 2]], strict=True
    ):
        update = optimizer._row_update_for(row, (3, 3), np.ones(2), 9)
        for n_rows in range(len(rows) + 1):
            update.load(np.array(rows[:n_rows], int))
            update(0.1, np.ones((n_rows, 3)))
    alone, others = params.copy(), [optimizer.copy() for optimizer in optimizers]
    rates = [RATES["a rate of each"]] * 3
    step_alone(others, alone, gradients, rates, n_decayed=9)
    step_together(optimizers, params, gradients, rates, n_decayed=9)
    np.testing.assert_allclose(params, alone, **PRECISION["float64"])
    assert_same_optimizers(optimizers, others, PRECISION["float64"])


def test_averages_of_members_are_never_subnormal():
    # The members' averages decay by 0.9, 0.5 and 1e-3 at every step, and arrive at 0.
    optimizers = [RMSprop(beta=beta) for beta in (0.9, 0.5, 1e-3)]
    params = np.zeros((3, 40), "float32")
    gradient = np.tile(np.logspace(-13, 5, 40, dtype="float32"), (3, 1))
    update = stack_update_for(optimizers, params, gradient, 0)
    update(0.001)
    gradient[:] = 0
    for step in range(1100):
        update(0.001)
        averages = np.array([optimizer.square_average_ for optimizer in optimizers])
        assert np.all((averages == 0) | (averages >= np.finfo("f").tiny)), step
    np.testing.assert_array_equal(averages[1:], 0)
    assert (averages[0] == 0).any()


# --- Networks to train ----------------------------------------------------------------


class Networks(NamedTuple):
    """Networks of equal shapes before training.

    The members of `stack` and `alone` begin with copies of the states.
    """

    network: Network
    data: Data
    states: list
    options: list
    validations: list

    def members(self):
        return [
            Member(state.copy(), options, validate=validate)
            for state, options, validate in zip(
                self.states, self.options, self.validations, strict=True
            )
        ]

    def stack(self):
        return Stack(self.network, self.members(), self.data)

    def alone(self):
        """Return a stack of its own for each member."""
        stacks, weight = [], self.data.weight
        for i, member in enumerate(self.members()):
            own = weight[i] if np.ndim(weight) == 2 else weight
            data = self.data._replace(weight=own)
            stacks.append(Stack(self.network, [member], data))
        return stacks


# Rates high enough that training does something in a few epochs
MEMBERS = [
    {"learning_rate": 0.02, "weight_decay": 0.5, "momentum": 0.9, "tol": 0.05},
    {"learning_rate": 0.01, "alpha": 0.1, "beta": 0.5, "tol": 0.2},
    {
        "learning_rate": 0.05,
        "alpha": 0.01,
        "weight_decay": 2.0,
        "epsilon": 1e-2,
        "tol": 0.01,
    },
]
N_EPOCHS = 6


def make_networks(members=MEMBERS, X=X, y=y, weight=None, validations=None, **params):
    """Return networks with initial weights and parameters of their own.

    They are prepared as `fit` does it, but for the random numbers of the epochs, which
    are the same. Of 65 samples there are six batches of ten and one of five.
    """
    defaults = {
        "batch_size": 10,
        "learning_rate_schedule": "constant",
        "max_iter": N_EPOCHS,
        "momentum": 0.5,
        "n_iter_no_change": np.inf,
    }
    states, all_options = [], []
    for seed, own in enumerate(members):
        clf = small(**(defaults | params | own))
        samples = clf._samples(X, y, weight, resumed=False)
        data = samples.data(samples.rows(None, "sample"), None)
        encoding, network, options = clf._plan(samples, data)
        state = clf._make_state(network, encoding, seed, data, options, False)
        state.rng_state = (states or [state])[0].rng_state
        states.append(state)
        all_options.append(options)
    validations = [None] * len(members) if validations is None else validations
    return Networks(network, data, states, all_options, validations)


class Callbacks:
    """Callbacks that keep what they are called with, and do something after an epoch.

    Parameters
    ----------
    stop_after : int, default=None
        The epoch after which to stop.
    raise_after : int, default=None
        The epoch after which Ctrl-C is pressed.
    """

    def __init__(self, stop_after=None, raise_after=None):
        self.stop_after = stop_after
        self.raise_after = raise_after
        self.n_begun = 0
        self.seen = []

    def begin_epoch(self):
        self.n_begun += 1

    def end_epoch(self, results):
        self.seen.append(results)
        assert self.n_begun == len(self.seen)
        if len(self.seen) == self.raise_after:
            raise KeyboardInterrupt
        return len(self.seen) == self.stop_after


def train_alone(networks, **options):
    """Return the result of each network, trained by itself."""
    return [train([stack], Callbacks(), **options)[0][0] for stack in networks.alone()]


def train_together(networks, **options):
    [results] = train([networks.stack()], Callbacks(), **options)
    return results


def numbers(state):
    """Return what a state has besides arrays."""
    names = ("params", "optimizer", "encoding", "seed", "rng_state")
    return {name: value for name, value in vars(state).items() if name not in names}


def assert_same_result(result, other, tolerance=1e-9):
    assert result.stop_reason == other.stop_reason
    assert result.n_iter == other.n_iter
    assert result.error is other.error is None
    scores = np.array([result.best_score, other.best_score], float)  # None becomes NaN.
    np.testing.assert_allclose(scores[0], scores[1], tolerance)
    assert len(result.history) == len(other.history)
    for record, other_record in zip(result.history, other.history, strict=True):
        assert record == pytest.approx(other_record, tolerance)
    state, other = result.state, other.state
    precision = {"rtol": tolerance, "atol": tolerance}
    assert state.params.dtype == other.params.dtype
    np.testing.assert_allclose(state.params, other.params, **precision)
    assert_same_optimizers([state.optimizer], [other.optimizer], precision)
    assert numbers(state) == pytest.approx(numbers(other), tolerance)
    assert state.seed == other.seed
    assert state.rng_state == other.rng_state


def assert_same_results(results, others, tolerance=1e-9):
    for result, other in zip(results, others, strict=True):
        assert_same_result(result, other, tolerance)


# --- Whole training -------------------------------------------------------------------

CASES = {
    "plain": {},
    "not shuffled": {"shuffle": False},
    "one batch": {"batch_size": 65},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": (6, 5, 4), "activation": "gelu"},
    "nesterov": {"nesterov": True},
    "centered": {"centered": True},
    "sample weights": {"weight": WEIGHT},
    "max_grad_norm": {"max_grad_norm": 0.1},
    "label smoothing": {"label_smoothing": 0.2},
    "multilabel": {"y": Y_MULTILABEL},
    "multilabel, weights and label smoothing": {
        "y": Y_MULTILABEL,
        "weight": WEIGHT,
        "label_smoothing": 0.2,
    },
    "gaps, encoded": {"X": X_GAPS, "numerical_encoding": "auto"},
    **{
        f"schedule {name}": {"learning_rate_schedule": name}
        for name in SCHEDULES
        if name not in ("constant", "plateau")
    },
    # The members' rates are reduced after the third, the second and the fourth epoch.
    "schedule plateau": {"learning_rate_schedule": "plateau", "n_iter_no_change": 1},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_members_are_trained_as_networks_alone(case):
    networks = make_networks(**case)
    results = train_together(networks)
    assert [result.n_iter for result in results] == [N_EPOCHS] * 3
    assert_same_results(results, train_alone(networks))


def test_members_in_float32():
    networks = make_networks(dtype="float32", max_grad_norm=1.0, weight=WEIGHT)
    assert_same_results(train_together(networks), train_alone(networks), 1e-3)


def test_batches_gathered_in_several_parts(monkeypatch):
    # Bytes of three batches of ten rows, each with 5 numbers as they were, 5 inputs and
    # 3 targets. Of the stack, with more targets, two batches are gathered together.
    monkeypatch.setattr(_data, "GATHER_BYTES", 10 * (5 + 5 + 3) * 8 * 3)
    networks = make_networks()
    stacks = [networks.stack(), networks.alone()[0]]
    assert [len(stack.epochs.parts) for stack in stacks] == [3 + 1, 2 + 1]
    assert_same_results(train_together(networks), train_alone(networks))


def validation_loss(network):
    """Return a validation by the loss on other data."""
    data = Data(X_VAL, Y_VAL, None, np.arange(len(Y_VAL)))
    loss = ValidationLoss(network, data, np.dtype("float64"))

    def validate(result):
        value = loss(result.state)
        return {"validation_loss": value, "validation_score": -value}

    return validate


def test_the_best_epoch_of_each_member():
    networks = make_networks(early_stopping=True, max_iter=20)
    networks = networks._replace(validations=[validation_loss(networks.network)] * 3)
    results = train_together(networks)
    assert len({result.state.n_epochs for result in results}) == 3
    assert_same_results(results, train_alone(networks))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_drawn_for_each_member(dropout):
    networks = make_networks([MEMBERS[0]] * 3, dropout=dropout)
    networks = networks._replace(states=[networks.states[0]] * 3)
    params = [result.state.params for result in train_together(networks)]
    assert np.isfinite(params).all()
    for a, b in itertools.combinations(params, 2):
        difference = np.abs(a - b).max()
        assert difference > 1e-2 if dropout else difference < 1e-9


# --- Weights of each member -----------------------------------------------------------


def member_weights():
    """Return weights of 65 samples for three members.

    The first one leaves out every third sample, the second one a batch of ten, if
    samples are not shuffled.
    """
    weights = np.random.default_rng(5).uniform(0.5, 2, (3, 65))
    weights[0, ::3] = 0
    weights[1, 20:30] = 0
    return weights


WEIGHTED_CASES = {
    "shuffled": {},
    "not shuffled": {"shuffle": False},
    "multilabel": {"y": Y_MULTILABEL, "label_smoothing": 0.2, "shuffle": False},
    "centered": {"max_grad_norm": 0.1, "centered": True, "shuffle": False},
}


@pytest.mark.parametrize("case", WEIGHTED_CASES.values(), ids=WEIGHTED_CASES)
def test_weights_of_each_member(case):
    networks = make_networks(**case)
    networks = networks._replace(data=networks.data._replace(weight=member_weights()))
    assert_same_results(train_together(networks), train_alone(networks))


def test_rows_of_weights_are_found_by_their_number():
    # The rows to use are not all of the samples.
    networks = make_networks(weight=WEIGHT)
    weights = WEIGHT * member_weights()
    weights[2] = WEIGHT
    expected = train_alone(networks)[2]
    networks = networks._replace(data=networks.data._replace(weight=weights))
    assert_same_result(train_together(networks)[2], expected)


def test_a_batch_that_a_member_leaves_out_is_as_if_it_did_not_exist():
    # Without memory of earlier steps: a gradient of 0 changes nothing.
    members = [{"beta": 0.0, "learning_rate": rate} for rate in (0.01, 0.02, 0.03)]
    networks = make_networks(members, momentum=0.0, shuffle=False)
    rows, weights = networks.data.rows, member_weights()
    weights[1, weights[1] > 0] = 1
    with_weights = networks._replace(data=networks.data._replace(weight=weights))
    result = train_together(with_weights)[1]
    rows = np.concatenate([rows[:20], rows[30:]])
    without = networks._replace(data=networks.data._replace(rows=rows))
    expected = train_alone(without)[1]
    np.testing.assert_allclose(result.state.params, expected.state.params, rtol=1e-9)
    for record, expected_record in zip(result.history, expected.history, strict=True):
        assert record == pytest.approx(expected_record, 1e-9)


# --- Members stop by themselves -------------------------------------------------------


def scripted(*scores):
    """Return a validation with the given scores; those that are errors are raised."""

    def validate(result):
        score = scores[result.state.n_epochs - 1]
        if isinstance(score, BaseException):
            raise score
        return {"validation_loss": -score, "validation_score": score}

    return validate


# What the members differ in, what they have in common, and after how many epochs each
# of them stops for which reason
STOPS = {
    "no_change": (
        # The first cost is an improvement, nothing after it is one of 1000.
        [
            {"tol": 1000.0, "n_iter_no_change": 3},
            {"tol": 1000.0, "n_iter_no_change": 1},
            {"tol": 0.0, "n_iter_no_change": np.inf},
        ],
        {},
        [(4, "no_change"), (2, "no_change"), (6, "max_iter")],
    ),
    "early_stopping": (
        [
            {"tol": 0.0, "n_iter_no_change": 2},
            {"tol": 1.5, "n_iter_no_change": 3},
            {"tol": 0.0, "n_iter_no_change": 2},
        ],
        {
            "early_stopping": True,
            "validations": [
                scripted(1, 2, 3, 1, 2),
                scripted(1, 2, 3, 4),
                scripted(5, 4, 6, 5, 6.5, 6),
            ],
        },
        [(5, "early_stopping"), (4, "early_stopping"), (6, "max_iter")],
    ),
    "plateau": (
        # A fifth in every epoch but the first: 2e-6, 4e-7.
        [
            {"tol": 1000.0, "learning_rate": 0.02},
            {"tol": 1000.0, "learning_rate": 1e-5},
            {"tol": 1000.0, "learning_rate": 0.05},
        ],
        {"learning_rate_schedule": "plateau", "n_iter_no_change": 1},
        [(6, "max_iter"), (3, "plateau"), (6, "max_iter")],
    ),
    "all but one at once": (
        [
            {"tol": 1000.0, "n_iter_no_change": 2},
            {"tol": 0.0, "n_iter_no_change": np.inf},
            {"tol": 1000.0, "n_iter_no_change": 2},
        ],
        {},
        [(3, "no_change"), (6, "max_iter"), (3, "no_change")],
    ),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights of each member"])
@pytest.mark.parametrize(("members", "common", "expected"), STOPS.values(), ids=STOPS)
def test_members_stop_by_themselves(members, common, expected, weighted):
    members = [one | other for one, other in zip(MEMBERS, members, strict=True)]
    networks = make_networks(members, **common)
    if weighted:
        data = networks.data._replace(weight=member_weights())
        networks = networks._replace(data=data)
    results = train_together(networks)
    assert [(result.n_iter, result.stop_reason) for result in results] == expected
    assert_same_results(results, train_alone(networks))


def test_best_scores_by_hand():
    members, common, _ = STOPS["early_stopping"]
    results = train_together(make_networks(members, **common))
    assert [result.best_score for result in results] == [3, 4, 6.5]
    assert [result.state.n_epochs for result in results] == [3, 4, 5]
    assert [len(result.history) for result in results] == [5, 4, 6]


# --- Members that diverge -------------------------------------------------------------


def diverging(found):
    """Return networks of which the second one diverges."""
    own, common = {"alpha": 0.0}, {}
    if found == "a cost":
        own["learning_rate"] = 1e200
    if found == "a weight":
        # In each epoch after the first a step multiplies weights of 0.01 by -1e80.
        own |= {"weight_decay": 1e82, "learning_rate": 0.01}
        common = {"hidden_layer_sizes": (), "batch_size": 65}
    members = [MEMBERS[0], MEMBERS[1] | own, MEMBERS[2]]
    networks = make_networks(members, **common)
    if found == "a moving average":  # Squares of the second layer's gradient overflow.
        networks.states[1].params[: networks.network.n_first_weights] *= 1e180
    return networks


@pytest.mark.parametrize(
    ("found", "epoch"), [("a cost", 1), ("a weight", 5), ("a moving average", 1)]
)
def test_the_others_go_on_when_a_member_diverges(found, epoch):
    networks = diverging(found)
    results = train_together(networks, raise_error=False)
    expected = train_alone(networks, raise_error=False)
    reasons = ["max_iter", "divergence", "max_iter"]
    assert [result.stop_reason for result in results] == reasons
    assert isinstance(results[1].error, DivergenceError)
    assert f"diverged in epoch {epoch}: {found} " in str(results[1].error)
    assert str(results[1].error) == str(expected[1].error)
    assert results[1].n_iter == expected[1].n_iter == epoch
    assert len(results[1].history) == len(expected[1].history) == epoch - 1
    for i in (0, 2):
        assert_same_result(results[i], expected[i])


def test_all_may_diverge_at_once(capsys):
    networks = make_networks([MEMBERS[0] | {"learning_rate": 1e200}] * 3)
    results = train_together(networks, raise_error=False, verbose=True)
    assert {result.stop_reason for result in results} == {"divergence"}
    assert capsys.readouterr().out == ""


def test_ctrl_c_undoes_a_divergence():
    networks = diverging("a weight")
    ended = scripted(1, 2, 3, 4, KeyboardInterrupt())
    networks = networks._replace(validations=[None, None, ended])
    results = train_together(networks, raise_error=False)
    assert [result.error for result in results] == [None] * 3
    assert [result.stop_reason for result in results] == ["interrupted"] * 3
    assert np.isfinite(results[1].state.params).all()


def test_the_error_of_a_member_is_raised():
    networks = diverging("a cost")
    stacks = [make_networks().stack(), networks.stack()]
    with pytest.raises(DivergenceError, match="Training diverged in epoch 1: a cost"):
        train(stacks, Callbacks())


# --- Several stacks, callbacks, Ctrl-C ------------------------------------------------


def two_kinds():
    """Return networks of two kinds, some of which stop early."""
    first = make_networks(
        [
            MEMBERS[0] | {"tol": 1000.0, "n_iter_no_change": 2},
            MEMBERS[1] | {"tol": 1000.0, "n_iter_no_change": 1},
            MEMBERS[2],
        ]
    )
    second = make_networks(
        [{"learning_rate": 0.02}, {"learning_rate": 0.01}],
        y=Y_MULTILABEL,
        hidden_layer_sizes=(4, 3),
        batch_size=13,
        max_iter=4,
    )
    return [first, second]


def outcomes(results):
    return [(result.n_iter, result.stop_reason) for result in results]


def test_stacks_in_one_call_are_those_of_a_call_each():
    kinds, callbacks = two_kinds(), Callbacks()
    together = train([networks.stack() for networks in kinds], callbacks)
    assert [outcomes(results) for results in together] == [
        [(3, "no_change"), (2, "no_change"), (6, "max_iter")],
        [(4, "max_iter"), (4, "max_iter")],
    ]
    for results, networks in zip(together, kinds, strict=True):
        assert_same_results(results, train_together(networks))
    # All results so far, those of members that have stopped included
    assert len(callbacks.seen) == 6
    n_iters = [[result.n_iter for result in results] for results in callbacks.seen[4]]
    assert n_iters == [[3, 2, 5], [4, 4]]


def test_a_callback_stops_all_members():
    kinds = two_kinds()
    results = train([networks.stack() for networks in kinds], Callbacks(stop_after=2))
    assert [outcomes(members) for members in results] == [
        [(2, "callback"), (2, "no_change"), (2, "callback")],
        [(2, "callback"), (2, "callback")],
    ]


def test_printed_records_are_means_of_the_members_that_run(capsys):
    kinds = two_kinds()
    results = train([networks.stack() for networks in kinds], Callbacks(), verbose=True)
    histories = [result.history for members in results for result in members]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    for epoch, line in enumerate(lines, start=1):
        running = [history for history in histories if len(history) >= epoch]
        losses = [history[epoch - 1]["loss"] for history in running]
        assert line == f"Iteration {epoch}, loss = {np.mean(losses):.8f}"


def interrupted(epoch, **params):
    """Return two kinds of networks, in whose last network Ctrl-C is pressed.

    That is when its epoch is validated, and those of all others are over. Of the first
    stack one network has stopped after two epochs.
    """
    stops = {"n_iter_no_change": 1, "tol": 1000.0}
    members = [MEMBERS[0], MEMBERS[1] | stops, MEMBERS[2]]
    scores = [1, 2, 3, 4, 5]
    rising = scripted(*scores)
    ended = scripted(*scores[: epoch - 1], KeyboardInterrupt())
    first = make_networks(members, validations=[rising] * 3, **params)
    second = make_networks(
        validations=[rising, rising, ended], hidden_layer_sizes=(4, 3), **params
    )
    return [first.stack(), second.stack()]


def without_reasons(results):
    return [[one._replace(stop_reason=None) for one in members] for members in results]


@pytest.mark.parametrize("early_stopping", [True, False])
def test_ctrl_c_undoes_the_epoch_of_all_stacks(early_stopping):
    params = {"early_stopping": early_stopping}
    results = train(interrupted(4, **params), Callbacks())
    reasons = [[one.stop_reason for one in members] for members in results]
    stopped = "early_stopping" if early_stopping else "no_change"
    assert reasons == [["interrupted", stopped, "interrupted"], ["interrupted"] * 3]
    expected = train(interrupted(5, **params), Callbacks(stop_after=3))
    assert frozen(without_reasons(results)) == frozen(without_reasons(expected))


def test_ctrl_c_in_the_first_epoch_is_raised():
    stacks = interrupted(1)
    before = [
        [(member.state.params.copy(), member.state.rng_state) for member in one.members]
        for one in stacks
    ]
    with pytest.raises(KeyboardInterrupt):
        train(stacks, Callbacks())
    for stack, pairs in zip(stacks, before, strict=True):
        for member, (params, rng_state) in zip(stack.members, pairs, strict=True):
            np.testing.assert_array_equal(member.state.params, params)
            assert member.state.rng_state == rng_state
            assert member.state.n_epochs == member.state.optimizer.n_steps_ == 0
            assert not np.any(member.state.optimizer.state_arrays())


def test_ctrl_c_after_an_epoch_keeps_it():
    kinds = two_kinds()
    results = train([networks.stack() for networks in kinds], Callbacks(raise_after=3))
    expected = train([networks.stack() for networks in kinds], Callbacks(stop_after=3))
    assert {one.stop_reason for one in results[1]} == {"interrupted"}
    assert frozen(without_reasons(results)) == frozen(without_reasons(expected))


# --- After training -------------------------------------------------------------------


def going_on(networks, results):
    """Return the networks as they are after training."""
    return networks._replace(states=[result.state for result in results])


def test_members_go_on_alone():
    networks = make_networks()
    expected = train_alone(going_on(networks, train_alone(networks)))
    results = train_together(networks)
    for i in range(3):
        # In place: the arrays of all members are parts of the same ones.
        member = Member(results[i].state, networks.options[i])
        stack = Stack(networks.network, [member], networks.data)
        [[result]] = train([stack], Callbacks())
        assert_same_result(result, expected[i])


def test_members_go_on_in_another_stack():
    networks = make_networks()
    expected = train_alone(going_on(networks, train_alone(networks)))
    results = train_together(going_on(networks, train_together(networks)))
    assert_same_results(results, expected)
