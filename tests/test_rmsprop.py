"""Tests of the optimiser."""

import copy
import io
import json
import pickle
import tracemalloc
from fractions import Fraction
from pathlib import Path

import joblib
import numpy as np
import pytest

from sk_rmsprop import RMSprop
from sk_rmsprop._updates import BLOCK_SIZE

RECORDED = json.loads(
    (Path(__file__).parent / "data" / "optimizer_trajectories.json").read_text("utf-8")
)

OPTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "centered": {"centered": True},
    "weight_decay": {"weight_decay": 1e-3},
    "bias_correction": {"bias_correction": True},
    "epsilon_in_sqrt": {"epsilon_in_sqrt": True},
    "initial_square_average": {"initial_square_average": 1.0},
    "all_options": {
        "momentum": 0.9,
        "nesterov": True,
        "centered": True,
        "weight_decay": 1e-3,
        "bias_correction": True,
        "epsilon_in_sqrt": True,
        "initial_square_average": 1.0,
    },
}


def joblib_round_trip(optimizer):
    file = io.BytesIO()
    joblib.dump(optimizer, file)
    file.seek(0)
    return joblib.load(file)


COPIERS = {
    "pickle": lambda optimizer: pickle.loads(pickle.dumps(optimizer)),
    "joblib": joblib_round_trip,
    "deepcopy": copy.deepcopy,
    "copy.copy": copy.copy,
    "copy method": RMSprop.copy,
}

every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
both_methods = pytest.mark.parametrize("method", ["step", "update_for"])


def random_arrays(n_arrays, shape, dtype="float64"):
    """Return random arrays of varied size: parameters, then gradients."""
    normal = np.random.default_rng(0).standard_normal((n_arrays, *shape), dtype)
    return list(normal * normal * normal)


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def snapshot(optimizer):
    """Return all attributes of an optimiser, arrays as their bytes."""
    return {
        name: bits(value) if isinstance(value, np.ndarray) else value
        for name, value in vars(optimizer).items()
    }


def state_arrays(optimizer):
    """Return the state arrays that the optimiser has."""
    names = ("square_average_", "gradient_average_", "velocity_")
    arrays = {name: getattr(optimizer, name) for name in names}
    return {name: array for name, array in arrays.items() if array is not None}


# The numbers: worked by hand, and recorded from other libraries.


def test_worked_example():
    # w = 1, learning rate 0.01, beta 0.9. Epsilon changes nothing in 8 digits.
    #
    # g = 0.8:   v = 0.9 * 0        + 0.1 * 0.64 = 0.064     root 0.25298221
    #            w = 1          - 0.008 / 0.25298221 = 1          - 0.03162278
    # g = 0.9:   v = 0.9 * 0.064    + 0.1 * 0.81 = 0.1386    root 0.37229021
    #            w = 0.96837722 - 0.009 / 0.37229021 = 0.96837722 - 0.02417469
    # g = 0.1:   v = 0.9 * 0.1386   + 0.1 * 0.01 = 0.12574   root 0.35459836
    #            w = 0.94420253 - 0.001 / 0.35459836 = 0.94420253 - 0.00282009
    # g = -0.2:  v = 0.9 * 0.12574  + 0.1 * 0.04 = 0.117166  root 0.34229519
    #            w = 0.94138244 + 0.002 / 0.34229519 = 0.94138244 + 0.00584291
    worked = [
        (0.8, 0.064, 0.96837722),
        (0.9, 0.1386, 0.94420253),
        (0.1, 0.12574, 0.94138244),
        (-0.2, 0.117166, 0.94722535),
    ]
    w = np.array([1.0])
    optimizer = RMSprop(learning_rate=0.01, beta=0.9)
    for n_steps, (gradient, square_average, params) in enumerate(worked, start=1):
        optimizer.step(w, np.array([gradient]))
        assert optimizer.square_average_[0] == pytest.approx(square_average, rel=1e-14)
        assert w[0] == pytest.approx(params, abs=2e-8)
        assert optimizer.n_steps_ == n_steps


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # With beta 0 and epsilon 1 the scaled gradients are s = 1 / (1 + 1) = 0.5
        # and s = 3 / (3 + 1) = 0.75; the rates are 0.1 and 0.2.
        # w = 1 - 0.1 * 0.5 = 0.95;  w = 0.95 - 0.2 * 0.75 = 0.8
        ({}, [0.95, 0.8]),
        # u = 0.5, then u = 0.5 * 0.5 + 0.75 = 1: the rate does not enter it.
        # w = 1 - 0.1 * 0.5 = 0.95;  w = 0.95 - 0.2 * 1 = 0.75
        ({"momentum": 0.5}, [0.95, 0.75]),
        # w = 1 - 0.1 * (0.5 + 0.5 * 0.5) = 0.925
        # w = 0.925 - 0.2 * (0.75 + 0.5 * 1) = 0.675
        ({"momentum": 0.5, "nesterov": True}, [0.925, 0.675]),
        # Without momentum there is no velocity to look ahead along.
        ({"nesterov": True}, [0.95, 0.8]),
        # w = 1 * (1 - 0.1 * 0.5) - 0.1 * 0.5 = 0.9
        # w = 0.9 * (1 - 0.2 * 0.5) - 0.2 * 0.75 = 0.66
        ({"weight_decay": 0.5}, [0.9, 0.66]),
        # m = g, so the variance is 0 and s = g / (0 + 1).
        # w = 1 - 0.1 * 1 = 0.9;  w = 0.9 - 0.2 * 3 = 0.3
        ({"centered": True}, [0.9, 0.3]),
        # With epsilon 3 under the root s = 1 / sqrt(1 + 3) = 0.5 again, and then
        # s = 3 / sqrt(9 + 3) = sqrt(0.75) = 0.8660254.
        # w = 1 - 0.1 * 0.5 = 0.95;  w = 0.95 - 0.2 * 0.8660254 = 0.77679492
        ({"epsilon": 3.0, "epsilon_in_sqrt": True}, [0.95, 0.77679492]),
        # With beta 0.5 and v from 7: v = 3.5 + 0.5 = 4, v = 2 + 4.5 = 6.5.
        # w = 1 - 0.1 * 1 / (2 + 1) = 0.96666667
        # w = 0.96666667 - 0.2 * 3 / (2.54950976 + 1) = 0.79762924
        ({"beta": 0.5, "initial_square_average": 7.0}, [0.96666667, 0.79762924]),
        # With beta 0.5: v = 0.5, v / 0.5 = 1; v = 0.25 + 4.5 = 4.75, v / 0.75 = 6.3333
        # w = 1 - 0.1 * 1 / (1 + 1) = 0.95
        # w = 0.95 - 0.2 * 3 / (2.51661148 + 1) = 0.77938121
        ({"beta": 0.5, "bias_correction": True}, [0.95, 0.77938121]),
    ],
    ids=lambda value: " ".join(value) or "plain" if isinstance(value, dict) else "",
)
def test_every_option_by_hand_while_the_learning_rate_changes(options, expected):
    w = np.array([1.0])
    optimizer = RMSprop(**{"beta": 0.0, "epsilon": 1.0, **options})
    optimizer.step(w, np.array([1.0]), learning_rate=0.1)
    assert w[0] == pytest.approx(expected[0], abs=1e-8)
    optimizer.step(w, np.array([3.0]), learning_rate=0.2)
    assert w[0] == pytest.approx(expected[1], abs=1e-8)


