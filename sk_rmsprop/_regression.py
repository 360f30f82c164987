"""Losses of numbers, and the scale on which numbers are learned.

A network learns ``(y - center) / scale``, so that the units of `y` do not matter. Its
costs are reported in these units.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from sk_rmsprop._statistics import (
    ROUNDING,
    Moments,
    moments_of,
    quantiles_of,
)

# Where the Huber loss becomes linear, in standard deviations: it then has 95 % of the
# efficiency of the squared error on normal errors (P. J. Huber, Robust Estimation of a
# Location Parameter, 1964).
HUBER_DELTA = 1.345

# What quantiles of a normal distribution are apart, in standard deviations: the
# quartiles, and the outermost tenths.
NORMAL_IQR = 1.349
NORMAL_MIDDLE = 2.563

# Targets whose quartiles are closer than this share of what is normal are almost equal.
ALMOST_EQUAL = 0.01

# Of the logarithm of a mean: its exponential is finite.
MAX_EXPONENT = 700.0


# --- Elementwise losses ---------------------------------------------------------------
#
# ``loss(raw, target, out, level)`` writes the losses into `out`, ``slope(raw, target,
# level)`` overwrites raw outputs by their derivatives.


def _squared(raw, target, out, level):
    # Half of it, as in MLPRegressor.
    np.subtract(raw, target, out)
    np.multiply(out, out, out)
    np.multiply(out, 0.5, out)


def _squared_slope(raw, target, level):
    np.subtract(raw, target, raw)


def _absolute(raw, target, out, level):
    np.subtract(raw, target, out)
    np.abs(out, out)


def _absolute_slope(raw, target, level):
    np.subtract(raw, target, raw)
    np.sign(raw, raw)


def _huber(raw, target, out, level):
    # With the size d of the error limited to c: c * (d - c / 2).
    np.subtract(raw, target, out)
    np.abs(out, out)
    limited = np.minimum(out, HUBER_DELTA)
    np.subtract(out, 0.5 * limited, out)
    np.multiply(out, limited, out)


def _huber_slope(raw, target, level):
    np.subtract(raw, target, raw)
    np.clip(raw, -HUBER_DELTA, HUBER_DELTA, raw)


def _quantile(raw, target, out, level):
    # The error costs `level` per unit where the target is larger, else 1 - level.
    np.subtract(target, raw, out)
    np.multiply(out, np.where(out > 0, level, level - 1).astype(out.dtype), out)


def _quantile_slope(raw, target, level):
    np.subtract(raw, target, raw)
    below = np.where(raw < 0, -level, 0.0)
    raw[...] = np.where(raw > 0, 1 - level, below)


def _poisson(raw, target, out, level):
    # Half of the deviance, of a network whose output is the logarithm of the mean.
    np.exp(raw, out)
    np.subtract(out, target, out)
    np.add(out, xlogy(target, target), out)
    np.subtract(out, target * raw, out)


def _poisson_slope(raw, target, level):
    np.exp(raw, raw)
    np.subtract(raw, target, raw)


# --- The scale of targets -------------------------------------------------------------


@dataclass(frozen=True)
class TargetScale:
    """How numbers become targets.

    Attributes
    ----------
    center, scale : ndarray of shape (n_outputs,)
        Targets are ``(y - center) / scale``.
    level : float
        Of the quantile that is predicted, with that loss.
    moments : Moments or None
        Of a stream, the moments of all `y` so far.
    exponent : int
        They are those of `y` divided by this power of 2, so that no square overflows.
    weight_exponent : int
        They count weights in units of this power of 2, for the same reason.
    """

    center: np.ndarray
    scale: np.ndarray
    level: float
    moments: Moments | None = None
    exponent: int = 0
    weight_exponent: int = 0

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return TargetScale(
            np.array(self.center),
            np.array(self.scale),
            self.level,
            self.moments and self.moments.copy(),
            self.exponent,
            self.weight_exponent,
        )


class NumberLoss(NamedTuple):
    """A row of the table of losses, for targets that are numbers.

    Attributes
    ----------
    loss, slope : callable
        See above.
    is_robust : bool, default=False
        Whether targets are scaled by quantiles.
    is_positive : bool, default=False
        Whether `y` must not be negative; the raw output is then the logarithm of its
        mean.
    power : int, default=1
        Losses have the unit of `y` to this power.
    exclusive : bool, default=False
        As in `Loss`: there are no classes.
    """

    loss: Callable[..., None]
    slope: Callable[..., None]
    is_robust: bool = False
    is_positive: bool = False
    power: int = 1
    exclusive: bool = False

    @property
    def out_activation(self):
        """Name of the link, as in ``MLPRegressor.out_activation_``."""
        return "exp" if self.is_positive else "identity"

    def target_scale(self, data, level):
        """Return the scale of the targets of some data."""
        y, columns = data.target, np.arange(data.target.shape[1])
        exponent = _exponent(y[data.rows])
        y = _divided(y, exponent)
        with np.errstate(all="ignore"):
            moments = moments_of(y, columns, data.rows, data.weight)
        center, scale = self._by_moments(moments)
        if self.is_robust:
            levels = [level, 0.1, 0.25, 0.75, 0.9]
            center, *quantiles = quantiles_of(
                y, columns, data.rows, data.weight, levels
            )
            spread = _spread(*quantiles)
            # Equal but for rounding is equal.
            spread[spread <= ROUNDING * np.abs(center)] = 0.0
            scale = np.where(spread > 0, spread, scale)
        return _target_scale(center, scale, level, exponent)

    def following(self, data, level, before):
        """Return the scale of the targets of a stream after more data.

        It is that of their means and standard deviations. `before` is the scale before,
        None at first.
        """
        y, weight = data.target, data.weight
        exponent, moments = _exponent(y[data.rows]), None
        weight_exponent = 0 if weight is None else _exponent(weight)
        if before is not None:
            weight_exponent = before.weight_exponent
            exponent = max(exponent, before.exponent)
            moments = _rescaled(before.moments, before.exponent - exponent)
        if weight is not None or weight_exponent:
            weight = np.ones(len(y)) if weight is None else weight
            weight = _divided(weight, weight_exponent)
        columns = np.arange(y.shape[1])
        with np.errstate(all="ignore"):
            y = _divided(y, exponent)
            moments = moments_of(y, columns, data.rows, weight, moments)
        center, scale = self._by_moments(moments)
        scale = _target_scale(center, scale, level, exponent)
        return replace(scale, moments=moments, weight_exponent=weight_exponent)

    def _by_moments(self, moments):
        """Return center and scale."""
        if self.is_positive:
            return np.zeros_like(moments.mean), moments.mean
        return moments.mean, moments.deviation

    def bind(self, targets):
        """Return the loss on one scale of targets."""
        return ScaledLoss(self, targets)


def _exponent(numbers):
    """Return the power of 2 that numbers are below in size."""
    return int(np.frexp(np.abs(numbers).max(initial=0.0))[1])


def _divided(numbers, exponent):
    """Return numbers divided by a power of 2."""
    with np.errstate(all="ignore"):
        return np.ldexp(numbers, -exponent)


def _rescaled(moments, exponent):
    """Return the moments of numbers multiplied by a power of 2."""
    with np.errstate(under="ignore"):
        return replace(
            moments,
            mean=np.ldexp(moments.mean, exponent),
            square=np.ldexp(moments.square, 2 * exponent),
            other=np.ldexp(moments.other, exponent),
        )


def _spread(tenth, first, third, ninetieth):
    """Return the standard deviation of a normal distribution with such quantiles.

    It is that of the quartiles, which outliers do not reach, unless most targets are
    equal, or almost: then it is that of the outermost tenths.
    """
    spread = (third - first) / NORMAL_IQR
    middle = (ninetieth - tenth) / NORMAL_MIDDLE
    return np.where(spread < ALMOST_EQUAL * middle, middle, spread)


def _target_scale(center, scale, level, exponent):
    """Return a scale of targets that were divided by a power of 2; 1 replaces 0."""
    center, scale = np.ldexp(center, exponent), np.ldexp(scale, exponent)
    return TargetScale(center, np.where(scale > 0, scale, 1.0), level, None, exponent)


class ScaledLoss:
    """A loss of numbers on one scale, with the functions of a `Loss`.

    It is in units of `y`. With several outputs, which may have different units, it is
    the mean of the losses on their scales.

    Parameters
    ----------
    row : NumberLoss
    targets : TargetScale
    """

    weighs_target = False
    scratch = staticmethod(np.empty_like)

    def __init__(self, row, targets):
        self.row = row
        self.targets = targets
        self.unit = 1.0
        if len(targets.scale) == 1:
            with np.errstate(under="ignore"):
                unit = targets.scale[0] ** row.power
            # Costs are compared in this unit: it must not vanish.
            self.unit = max(float(unit), sys.float_info.min)

    def value(self, raw, target, weight, scratch):
        """Return the weighted sum of the losses."""
        self.row.loss(raw, target, scratch, self.targets.level)
        sums = np.vecdot(scratch, weight[..., np.newaxis, :]).astype(np.float64)
        mean = self.unit * sums.mean(axis=-1)
        return float(mean) if np.ndim(mean) == 0 else mean

    def value_and_gradient(self, raw, target, weight, scratch):
        """Return the same and overwrite raw outputs by the gradient.

        The gradient is that on the scale of the targets.
        """
        value = self.value(raw, target, weight, scratch)
        self.row.slope(raw, target, self.targets.level)
        np.multiply(raw, weight[..., np.newaxis, :], raw)
        np.multiply(raw, 1 / raw.shape[-2], raw)
        return value

    def link(self, raw):
        """Overwrite raw outputs, of shape (n_outputs, n_samples), by predictions."""
        if self.row.is_positive:
            np.minimum(raw, MAX_EXPONENT, out=raw)
            with np.errstate(under="ignore"):
                np.exp(raw, raw)
        np.multiply(raw, self.targets.scale[:, np.newaxis], raw)
        np.add(raw, self.targets.center[:, np.newaxis], raw)

    def initial_bias(self, y, weight, n_outputs):
        """Return the biases that alone predict the center."""
        return np.zeros(n_outputs)

    def write_target(self, y, out, smoothing):
        """Write `y`, of shape (n_samples, n_outputs), as targets into `out`.

        `out` has the shape (n_batches, n_outputs, n_samples).
        """
        n_batches, n_outputs, batch_size = out.shape
        # An outlier's square must not overflow in float32.
        limit = np.sqrt(np.finfo(out.dtype).max) / 2
        with np.errstate(over="ignore"):
            scaled = (y - self.targets.center) / self.targets.scale
        np.clip(scaled, -limit, limit, out=scaled)
        scaled = scaled.reshape(n_batches, batch_size, n_outputs)
        np.copyto(out, scaled.transpose(0, 2, 1), casting="same_kind")


SQUARED = NumberLoss(_squared, _squared_slope, power=2)
ABSOLUTE = NumberLoss(_absolute, _absolute_slope, is_robust=True)
HUBER = NumberLoss(_huber, _huber_slope, is_robust=True, power=2)
QUANTILE = NumberLoss(_quantile, _quantile_slope, is_robust=True)
POISSON = NumberLoss(_poisson, _poisson_slope, is_positive=True)
