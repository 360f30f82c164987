"""Epochs, the batches they are made of, and when training stops."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from sk_rmsprop import RMSpropMLPClassifier
from tests.cases import place
from tests.helpers import Scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- Batches --------------------------------------------------------------------------
#
# Every sample has a feature of its own, X is the unit matrix. In softmax regression,
# which starts at 0, with tiny steps, a sample adds the same to its row of the gradient
# in every epoch; and the average of the gradients halves with every step. What it holds
# after an epoch tells which sample was in which batch, and how large that was.


def regression(**params):
    """Return softmax regression with tiny steps that keeps averages of gradients."""
    defaults = {
        "hidden_layer_sizes": (),
        "numerical_encoding": "none",
        "learning_rate": 1e-12,
        "learning_rate_schedule": "constant",
        "beta": 0.5,
        "centered": True,
        "alpha": 0.0,
        "weight_decay": 0.0,
        "random_state": 0,
    }
    return RMSpropMLPClassifier(**(defaults | params))


def run_epoch(clf, y, weight=None, as_format=np.asarray):
    """Run an epoch and return what every sample has added to the average."""
    if not hasattr(clf, "classes_"):
        # Balanced samples without features: all outputs begin alike.
        balanced = np.arange(3) if y.ndim == 1 else np.eye(2, dtype=int)[:, [0, 0, 0]]
        nothing = as_format(np.zeros((len(balanced), len(y))))
        clf.partial_fit(nothing, balanced, classes=[0, 1, 2])
    n_steps, average = clf.optimizer_.n_steps_, clf.optimizer_.gradient_average_
    clf.partial_fit(as_format(np.eye(len(y))), y, sample_weight=weight)
    n_steps = clf.optimizer_.n_steps_ - n_steps
    added = clf.optimizer_.gradient_average_ - average * 0.5**n_steps
    return added[: 3 * len(y)].reshape(-1, 3) / 0.5


def of_samples(y):
    """Return what samples in a batch of their own add: probabilities minus labels."""
    return 1 / 3 - np.eye(3)[y]


def shares(added, y):
    """Return by sample: its share in the batch / 2 to the number of later batches."""
    share = added[np.arange(len(y)), y] / (1 / 3 - 1)
    np.testing.assert_allclose(added, share[:, np.newaxis] * of_samples(y), rtol=1e-6)
    return share


@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (13, 4, [4, 4, 4, 1]),
        (23, 4, [4, 4, 4, 4, 4, 3]),
        (3, 3, [3]),
        (5, 1, [1, 1, 1, 1, 1]),
        (1, 1, [1]),
        # More than are gathered together, and batches too large for that
        (202, 4, [4] * 50 + [2]),
        (300, 120, [120, 120, 60]),
    ],
)
def test_an_epoch_sees_every_sample_once(
    n_samples, batch_size, sizes, shuffle, as_format
):
    y = np.arange(n_samples) % 3
    clf = regression(batch_size=batch_size, shuffle=shuffle)
    expected = [np.full(n, 1 / n / 2**i) for i, n in enumerate(reversed(sizes))]
    expected = np.concatenate(expected[::-1])
    for _ in range(2):
        share = shares(run_epoch(clf, y, as_format=as_format), y)
        if shuffle:
            share, expected = np.sort(share), np.sort(expected)
        np.testing.assert_allclose(share, expected, rtol=1e-6)


def orders(n_samples, n_epochs):
    """Return the orders of the samples in epochs whose batches are single samples."""
    y, clf = np.arange(n_samples) % 3, regression(batch_size=1)
    return [tuple(np.argsort(shares(run_epoch(clf, y), y))) for _ in range(n_epochs)]


def test_every_epoch_is_shuffled_anew():
    seen = orders(20, 5)
    assert len(set(seen)) == 5
    assert tuple(range(20)) not in seen


def test_every_sample_comes_first_equally_often():
    first = np.bincount([order[0] for order in orders(4, 1000)], minlength=4)
    # 250 each; five standard deviations of the binomial distribution are 68.
    assert np.abs(first - 250).max() < 68


def test_first_epoch_of_weights_by_hand():
    y, weight = np.array([0, 1, 2, 0, 1]), [3.0, 1.0, 0.5, 0.5, 2.0]
    added = run_epoch(regression(batch_size=2, shuffle=False), y, weight)
    # Three batches
    share = np.array([0.75 / 4, 0.25 / 4, 0.5 / 2, 0.5 / 2, 1.0])
    np.testing.assert_allclose(shares(added, y), share, rtol=1e-6)


def test_smoothed_labels_by_hand():
    y = np.array([2, 0])
    added = run_epoch(regression(label_smoothing=0.3, batch_size=2), y)
    # 0.3 is spread over three classes.
    target = np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
    np.testing.assert_allclose(added, (1 / 3 - target) / 2, rtol=1e-6)


def test_smoothed_multilabels_by_hand():
    y = np.array([[1, 0, 1], [0, 0, 0]])
    clf = regression(label_smoothing=0.3, batch_size=2)
    added = run_epoch(clf, y, weight=[1, 3])
    # 0.3 is spread over the two values of each label.
    target = np.array([[0.85, 0.15, 0.85], [0.15, 0.15, 0.15]])
    expected = [[0.25], [0.75]] * (0.5 - target)
    np.testing.assert_allclose(added, expected, rtol=1e-6)


@pytest.mark.parametrize("weight", [None, np.array([3, 1, 0.5, 0.5, 2])])
@pytest.mark.parametrize("shuffle", [True, False])
def test_cost_of_an_epoch_is_the_mean_over_its_samples(weight, shuffle):
    y = np.array([0, 1, 2, 0, 1])
    clf = regression(batch_size=2, shuffle=shuffle)
    run_epoch(clf, y)
    raw = np.random.default_rng(0).standard_normal((5, 3))
    clf.coefs_[0][...] = raw
    run_epoch(clf, y, weight)
    losses = -log_softmax(raw, axis=1)[np.arange(5), y]
    assert clf.loss_ == pytest.approx(np.average(losses, weights=weight))


MANY_CLASSES = {
    "fit": ("fit", {}, False),
    "partial_fit": ("partial_fit", {}, False),
    "validation split": ("fit", {"early_stopping": True}, False),
    "validation data": ("fit", {}, True),
    "accuracy": ("fit", {"scoring": "accuracy"}, True),
}


@pytest.mark.parametrize(
    ("method", "params", "validated"), MANY_CLASSES.values(), ids=MANY_CLASSES
)
def test_memory_does_not_grow_with_samples_times_classes(method, params, validated):
    n_samples, n_classes = 10_000, 1000
    X = np.random.default_rng(0).standard_normal((n_samples, 2))
    y = np.arange(n_samples) % n_classes
    data = {"X_val": X, "y_val": y} if validated else {}
    data |= {"classes": np.arange(n_classes)} if method == "partial_fit" else {}
    clf = RMSpropMLPClassifier(16, max_iter=1, validation_fraction=0.5, **params)
    tracemalloc.start()
    try:
        getattr(clf, method)(X, y, **data).predict(X)
        # A number for every class of every sample would take 80 MB, of half of them 40.
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


# --- Clipping -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "max_norm"),
    [(1.0, 1.0), (1.0, 1.77), (1.0, 50.0), (1e200, 10.0), (1e-200, 1e-200), (0.0, 1.0)],
)
def test_clipping_by_hand(scale, max_norm):
    # The biases have no gradient: there is one sample of each class.
    clf = regression(max_grad_norm=max_norm)
    clf.partial_fit(scale * np.diag([3.0, 4.0]), [0, 1], classes=[0, 1])
    direction = np.array([-3.0, 3.0, 4.0, -4.0, 0.0, 0.0]) / np.sqrt(50)
    # Unclipped a quarter of [[-3, 3], [4, -4]]: the norm is 1.7678.
    norm = min(scale * np.sqrt(50) / 4, max_norm)
    np.testing.assert_allclose(clf.optimizer_.gradient_average_ / 0.5, norm * direction)


def test_clipping_is_by_the_norm_of_all_parameters_together():
    X, y = np.random.default_rng(0).standard_normal((8, 3)), np.arange(8) % 2
    options = {"hidden_layer_sizes": 4, "batch_size": 8}
    whole, clipped = (
        regression(max_grad_norm=max_grad_norm, **options)
        .partial_fit(X, y, classes=[0, 1])
        .optimizer_.gradient_average_
        / 0.5
        for max_grad_norm in (None, 0.25)
    )
    norm = np.linalg.norm(whole)
    assert norm > 0.25
    np.testing.assert_allclose(clipped, whole * 0.25 / norm)


# --- The validation loss --------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 5, 30)])
def test_validation_loss_of_multilabels_is_the_sum_over_labels(weight):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 2)), rng.integers(0, 2, (30, 3))
    clf = regression(hidden_layer_sizes=5, learning_rate=0.1, max_iter=3)
    clf.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=weight)
    probabilities = clf.predict_proba(X)
    expected = sum(
        log_loss(Y[:, k], probabilities[:, k], sample_weight=weight) for k in range(3)
    )
    assert clf.history_[-1]["validation_loss"] == pytest.approx(expected)


def test_validation_loss_of_many_samples():
    # Of 10,000 samples and 100 classes: more than fit into one block.
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10_000, 3)), rng.integers(0, 100, 10_000)
    weight = rng.uniform(0.5, 2, 10_000)
    clf = RMSpropMLPClassifier(8, max_iter=1, dtype="float64", random_state=0)
    clf.fit(X, y, X_val=X[:-1], y_val=y[:-1], sample_weight_val=weight[:-1])
    probabilities = clf.predict_proba(X[:-1])
    expected = log_loss(y[:-1], probabilities, sample_weight=weight[:-1])
    assert clf.history_[0]["validation_loss"] == pytest.approx(expected, rel=1e-12)


def test_validation_loss_is_finite_where_probabilities_are_0():
    X, y = np.eye(2), [0, 1]
    clf = regression(max_iter=1, warm_start=True).fit(X, y)
    clf.intercepts_[0][...] = [5000.0, 0.0]
    clf.fit(X, y, X_val=X, y_val=y)
    assert clf.history_[-1]["validation_loss"] == pytest.approx(2500.0)


# --- When training stops --------------------------------------------------------------


@pytest.fixture
def run(monkeypatch):
    """A function that fits with scripted costs and scores, one batch an epoch."""
    gradient = place("gradient")
    original = gradient.__call__

    def run(costs=(), scores=None, **params):
        costs = iter(costs)
        monkeypatch.setattr(
            gradient, "__call__", lambda self, *args: next(costs, original(self, *args))
        )
        defaults = {"max_iter": 10, "tol": 0.0, "n_iter_no_change": np.inf}
        clf = regression(**(defaults | params), batch_size=4)
        X, y, validation = np.eye(4), [0, 1, 2, 0], {}
        if scores is not None:
            clf.set_params(early_stopping=True, scoring=Scorer(*scores))
            validation = {"X_val": X, "y_val": y}
        return clf.fit(X, y, **validation)

    return run


def learning_rates(clf):
    return [record["learning_rate"] for record in clf.history_]


def test_stops_by_the_cost(run):
    #        best so far  1     2     -    3    -    -   stop
    costs = [5.0, 4.0, 4.0, 3.5, 3.6, 3.7, 3.4999, 0.0]
    clf = run(costs, tol=0.001, n_iter_no_change=3)
    assert clf.n_iter_ == 7
    assert clf.cost_history_ == costs[:7]
    assert clf.t_ == 7 * 4
    assert clf.best_loss_ == 3.4999
    assert clf.best_validation_score_ is None


@pytest.mark.parametrize(
    ("costs", "tol", "n_iter_no_change", "n_iter"),
    [
        # Every cost is compared with the lowest so far, of whatever epoch: small steps
        # do not add up to an improvement.
        ([1.0, 0.95, 0.9, 0.85, 0.8], 0.06, 3, 4),
        # An improvement of exactly tol is none.
        ([1.0, 0.75, 0.5, 0.25], 0.25, 2, 3),
    ],
)
def test_what_is_no_improvement(run, costs, tol, n_iter_no_change, n_iter):
    clf = run(costs, tol=tol, n_iter_no_change=n_iter_no_change)
    assert clf.n_iter_ == n_iter


def test_early_stopping_ignores_the_cost(run):
    clf = run([1.0] * 6, scores=range(6), n_iter_no_change=2, max_iter=6)
    assert clf.n_iter_ == 6


def test_plateau_by_hand(run):
    costs = [5.0, 4.0, 4.0, 4.0, 4.0, 3.95, 1.0, 1.0, 0.5, 0.6]
    #         1    1    1    1  | .2    .2  | .04  .04  .04  .04
    # `|` is where two epochs in a row have brought no more than tol.
    clf = run(
        costs,
        learning_rate=1.0,
        learning_rate_schedule="plateau",
        n_iter_no_change=2,
        tol=0.1,
    )
    assert learning_rates(clf) == pytest.approx([1.0] * 4 + [0.2] * 2 + [0.04] * 4)


def test_plateau_ends_when_the_learning_rate_falls_below_a_millionth(run):
    # 1e-5 / 5 = 2e-6 still counts, 4e-7 does not.
    clf = run(
        [1.0] * 20,
        learning_rate=1e-5,
        learning_rate_schedule="plateau",
        n_iter_no_change=3,
        max_iter=20,
    )
    assert learning_rates(clf) == pytest.approx([1e-5] * 4 + [2e-6] * 3)


def test_plateau_with_early_stopping_watches_the_cost(run):
    # The cost stands still while the validation score improves.
    clf = run(
        [1.0] * 5,
        scores=range(5),
        learning_rate=1.0,
        learning_rate_schedule="plateau",
        n_iter_no_change=2,
        max_iter=5,
    )
    assert learning_rates(clf) == pytest.approx([1.0] * 3 + [0.2] * 2)
    assert clf.t_ == 5 * 4


# That a callback requested it is in test_callbacks.
STOPS = {
    "all 4 epochs have been run": {"max_iter": 4},
    "the loss has not improved by more than tol=0.5 in 3 epochs": {
        "costs": [1.0] * 5,
        "n_iter_no_change": 3,
    },
    "the validation score has not improved by more than tol=0.5 in 3 epochs": {
        "scores": [1.0] * 5,
        "n_iter_no_change": 3,
    },
    "the learning rate has fallen below 1e-06": {
        "costs": [1.0] * 5,
        "n_iter_no_change": 3,
        "learning_rate": 2e-6,
        "learning_rate_schedule": "plateau",
    },
    "it was interrupted": {"scores": [1.0, 2.0, 3.0, 4.0, KeyboardInterrupt()]},
}


@pytest.mark.filterwarnings("ignore:Training was interrupted")
@pytest.mark.parametrize("reason", STOPS)
def test_reason_is_printed(run, capsys, reason):
    clf = run(tol=0.5, verbose=True, **STOPS[reason])
    assert clf.n_iter_ == len(clf.history_) == 4
    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed == f"Training stopped after 4 epochs: {reason}."