@pytest.mark.parametrize(
    "recorded",
    RECORDED["trajectories"],
    ids=lambda recorded: f"{recorded['call']} {recorded['dtype']}",
)
def test_equals_the_other_libraries(recorded):
    dtype = np.dtype(recorded["dtype"])
    w = np.array(RECORDED["start"], dtype)
    gradients = np.array(RECORDED["gradients"], dtype)
    expected = np.array(recorded["params"], dtype)
    rates = recorded.get("learning_rates", [None] * len(gradients))
    optimizer = RMSprop(**recorded["options"])
    path = []
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.step(w, gradient, rate)
        path.append(w.copy())
    assert {array.dtype for array in state_arrays(optimizer).values()} == {dtype}
    rtol = {"float32": 1e-5, "float64": 1e-11}[dtype.name]
    np.testing.assert_allclose(path, expected, rtol=rtol, atol=0)


@both_dtypes
def test_first_step_does_not_depend_on_the_scale_of_the_gradient(dtype):
    # v = 0.1 * g**2, so the step is 0.01 * g / (sqrt(0.1) * g) = 0.0316227766.
    gradient = np.array([1e-3, 1.0, -1e3, 1e9, -1e18], dtype)
    w = np.zeros_like(gradient)
    RMSprop(learning_rate=0.01).step(w, gradient)
    np.testing.assert_allclose(w, -0.0316227766 * np.sign(gradient), rtol=4e-5)


def test_learning_rate_of_one_step_replaces_the_own_one_in_that_step_only():
    w = np.zeros(1)
    optimizer = RMSprop(learning_rate=0.5, beta=0.0, epsilon=1.0)
    gradient = np.ones(1)  # scaled by 1 / (1 + 1)
    optimizer.step(w, gradient, learning_rate=2.0)
    assert w[0] == -1.0
    optimizer.step(w, gradient)
    assert w[0] == -1.25
    optimizer.learning_rate = 1.0
    optimizer.step(w, gradient)
    assert w[0] == -1.75


# Where it goes.


@every_option
@both_dtypes
def test_converges_on_a_parabola(options, dtype):
    curvature, target = np.array([[0.01, 1.0, 100.0], [3.0, -2.0, 0.5]], dtype)
    w = np.zeros(3, dtype)
    optimizer = RMSprop(**options)
    for rate in np.linspace(0.1, 0, 400, endpoint=False):
        optimizer.step(w, curvature * (w - target), rate)
    np.testing.assert_allclose(w, target, atol=1e-4)


@every_option
def test_converges_on_rosenbrock(options):
    w = np.array([-1.2, 1.0])
    gradient = np.empty(2)
    update = RMSprop(**options).update_for(w, gradient)
    for rate in np.linspace(0.01, 0, 3000, endpoint=False):
        x, y = w.tolist()
        gradient[:] = 2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)
        update(rate)
    np.testing.assert_allclose(w, 1.0, atol=0.03)


# Arrays.


@pytest.mark.parametrize(
    "shape", [(), (0,), (0, 3), (7,), (3, 1), (2, 3, 4)], ids=lambda shape: f"{shape}"
)
@pytest.mark.parametrize("options", [{}, OPTIONS["all_options"]], ids=["plain", "all"])
def test_any_shape_gives_the_numbers_of_a_flat_array(options, shape):
    w, *gradients = map(np.asarray, random_arrays(4, shape))
    flat = w.reshape(-1).copy()
    optimizer, flat_optimizer = RMSprop(**options), RMSprop(**options)
    for gradient in gradients:
        optimizer.step(w, gradient)
        flat_optimizer.step(flat, gradient.reshape(-1))
    assert bits(w) == bits(flat.reshape(shape))
    assert optimizer.square_average_.shape == shape
    assert optimizer.n_steps_ == 3


@every_option
@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 2 * BLOCK_SIZE), ("float64", 2 * BLOCK_SIZE + 1)]
)
def test_long_arrays_give_the_numbers_of_their_pieces(options, dtype, size):
    params, *gradients = random_arrays(3, (size,), dtype)
    pieces = np.array_split(params.copy(), 5)
    whole, optimizers = RMSprop(**options), [RMSprop(**options) for _ in pieces]
    for gradient in gradients:
        whole.step(params, gradient)
        gradient_pieces = np.array_split(gradient, 5)
        for optimizer, *arrays in zip(optimizers, pieces, gradient_pieces, strict=True):
            optimizer.step(*arrays)
    assert bits(params) == bits(np.concatenate(pieces))
    for name, array in state_arrays(whole).items():
        parts = [getattr(optimizer, name) for optimizer in optimizers]
        assert bits(array) == bits(np.concatenate(parts)), name


@every_option
@pytest.mark.parametrize("shape", [(5, 7), (130, 140)], ids=["small", "two blocks"])
@pytest.mark.parametrize("order_of_gradient", ["C", "F"])
def test_memory_order_does_not_matter(options, shape, order_of_gradient):
    params, *gradients = random_arrays(4, shape)
    expected = params.copy()
    w = np.asfortranarray(params)
    optimizer, other = RMSprop(**options), RMSprop(**options)
    for gradient in gradients:
        other.step(expected, gradient)
        optimizer.step(w, np.asarray(gradient, order=order_of_gradient))
    assert w.flags.f_contiguous
    assert bits(w) == bits(expected)
    for name, array in state_arrays(other).items():
        assert bits(getattr(optimizer, name)) == bits(array), name


