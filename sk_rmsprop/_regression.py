"""Losses of numbers, and the scale on which numbers are learned.

A network learns ``(y - center) / scale``, so that the units of `y` do not matter. Its
costs are reported in these units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from sk_rmsprop._statistics import Moments, moments_of, quantiles_of

# Where the Huber loss becomes linear, in standard deviations: it then has 95 % of the
# efficiency of the squared error on normal errors (P. J. Huber, Robust Estimation of a
# Location Parameter, 1964).
HUBER_DELTA = 1.345

# The interquartile range of a normal distribution, in standard deviations.
NORMAL_IQR = 1.349


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
    """

    center: np.ndarray
    scale: np.ndarray
    level: float
    moments: Moments | None = None
    exponent: int = 0

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return TargetScale(
            np.array(self.center),
            np.array(self.scale),
            self.level,
            self.moments and self.moments.copy(),
            self.exponent,
        )


class NumberLoss(NamedTuple):
    """A row of the table of losses, for targets that are numbers.

    Attributes
    ----------
    loss, slope : callable
        See above.
    is_robust : bool, default=False
        Whether targets are scaled by median and interquartile range.
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

    def target_scale(self, data, level, *, follows, before=None):
        """Return the scale of the targets of some data.

        Parameters
        ----------
        data : Data
        level : float
        follows : bool
            Whether it will follow more data.
        before : TargetScale, default=None
            That of the data before, which it follows.
        """
        y, rows, weight = data.target, data.rows, data.weight
        exponent = 0 if before is None else before.exponent
        if before is None:
            exponent = int(np.frexp(np.abs(y[rows]).max(initial=0.0))[1])
        columns = np.arange(y.shape[1])
        moments = None if before is None else before.moments
        with np.errstate(all="ignore"):
            y = np.ldexp(y, -exponent)
            moments = moments_of(y, columns, rows, weight, moments)
        center, scale = moments.mean, moments.deviation
        if self.is_positive:
            center, scale = np.zeros_like(center), moments.mean
        elif self.is_robust and not follows:
            levels = [level, 0.25, 0.75]
            center, first, third = quantiles_of(y, columns, rows, weight, levels)
            spread = (third - first) / NORMAL_IQR
            scale = np.where(spread > 0, spread, scale)
        center, scale = np.ldexp(center, exponent), np.ldexp(scale, exponent)
        return TargetScale(
            center,
            np.where(scale > 0, scale, 1.0),
            level,
            moments if follows else None,
            exponent,
        )

    def bind(self, targets):
        """Return the loss on one scale of targets."""
        return ScaledLoss(self, targets)


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
            self.unit = float(targets.scale[0] ** row.power)

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
        scaled = (y - self.targets.center) / self.targets.scale
        scaled = scaled.reshape(n_batches, batch_size, n_outputs)
        np.copyto(out, scaled.transpose(0, 2, 1), casting="same_kind")


SQUARED = NumberLoss(_squared, _squared_slope, power=2)
ABSOLUTE = NumberLoss(_absolute, _absolute_slope, is_robust=True)
HUBER = NumberLoss(_huber, _huber_slope, is_robust=True, power=2)
QUANTILE = NumberLoss(_quantile, _quantile_slope, is_robust=True)
POISSON = NumberLoss(_poisson, _poisson_slope, is_positive=True)
