"""Tests of the activation functions, all of them on every row of the table."""

import tracemalloc
from math import exp, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad

from sk_rmsprop._activations import ACTIVATIONS

# Values to 12 digits, computed from the definitions with 40. SELU with the constants
# as its authors print them: alpha 1.6732632423543772, scale 1.0507009873554805.
POINTS = [-8.0, -1.0, -0.125, 0.0, 0.5, 3.0]
VALUES = {
    "relu": [0, 0, 0, 0, 0.5, 3],
    "leaky_relu": [-0.08, -0.01, -0.00125, 0, 0.5, 3],
    "elu": [-0.999664537372, -0.632120558829, -0.117503097415, 0, 0.5, 3],
    "selu": [
        *[-1.75750956422, -1.11133073781, -0.206582118114],
        *[0, 0.525350493678, 3.15210296207],
    ],
    "gelu": [
        *[-4.97676845942e-15, -0.158655253931, -0.0562827218962],
        *[0, 0.345731230637, 2.99595030591],
    ],
    "silu": [
        *[-0.00268280104373, -0.268941421370, -0.0585988283283],
        *[0, 0.311229665601, 2.85772238047],
    ],
    "tanh": [
        *[-0.999999774930, -0.761594155956, -0.124353001772],
        *[0, 0.462117157260, 0.995054753687],
    ],
    "logistic": [
        *[0.000335350130466, 0.268941421370, 0.468790626626],
        *[0.5, 0.622459331202, 0.952574126822],
    ],
    "identity": POINTS,
}

# 0, and both sides of it down to a hundredth of the step of the differences.
NEAR_ZERO = np.array([1e-8, 1e-6, 1e-4, 1e-2])
GRID = np.concatenate([-NEAR_ZERO, [0.0], NEAR_ZERO, np.linspace(-12, 12, 241)])

EXTREMES = {
    "float32": [-1e4, -104.0, -80.0, -1e-40, -0.0, 0.0, 1e-40, 80.0, 104.0, 1e4],
    "float64": [-1e4, -746.0, -80.0, -1e-310, -0.0, 0.0, 1e-310, 80.0, 746.0, 1e4],
}

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
both_dtypes = pytest.mark.parametrize("dtype", EXTREMES)


def forward(name, z):
    """Return f(z) and what the backward pass gets beside it."""
    a = z.copy()
    kept = np.full_like(z, np.nan) if ACTIVATIONS[name].keeps else None
    ACTIVATIONS[name].forward(a, kept)
    return a, kept


def derivative(name, z):
    delta = np.ones_like(z)
    ACTIVATIONS[name].backward(delta, *forward(name, z))
    return delta


def normal_mean(function):
    """Return the mean of a function of a standard normal number."""
    value, _ = quad(
        lambda z: function(z) * exp(-z * z / 2) / sqrt(2 * pi),
        *(-12, 12),
        points=[0],
        epsabs=1e-10,
    )
    return value


@every_activation
def test_values(name):
    value, _ = forward(name, np.array(POINTS))
    # gelu(-8) is known only as well as the tail of the normal distribution.
    np.testing.assert_allclose(value, VALUES[name], rtol=1e-11, atol=1e-25)


@every_activation
def test_derivative_is_that_of_the_values(name):
    step = 1e-6
    value, _ = forward(name, GRID)
    left = (value - forward(name, GRID - step)[0]) / step
    right = (forward(name, GRID + step)[0] - value) / step
    found = derivative(name, GRID)
    smooth = np.abs(GRID) > 2 * step
    central = (left + right) / 2
    np.testing.assert_allclose(found[smooth], central[smooth], rtol=1e-8, atol=1e-8)
    # Where there may be a kink, anything between its two sides is right.
    assert (np.minimum(left, right) - 2 * step <= found).all()
    assert (found <= np.maximum(left, right) + 2 * step).all()


@every_activation
def test_backward_multiplies_the_delta(name):
    rng = np.random.default_rng(0)
    z, delta = rng.standard_normal((2, 5, 3))
    expected = delta * derivative(name, z)
    ACTIVATIONS[name].backward(delta, *forward(name, z))
    np.testing.assert_allclose(delta, expected, rtol=1e-13, atol=1e-15)


@every_activation
@both_dtypes
def test_extreme_inputs(name, dtype):
    z = np.array(EXTREMES[dtype], dtype)
    value, _ = forward(name, z)
    slope = derivative(name, z)
    # No function of the table grows faster than 1.06 |z| or is steeper than 1.76.
    assert (np.abs(value) <= np.maximum(2, 1.06 * np.abs(z))).all()
    assert (np.abs(slope) <= 2).all()
    assert (slope >= -0.2).all()
    np.testing.assert_array_less(np.abs(slope[[0, -1]]), 1.06)


@every_activation
def test_float32_agrees_with_float64(name):
    z = GRID.astype("float32")
    z_double = z.astype("float64")
    value, expected = forward(name, z)[0], forward(name, z_double)[0]
    np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-7)
    slope, expected = derivative(name, z), derivative(name, z_double)
    np.testing.assert_allclose(slope, expected, rtol=2e-6, atol=5e-7)


@every_activation
def test_works_elementwise_on_any_shape(name):
    z = np.random.default_rng(0).standard_normal((4, 3))
    value, slope = forward(name, z)[0], derivative(name, z)
    single_values = [forward(name, np.array([[x]]))[0][0, 0] for x in z.flat]
    single_slopes = [derivative(name, np.array([[x]]))[0, 0] for x in z.flat]
    np.testing.assert_allclose(value.ravel(), single_values, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(slope.ravel(), single_slopes, rtol=1e-14, atol=1e-16)
    assert forward(name, z[:0])[0].shape == derivative(name, z[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "name", [name for name, activation in ACTIVATIONS.items() if activation.keeps]
)
def test_an_array_is_kept_only_where_it_is_used(name):
    _, kept = forward(name, GRID)
    assert not np.isnan(kept).any()


@every_activation
def test_gain_keeps_the_mean_square(name):
    mean_square = normal_mean(lambda z: forward(name, np.array([z]))[0][0] ** 2)
    assert ACTIVATIONS[name].gain == pytest.approx(1 / sqrt(mean_square), rel=5e-5)


def test_relu_is_flat_at_zero():
    # Rows of zeros meet biases of zero: there the convention shows.
    assert (derivative("relu", np.array([0.0, -0.0])) == 0).all()


def test_gain_of_relu_is_that_of_he():
    assert ACTIVATIONS["relu"].gain == pytest.approx(1.4142135623730951, rel=1e-15)


def test_selu_normalises_itself():
    # What defines its constants: mean 0 and variance 1 are a fixed point.
    def selu(z):
        return forward("selu", np.array([z]))[0][0]

    assert normal_mean(selu) == pytest.approx(0, abs=1e-9)
    assert normal_mean(lambda z: selu(z) ** 2) == pytest.approx(1, abs=1e-9)


@every_activation
@both_dtypes
def test_no_allocation(name, dtype):
    z = np.random.default_rng(0).standard_normal((512, 512)).astype(dtype)
    a, kept = forward(name, z)
    tracemalloc.start()
    try:
        ACTIVATIONS[name].forward(a, kept)
        ACTIVATIONS[name].backward(z, a, kept)
        # NumPy takes a buffer of 64 KiB to cast truth values to floats.
        assert tracemalloc.get_traced_memory()[1] < 100_000 < z.nbytes / 8
    finally:
        tracemalloc.stop()
