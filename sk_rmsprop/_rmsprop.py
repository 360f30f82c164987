"""RMSprop, the optimizer."""

import inspect
from collections.abc import Callable
from math import prod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_rmsprop._checks import (
    check_bound,
    check_gradient,
    check_params,
    check_rows,
    flag,
    in_range,
    memory_order,
)
from sk_rmsprop._updates import Formula, RowUpdate, Update, flat_view

_AVERAGES = ("square_average_", "gradient_average_", "velocity_")


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
    row_steps_ : ndarray of uint32 of shape (n_rows,) or None
        How many steps (modulo 2**32) each row of the parameters and of v includes; None
        if all are up to date. See `step_rows`.
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
        self.learning_rate = in_range("learning_rate", learning_rate)
        self.beta = in_range("beta", beta)
        self.epsilon = in_range("epsilon", epsilon)
        self.momentum = in_range("momentum", momentum)
        self.nesterov = flag("nesterov", nesterov)
        self.centered = flag("centered", centered)
        self.weight_decay = in_range("weight_decay", weight_decay)
        self.bias_correction = flag("bias_correction", bias_correction)
        self.epsilon_in_sqrt = flag("epsilon_in_sqrt", epsilon_in_sqrt)
        self.initial_square_average = in_range(
            "initial_square_average", initial_square_average
        )
        self.square_average_: NDArray[np.floating] | None = None
        self.gradient_average_: NDArray[np.floating] | None = None
        self.velocity_: NDArray[np.floating] | None = None
        self.row_steps_: NDArray[np.uint32] | None = None
        self._row_size: int | None = None
        self._row_learning_rate = 0.0
        self._row_decays = self._decays
        self.n_steps_ = 0

    @property
    def _flags(self) -> tuple[bool, ...]:
        """What the optimizers of a stack have in common."""
        return (
            self.momentum > 0,
            self.nesterov,
            self.centered,
            self.bias_correction,
            self.epsilon_in_sqrt,
        )

    @property
    def _decays(self) -> tuple[float, float]:
        """`beta` and `weight_decay`: what rows without a gradient depend on."""
        return self.beta, self.weight_decay

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
        learning_rate = in_range("learning_rate", learning_rate)
        check_params(params)
        check_gradient(gradient, params.dtype, params.shape)
        gradient = np.asarray(gradient, order=memory_order(params))
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
        check_params(params)
        check_gradient(gradient, params.dtype, params.shape)
        check_bound(params, gradient, n_decayed)
        self._check_state(params)
        self.catch_up(params)
        self._prepare_state(params)
        return Update(
            Formula([self], params.dtype),
            flat_view(params),
            flat_view(gradient),
            [
                flat_view(self.square_average_),
                flat_view(self.gradient_average_) if self.centered else None,
                flat_view(self.velocity_) if self.momentum > 0 else None,
            ],
            self._n_decayed(params, n_decayed),
        )

    def step_rows(
        self,
        params: NDArray[np.floating],
        rows: ArrayLike,
        gradient: NDArray[np.floating],
        learning_rate: float | None = None,
    ) -> None:
        """Update a matrix in place, where only some of its rows have a gradient.

        The result is that of `step` with a gradient of 0 in all other rows, up to
        rounding, at a cost that depends on the number of `rows` alone. What a step does
        to the other rows, to multiply v by beta and the weights by the factor of the
        weight decay, is made up for by powers of these factors when a row is next
        updated, or by `catch_up`.

        Parameters
        ----------
        params : ndarray of float32 or float64 of shape (n_rows, n_columns)
            The parameters. Writeable and C-contiguous; shape and dtype are those of the
            first step.
        rows : array-like of int of shape (n_updated,)
            The rows that have a gradient, each once.
        gradient : ndarray of shape (n_updated, n_columns)
            Their gradient, of the same dtype.
        learning_rate : float, default=None
            Replaces ``self.learning_rate`` in this step. With weight decay a changed
            learning rate brings all rows up to date first.

        Raises
        ------
        TypeError
            As in `step`; also if rows are not integers.
        ValueError
            As in `step`; also with momentum or if centered: then rows without a
            gradient move, too.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_rmsprop import RMSprop
        >>> w = np.ones((1000, 2))
        >>> optimizer = RMSprop(learning_rate=0.01)
        >>> optimizer.step_rows(w, [3, 5], np.array([[0.8, 0.0], [0.0, -0.2]]))
        >>> w[3:6].round(3)
        array([[0.968, 1.   ],
               [1.   , 1.   ],
               [1.   , 1.032]])
        """
        if learning_rate is None:
            learning_rate = self.learning_rate
        learning_rate = in_range("learning_rate", learning_rate)
        check_params(params)
        chosen = check_rows(rows, params)
        check_gradient(gradient, params.dtype, (len(chosen), params.shape[1]))
        if np.may_share_memory(params, gradient):
            gradient = gradient.copy()
        with np.errstate(under="ignore"):
            update = self._row_update_for(params, params.shape, params.reshape(-1)[:0])
            update.load(chosen)
            update(learning_rate, gradient)

    def catch_up(self, params: NDArray[np.floating]) -> None:
        """Bring all rows up to date after `step_rows`.

        Needed before `params` are read if there is weight decay, and before the square
        average is.

        Parameters
        ----------
        params : ndarray
            Those of `step_rows`; updated in place.

        Raises
        ------
        TypeError, ValueError
            As in `step`.
        """
        if self.row_steps_ is None or self._row_size is None:
            return
        check_params(params)
        self._check_state(params)
        shape = (len(self.row_steps_), self._row_size)
        with np.errstate(under="ignore"):
            rest = flat_view(params)[prod(shape) :]
            self._row_update(params, shape, rest).catch_up()
        self.row_steps_ = None

    def state_arrays(self) -> list[NDArray[np.floating]]:
        """Return the existing arrays of averages, in the order of `Attributes`."""
        arrays = (self.__dict__[name] for name in _AVERAGES)
        return [array for array in arrays if array is not None]

    def take_state(self, other: "RMSprop", *, copy: bool = True) -> None:
        """Take another optimizer's state, as far as this one's options use it.

        Parameters
        ----------
        other : RMSprop
            It is not changed.
        copy : bool, default=True
            Whether to copy its arrays. Otherwise the next step changes them, for both.
        """
        take = _copy_of if copy else _same
        self.square_average_ = take(other.square_average_)
        self.gradient_average_ = (
            take(other.gradient_average_) if self.centered else None
        )
        self.velocity_ = take(other.velocity_) if self.momentum > 0 else None
        self.row_steps_ = take(other.row_steps_)
        self._row_size = other._row_size
        self._row_learning_rate = other._row_learning_rate
        self._row_decays = other._row_decays
        self.n_steps_ = other.n_steps_

    def copy(self) -> Self:
        """Return an optimizer with the same options and copies of the state arrays."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        for name in (*_AVERAGES, "row_steps_"):
            new.__dict__[name] = _copy_of(self.__dict__[name])
        return new

    __copy__ = copy

    def _without_state(self) -> Self:
        """Return an optimizer with the same options that has not made a step."""
        options = inspect.signature(RMSprop).parameters
        return type(self)(**{name: getattr(self, name) for name in options})

    def __repr__(self):
        return (
            f"RMSprop(learning_rate={self.learning_rate}, beta={self.beta}, "
            f"n_steps_={self.n_steps_})"
        )

    def _row_update_for(self, params, shape, gradient, n_decayed=None):
        """Return the `RowUpdate` of parameters whose first ones are a matrix.

        `gradient` is that of the others.
        """
        if self.momentum > 0 or self.centered:
            raise ValueError(
                "With momentum > 0 or centered=True rows without a gradient move, too: "
                "use step or update_for."
            )
        self._check_state(params)
        if self._row_decays != self._decays:
            self.catch_up(params)
        return self._row_update(params, shape, gradient, n_decayed)

    def _row_update(self, params, shape, gradient, n_decayed=None):
        self._prepare_state(params)
        if self.row_steps_ is None:
            self.row_steps_ = np.full(shape[0], self.n_steps_ % 2**32, np.uint32)
            self._row_size = shape[1]
            self._row_decays = self._decays
        n_decayed = self._n_decayed(params, n_decayed)
        formula = Formula([self], params.dtype)
        return RowUpdate(
            formula, flat_view(params), shape, flat_view(gradient), n_decayed
        )

    def _n_decayed(self, params, n_decayed):
        if self.weight_decay == 0:
            return 0
        return params.size if n_decayed is None else n_decayed

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
        order = memory_order(params)
        for name, start in starts.items():
            array = self.__dict__[name]
            if array is not None:
                self.__dict__[name] = np.asarray(array, order=order)
            elif start is not None:
                self.__dict__[name] = np.full(params.shape, start, params.dtype, order)


def stack_update_for(optimizers, params, gradient, n_decayed):
    """Return the step of a stack of networks, as `RMSprop.update_for` does of one.

    Parameters
    ----------
    optimizers : list of RMSprop
        One for each member. They may differ in their numbers, not in their flags, nor
        in whether there is momentum. Their averages become rows of arrays of the whole
        stack.
    params, gradient : ndarray of shape (n_members, n_params)
        C-contiguous, of the same dtype, without shared memory.
    n_decayed : int
        Weight decay applies to this many leading parameters.
    """
    if len({optimizer._flags for optimizer in optimizers}) > 1:
        raise ValueError("The optimizers of a stack must have the same flags.")
    for optimizer, row in zip(optimizers, params, strict=True):
        optimizer._check_state(row)
        optimizer.catch_up(row)
        optimizer._prepare_state(row)
    first = optimizers[0]
    averages = [
        _stacked(optimizers, "square_average_"),
        _stacked(optimizers, "gradient_average_") if first.centered else None,
        _stacked(optimizers, "velocity_") if first.momentum > 0 else None,
    ]
    formula = Formula(optimizers, params.dtype)
    return Update(
        formula, params, gradient, averages, n_decayed if formula.decays else 0
    )


def _stacked(optimizers, name):
    """Return the arrays of all members as one, whose rows replace them."""
    rows = np.stack([getattr(optimizer, name) for optimizer in optimizers])
    for optimizer, row in zip(optimizers, rows, strict=True):
        setattr(optimizer, name, row)
    return rows


def _copy_of(array):
    return None if array is None else np.array(array, order="K")


def _same(array):
    return array
