"""RMSprop, the optimizer."""

import sys
from collections.abc import Callable
from math import isfinite, log
from numbers import Integral, Real
from typing import Self

import numpy as np
from numpy.typing import NDArray

# The update makes about ten passes over its arrays. In blocks of this many elements
# every pass after the first finds them in cache. Blocks of a quarter of that took 10
# to 20 % longer on a processor with 512 KiB of L2 cache, due to the number of calls.
BLOCK_SIZE = 65536

# The averages decay geometrically where gradients vanish. Before they become subnormal,
# which makes every operation on them several times slower, they are set to zero: below
# `tiny * FLUSH_MARGIN` at every step at which they could have decayed by the margin.
# Its root is negligible against any usual epsilon.
FLUSH_MARGIN = 1e6

_RANGES = {
    "learning_rate": (lambda value: value > 0, "positive"),
    "beta": (lambda value: 0 <= value < 1, "in [0, 1)"),
    "epsilon": (lambda value: value > 0, "positive"),
    "momentum": (lambda value: 0 <= value < 1, "in [0, 1)"),
    "weight_decay": (lambda value: value >= 0, "non-negative"),
    "initial_square_average": (lambda value: value >= 0, "non-negative"),
}

_STATE_ARRAYS = ("square_average_", "gradient_average_", "velocity_")


