"""Training is a pure function of data, parameters and seed, however it is cut up."""

import copy
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._schedules import SCHEDULES
from tests import helpers
from tests.cases import (
    CASES,
    EVERYTHING,
    N_EPOCHS,
    X,
    every_case,
    every_case_of_constant_learning_rate,
    trained,
    y,
)
from tests.helpers import assert_same_model, params_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DEFAULT = CASES["default"]
CHUNKS = (slice(0, 40), slice(40, 41), slice(41, 65))

small = partial(helpers.small, learning_rate=0.03, max_iter=8)


def fit_chunks(clf):
    """Call partial_fit with chunks of very different sizes."""
    for rows in CHUNKS:
        clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    return clf


# --- partial_fit: k calls are a fit of k epochs ---------------------------------------


@every_case
def test_partial_fits_equal_a_fit_bit_for_bit(case):
    whole = case.fit(case.make(max_iter=N_EPOCHS))
    assert whole.n_iter_ == N_EPOCHS, "a stopping rule has fired"
    partly = case.partial_fit(case.make(max_iter=N_EPOCHS), 2)
    loaded = pickle.loads(pickle.dumps(partly))
    for clf in (partly, loaded):
        assert trained(case.partial_fit(clf, N_EPOCHS - 2)) == trained(whole)
    # What is not public, such as the generator's state, shows in what follows.
    case.partial_fit(whole, 2)
    for clf in (partly, loaded):
        assert trained(case.partial_fit(clf, 2)) == trained(whole)


def test_partial_fits_in_another_process(tmp_path):
    script = (
        "import sys, joblib\n"
        "clf, data = joblib.load(sys.argv[1])\n"
        "for _ in range(3):\n"
        "    clf.partial_fit(*data)\n"
        "joblib.dump(clf, sys.argv[1])\n"
    )
    case = EVERYTHING
    clf = case.partial_fit(case.make(max_iter=N_EPOCHS), 3)
    path = tmp_path / "clf.joblib"
    joblib.dump((clf, (case.X, case.y, None, case.sample_weight)), path)
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script, path],
        check=True,
        cwd=Path(sys.modules["sk_rmsprop"].__file__).parents[1],
        timeout=600,
    )
    case.partial_fit(clf, 3)
    assert trained(joblib.load(path)) == trained(clf)


def test_counters_of_partial_fits():
    clf = fit_chunks(DEFAULT.make())
    assert (clf.n_iter_, clf.t_) == (1, 65)
    assert [record["epoch"] for record in clf.history_] == [1, 2, 3]
    # Batches of 10: four, one and three steps
    assert clf.optimizer_.n_steps_ == 8
    # After a fit
    DEFAULT.fit(clf, max_iter=8).partial_fit(X[:20], y[:20])
    assert (clf.n_iter_, clf.t_) == (1, 8 * 65 + 20)
    assert len(clf.loss_curve_) == 9
    assert clf.loss_ == clf.loss_curve_[-1]
    assert clf.best_loss_ == min(clf.loss_curve_)


def test_training_leaves_the_arrays_of_before_alone():
    # A copy of the estimator, or an earlier look at coefs_, stays as it was.
    clf = DEFAULT.fit(DEFAULT.make(max_iter=2, warm_start=True))
    history = clf.history_
    arrays = [*clf.coefs_, *clf.intercepts_, clf.optimizer_.square_average_]
    copies = [array.copy() for array in arrays]
    DEFAULT.partial_fit(clf)
    DEFAULT.fit(clf)
    for array, before in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, before)
    assert len(history) == 2
    assert not np.array_equal(clf.coefs_[0], arrays[0])


# --- Warm fits: they add up with a constant learning rate -----------------------------


@every_case_of_constant_learning_rate
def test_warm_fits_add_up_bit_for_bit(case):
    whole = case.fit(case.make(max_iter=N_EPOCHS))
    warm = case.make(warm_start=True)
    for max_iter in (1, 2, N_EPOCHS - 3):
        case.fit(warm, max_iter=max_iter)
        assert warm.n_iter_ == max_iter
    mixed = case.partial_fit(case.make(warm_start=True), 2)
    case.fit(mixed, max_iter=3)
    case.partial_fit(mixed)
    assert trained(warm) == trained(mixed) == trained(whole)
    for clf in (whole, warm):
        case.partial_fit(clf)
    assert trained(warm) == trained(whole)