@every_option
def test_memory_order_may_change_between_steps(options):
    w, *gradients = random_arrays(5, (5, 7))
    expected = w.copy()
    optimizer, other = RMSprop(**options), RMSprop(**options)
    for order, gradient in zip("CFFC", gradients, strict=True):
        w = w.copy(order)
        optimizer.step(w, gradient)
        other.step(expected, gradient)
    assert bits(w) == bits(expected)


@pytest.mark.parametrize(
    "as_gradient",
    [
        lambda values: np.asfortranarray(values),
        lambda values: np.repeat(np.repeat(values, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda values: values[::-1, ::-1].copy()[::-1, ::-1],
        lambda values: np.frombuffer(b"x" + values.tobytes(), offset=1).reshape(4, 6),
    ],
    ids=["fortran", "strided", "reversed", "unaligned"],
)
def test_layout_of_the_gradient_does_not_matter(as_gradient):
    params, gradient = random_arrays(2, (4, 6))
    w = params.copy()
    RMSprop(learning_rate=0.1).step(w, as_gradient(gradient))
    RMSprop(learning_rate=0.1).step(params, gradient)
    assert bits(w) == bits(params)


def test_broadcast_gradient():
    w, expected = np.zeros((3, 4)), np.zeros((3, 4))
    row = np.arange(4.0)
    RMSprop().step(w, np.broadcast_to(row, (3, 4)))
    RMSprop().step(expected, np.array([row, row, row]))
    assert bits(w) == bits(expected)


@both_methods
@pytest.mark.parametrize("shape", [(3, 4), (130, 140)], ids=["small", "two blocks"])
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_subclasses_of_ndarray_are_arrays(method, shape):
    params, gradient = random_arrays(2, shape)
    w = np.asmatrix(params.copy())
    result = getattr(RMSprop(), method)(w, np.asmatrix(gradient))
    if method == "update_for":
        result(0.001)
    RMSprop().step(params, gradient)
    assert bits(w) == bits(params)


@every_option
@pytest.mark.parametrize("order", ["C", "F"])
def test_gradient_is_never_changed(options, order):
    # Read-only, the gradient would refuse to be.
    w, gradient = (array.copy(order) for array in random_arrays(2, (30, 40)))
    before = gradient.copy()
    gradient.flags.writeable = False
    optimizer = RMSprop(**options)
    update = optimizer.update_for(w, gradient)
    for _ in range(3):
        optimizer.step(w, gradient)
        update(0.1)
    assert bits(gradient) == bits(before)


@every_option
def test_params_are_updated_in_place(options):
    memory, gradient = random_arrays(2, (12,))
    before = memory.copy()
    optimizer = RMSprop(**options)
    assert optimizer.step(memory[2:10], gradient[:8]) is None
    assert (memory[2:10] != before[2:10]).all()
    assert (memory[[0, 1, 10, 11]] == before[[0, 1, 10, 11]]).all()


@every_option
def test_gradient_may_be_the_array_of_params(options):
    # As in the descent of w**2 / 2, whose gradient is w.
    (w,) = random_arrays(1, (2 * BLOCK_SIZE,))
    expected = w.copy()
    optimizer, other = RMSprop(epsilon=1.0, **options), RMSprop(epsilon=1.0, **options)
    for _ in range(2):
        optimizer.step(w, w)
        other.step(expected, expected.copy())
    assert bits(w) == bits(expected)


def test_gradient_may_overlap_params():
    (memory,) = random_arrays(1, (2 * BLOCK_SIZE + 1,))
    expected, gradient = memory[1:].copy(), memory[:-1].copy()
    RMSprop(epsilon=1.0).step(memory[1:], memory[:-1])
    RMSprop(epsilon=1.0).step(expected, gradient)
    assert bits(memory[1:]) == bits(expected)


def test_nan_in_a_gradient_spoils_its_own_parameter_for_good_and_no_other():
    gradients = np.zeros((20, 3))
    gradients[0] = [1.0, np.nan, -1.0]
    w, expected = np.zeros(3), np.zeros(2)
    options = {"beta": 0.1, "momentum": 0.1, "centered": True}
    optimizer, other = RMSprop(**options), RMSprop(**options)
    for gradient in gradients:
        optimizer.step(w, gradient)
        other.step(expected, gradient[[0, 2]])
    assert bits(w[[0, 2]]) == bits(expected)
    for array in (w, *state_arrays(optimizer).values()):
        np.testing.assert_array_equal(np.isnan(array), [False, True, False])


# State and memory.


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({}, {"square_average_"}),
        ({"nesterov": True}, {"square_average_"}),
        ({"centered": True}, {"square_average_", "gradient_average_"}),
        ({"momentum": 0.5}, {"square_average_", "velocity_"}),
        (
            {"centered": True, "momentum": 0.5},
            {"square_average_", "gradient_average_", "velocity_"},
        ),
    ],
    ids=["plain", "nesterov alone", "centered", "momentum", "centered momentum"],
)
@both_dtypes
def test_state_is_made_at_the_first_step_as_far_as_needed(options, needed, dtype):
    w, gradient = random_arrays(2, (2, 3), dtype)
    optimizer = RMSprop(**options)
    assert not state_arrays(optimizer)
    assert optimizer.state_arrays() == []
    assert optimizer.n_steps_ == 0
    optimizer.step(w, gradient)
    state = state_arrays(optimizer)
    assert set(state) == needed
    assert list(map(id, optimizer.state_arrays())) == list(map(id, state.values()))
    for array in state.values():
        assert array.shape == (2, 3)
        assert array.dtype == dtype
        assert array.base is None
    optimizer.step(w, gradient)
    assert all(getattr(optimizer, name) is array for name, array in state.items())
    assert optimizer.n_steps_ == 2


def test_options_may_change_between_steps():
    # Scaled gradients 0.5 as above, first without velocity, then with.
    w, gradient = np.zeros(1), np.ones(1)
    optimizer = RMSprop(learning_rate=1.0, beta=0.0, epsilon=1.0)
    optimizer.step(w, gradient)  # w = -0.5
    optimizer.momentum = 0.5
    optimizer.step(w, gradient)  # u = 0.5, w = -1
    assert w[0] == -1.0
    optimizer.step(w, gradient)  # u = 0.75, w = -1.75
    assert w[0] == -1.75
    optimizer.centered = True
    optimizer.momentum = 0.0
    optimizer.step(w, gradient)  # variance 0, scaled gradient 1, w = -2.75
    assert w[0] == -2.75
    optimizer.centered = False
    optimizer.step(w, gradient)  # as at first
    assert w[0] == -3.25