class RMSprop:
    """RMSprop: gradient descent scaled by a running root mean square.

    For every parameter w with gradient g, each step is ::

        v <- beta * v + (1 - beta) * g**2
        w <- w - learning_rate * g / (sqrt(v) + epsilon)

    so that the size of a step is about `learning_rate` whatever the scale of the
    gradients: large ones are scaled down, small ones up, per parameter. By default
    epsilon is outside the root and v starts at 0, as in PyTorch.

    Parameters
    ----------
    learning_rate : float, default=0.001
        Learning rate. One step changes a parameter by about this much. Must be
        positive.
    beta : float, default=0.9
        Decay rate of the moving average of squared gradients, in [0, 1). PyTorch
        calls it `alpha`, Keras `rho`, optax `decay`.
    epsilon : float, default=1e-8
        Added to the root (or inside it, see `epsilon_in_sqrt`) for numerical
        stability. Must be positive.
    momentum : float, default=0.0
        Decay of the velocity ``u <- momentum * u + g / (sqrt(v) + epsilon)`` that
        then replaces the scaled gradient, ``w <- w - learning_rate * u``, in [0, 1).
        The learning rate is outside the velocity, as in PyTorch.
    nesterov : bool, default=False
        Whether to use Nesterov momentum: to step along
        ``g / (sqrt(v) + epsilon) + momentum * u`` instead.
    centered : bool, default=False
        Whether to divide by the root of the gradient's variance, ``v - m**2`` with
        ``m <- beta * m + (1 - beta) * g``, instead of its mean square. Rounding can
        make the difference negative; it is clamped at 0.
    weight_decay : float, default=0.0
        Decoupled weight decay: ``w <- w - learning_rate * weight_decay * w`` before the
        update. Must not be negative.
    bias_correction : bool, default=False
        Whether to divide the averages by ``1 - beta**n_steps``, which removes the
        bias towards their start at 0.
    epsilon_in_sqrt : bool, default=False
        Whether to divide by ``sqrt(v + epsilon)``, as Keras and optax do.
    initial_square_average : float, default=0.0
        Initial value of v. TensorFlow 1 used 1. Must not be negative.

    Attributes
    ----------
    square_average_ : ndarray or None
        v, of the parameters' shape and dtype; None before the first step.
    gradient_average_ : ndarray or None
        m; None unless `centered`.
    velocity_ : ndarray or None
        u; None unless there is momentum.
    n_steps_ : int
        Number of steps taken.

    Notes
    -----
    These options reproduce other libraries, step for step:

    - ``torch.optim.RMSprop(lr, alpha, eps, momentum, centered)``: the default form.
    - ``keras.optimizers.RMSprop(lr, rho, momentum, epsilon, centered,
      weight_decay)``: ``epsilon_in_sqrt=True``.
    - ``optax.rmsprop(lr, decay, eps, initial_scale, eps_in_sqrt, centered,
      momentum, nesterov, bias_correction)``: ``epsilon_in_sqrt=eps_in_sqrt``.

    Keras and optax keep the learning rate inside the velocity, which differs once
    it changes during training.

    References
    ----------
    T. Tieleman and G. Hinton, Lecture 6.5: RMSprop, COURSERA: Neural Networks for
    Machine Learning, 2012. The centered form is from A. Graves, Generating Sequences
    With Recurrent Neural Networks, 2013, arXiv:1308.0850.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_rmsprop import RMSprop
    >>> w = np.array([1.0])
    >>> optimizer = RMSprop(learning_rate=0.01, beta=0.9)
    >>> for gradient in (0.8, 0.9, 0.1, -0.2):
    ...     optimizer.step(w, np.array([gradient]))
    ...     print(f"v = {optimizer.square_average_[0]:.6f}, w = {w[0]:.6f}")
    v = 0.064000, w = 0.968377
    v = 0.138600, w = 0.944203
    v = 0.125740, w = 0.941382
    v = 0.117166, w = 0.947225
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        beta: float = 0.9,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        nesterov: bool = False,
        centered: bool = False,
        weight_decay: float = 0.0,
        bias_correction: bool = False,
        epsilon_in_sqrt: bool = False,
        initial_square_average: float = 0.0,
    ) -> None:
        self.learning_rate = _in_range("learning_rate", learning_rate)
        self.beta = _in_range("beta", beta)
        self.epsilon = _in_range("epsilon", epsilon)
        self.momentum = _in_range("momentum", momentum)
        self.nesterov = _flag("nesterov", nesterov)
        self.centered = _flag("centered", centered)
        self.weight_decay = _in_range("weight_decay", weight_decay)
        self.bias_correction = _flag("bias_correction", bias_correction)
        self.epsilon_in_sqrt = _flag("epsilon_in_sqrt", epsilon_in_sqrt)
        self.initial_square_average = _in_range(
            "initial_square_average", initial_square_average
        )
        self.square_average_: NDArray[np.floating] | None = None
        self.gradient_average_: NDArray[np.floating] | None = None
        self.velocity_: NDArray[np.floating] | None = None
        self.n_steps_ = 0

    def step(
        self,
        params: NDArray[np.floating],
        gradient: NDArray[np.floating],
        learning_rate: float | None = None,
    ) -> None:
        """Update `params` in place.

        Parameters
        ----------
        params : ndarray of float32 or float64, any shape
            The parameters. Writeable and contiguous, in C or Fortran order; shape
            and dtype are those of the first step.
        gradient : ndarray of the same shape and dtype
            The gradient of the cost with respect to `params`.
        learning_rate : float, default=None
            Replaces ``self.learning_rate`` in this step, for schedules.

        Raises
        ------
        TypeError
            If an array is not a NumPy array of float32 or float64, or its dtype
            differs from that of the first step.
        ValueError
            If shapes do not agree, `params` is read-only or not contiguous, or the
            learning rate is not positive. Nothing has been changed in that case.
        """
        if learning_rate is None:
            learning_rate = self.learning_rate
        learning_rate = _in_range("learning_rate", learning_rate)
        _check_arrays(params, gradient)
        gradient = np.asarray(gradient, order=_memory_order(params))
        if np.may_share_memory(params, gradient):
            gradient = gradient.copy(order="K")
        with np.errstate(under="ignore"):
            self.update_for(params, gradient)(learning_rate)

    def update_for(
        self,
        params: NDArray[np.floating],
        gradient: NDArray[np.floating],
        n_decayed: int | None = None,
    ) -> Callable[[float], None]:
        """Return the step as a callable bound to one pair of arrays.

        For loops that change and refill the same two arrays: everything that `step`
        checks and prepares is done once, here. The callable is also bound to the
        options and to the state arrays of this moment, and does not notice that they
        are replaced. Make a new one after changing an option, after `take_state`, and
        after a `step` of parameters in another memory order.

        Parameters
        ----------
        params, gradient : ndarray
            As in `step`, but both contiguous in the same order, without shared memory.
        n_decayed : int, default=None
            Weight decay applies to this many leading parameters; None means to all.

        Returns
        -------
        callable
            ``update(learning_rate)`` takes one step.

        Raises
        ------
        TypeError, ValueError
            As in `step`; also if the arrays share memory or differ in their order, or
            `n_decayed` is invalid.
        """
        _check_arrays(params, gradient)
        _check_bound(params, gradient, n_decayed)
        self._check_state(params)
        self._prepare_state(params)
        return _Update(self, params, gradient, n_decayed)

    def state_arrays(self) -> list[NDArray[np.floating]]:
        """Return the existing arrays of the state, in the order of `Attributes`."""
        arrays = (self.__dict__[name] for name in _STATE_ARRAYS)
        return [array for array in arrays if array is not None]

    def take_state(self, other: "RMSprop") -> None:
        """Copy another optimizer's state, as far as this one's options use it.

        Parameters
        ----------
        other : RMSprop
            It is not changed.
        """
        self.square_average_ = _copy_of(other.square_average_)
        self.gradient_average_ = (
            _copy_of(other.gradient_average_) if self.centered else None
        )
        self.velocity_ = _copy_of(other.velocity_) if self.momentum > 0 else None
        self.n_steps_ = other.n_steps_

    def copy(self) -> Self:
        """Return an optimizer with the same options and copies of the state arrays."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        for name in _STATE_ARRAYS:
            new.__dict__[name] = _copy_of(self.__dict__[name])
        return new

    __copy__ = copy

    def __repr__(self):
        return (
            f"RMSprop(learning_rate={self.learning_rate}, beta={self.beta}, "
            f"n_steps_={self.n_steps_})"
        )

    def _check_state(self, params):
        for array in self.state_arrays():
            if array.shape != params.shape:
                raise ValueError(
                    f"params has shape {params.shape}, but this optimizer has "
                    f"stepped parameters of shape {array.shape}; make a new RMSprop."
                )
            if array.dtype != params.dtype:
                raise TypeError(
                    f"params has dtype {params.dtype}, but this optimizer has "
                    f"stepped parameters of {array.dtype}; make a new RMSprop."
                )

    def _prepare_state(self, params):
        """Allocate the state arrays that the options need, laid out like `params`."""
        starts = {
            "square_average_": self.initial_square_average,
            "gradient_average_": 0.0 if self.centered else None,
            "velocity_": 0.0 if self.momentum > 0 else None,
        }
        order = _memory_order(params)
        for name, start in starts.items():
            array = self.__dict__[name]
            if array is not None:
                self.__dict__[name] = np.asarray(array, order=order)
            elif start is not None:
                self.__dict__[name] = np.full(params.shape, start, params.dtype, order)