def test_stopping_rules_of_a_warm_fit_start_again():
    # Nothing improves on the first epoch by more than tol: one and four.
    params = {"tol": 10.0, "n_iter_no_change": 4, "warm_start": True, "max_iter": 100}
    clf = DEFAULT.fit(DEFAULT.make(**params))
    assert clf.n_iter_ == 5
    assert DEFAULT.fit(clf).n_iter_ == 5
    assert len(clf.history_) == 10


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_fit_on_harder_data_does_not_stop_while_it_improves():
    # Its costs are all above the best one of the first fit.
    clf = small(warm_start=True, learning_rate_schedule="constant", max_iter=30)
    clf.set_params(n_iter_no_change=3, tol=0.0).fit(DEFAULT.X, DEFAULT.y == 0)
    easy = clf.best_loss_
    noise = np.random.default_rng(0).integers(0, 2, 65).astype(bool)
    clf.fit(DEFAULT.X, (DEFAULT.y == 0) ^ noise)
    costs = clf.cost_history_[30:]
    assert min(costs) > easy
    assert clf.n_iter_ > 3
    assert clf.best_loss_ == easy


# --- The history of a stream ----------------------------------------------------------


def test_partial_fit_keeps_the_last_thousand_records():
    X, y = DEFAULT.X[:2], [0, 1]
    clf = small(hidden_layer_sizes=(), max_iter=1005, n_iter_no_change=np.inf)
    clf.fit(X, y)
    assert len(clf.history_) == 1005
    clf.partial_fit(X, y)
    assert [record["epoch"] for record in clf.history_] == list(range(7, 1007))
    assert clf.loss_ == clf.cost_history_[-1]
    clf.partial_fit(X, y)
    assert (len(clf.history_), clf.history_[-1]["epoch"]) == (1000, 1007)


def test_a_trimmed_history_does_not_matter():
    clf, other = (DEFAULT.fit(DEFAULT.make(max_iter=4, warm_start=True)) for _ in "12")
    del clf.history_[:3]
    for resume in (DEFAULT.partial_fit, DEFAULT.fit):
        resume(clf)
        resume(other)
        assert clf.history_ == other.history_[3:]
        assert_same_model(clf, other)
        assert clf.loss_ == other.loss_
    clf.history_.clear()
    assert len(DEFAULT.partial_fit(clf).history_) == 1


def test_counters_of_warm_fits():
    clf = DEFAULT.fit(DEFAULT.make(warm_start=True, max_iter=8))
    DEFAULT.fit(clf, max_iter=3)
    assert (clf.n_iter_, clf.t_) == (3, (8 + 3) * 65)
    assert [record["epoch"] for record in clf.history_] == list(range(1, 12))
    DEFAULT.fit(clf, warm_start=False)
    assert (clf.n_iter_, clf.t_, len(clf.history_)) == (3, 3 * 65, 3)


# --- A pure function of data, parameters and seed -------------------------------------


@every_case
def test_clone_and_refit_give_the_same_and_leave_the_data_alone(case):
    data = (case.X, case.y, case.sample_weight)
    before = pickle.dumps(data)
    clf = case.fit(case.make(max_iter=3))
    once = trained(clf)
    assert trained(case.fit(clone(clf))) == once
    # A fit without warm_start begins anew, whatever has been before.
    assert trained(case.partial_fit(clf)) != once
    assert trained(case.fit(clf)) == once
    assert pickle.dumps(data) == before


def test_past_does_not_matter_to_a_cold_fit():
    fresh = EVERYTHING.fit(EVERYTHING.make(max_iter=3))
    clf = RMSpropMLPClassifier(max_iter=2, random_state=9).fit(X[:, :2], y > 0)
    clf.predict(X[:, :2])
    clf.set_params(**fresh.get_params())
    assert trained(EVERYTHING.fit(clf)) == trained(fresh)


@pytest.mark.parametrize(
    "generator", [np.random.MT19937, np.random.PCG64, np.random.Philox]
)
def test_fits_advance_a_random_state(generator):
    case, fits = EVERYTHING, []
    for seed in (5, 5, 6):
        random_state = np.random.RandomState(generator(seed))
        clf = case.make(max_iter=2, random_state=random_state)
        fits.append([trained(case.fit(clf)), trained(case.fit(clf))])
    assert fits[0] == fits[1]
    assert fits[0][0] != fits[0][1]
    assert fits[0][0] != fits[2][0]