@every_option
def test_steps_after_the_first_need_no_more_memory_than_blocks(options):
    w = np.ones(1_000_000, "float32")
    gradient = np.ones_like(w)
    # With beta 0.1 the averages are flushed every few steps.
    optimizer = RMSprop(**options, beta=0.1)
    optimizer.step(w, gradient)
    update = optimizer.update_for(w, gradient)
    block = BLOCK_SIZE * w.itemsize
    tracemalloc.start()
    try:
        for _ in range(7):
            update(0.001)
        assert tracemalloc.get_traced_memory()[1] < block
        tracemalloc.reset_peak()
        optimizer.step(w, gradient)
        # One block of scratch, and views of all the others.
        assert tracemalloc.get_traced_memory()[1] < 1.5 * block < w.nbytes / 8
    finally:
        tracemalloc.stop()


@every_option
@pytest.mark.parametrize(("dtype", "order"), [("float32", "C"), ("float64", "F")])
def test_update_for_makes_the_steps_of_step(options, dtype, order):
    params, *gradients = random_arrays(5, (150, 130), dtype)
    w, expected = params.copy(order), params.copy(order)
    gradient = np.empty_like(w)
    optimizer, other = RMSprop(**options), RMSprop(**options)
    update = optimizer.update_for(w, gradient)
    assert optimizer.n_steps_ == 0
    for step, gradient[...] in enumerate(gradients):
        rate = 0.1 / (step + 1)
        update(rate)
        other.step(expected, gradient, rate)
    assert bits(w) == bits(expected)
    assert snapshot(optimizer) == snapshot(other)


def test_update_for_after_taking_a_state_steps_from_there():
    params, *gradients = random_arrays(6, (5,))
    w, expected, gradient = params.copy(), params.copy(), gradients[0].copy()
    optimizer, other = (RMSprop(**OPTIONS["all_options"]) for _ in range(2))
    optimizer.update_for(w, gradient)(0.001)
    other.step(expected, gradients[0], 0.001)
    taken = RMSprop(**OPTIONS["all_options"])
    taken.step(params.copy(), gradients[1])
    for one in (optimizer, other):
        one.take_state(taken)
    update = optimizer.update_for(w, gradient)
    for gradient[...] in gradients[2:]:
        update(0.001)
        other.step(expected, gradient, 0.001)
    assert bits(w) == bits(expected)
    assert snapshot(optimizer) == snapshot(other)


def test_update_for_goes_on_from_earlier_steps():
    params, *gradients = random_arrays(7, (5,))
    w, expected = params.copy(), params.copy()
    optimizer, other = (
        RMSprop(**OPTIONS["all_options"]),
        RMSprop(**OPTIONS["all_options"]),
    )
    for gradient in gradients[:3]:
        optimizer.step(w, gradient)
    for gradient in gradients[3:]:
        optimizer.update_for(w, gradient)(0.001)
    for gradient in gradients:
        other.step(expected, gradient)
    assert bits(w) == bits(expected)
    assert snapshot(optimizer) == snapshot(other)


@pytest.mark.parametrize(
    "n_decayed", [0, 3, BLOCK_SIZE, BLOCK_SIZE + 1, 2 * BLOCK_SIZE, 2 * BLOCK_SIZE + 5]
)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_n_decayed_limits_the_decay_to_the_leading_params(n_decayed, momentum):
    params, *gradients = random_arrays(4, (2 * BLOCK_SIZE + 5,))
    decayed, kept, w = params.copy(), params.copy(), params.copy()
    arguments = {"learning_rate": 0.1, "momentum": momentum}
    decaying, keeping = RMSprop(weight_decay=0.5, **arguments), RMSprop(**arguments)
    optimizer = RMSprop(weight_decay=0.5, **arguments)
    for gradient in gradients:
        decaying.step(decayed, gradient)
        keeping.step(kept, gradient)
        optimizer.update_for(w, gradient, n_decayed)(0.1)
    assert (decayed != kept).all()
    assert bits(w[:n_decayed]) == bits(decayed[:n_decayed])
    assert bits(w[n_decayed:]) == bits(kept[n_decayed:])


# Numerical hazards.


@pytest.mark.parametrize(
    ("beta", "momentum"),
    [(1e-7, 0.0), (0.5, 0.0), (0.9, 0.9), (0.1, 0.95), (0.95, 0.1)],
)
def test_averages_are_never_subnormal_while_gradients_are_zero(beta, momentum):
    gradient = np.logspace(-13, 5, 40, dtype="float32")
    gradient[::2] *= -1
    w = np.zeros_like(gradient)
    optimizer = RMSprop(beta=beta, momentum=momentum, centered=True)
    update = optimizer.update_for(w, gradient)
    update(0.001)
    gradient[:] = 0
    averages = state_arrays(optimizer)
    state = np.array(list(averages.values()))
    for step in range(1600):
        update(0.001)
        np.stack(list(averages.values()), out=state)
        np.abs(state, out=state)
        assert np.all((state == 0) | (state >= np.finfo("float32").tiny)), step
    # All have been on their way, and of each some have arrived.
    assert (state == 0).any(axis=1).all()


def test_squares_that_round_to_zero_are_no_error():
    w = np.ones(3, "float32")
    optimizer = RMSprop(momentum=0.9, centered=True)
    with np.errstate(all="raise"):
        for _ in range(100):
            optimizer.step(w, np.array([1e-30, 1e-22, 0], "float32"))
    assert optimizer.square_average_[0] == 0
    assert np.isfinite(w).all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("centered", [False, True])
def test_what_is_flushed_in_float32_was_of_no_effect(momentum, centered):
    # float64 has room for the averages that float32 flushes, every 131 steps.
    sizes = np.logspace(-17, -5, 50)
    bursts = sizes * np.random.default_rng(0).uniform(0.1, 1, (3, 150, 50))
    options = {"momentum": momentum, "centered": centered}
    optimizers = [RMSprop(0.1, **options), RMSprop(0.1, **options)]
    params = [np.zeros(50, "float32"), np.zeros(50)]
    for burst in bursts:
        for optimizer, w in zip(optimizers, params, strict=True):
            gradient = np.empty_like(w)
            update = optimizer.update_for(w, gradient)
            for gradient[:] in burst:
                update(0.1)
            gradient[:] = 0
            for _ in range(600):
                update(0.1)
        np.testing.assert_allclose(*params, rtol=1e-5)
        assert (optimizers[0].square_average_ == 0).all()
        assert (optimizers[1].square_average_ > 0).all()


