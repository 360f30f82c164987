"""Activation functions of the hidden layers.

`ACTIVATIONS` is the only list of them: parameter checks, tests and documentation
derive from it. To add one, write its two functions and add a row.
"""

from collections.abc import Callable
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtr

LEAKY_SLOPE = 0.01

# The fixed-point constants of Klambauer et al., Self-Normalizing Neural Networks
# (2017), arXiv:1706.02515.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Activation(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    forward : callable
        ``forward(z, out)`` writes f(z) into `out`. `out` is `z` itself unless
        `keeps_input`.
    backward : callable
        ``backward(delta, a, z)`` multiplies `delta` in place by f'(z). `a` is f(z);
        `z` is the forward's input where `keeps_input`, else the same array as `a`.
        Both may be overwritten: nothing needs them afterwards.
    gain : float
        Start weights have standard deviation ``gain / sqrt(fan_in)``. It is
        ``1 / sqrt(E[f(z)**2])`` for standard normal z, so that the layers keep the
        size of what passes through them; for ReLU that is He's sqrt(2).
    keeps_input : bool
        Whether `out` must be another array than `z`, since the forward pass or
        `backward` needs the input beside the output.
    """

    forward: Callable[[np.ndarray, np.ndarray], None]
    backward: Callable[[np.ndarray, np.ndarray, np.ndarray], None]
    gain: float
    keeps_input: bool = False


def _identity(z, out):
    pass


def _identity_backward(delta, a, z):
    pass


def _relu(z, out):
    np.maximum(z, 0, out=out)


def _relu_backward(delta, a, z):
    # A 0/1 array of the delta's dtype: selecting by a boolean index or
    # np.copyto(where=) is twenty times slower than this product.
    np.greater(a, 0, out=a)
    np.multiply(delta, a, out=delta)


def _leaky_relu(z, out):
    np.multiply(z, LEAKY_SLOPE, out=out)
    np.maximum(z, out, out=out)


def _leaky_relu_backward(delta, a, z):
    np.greater(a, 0, out=a)
    np.multiply(a, 1 - LEAKY_SLOPE, out=a)
    np.add(a, LEAKY_SLOPE, out=a)
    np.multiply(delta, a, out=delta)


def _elu(z, out):
    np.minimum(z, 0, out=out)
    np.expm1(out, out=out)
    np.maximum(z, 0, out=z)
    np.add(out, z, out=out)


def _elu_backward(delta, a, z):
    # For z <= 0 the derivative exp(z) is a + 1, for z > 0 it is 1.
    np.minimum(a, 0, out=a)
    np.add(a, 1, out=a)
    np.multiply(delta, a, out=delta)


def _selu(z, out):
    np.minimum(z, 0, out=out)
    np.expm1(out, out=out)
    np.multiply(out, SELU_ALPHA, out=out)
    # From here on z is max(z, 0): its sign is all that the derivative needs.
    np.maximum(z, 0, out=z)
    np.add(out, z, out=out)
    np.multiply(out, SELU_SCALE, out=out)


def _selu_backward(delta, a, z):
    # scale for z > 0, scale * alpha * exp(z) = a + scale * alpha for z <= 0.
    negative_side = SELU_SCALE * SELU_ALPHA
    np.minimum(a, 0, out=a)
    np.add(a, negative_side, out=a)
    np.greater(z, 0, out=z)
    np.multiply(z, negative_side - SELU_SCALE, out=z)
    np.subtract(a, z, out=a)
    np.multiply(delta, a, out=delta)


def _gelu(z, out):
    ndtr(z, out=out)
    np.multiply(out, z, out=out)


def _gelu_backward(delta, a, z):
    # Phi(z) + z * phi(z), with a as the scratch array.
    np.multiply(z, z, out=a)
    np.multiply(a, -0.5, out=a)
    np.exp(a, out=a)
    np.multiply(a, 1 / sqrt(2 * pi), out=a)
    np.multiply(a, z, out=a)
    ndtr(z, out=z)
    np.add(a, z, out=a)
    np.multiply(delta, a, out=delta)


def _silu(z, out):
    expit(z, out=out)
    np.multiply(out, z, out=out)


def _silu_backward(delta, a, z):
    # s + a - s * a = 1 - (1 - s) * (1 - a) with s = sigmoid(z)
    expit(z, out=z)
    np.subtract(1, z, out=z)
    np.subtract(1, a, out=a)
    np.multiply(a, z, out=a)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


def _tanh(z, out):
    np.tanh(z, out=out)


def _tanh_backward(delta, a, z):
    np.multiply(a, a, out=a)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


def _logistic(z, out):
    expit(z, out=out)


def _logistic_backward(delta, a, z):
    # delta * a * (1 - a)
    np.multiply(delta, a, out=delta)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


ACTIVATIONS = {
    "relu": Activation(_relu, _relu_backward, gain=sqrt(2)),
    "leaky_relu": Activation(
        _leaky_relu,
        _leaky_relu_backward,
        gain=sqrt(2 / (1 + LEAKY_SLOPE**2)),
        keeps_input=True,
    ),
    "elu": Activation(_elu, _elu_backward, gain=1.2452, keeps_input=True),
    "selu": Activation(_selu, _selu_backward, gain=1.0, keeps_input=True),
    "gelu": Activation(_gelu, _gelu_backward, gain=1.5335, keeps_input=True),
    "silu": Activation(_silu, _silu_backward, gain=1.6765, keeps_input=True),
    "tanh": Activation(_tanh, _tanh_backward, gain=1.5925),
    "logistic": Activation(_logistic, _logistic_backward, gain=1.8462),
    "identity": Activation(_identity, _identity_backward, gain=1.0),
}