def test_without_a_seed_every_fit_is_different():
    clf = DEFAULT.make(random_state=None, max_iter=2)
    assert trained(DEFAULT.fit(clf)) != trained(DEFAULT.fit(clf))


def test_numpys_global_random_state_is_not_touched(data):
    before = np.random.get_state()  # noqa: NPY002
    clf = small(dropout=0.5, early_stopping=True).fit(*data)
    clf.set_params(early_stopping=False).partial_fit(*data)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_shuffling_depends_on_the_seed_and_can_be_off(data):
    shuffled, in_order = small().fit(*data), small(shuffle=False).fit(*data)
    assert not np.array_equal(params_of(shuffled), params_of(in_order))
    # Without shuffling only the initial weights are random, and those of softmax
    # regression are 0.
    options = {"hidden_layer_sizes": (), "shuffle": False}
    assert_same_model(
        small(random_state=1, **options).fit(*data),
        small(random_state=2, **options).fit(*data),
    )


# --- Learning rate schedules ----------------------------------------------------------
#
# Progress = epochs since the last fit began / max_iter, at most 1

LINEAR = [1.0, 0.901, 0.802, 0.703, 0.604, 0.505, 0.406, 0.307, 0.208, 0.109]
PLATEAU = {
    "learning_rate_schedule": "plateau",
    "n_iter_no_change": 2,
    "tol": 10.0,  # The first epoch always improves.
    "max_iter": 4,
}


def factors(clf, learning_rate=0.01):
    """Return the learning rate of every epoch, divided by the parameter."""
    return [record["learning_rate"] / learning_rate for record in clf.history_]


def linear(**params):
    """Return a classifier whose learning rate falls as 1 - 0.99 * progress."""
    defaults = {"learning_rate_schedule": "linear", "max_iter": 10}
    return DEFAULT.make(**(defaults | params))


def follow(clf, steps):
    """Set parameters, call methods and pickle as told; return the learning rates."""
    for step in steps.split():
        name, _, value = step.partition("=")
        if value:
            clf.set_params(**{name: int(value)})
        elif name == "pickle":
            clf = pickle.loads(pickle.dumps(clf))
        else:
            getattr(DEFAULT, name)(clf)
    return factors(clf)


@pytest.mark.parametrize(
    ("params", "steps", "expected"),
    [
        ({}, "partial_fit " * 13, [*LINEAR, 0.01, 0.01, 0.01]),
        ({}, "fit partial_fit partial_fit", [*LINEAR, 0.01, 0.01]),
        ({}, "fit fit", LINEAR),
        (
            {"warm_start": True},
            "partial_fit partial_fit partial_fit fit partial_fit",
            [*LINEAR[:3], *LINEAR, 0.01],
        ),
        # The max_iter of now counts, and pickling does not move the progress.
        (
            {"max_iter": 5},
            "fit max_iter=10 pickle partial_fit pickle partial_fit partial_fit",
            [*LINEAR[::2], *LINEAR[5:8]],
        ),
        # The fit stops after three epochs.
        ({"tol": 10.0, "n_iter_no_change": 2}, "fit partial_fit", LINEAR[:4]),
        (PLATEAU, "partial_fit " * 6, [1, 1, 1, 0.2, 0.2, 0.04]),
        # Reduced for a partial_fit, anew for a fit
        (
            PLATEAU | {"warm_start": True},
            "fit partial_fit max_iter=1 fit",
            [1, 1, 1, 0.2, 0.2, 1],
        ),
    ],
)
def test_progress_of_a_schedule(params, steps, expected):
    np.testing.assert_allclose(follow(linear(**params), steps), expected)


def test_size_of_the_chunks_does_not_matter_to_a_schedule():
    np.testing.assert_allclose(factors(fit_chunks(linear())), LINEAR[:3])


@pytest.mark.parametrize(
    "schedule", [name for name in SCHEDULES if name not in ("constant", "plateau")]
)
def test_every_schedule_ends_where_training_can_continue(schedule):
    clf = linear(learning_rate_schedule=schedule)
    assert follow(clf, "fit partial_fit")[-1] == pytest.approx(0.01)


