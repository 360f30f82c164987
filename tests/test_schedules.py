"""Tests of the learning-rate schedules, most of them on every row of the table."""

import pickle

import numpy as np
import pytest

from sk_rmsprop._schedules import SCHEDULES

# The factor at some points of progress, worked out by hand: a cosine is at 3/4, 1/2
# and 1/4 of its way down after 1/3, 1/2 and 2/3 of its time. The one-cycle schedule
# rises from 0.04 for 0.3 of its time.
VALUES = {
    "constant": {0: 1, 0.5: 1, 1: 1},
    "linear": {0: 1, 0.25: 0.7525, 0.5: 0.505, 1: 0.01},
    "cosine": {0: 1, 1 / 3: 0.7525, 0.5: 0.505, 2 / 3: 0.2575, 1: 0.01},
    "one_cycle": {0: 0.04, 0.1: 0.28, 0.15: 0.52, 0.3: 1, 0.65: 0.505, 1: 0.01},
    "plateau": {0: 1, 0.5: 1, 1: 1},
}

PLANNED = {"linear", "cosine", "one_cycle"}

every_schedule = pytest.mark.parametrize("name", SCHEDULES)


@pytest.fixture
def course(name):
    """Return the factor at a thousand steps of progress, both ends included."""
    return np.array([SCHEDULES[name].factor(step / 1000) for step in range(1001)])


@every_schedule
def test_values(name):
    found = {progress: SCHEDULES[name].factor(progress) for progress in VALUES[name]}
    assert found == pytest.approx(VALUES[name], rel=1e-14)


@every_schedule
def test_factor_is_positive_and_reaches_the_learning_rate(course):
    assert (course > 0).all()
    assert course.max() == 1


@every_schedule
def test_never_rises_again_once_it_falls(course):
    peak = course.argmax()
    assert (np.diff(course[: peak + 1]) >= 0).all()
    assert (np.diff(course[peak:]) <= 0).all()


@every_schedule
def test_does_not_jump(course):
    assert np.abs(np.diff(course)).max() < 0.01


def test_which_schedules_are_planned():
    planned = {name for name, schedule in SCHEDULES.items() if schedule.planned}
    assert planned == PLANNED
    assert [name for name, row in SCHEDULES.items() if row.adaptive] == ["plateau"]


@pytest.mark.parametrize(
    "name", [name for name in SCHEDULES if SCHEDULES[name].planned]
)
def test_ends_at_one_percent(name):
    # Not only close to it: training continues at this learning rate.
    assert SCHEDULES[name].factor(1.0) == pytest.approx(0.01, rel=1e-15)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_falls_all_the_time(course):
    assert (np.diff(course) < 0).all()


@pytest.mark.parametrize("name", ["one_cycle"])
def test_one_cycle_rises_and_falls(course):
    assert course.argmax() == 300
    assert (np.diff(course[:301]) > 0).all()
    assert (np.diff(course[300:]) < 0).all()


@every_schedule
def test_pickles(name):
    factor = SCHEDULES[name].factor
    assert pickle.loads(pickle.dumps(factor)) is factor
