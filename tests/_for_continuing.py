"""Tests for test_continuing.py, from test_classifier.py and test_defects_of_peers.py.

`data` and `names` are fixtures of conftest.py. What is said here to be covered has no
test elsewhere any more: see to it that it keeps one.

- `test_training_on_leaves_arrays_of_before_alone` says more than
  TestPlainState.test_training_replaces_the_arrays_that_a_user_holds: keep one.
- That two seeds give two models, and one seed one model: TestPureFunction.
- That warm fits keep the optimizer and its averages: TestWarmFits.
- That partial_fit refuses early_stopping and "balanced", other networks, other classes:
  see _for_failures.py.
"""

import copy
import sys
import threading
from functools import partial

import numpy as np
import pytest

from tests import helpers
from tests.helpers import assert_same_model, params_of

small = partial(helpers.small, learning_rate=0.03, max_iter=8)


# --- Counters -------------------------------------------------------------------------


def test_counters_of_partial_fit(data):
    X, codes = data
    clf = small().fit(X, codes)
    clf.partial_fit(X[:20], codes[:20])
    assert clf.n_iter_ == 1
    assert clf.t_ == 8 * 60 + 20
    assert len(clf.loss_curve_) == 9
    assert clf.loss_ == clf.loss_curve_[-1]
    assert clf.best_loss_ == min(clf.loss_curve_)


def test_counters_of_a_warm_start(data):
    X, codes = data
    clf = small(warm_start=True).fit(X, codes)
    clf.set_params(max_iter=3).fit(X, codes)
    assert clf.n_iter_ == 3
    assert clf.t_ == (8 + 3) * 60
    assert [record["epoch"] for record in clf.history_] == list(range(1, 12))
    clf.set_params(warm_start=False).fit(X, codes)
    assert (clf.n_iter_, clf.t_, len(clf.history_)) == (3, 3 * 60, 3)


def test_training_on_leaves_arrays_of_before_alone(data):
    X, codes = data
    clf = small().fit(X, codes)
    coef, square_average = clf.coefs_[0], clf.optimizer_.square_average_
    history, copies = clf.history_, (coef.copy(), square_average.copy())
    clf.partial_fit(X, codes)
    np.testing.assert_array_equal(coef, copies[0])
    np.testing.assert_array_equal(square_average, copies[1])
    assert len(history) == 8
    assert not np.array_equal(clf.coefs_[0], coef)


# --- Random numbers -------------------------------------------------------------------


def test_without_a_seed_every_fit_is_different(data):
    clf = small(random_state=None)
    first = params_of(clf.fit(*data))
    assert not np.array_equal(params_of(clf.fit(*data)), first)


def test_fits_advance_a_random_state(data):
    clf = small(random_state=np.random.RandomState(0))
    first = params_of(clf.fit(*data))
    second = params_of(clf.fit(*data))
    assert not np.array_equal(first, second)
    again = small(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(params_of(again.fit(*data)), first)
    np.testing.assert_array_equal(params_of(again.fit(*data)), second)


def test_numpys_global_random_state_is_not_touched(data):
    before = np.random.get_state()  # noqa: NPY002
    clf = small(dropout=0.5, early_stopping=True).fit(*data)
    clf.set_params(early_stopping=False).partial_fit(*data)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_shuffle_depends_on_the_seed_and_can_be_off(data):
    shuffled, in_order = small().fit(*data), small(shuffle=False).fit(*data)
    assert not np.array_equal(params_of(shuffled), params_of(in_order))
    # Without shuffling only the initial weights are random, and those of softmax
    # regression are 0.
    options = {"hidden_layer_sizes": (), "shuffle": False}
    assert_same_model(
        small(random_state=1, **options).fit(*data),
        small(random_state=2, **options).fit(*data),
    )


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
    """A fitted model with a constant rate whose epochs are one batch, and its data."""
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


# --- Threads --------------------------------------------------------------------------


@pytest.fixture
def quick_switches():
    """Make threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Readers:
    """Threads that call a function until the ``with`` block ends."""

    def __init__(self, function, n_threads=2):
        self.function = function
        self.stopped = threading.Event()
        self.results, self.errors = [], []
        self.threads = [threading.Thread(target=self._read) for _ in range(n_threads)]

    def _read(self):
        while not self.stopped.is_set():
            try:
                self.results.append(self.function())
            except Exception as error:
                self.errors.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.usefixtures("quick_switches")
def test_predictions_during_partial_fit_are_of_one_epoch(data):
    X, codes = data
    clf = small().fit(X, codes)
    of_epochs = {clf.predict_proba(X).tobytes()}
    with Readers(lambda: clf.predict_proba(X).tobytes()) as readers:
        for _ in range(40):
            clf.partial_fit(X, codes)
            of_epochs.add(clf.predict_proba(X).tobytes())
    assert not readers.errors
    assert readers.results
    assert set(readers.results) <= of_epochs


def at_every_line(call, look):
    """Call `look` before every line of the package that `call` runs."""

    def trace(frame, event, arg):
        if not frame.f_globals.get("__name__", "").startswith("sk_rmsprop"):
            return None
        look()
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(previous)


def test_partial_fit_replaces_the_model_at_once(data):
    X, codes = data
    clf = small().fit(X, codes)
    before, seen = clf.coefs_[0].tobytes(), set()
    at_every_line(
        lambda: clf.partial_fit(X, codes), lambda: seen.add(clf.coefs_[0].tobytes())
    )
    assert seen == {before, clf.coefs_[0].tobytes()}


def test_a_failing_partial_fit_never_takes_the_model_away(data):
    X, codes = data
    clf = small().fit(X, codes)
    before, seen = vars(clf).copy(), []

    def fail():
        with pytest.raises(ValueError, match="Negative"):
            clf.partial_fit(X, codes, sample_weight=-np.ones(60))

    at_every_line(fail, lambda: seen.append(before.keys() - vars(clf).keys()))
    assert len(seen) > 10
    assert set().union(*seen) == set()
    assert vars(clf) == before
