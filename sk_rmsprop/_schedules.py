"""Learning-rate schedules: plain functions of the progress of a `fit`.

`SCHEDULES` is the only list of them. A schedule maps progress in [0, 1] to a factor
of the learning rate. To add one, write a function that ends at `FINAL_FACTOR` (so
that training can go on after it) and add a row. "plateau" is not a function of
progress but of what training achieves: it stands with the stopping rules, in
`_training`.
"""

from math import cos, pi

# A schedule ends here, not at 0, so that training can go on.
FINAL_FACTOR = 0.01

# The start of the one-cycle schedule and the part of training in which it rises.
ONE_CYCLE_START = 0.04
ONE_CYCLE_RISE = 0.3


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
    """Go from `start` to `end` along half a period of the cosine."""
    return end + (start - end) * (1.0 + cos(pi * progress)) / 2.0


SCHEDULES = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "plateau": _constant,
}