# --- Classes --------------------------------------------------------------------------


def test_classes_may_come_in_any_order_and_twice(data, names):
    X, codes = data
    y = names[codes]
    reference = small().partial_fit(X, y, classes=names)
    clf = small().partial_fit(X, y, classes=["cow", "ape", "bee", "ape"])
    assert clf.classes_.tolist() == ["ape", "bee", "cow"]
    assert_same_model(clf, reference)
    clf.partial_fit(X, y, classes=names[::-1])
    assert_same_model(clf, reference.partial_fit(X, y))


@pytest.mark.parametrize("warm_start", [False, True])
def test_chunks_need_not_have_all_classes(data, warm_start):
    X, codes = data
    names = np.array(["ape", "bee", "cow", "dog"])
    clf = small(max_iter=50, warm_start=warm_start)
    for _ in range(30):
        for code in range(3):
            rows = codes == code
            clf.partial_fit(X[rows], names[codes[rows]], classes=names)
    assert clf.classes_.tolist() == names.tolist()
    assert clf.predict_proba(X).shape == (60, 4)
    assert clf.score(X, names[codes]) > 0.9


def test_multilabel_classes_are_optional_and_number_the_columns(data, labels):
    X, _ = data
    reference = small().partial_fit(X, labels)
    for classes in ([0, 1, 2], [2, 0, 1]):
        clf = small().partial_fit(X, labels, classes=classes)
        assert_same_model(clf, reference)
        np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


# --- New values of parameters ---------------------------------------------------------


def test_a_model_predicts_alike_whatever_its_parameters_become(data):
    X, codes = data
    clf = small().fit(X, codes)
    before = clf.predict_proba(X)
    clf.set_params(hidden_layer_sizes=(7, 7), activation="tanh")
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    # A fit from scratch may change everything.
    assert clf.fit(X, codes).n_layers_ == 4


@pytest.fixture
def one_batch(data):
    """A model with a constant learning rate and one batch per epoch, and its data."""
    X, codes = data
    clf = small(learning_rate_schedule="constant", batch_size=60, shuffle=False)
    for _ in range(3):
        clf.partial_fit(X, codes, classes=[0, 1, 2])
    return clf, X, codes


def step_of(clf, X, y, **params):
    """Return what one epoch with other parameters adds, and the model after it."""
    after = copy.deepcopy(clf).set_params(**params).partial_fit(X, y)
    return params_of(after) - params_of(clf), after


def test_a_new_learning_rate_takes_effect(one_batch):
    step, _ = step_of(*one_batch, learning_rate=0.001)
    tenfold, after = step_of(*one_batch, learning_rate=0.01)
    np.testing.assert_allclose(tenfold, 10 * step, rtol=1e-9, atol=1e-13)
    assert after.history_[-1]["learning_rate"] == 0.01


def test_a_new_beta_takes_effect(one_batch):
    before = one_batch[0].optimizer_.square_average_
    _, after = step_of(*one_batch, beta=0.0)
    square = after.optimizer_.square_average_
    _, after = step_of(*one_batch, beta=0.25)
    np.testing.assert_allclose(
        after.optimizer_.square_average_, before / 4 + square * 3 / 4
    )


def test_a_new_momentum_takes_effect(one_batch):
    clf, X, y = one_batch
    step, _ = step_of(clf, X, y)
    first, after = step_of(clf, X, y, momentum=0.5)
    # The velocity starts at 0, so that the first step is the same.
    np.testing.assert_array_equal(first, step)
    plain, _ = step_of(after, X, y, momentum=0.0)
    second, _ = step_of(after, X, y)
    np.testing.assert_allclose(second, plain + 0.5 * first, atol=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        {"epsilon": 0.1},
        {"alpha": 0.1},
        {"weight_decay": 0.1},
        {"dropout": 0.5},
        {"label_smoothing": 0.5},
        {"max_grad_norm": 1e-3},
        {"centered": True},
        {"class_weight": {0: 3}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_new_value_takes_effect(one_batch, changed):
    step, _ = step_of(*one_batch)
    other, _ = step_of(*one_batch, **changed)
    assert np.abs(other - step).max() > 1e-5