def test_negative_variance_counts_as_zero():
    # With beta 0.5 and averages v = 0, m = 3 before a gradient of 1: v = 0.5, m = 2,
    # v - m**2 = -3.5, and the scaled gradient is 1 / (0 + epsilon).
    w = np.zeros(1)
    optimizer = RMSprop(1.0, beta=0.5, epsilon=0.25, centered=True)
    optimizer.step(w, np.zeros(1))
    optimizer.gradient_average_[:] = 3.0
    optimizer.step(w, np.ones(1))
    assert w[0] == -4.0


@both_dtypes
@pytest.mark.parametrize(
    ("options", "n_steps"), [({}, 20_000), ({"bias_correction": True}, 3000)]
)
def test_centered_is_never_nan_under_a_constant_gradient(dtype, options, n_steps):
    # v - m**2 is then nothing but rounding error, of both signs.
    sizes = [0.1, 0.3, 0.7, 1.0, 3.3, 1e4, 1e12, 1e-4, 1e-12, 1e-21, 0.0]
    gradient = np.array(sizes, dtype)
    w = np.zeros_like(gradient)
    optimizer = RMSprop(centered=True, **options)
    update = optimizer.update_for(w, gradient)
    for _ in range(n_steps):
        update(1e-6)
    # A NaN would have stayed.
    assert np.isfinite(w).all()
    np.testing.assert_allclose(optimizer.gradient_average_[:-2], sizes[:-2], rtol=1e-5)


@both_dtypes
def test_epsilon_below_the_smallest_number_is_not_zero(dtype):
    w = np.ones(2, dtype)
    optimizer = RMSprop(learning_rate=0.1, epsilon=1e-320)
    optimizer.step(w, np.zeros(2, dtype))
    assert (w == 1).all()


# Copies.


@pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)
@every_option
def test_copy_in_mid_run_takes_the_same_path(copier, options):
    params, *gradients = random_arrays(9, (4, 5))
    w = np.asfortranarray(params)
    optimizer = RMSprop(learning_rate=0.1, **options)
    for gradient in gradients[:4]:
        optimizer.step(w, gradient)
    copied, copied_w = copier(optimizer), w.copy(order="F")
    assert snapshot(copied) == snapshot(optimizer)
    before = snapshot(optimizer)
    for gradient in gradients[4:]:
        copied.step(copied_w, gradient)
    assert snapshot(optimizer) == before
    for gradient in gradients[4:]:
        optimizer.step(w, gradient)
    assert bits(copied_w) == bits(w)
    assert snapshot(copied) == snapshot(optimizer)


@pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)
def test_copy_before_the_first_step(copier):
    optimizer = RMSprop(learning_rate=0.1, **OPTIONS["all_options"])
    copied = copier(optimizer)
    assert type(copied) is RMSprop
    assert snapshot(copied) == snapshot(optimizer)
    copied.step(np.ones(3), np.ones(3))
    assert not state_arrays(optimizer)


@every_option
def test_pickle_holds_the_state_and_nothing_else(options):
    w, gradient = random_arrays(2, (3 * BLOCK_SIZE,))
    optimizer = RMSprop(**options)
    assert len(pickle.dumps(optimizer)) < 1000
    optimizer.step(w, gradient)
    optimizer.update_for(w, gradient)(0.1)
    n_bytes = sum(array.nbytes for array in state_arrays(optimizer).values())
    assert n_bytes <= len(pickle.dumps(optimizer)) < n_bytes + 1000


@pytest.mark.parametrize("options", [{}, {"centered": True}, {"momentum": 0.9}])
def test_take_state_goes_on_from_a_copy_of_what_the_options_use(options):
    params, *gradients = random_arrays(7, (4, 5))
    w, expected = params.copy(), params.copy()
    other = RMSprop(learning_rate=0.1, **options)
    source = RMSprop(learning_rate=0.1, **options)
    for gradient in gradients[:3]:
        source.step(w, gradient)
    before = snapshot(source)
    optimizer = RMSprop(learning_rate=0.1, **options)
    optimizer.take_state(source)
    for gradient in gradients[3:]:
        optimizer.step(w, gradient)
    for gradient in gradients:
        other.step(expected, gradient)
    assert bits(w) == bits(expected)
    assert snapshot(optimizer) == snapshot(other)
    assert snapshot(source) == before


def test_take_state_leaves_what_the_options_do_not_use():
    source = after_a_step()
    optimizer = RMSprop()
    optimizer.take_state(source)
    assert set(state_arrays(optimizer)) == {"square_average_"}
    assert bits(optimizer.square_average_) == bits(source.square_average_)
    assert optimizer.n_steps_ == 1


# Refusals.


BAD_NUMBERS = {
    "learning_rate": [0, 0.0, -0.1],
    "beta": [-0.1, 1, 1.0, 1.5],
    "epsilon": [0.0, -1e-8],
    "momentum": [-0.1, 1.0, 2],
    "weight_decay": [-1e-9],
    "initial_square_average": [-1.0],
}
NOT_FINITE = [np.nan, np.inf, -np.inf]
NOT_NUMBERS = [None, "0.5", [0.5], np.array(0.5), np.array([0.5]), True, 0.5j]
NOT_NUMBERS += [np.True_, np.complex128(0.5)]


@pytest.mark.parametrize("name", BAD_NUMBERS)
def test_bad_number_is_refused_by_name(name):
    for value in BAD_NUMBERS[name] + NOT_FINITE:
        with pytest.raises(ValueError, match=f"^{name} must be .*got {value}"):
            RMSprop(**{name: value})
    for value in NOT_NUMBERS:
        with pytest.raises(TypeError, match=f"^{name} must be a number, got "):
            RMSprop(**{name: value})


@pytest.mark.parametrize(
    "name", ["nesterov", "centered", "bias_correction", "epsilon_in_sqrt"]
)
def test_bad_flag_is_refused_by_name(name):
    for value in ["False", None, 0.9, np.nan, 1, [True], np.array([True, False])]:
        with pytest.raises(TypeError, match=f"^{name} must be a bool, got "):
            RMSprop(**{name: value})


def test_only_the_learning_rate_may_be_positional():
    assert RMSprop(0.5).learning_rate == 0.5
    with pytest.raises(TypeError, match="positional"):
        RMSprop(0.5, 0.9)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.longdouble, Fraction])