class _Update:
    """One step of an optimizer on one pair of arrays, with all views made before."""

    def __init__(self, optimizer, params, gradient, n_decayed):
        self.optimizer = optimizer
        self.arrays = [
            _flat_view(params),
            _flat_view(gradient),
            _flat_view(optimizer.square_average_),
            _flat_view(optimizer.gradient_average_) if optimizer.centered else None,
            _flat_view(optimizer.velocity_) if optimizer.momentum > 0 else None,
            np.empty(min(BLOCK_SIZE, params.size), params.dtype),
        ]
        if optimizer.weight_decay == 0:
            n_decayed = 0
        elif n_decayed is None:
            n_decayed = params.size
        self.blocks = [
            self._block(start, n_decayed) for start in range(0, params.size, BLOCK_SIZE)
        ]
        # Scalars as 0-d arrays of the working dtype: with a Python float a call on a
        # small array takes twice as long.
        self.beta = np.array(optimizer.beta, params.dtype)
        self.rest = np.array(1 - optimizer.beta, params.dtype)
        # An epsilon that rounds to zero would give 0 / 0.
        epsilon = max(optimizer.epsilon, np.finfo(params.dtype).tiny)
        self.epsilon = np.array(epsilon, params.dtype)
        self.momentum = np.array(optimizer.momentum, params.dtype)
        self.learning_rate = np.empty((), params.dtype)
        self.momentum_learning_rate = np.empty((), params.dtype)
        self.kept = np.empty((), params.dtype)
        self.correction = np.empty((), params.dtype)
        self.flush_interval = _flush_interval(optimizer.beta, optimizer.momentum)

    def _block(self, start, n_decayed):
        """Return the views that `_step_block` needs for the block from `start` on."""
        params, *others, scratch = self.arrays
        n_rest = params.size - start
        block = slice(start, start + BLOCK_SIZE)
        decayed = params[start : min(start + BLOCK_SIZE, n_decayed)]
        return (
            decayed if decayed.size else None,
            params[block],
            *(None if array is None else array[block] for array in others),
            scratch[:n_rest],
        )

    def __call__(self, learning_rate):
        optimizer = self.optimizer
        optimizer.n_steps_ += 1
        self.learning_rate[...] = learning_rate
        if optimizer.nesterov:
            self.momentum_learning_rate[...] = learning_rate * optimizer.momentum
        if optimizer.weight_decay > 0:
            self.kept[...] = 1 - learning_rate * optimizer.weight_decay
        if optimizer.bias_correction:
            self.correction[...] = 1 - optimizer.beta**optimizer.n_steps_
        for block in self.blocks:
            self._step_block(*block)
        if optimizer.n_steps_ % self.flush_interval == 0:
            self._flush_tiny_averages()

    def _step_block(
        self, decayed, params, gradient, square_average, mean, velocity, scratch
    ):
        if decayed is not None:
            np.multiply(decayed, self.kept, decayed)
        # v <- beta * v + (1 - beta) * g**2
        np.multiply(gradient, gradient, scratch)
        np.multiply(scratch, self.rest, scratch)
        np.multiply(square_average, self.beta, square_average)
        np.add(square_average, scratch, square_average)
        variance = square_average
        if mean is not None:
            variance = self._centered_variance(gradient, square_average, mean, scratch)
        if self.optimizer.bias_correction:
            variance = np.divide(variance, self.correction, scratch)
        # step <- g / (sqrt(v) + epsilon)
        if self.optimizer.epsilon_in_sqrt:
            np.add(variance, self.epsilon, scratch)
            np.sqrt(scratch, scratch)
        else:
            np.sqrt(variance, scratch)
            np.add(scratch, self.epsilon, scratch)
        step = np.divide(gradient, scratch, scratch)
        if velocity is None:
            np.multiply(step, self.learning_rate, step)
            np.subtract(params, step, params)
        else:
            self._momentum_step(params, step, velocity)

    def _centered_variance(self, gradient, square_average, mean, scratch):
        """Update m; return v - m**2, clamped at 0, in `scratch`.

        With bias correction both averages are to be divided by c, and
        v/c - (m/c)**2 = (v - m**2/c) / c: this is the bracket.
        """
        # m <- beta * m + (1 - beta) * g
        np.multiply(gradient, self.rest, scratch)
        np.multiply(mean, self.beta, mean)
        np.add(mean, scratch, mean)
        np.multiply(mean, mean, scratch)
        if self.optimizer.bias_correction:
            np.divide(scratch, self.correction, scratch)
        np.subtract(square_average, scratch, scratch)
        return np.maximum(scratch, 0, out=scratch)

    def _momentum_step(self, params, step, velocity):
        # u <- momentum * u + step;  w <- w - learning_rate * u
        np.multiply(velocity, self.momentum, velocity)
        np.add(velocity, step, velocity)
        if self.optimizer.nesterov:
            # w <- w - learning_rate * (step + momentum * u)
            np.multiply(step, self.learning_rate, step)
            np.subtract(params, step, params)
            np.multiply(velocity, self.momentum_learning_rate, step)
        else:
            np.multiply(velocity, self.learning_rate, step)
        np.subtract(params, step, params)

    def _flush_tiny_averages(self):
        threshold = np.finfo(self.learning_rate.dtype).tiny * FLUSH_MARGIN
        for *_, square_average, mean, velocity, scratch in self.blocks:
            for average in (square_average, mean, velocity):
                if average is not None:
                    np.abs(average, out=scratch)
                    np.greater(scratch, threshold, out=scratch)
                    np.multiply(average, scratch, average)


