"""Learning-rate schedules.

`SCHEDULES` is the only list of them. To add a planned one, write a function that maps
progress in [0, 1] to a factor of the learning rate and ends at `FINAL_FACTOR`, and add
a row.
"""

from collections.abc import Callable
from math import cos, pi
from typing import NamedTuple

# Schedules end here, not at 0, so that training can be resumed.
FINAL_FACTOR = 0.01

# Initial factor of the one-cycle schedule, and the share of training in which it rises.
ONE_CYCLE_START = 0.04
ONE_CYCLE_RISE = 0.3


class Schedule(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    factor : callable
        ``factor(progress)`` returns the factor of the learning rate when this share of
        the epochs, in [0, 1], has been run. A plain function, so that it pickles.
    planned : bool
        Whether the schedule is laid out over `max_iter` epochs, so that reaching the
        last one is the intended end of training.
    adaptive : bool, default=False
        Whether the learning rate is reduced whenever the cost stops falling, instead
        of by `factor`: `_training` does it.
    """

    factor: Callable[[float], float]
    planned: bool
    adaptive: bool = False


def _constant(progress):
    return 1.0


def _linear(progress):
    return 1.0 - (1.0 - FINAL_FACTOR) * progress


def _cosine(progress):
    return _cosine_between(1.0, FINAL_FACTOR, progress)


def _one_cycle(progress):
    # L. N. Smith and N. Topin, Super-Convergence (2018), arXiv:1708.07120, with
    # cosine shapes.
    if progress < ONE_CYCLE_RISE:
        return _cosine_between(ONE_CYCLE_START, 1.0, progress / ONE_CYCLE_RISE)
    fall = (progress - ONE_CYCLE_RISE) / (1.0 - ONE_CYCLE_RISE)
    return _cosine_between(1.0, FINAL_FACTOR, fall)


def _cosine_between(start, end, progress):
    """Interpolate from `start` to `end` along half a period of the cosine."""
    return end + (start - end) * (1.0 + cos(pi * progress)) / 2.0


SCHEDULES = {
    "constant": Schedule(_constant, planned=False),
    "linear": Schedule(_linear, planned=True),
    "cosine": Schedule(_cosine, planned=True),
    "one_cycle": Schedule(_one_cycle, planned=True),
    "plateau": Schedule(_constant, planned=False, adaptive=True),
}