def test_numbers_of_any_kind_count_by_their_value(kind):
    values = {
        "learning_rate": kind(0.1),
        "beta": kind(0.9),
        "epsilon": kind(1e-8),
        "momentum": kind(0.9),
        "weight_decay": kind(0.01),
    }
    w, *gradients = random_arrays(20, (5,))
    expected = w.copy()
    optimizer = RMSprop(bias_correction=True, **values)
    other = RMSprop(
        bias_correction=True, **{name: float(value) for name, value in values.items()}
    )
    for gradient in gradients:
        optimizer.step(w, gradient)
        other.step(expected, gradient)
    assert bits(w) == bits(expected)


@pytest.mark.parametrize("flag", [True, False, np.True_, np.False_], ids=repr)
def test_flags_may_be_of_either_kind(flag):
    assert RMSprop(centered=flag).centered is bool(flag)


def of_dtype(dtype):
    return np.ones(3, dtype)


def read_only():
    array = np.ones(3)
    array.flags.writeable = False
    return array


# Each pair is refused by an optimiser that has not stepped, and by one that has stepped
# params of shape (3,) and dtype float64.
BAD_ARRAYS = {
    "params list": ([1.0, 2.0, 3.0], np.ones(3), TypeError, "params.*list"),
    "params float": (1.0, np.array(1.0), TypeError, "params.*float"),
    "params scalar": (np.float64(1), np.array(1.0), TypeError, "params"),
    "params None": (None, np.ones(3), TypeError, "params.*None"),
    "params int64": (of_dtype("int64"), np.ones(3), TypeError, "params.*int64"),
    "params bool": (of_dtype("bool"), np.ones(3), TypeError, "params.*bool"),
    "params float16": (of_dtype("float16"), np.ones(3), TypeError, "params.*float16"),
    "params complex": (of_dtype("complex64"), np.ones(3), TypeError, "params.*complex"),
    "params object": (of_dtype("object"), np.ones(3), TypeError, "params.*object"),
    "params swapped": (
        of_dtype(np.dtype("float64").newbyteorder()),
        of_dtype(np.dtype("float64").newbyteorder()),
        TypeError,
        "params.*[<>]f8",
    ),
    "gradient list": (np.ones(3), [1.0, 2.0, 3.0], TypeError, "gradient.*list"),
    "gradient float": (np.array(1.0), 1.0, TypeError, "gradient.*float"),
    "gradient None": (np.ones(3), None, TypeError, "gradient.*None"),
    "gradient int64": (np.ones(3), of_dtype("int64"), TypeError, "gradient.*int64"),
    "gradient float16": (np.ones(3), of_dtype("float16"), TypeError, "gradient.*16"),
    "gradient swapped": (
        np.ones(3),
        of_dtype(np.dtype("float64").newbyteorder()),
        TypeError,
        "gradient.*[<>]f8",
    ),
    "both float16": (of_dtype("float16"), of_dtype("float16"), TypeError, "params"),
    "float32 gradient": (np.ones(3), of_dtype("float32"), TypeError, "gradient.*dtype"),
    "float32 params": (of_dtype("float32"), np.ones(3), TypeError, "gradient.*dtype"),
    "longer gradient": (np.ones(3), np.ones(4), ValueError, r"gradient.*\(3,\).*\(4,"),
    "column gradient": (np.ones(3), np.ones((3, 1)), ValueError, "gradient.*shape"),
    "gradient of one": (np.ones(3), np.ones(1), ValueError, "gradient.*shape"),
    "scalar gradient": (np.ones(3), np.array(1.0), ValueError, "gradient.*shape"),
    "transposed": (np.ones((3, 2)), np.ones((2, 3)), ValueError, "gradient.*shape"),
    "read-only params": (read_only(), np.ones(3), ValueError, "params.*read-only"),
    "strided params": (np.ones(6)[::2], np.ones(3), ValueError, "params.*contiguous"),
    "reversed params": (np.ones(3)[::-1], np.ones(3), ValueError, "params.*contiguous"),
    "axes swapped": (
        np.ones((2, 3, 4)).swapaxes(0, 1),
        np.ones((3, 2, 4)),
        ValueError,
        "params.*contiguous",
    ),
    "broadcast params": (
        np.broadcast_to(1.0, (3,)),
        np.ones(3),
        ValueError,
        "params.*read-only",
    ),
}
if np.dtype("longdouble") != np.float64:
    BAD_ARRAYS["params longdouble"] = (
        *(of_dtype("longdouble"), of_dtype("longdouble")),
        *(TypeError, "params"),
    )

CHANGED_ARRAYS = {
    "shape": (np.ones(4), np.ones(4), ValueError, r"params.*\(4,\).*\(3,\)"),
    "number of axes": (np.ones((3, 1)), np.ones((3, 1)), ValueError, "params.*shape"),
    "dtype": (of_dtype("float32"), of_dtype("float32"), TypeError, "params.*float32"),
}


def check_refusal(optimizer, method, arrays, error, message, **arguments):
    before = snapshot(optimizer), copy.deepcopy(arrays)
    with pytest.raises(error, match=message):
        getattr(optimizer, method)(*arrays, **arguments)
    assert snapshot(optimizer) == before[0]
    for array, array_before in zip(arrays, before[1], strict=True):
        np.testing.assert_array_equal(array, array_before)


def after_a_step():
    optimizer = RMSprop(momentum=0.9, centered=True, weight_decay=0.1)
    optimizer.step(np.ones(3), np.ones(3))
    return optimizer


