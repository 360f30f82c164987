"""Activation functions of the hidden layers.

`ACTIVATIONS` is the only list of them: parameter validation and tests derive from it.
To add one, write its two functions and add a row. The functions pass `out` by position
where NumPy allows it, which takes less time.
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


# As a 0-d array a constant costs half the call overhead of a Python number; in float32
# it does not upcast arrays of either dtype.
ZERO = np.zeros((), np.float32)


class Activation(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    forward : callable
        ``forward(z, kept)`` overwrites `z` by f(z) and may leave in `kept`, an array
        like `z`, what the backward pass needs.
    backward : callable
        ``backward(delta, a, kept)`` multiplies `delta` in place by f'(z), where `a`
        is f(z). All three may be overwritten: nothing needs them afterwards.
    gain : float
        Initial weights have standard deviation ``gain / sqrt(fan_in)``. It is
        ``1 / sqrt(E[f(z)**2])`` for standard normal z, so that layers preserve the
        scale of their input; for ReLU that is He's sqrt(2).
    keeps : bool
        Whether `kept` is used; if not, it is None.
    """

    forward: Callable[[np.ndarray, np.ndarray | None], None]
    backward: Callable[[np.ndarray, np.ndarray, np.ndarray | None], None]
    gain: float
    keeps: bool = False


def _identity(z, kept):
    pass


def _identity_backward(delta, a, kept):
    pass


def _relu(z, kept):
    # kept = f'(z), as numbers: on processors without AVX-512 np.maximum takes ten
    # times as long as this product, and so does selecting by truth values.
    np.greater(z, ZERO, kept)
    np.multiply(z, kept, z)


def _leaky_relu(z, kept):
    np.greater(z, ZERO, kept)
    np.multiply(kept, 1 - LEAKY_SLOPE, kept)
    np.add(kept, LEAKY_SLOPE, kept)
    np.multiply(z, kept, z)


def _kept_backward(delta, a, kept):
    np.multiply(delta, kept, delta)


def _elu(z, kept):
    # kept = exp(min(z, 0)) - 1 is the negative side.
    np.minimum(z, ZERO, out=kept)
    np.expm1(kept, kept)
    np.maximum(z, ZERO, out=z)
    np.add(z, kept, z)


def _elu_backward(delta, a, kept):
    np.add(kept, 1, kept)
    np.multiply(delta, kept, delta)


def _selu(z, kept):
    _elu(z, kept)
    # The negative side again, for the factor alpha that it has beyond ELU's.
    np.multiply(kept, SELU_ALPHA - 1, kept)
    np.add(z, kept, z)
    np.multiply(z, SELU_SCALE, z)


def _selu_backward(delta, a, kept):
    # f'(z) is scale for z > 0, and f(z) + scale * alpha for z <= 0.
    np.greater(a, ZERO, kept)
    np.minimum(a, ZERO, out=a)
    np.add(a, SELU_SCALE * SELU_ALPHA, a)
    np.multiply(kept, SELU_SCALE * (SELU_ALPHA - 1), kept)
    np.subtract(a, kept, a)
    np.multiply(delta, a, delta)


def _gelu(z, kept):
    np.copyto(kept, z)
    ndtr(z, z)
    np.multiply(z, kept, z)


def _gelu_backward(delta, a, kept):
    # f'(z) = Phi(z) + z * phi(z) with kept = z
    np.multiply(kept, kept, a)
    np.multiply(a, -0.5, a)
    np.exp(a, a)
    np.multiply(a, 1 / sqrt(2 * pi), a)
    np.multiply(a, kept, a)
    ndtr(kept, kept)
    np.add(a, kept, a)
    np.multiply(delta, a, delta)


def _silu(z, kept):
    expit(z, kept)
    np.multiply(z, kept, z)


def _silu_backward(delta, a, kept):
    # f'(z) = s + a * (1 - s) = 1 - (1 - s) * (1 - a) with kept = s = sigmoid(z)
    np.subtract(1, kept, kept)
    np.subtract(1, a, a)
    np.multiply(a, kept, a)
    np.subtract(1, a, a)
    np.multiply(delta, a, delta)


def _tanh(z, kept):
    np.tanh(z, z)


def _tanh_backward(delta, a, kept):
    np.multiply(a, a, a)
    np.subtract(1, a, a)
    np.multiply(delta, a, delta)


def _logistic(z, kept):
    expit(z, z)


def _logistic_backward(delta, a, kept):
    # delta * a * (1 - a)
    np.multiply(delta, a, delta)
    np.subtract(1, a, a)
    np.multiply(delta, a, delta)


ACTIVATIONS = {
    "relu": Activation(_relu, _kept_backward, gain=sqrt(2), keeps=True),
    "leaky_relu": Activation(
        _leaky_relu, _kept_backward, gain=sqrt(2 / (1 + LEAKY_SLOPE**2)), keeps=True
    ),
    "elu": Activation(_elu, _elu_backward, gain=1.2452, keeps=True),
    "selu": Activation(_selu, _selu_backward, gain=1.0, keeps=True),
    "gelu": Activation(_gelu, _gelu_backward, gain=1.5335, keeps=True),
    "silu": Activation(_silu, _silu_backward, gain=1.6765, keeps=True),
    "tanh": Activation(_tanh, _tanh_backward, gain=1.5925),
    "logistic": Activation(_logistic, _logistic_backward, gain=1.8462),
    "identity": Activation(_identity, _identity_backward, gain=1.0),
}