def _flush_interval(*decays):
    """Return the number of steps in which no decay exceeds the flush margin."""
    intervals = [int(log(FLUSH_MARGIN) / -log(decay)) for decay in decays if decay > 0]
    return max(1, min(intervals, default=sys.maxsize))


def _copy_of(array):
    return None if array is None else np.array(array, order="K")


def _flat_view(array):
    """Return a 1-D view of a contiguous array, in the order of its memory."""
    return np.asarray(array).reshape(-1, order="A")


def _memory_order(array):
    return "C" if array.flags.c_contiguous else "F"


def _in_range(name, value):
    """Return `value` as a float, or raise if it is not in the range of `name`."""
    in_range, words = _RANGES[name]
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if not (isfinite(value) and in_range(value)):
        raise ValueError(f"{name} must be {words} and finite, got {value!r}.")
    return float(value)


def _flag(name, value):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a bool, got {value!r}.")
    return bool(value)


def _check_arrays(params, gradient):
    for name, array in (("params", params), ("gradient", gradient)):
        if not isinstance(array, np.ndarray) or array.dtype not in (
            np.float32,
            np.float64,
        ):
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(
                f"{name} must be a NumPy array of float32 or float64, got {kind}."
            )
    if gradient.dtype != params.dtype:
        raise TypeError(
            f"gradient must have the dtype of params, {params.dtype}, got "
            f"{gradient.dtype}."
        )
    if gradient.shape != params.shape:
        raise ValueError(
            f"gradient must have the shape of params, {params.shape}, got "
            f"{gradient.shape}."
        )
    if not params.flags.writeable:
        raise ValueError("params is read-only, and would be updated in place; copy it.")
    if not params.flags.forc:
        raise ValueError(
            "params must be contiguous to be updated in place; copy it first."
        )


def _check_bound(params, gradient, n_decayed):
    if not gradient.flags[f"{_memory_order(params)}_CONTIGUOUS"]:
        raise ValueError(
            "gradient must be contiguous in the same order as params to be bound."
        )
    if np.may_share_memory(params, gradient):
        raise ValueError(
            "gradient must not share memory with params to be bound: the update would "
            "overwrite it. Copy it first."
        )
    if n_decayed is None:
        return
    if not isinstance(n_decayed, Integral):
        raise TypeError(f"n_decayed must be an integer or None, got {n_decayed!r}.")
    if not 0 <= n_decayed <= params.size:
        raise ValueError(
            f"n_decayed must be from 0 to the {params.size} parameters, got "
            f"{n_decayed!r}."
        )