@both_methods
@pytest.mark.parametrize("case", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_arrays_are_refused_and_nothing_changes(method, case):
    *arrays, error, message = case
    check_refusal(RMSprop(momentum=0.9), method, arrays, error, message)
    check_refusal(after_a_step(), method, arrays, error, message)


@both_methods
@pytest.mark.parametrize("case", CHANGED_ARRAYS.values(), ids=CHANGED_ARRAYS)
def test_arrays_that_change_between_steps_are_refused(method, case):
    *arrays, error, message = case
    check_refusal(after_a_step(), method, arrays, error, message)
    optimizer = RMSprop()
    optimizer.step(np.ones(3), np.ones(3))
    optimizer.momentum = 0.9  # the velocity is not to be made in vain
    check_refusal(optimizer, method, arrays, error, message)


@pytest.mark.parametrize("rate", [0.0, -0.1, np.nan, np.inf, "0.1", True], ids=repr)
def test_bad_learning_rate_of_a_step_is_refused_and_nothing_changes(rate):
    error = TypeError if isinstance(rate, str | bool) else ValueError
    for optimizer in (RMSprop(momentum=0.9), after_a_step()):
        check_refusal(
            *(
                optimizer,
                "step",
                [np.ones(3), np.ones(3)],
                error,
                "^learning_rate must",
            ),
            learning_rate=rate,
        )


def test_bad_learning_rate_that_was_set_later_is_refused():
    optimizer = after_a_step()
    optimizer.learning_rate = -1.0
    arrays = [np.ones(3), np.ones(3)]
    check_refusal(optimizer, "step", arrays, ValueError, "^learning_rate must")


@pytest.mark.parametrize("n_decayed", [-1, 4, 1.5, "all"])
def test_bad_n_decayed_is_refused_and_nothing_changes(n_decayed):
    error = ValueError if isinstance(n_decayed, int) else TypeError
    for optimizer in (RMSprop(weight_decay=0.1), RMSprop(), after_a_step()):
        arrays = [np.ones(3), np.ones(3)]
        check_refusal(
            optimizer, "update_for", arrays, error, "n_decayed", n_decayed=n_decayed
        )


@pytest.mark.parametrize(
    "gradient",
    [np.asfortranarray(np.ones((3, 2))), np.ones((3, 4))[:, ::2]],
    ids=["fortran", "strided"],
)
def test_update_for_refuses_a_gradient_that_is_not_laid_out_like_params(gradient):
    # A copy of it would not see what is filled in later.
    arrays = [np.ones((3, 2)), gradient]
    check_refusal(RMSprop(), "update_for", arrays, ValueError, "gradient.*order")


@pytest.mark.parametrize("first", [0, 1])
def test_update_for_refuses_arrays_that_share_memory(first):
    memory = np.ones(7)
    for arrays in ([memory, memory], [memory[:4], memory[first + 2 :][:4]]):
        check_refusal(RMSprop(), "update_for", arrays, ValueError, "share memory")
    # Neighbors do not.
    RMSprop().update_for(memory[:3], memory[3:6])(0.1)
    np.testing.assert_array_equal(memory[3:], 1)


# --- Some rows of a matrix ------------------------------------------------------------

ROW_OPTIONS = {
    name: options
    for name, options in OPTIONS.items()
    if not options.get("momentum") and not options.get("centered")
} | {
    "beta 0": {"beta": 0.0},
    "slow": {"beta": 0.999},
    "all": {
        "weight_decay": 0.3,
        "bias_correction": True,
        "epsilon_in_sqrt": True,
        "initial_square_average": 1.0,
    },
}
every_row_option = pytest.mark.parametrize(
    "options", ROW_OPTIONS.values(), ids=ROW_OPTIONS
)


def row_steps(n_steps, shape=(30, 7), dtype="float64", seed=0):
    """Yield rows, their gradient and the gradient of the whole matrix."""
    rng = np.random.default_rng(seed)
    for _ in range(n_steps):
        rows = rng.permutation(shape[0])[: rng.integers(0, 7)]
        whole = np.zeros(shape, dtype)
        whole[rows] = rng.standard_normal((len(rows), shape[1]))
        yield rows, whole[rows], whole


@every_row_option
@both_dtypes
def test_steps_of_rows_are_those_of_the_matrix(options, dtype):
    w = np.random.default_rng(1).standard_normal((30, 7)).astype(dtype)
    expected = w.copy()
    by_rows, whole = RMSprop(**options), RMSprop(**options)
    for step, (rows, gradient, dense) in enumerate(row_steps(400, dtype=dtype)):
        learning_rate = 0.01 / (1 + step // 100)
        by_rows.step_rows(w, rows, gradient, learning_rate)
        whole.step(expected, dense, learning_rate)
    by_rows.catch_up(w)
    tolerance = 500 * np.finfo(dtype).eps
    np.testing.assert_allclose(w, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        by_rows.square_average_, whole.square_average_, rtol=tolerance, atol=tolerance
    )
    assert by_rows.n_steps_ == whole.n_steps_ == 400


def test_rows_of_several_blocks():
    shape = (40, BLOCK_SIZE // 16)
    w, expected = np.ones((2, *shape))
    by_rows, whole = RMSprop(weight_decay=0.1), RMSprop(weight_decay=0.1)
    for seed in range(4):
        rows = np.random.default_rng(seed).permutation(40)[:37]
        gradient = np.zeros(shape)
        gradient[rows] = np.random.default_rng(seed).standard_normal((37, shape[1]))
        by_rows.step_rows(w, rows, gradient[rows])
        whole.step(expected, gradient)
    by_rows.catch_up(w)
    np.testing.assert_allclose(w, expected, rtol=1e-13)


@every_row_option
def test_a_step_of_all_parameters_after_steps_of_rows(options):
    w = np.random.default_rng(1).standard_normal((30, 7))
    expected = w.copy()
    by_rows, whole = RMSprop(0.01, **options), RMSprop(0.01, **options)
    for rows, gradient, dense in row_steps(25):
        by_rows.step_rows(w, rows, gradient)
        whole.step(expected, dense)
    for seed in (2, 3):
        gradient = np.random.default_rng(seed).standard_normal(w.shape)
        by_rows.step(w, gradient)
        whole.step(expected, gradient)
        rows = np.arange(5)
        by_rows.step_rows(w, rows, gradient[rows])
        whole.step(expected, np.where(np.arange(30)[:, np.newaxis] < 5, gradient, 0.0))
    by_rows.catch_up(w)
    np.testing.assert_allclose(w, expected, rtol=1e-11, atol=1e-12)


def test_rows_by_hand():
    w = np.array([[1.0], [1.0]])
    optimizer = RMSprop(0.5, beta=0.5, epsilon=1e-12, weight_decay=0.5)
    optimizer.step_rows(w, [0], np.array([[2.0]]))
    # v = 0.5 * 4, w = 0.75 - 0.5 * 2 / sqrt(2); the other row waits.
    np.testing.assert_allclose(w, [[0.75 - 0.5**0.5], [1.0]])
    optimizer.step_rows(w, [], np.empty((0, 1)))
    optimizer.step_rows(w, [1], np.array([[1.0]]))
    # Decayed three times, then a step by 0.5 * 1 / sqrt(0.5)
    np.testing.assert_allclose(w[1], 0.75**3 - 0.5**0.5)
    np.testing.assert_allclose(optimizer.square_average_, [[2.0], [0.5]])
    assert optimizer.row_steps_.tolist() == [1, 3]
    optimizer.catch_up(w)
    np.testing.assert_allclose(w[0], 0.75**2 * (0.75 - 0.5**0.5))
    np.testing.assert_allclose(optimizer.square_average_, [[0.5], [0.5]])
    assert optimizer.row_steps_ is None


@pytest.mark.parametrize("n_steps", [2**32 - 10, 2**32 + 3])
def test_the_count_of_steps_may_exceed_the_width_of_row_steps(n_steps):
    w, expected = np.ones((30, 7)), np.ones((30, 7))
    by_rows, whole = RMSprop(weight_decay=0.1), RMSprop(weight_decay=0.1)
    by_rows.n_steps_ = whole.n_steps_ = n_steps
    for rows, gradient, dense in row_steps(20):
        by_rows.step_rows(w, rows, gradient)
        whole.step(expected, dense)
    by_rows.catch_up(w)
    np.testing.assert_allclose(w, expected, rtol=1e-12)


@pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)
def test_copies_continue_steps_of_rows_bit_for_bit(copier):
    w = np.ones((30, 7))
    optimizer = RMSprop(weight_decay=0.1)
    steps = list(row_steps(20))
    for rows, gradient, _ in steps[:10]:
        optimizer.step_rows(w, rows, gradient, 0.01)
    other, other_w = copier(optimizer), w.copy()
    for rows, gradient, _ in steps[10:]:
        optimizer.step_rows(w, rows, gradient, 0.02)
        other.step_rows(other_w, rows, gradient, 0.02)
    assert bits(other_w) == bits(w)
    assert snapshot(other) == snapshot(optimizer)


@pytest.mark.parametrize("by", ["attributes", "take_state"])
def test_options_may_change_between_steps_of_rows(by):
    # What rows have missed is made up for with the options of those steps.
    w = np.random.default_rng(1).standard_normal((30, 7))
    expected, options = w.copy(), {}
    by_rows, whole = RMSprop(0.01), RMSprop(0.01)
    changes = {20: {"beta": 0.5}, 40: {"weight_decay": 5.0}, 60: {"momentum": 0.5}}
    for step, (rows, gradient, dense) in enumerate(row_steps(80)):
        if step in changes and by == "attributes":
            vars(by_rows).update(changes[step])
            vars(whole).update(changes[step])
        elif step in changes:
            options |= changes[step]
            before, by_rows = by_rows, RMSprop(0.01, **options)
            by_rows.take_state(before)
            before, whole = whole, RMSprop(0.01, **options)
            whole.take_state(before)
        if step < 60:
            by_rows.step_rows(w, rows, gradient)
        else:
            by_rows.step(w, dense)
        whole.step(expected, dense)
    np.testing.assert_allclose(w, expected, rtol=1e-11, atol=1e-12)


def test_gradient_of_rows_may_be_part_of_params():
    w, expected = np.ones((2, 6, 3)) / 8
    by_rows, whole = RMSprop(weight_decay=0.5), RMSprop(weight_decay=0.5)
    for learning_rate in (0.1, 0.2):
        gradient = np.zeros((6, 3))
        gradient[1:3] = expected[3:5]
        by_rows.step_rows(w, [1, 2], w[3:5], learning_rate)
        whole.step(expected, gradient, learning_rate)
        by_rows.catch_up(w)
    np.testing.assert_allclose(w, expected)


def test_a_matrix_without_columns_is_stepped():
    optimizer = RMSprop()
    optimizer.step_rows(np.ones((3, 0)), [1], np.ones((1, 0)))
    assert optimizer.n_steps_ == 1


@pytest.mark.parametrize("params", [np.ones((3, 2), "f4"), np.ones((4, 2))])
def test_catch_up_refuses_other_params(params):
    optimizer = RMSprop()
    optimizer.step_rows(np.ones((3, 2)), [1], np.ones((1, 2)))
    error = TypeError if params.dtype == np.float32 else ValueError
    check_refusal(optimizer, "catch_up", [params], error, "make a new RMSprop")


def test_state_that_is_shared_changes_for_both():
    w = np.ones((3, 2))
    other, optimizer = RMSprop(), RMSprop(0.5)
    other.step(w, w.copy())
    optimizer.take_state(other, copy=False)
    assert optimizer.square_average_ is other.square_average_
    optimizer.take_state(other)
    assert not np.shares_memory(optimizer.square_average_, other.square_average_)


@pytest.mark.parametrize("options", [{"momentum": 0.1}, {"centered": True}])
def test_options_that_move_all_rows_refuse_steps_of_some(options):
    arrays = [np.ones((3, 2)), [1], np.ones((1, 2))]
    check_refusal(RMSprop(**options), "step_rows", arrays, ValueError, "momentum")


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ([np.ones(3), [1], np.ones(1)], ValueError, "matrix"),
        ([np.ones((3, 2), order="F"), [1], np.ones((1, 2))], ValueError, "matrix"),
        ([np.ones((3, 2)), [3], np.ones((1, 2))], ValueError, "from 0 to 2"),
        ([np.ones((3, 2)), [-1], np.ones((1, 2))], ValueError, "from 0 to 2"),
        ([np.ones((3, 2)), [1, 1], np.ones((2, 2))], ValueError, "different"),
        ([np.ones((3, 2)), [[1]], np.ones((1, 2))], ValueError, "rows"),
        ([np.ones((3, 2)), [1.0], np.ones((1, 2))], TypeError, "rows"),
        ([np.ones((3, 2)), [1], np.ones((2, 2))], ValueError, "shape"),
        ([np.ones((3, 2)), [1], np.ones((1, 2), "f4")], TypeError, "dtype"),
        ([np.ones((3, 2), int), [1], np.ones((1, 2))], TypeError, "params"),
    ],
)
def test_bad_rows_are_refused_and_nothing_changes(arrays, error, message):
    check_refusal(RMSprop(), "step_rows", arrays, error, message)


def test_rows_need_memory_for_themselves_alone():
    w = np.ones((100_000, 8))
    optimizer = RMSprop()
    gradient = np.ones((10, 8))
    optimizer.step_rows(w, np.arange(10), gradient)
    tracemalloc.start()
    try:
        optimizer.step_rows(w, np.arange(5, 15), gradient)
        # Two blocks of scratch: a fraction of the 6.4 MB of the matrix.
        assert tracemalloc.get_traced_memory()[1] < 2.5 * BLOCK_SIZE * 8
    finally:
        tracemalloc.stop()


def test_repr_shows_the_main_options_and_the_number_of_steps():
    optimizer = RMSprop(learning_rate=0.25, beta=0.75)
    text = repr(optimizer)
    assert text.startswith("RMSprop(")
    assert "learning_rate=0.25" in text
    assert "beta=0.75" in text
    optimizer.step(np.ones(100_000), np.ones(100_000))
    assert repr(optimizer) != text
    assert len(repr(optimizer)) < 200
