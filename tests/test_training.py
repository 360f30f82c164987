"""Tests of the epochs, the batches they are made of, and when training stops."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import log_loss

from sk_rmsprop import RMSprop
from sk_rmsprop import _training as training
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._network import Network
from sk_rmsprop._training import (
    STOP_REASONS,
    Data,
    DivergenceError,
    Epochs,
    Monitor,
    Options,
    TrainingState,
    ValidationLoss,
)


def make_options(**options):
    defaults = {
        "learning_rate": 0.01,
        "learning_rate_schedule": "constant",
        "alpha": 0.0,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "max_grad_norm": None,
        "batch_size": 4,
        "shuffle": True,
        "max_iter": 10,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
    }
    return Options(**{**defaults, **options})


def make_data(n_rows, *, target=None, weight=None, rows=None, as_format=np.asarray):
    """Return data whose only feature is the row's number."""
    X = np.arange(float(n_rows))[:, np.newaxis]
    target = np.arange(n_rows) % 3 if target is None else np.asarray(target)
    weight = None if weight is None else np.asarray(weight, float)
    rows = np.arange(n_rows) if rows is None else np.asarray(rows)
    return Data(as_format(X), target, weight, rows)


def make_network(hidden=(), n_outputs=3, loss="softmax"):
    return Network((1, *hidden, n_outputs), "relu", loss)


def make_state(network, dtype=np.float64):
    bit_generator = np.random.PCG64(0)
    rng = np.random.Generator(bit_generator)
    params = network.initial_params(rng, dtype)
    return TrainingState(params, RMSprop(), 0, bit_generator.state)


class Batch:
    """A batch as the network has seen it, with the numbers of its rows."""

    def __init__(self, X, target, weight):
        X = X.toarray() if sp.issparse(X) else X
        self.rows = X[:, 0].astype(int).tolist()
        self.target = target.T.copy()
        self.weight = weight.copy()


@pytest.fixture
def batches(monkeypatch):
    """Replace the network by one that records its batches; their costs are 0.

    ``batches.costs`` may be set to an iterator of other costs.
    """

    class Batches(list):
        costs = iter(())

    recorded = Batches()

    class Recorder:
        def __init__(self, network, params, gradient, n_rows, **options):
            self.gradient = gradient
            self.n_rows = n_rows

        def __call__(self, X, target, weight):
            self.gradient[...] = 0.0
            recorded.append(Batch(X, target, weight))
            assert len(recorded[-1].rows) == self.n_rows
            return next(recorded.costs, 0.0)

    monkeypatch.setattr(training, "CostGradient", Recorder)
    return recorded


# --- Epochs ---------------------------------------------------------------------------


@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("gathered_batches", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (13, 4, [4, 4, 4, 1]),
        (23, 4, [4, 4, 4, 4, 4, 3]),
        (3, 3, [3]),
        (5, 1, [1, 1, 1, 1, 1]),
        (1, 1, [1]),
    ],
)
def test_an_epoch_sees_every_row_once(
    batches,
    monkeypatch,
    n_rows,
    batch_size,
    sizes,
    gathered_batches,
    shuffle,
    as_format,
):
    # One float64 feature: 8 bytes a row.
    monkeypatch.setattr(training, "GATHER_BYTES", 8 * batch_size * gathered_batches)
    data = make_data(n_rows, as_format=as_format)
    network = make_network()
    options = make_options(batch_size=batch_size, shuffle=shuffle)
    epochs = Epochs(network, make_state(network), data, options)
    for _ in range(2):
        batches.clear()
        epochs.run()
        assert [len(batch.rows) for batch in batches] == sizes
        seen = [row for batch in batches for row in batch.rows]
        assert sorted(seen) == list(range(n_rows))
        if not shuffle:
            assert seen == list(range(n_rows))
        for batch in batches:
            labels = np.arange(n_rows)[batch.rows] % 3
            np.testing.assert_array_equal(batch.target.argmax(axis=1), labels)
            np.testing.assert_allclose(batch.target.sum(axis=1), batch.weight)
            np.testing.assert_allclose(batch.weight, 1 / len(batch.rows))


def test_the_cut_of_an_epoch():
    assert training._cuts(15, 2, 3) == [
        (slice(0, 6), 3, 2),
        (slice(6, 12), 3, 2),
        (slice(12, 14), 1, 2),
        (slice(14, 15), 1, 1),
    ]


def test_only_the_rows_in_use_are_seen(batches):
    network = make_network()
    data = make_data(20, rows=[3, 4, 7, 11, 19])
    state = make_state(network)
    Epochs(network, state, data, make_options(batch_size=2)).run()
    assert sorted(row for batch in batches for row in batch.rows) == [3, 4, 7, 11, 19]
    assert state.n_samples == 5


def test_every_epoch_is_shuffled_anew(batches):
    network = make_network()
    epochs = Epochs(network, make_state(network), make_data(50), make_options())
    orders = set()
    for _ in range(5):
        batches.clear()
        epochs.run()
        orders.add(tuple(row for batch in batches for row in batch.rows))
    assert len(orders) == 5
    assert tuple(range(50)) not in orders


def test_every_row_comes_first_equally_often(batches):
    network = make_network()
    epochs = Epochs(network, make_state(network), make_data(4), make_options())
    for _ in range(2000):
        epochs.run()
    first = np.bincount([batch.rows[0] for batch in batches], minlength=4)
    # 500 each; five standard deviations of the binomial distribution are 97.
    assert np.abs(first - 500).max() < 97


def test_the_first_epoch_of_weights_by_hand(batches):
    weight = [3.0, 1.0, 0.5, 0.5, 2.0]
    data = make_data(5, target=[0, 1, 2, 0, 1], weight=weight)
    network = make_network()
    options = make_options(batch_size=2, shuffle=False)
    Epochs(network, make_state(network), data, options).run()
    first, second, third = batches
    np.testing.assert_allclose(first.weight, [0.75, 0.25])
    np.testing.assert_allclose(first.target, [[0.75, 0, 0], [0, 0.25, 0]])
    np.testing.assert_allclose(second.weight, [0.5, 0.5])
    np.testing.assert_allclose(second.target, [[0, 0, 0.5], [0.5, 0, 0]])
    np.testing.assert_allclose(third.weight, [1.0])
    np.testing.assert_allclose(third.target, [[0, 1, 0]])


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        # Batches of 2, 2 and 1 rows with costs 1, 2 and 6.
        (None, (2 * 1 + 2 * 2 + 1 * 6) / 5),
        ([3, 1, 0.5, 0.5, 2], (4 * 1 + 1 * 2 + 2 * 6) / 7),
    ],
)
def test_the_cost_of_an_epoch_is_the_mean_over_its_rows(batches, weight, expected):
    batches.costs = iter([1.0, 2.0, 6.0])
    network = make_network()
    data = make_data(5, weight=weight)
    options = make_options(batch_size=2, shuffle=False)
    record = Epochs(network, make_state(network), data, options).run()
    assert record == {"epoch": 1, "learning_rate": 0.01, "loss": expected}


def test_smoothed_labels_by_hand(batches):
    options = make_options(label_smoothing=0.3, batch_size=2, shuffle=False)
    network = make_network()
    data = make_data(2, target=[2, 0])
    Epochs(network, make_state(network), data, options).run()
    # 0.3 is spread over three classes.
    np.testing.assert_allclose(
        2 * batches[0].target, [[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    )


def test_smoothed_multilabels_by_hand(batches):
    options = make_options(label_smoothing=0.3, batch_size=2, shuffle=False)
    network = make_network(n_outputs=3, loss="sigmoid")
    target = np.array([[1, 0, 1], [0, 0, 0]], dtype=np.uint8)
    data = make_data(2, target=target, weight=[1, 3])
    Epochs(network, make_state(network), data, options).run()
    # 0.3 is spread over the two values of each label.
    np.testing.assert_allclose(
        batches[0].target / batches[0].weight[:, np.newaxis],
        [[0.85, 0.15, 0.85], [0.15, 0.15, 0.15]],
    )
    np.testing.assert_allclose(batches[0].weight, [0.25, 0.75])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_are_of_the_parameters_dtype(batches, dtype):
    network = make_network()
    data = make_data(5, weight=np.linspace(1, 2, 5))
    data = data._replace(X=data.X.astype(dtype))
    options = make_options(label_smoothing=0.1)
    Epochs(network, make_state(network, dtype), data, options).run()
    assert {batch.target.dtype for batch in batches} == {np.dtype(dtype)}
    assert {batch.weight.dtype for batch in batches} == {np.dtype(dtype)}


def test_the_counters_of_the_state(batches):
    network = make_network()
    state = make_state(network)
    epochs = Epochs(network, state, make_data(10), make_options())
    for _ in range(3):
        epochs.run()
    assert (state.n_epochs, state.n_samples, state.n_scheduled) == (3, 30, 3)
    assert state.optimizer.n_steps_ == 9


def test_a_copied_state_goes_its_own_way():
    network = make_network(hidden=(3,))
    state = make_state(network)
    data, options = make_data(10), make_options(dropout=0.5)
    Epochs(network, state, data, options).run()
    copied = state.copy()
    before = copied.params.copy(), copied.optimizer.square_average_.copy()
    Epochs(network, state, data, options).run()
    np.testing.assert_array_equal(copied.params, before[0])
    np.testing.assert_array_equal(copied.optimizer.square_average_, before[1])
    assert (copied.n_epochs, copied.optimizer.n_steps_) == (1, 3)
    Epochs(network, copied, data, options).run()
    np.testing.assert_array_equal(copied.params, state.params)
    assert copied.rng_state == state.rng_state


# --- Clipping and divergence ----------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "max_norm", "expected"),
    [
        ([3.0, 4.0], 1.0, [0.6, 0.8]),
        ([3.0, 4.0], 5.0, [3.0, 4.0]),
        ([3.0, 4.0], 50.0, [3.0, 4.0]),
        ([0.0, 0.0], 1.0, [0.0, 0.0]),
        ([3e200, -4e200], 10.0, [6.0, -8.0]),
        ([3e-200, 4e-200], 1e-200, [6e-201, 8e-201]),
    ],
)
def test_clipping_by_hand(gradient, max_norm, expected):
    gradient = np.array(gradient)
    with np.errstate(over="ignore", under="ignore"):  # As in Epochs.run.
        training._clip(gradient, max_norm)
    np.testing.assert_allclose(gradient, expected)


def test_clipping_is_by_the_norm_of_all_parameters_together(monkeypatch):
    norms = []
    make_update = RMSprop.update_for

    def recording(optimizer, params, gradient, n_decayed=None):
        update = make_update(optimizer, params, gradient, n_decayed)

        def recorded(learning_rate):
            norms.append(np.linalg.norm(gradient))
            update(learning_rate)

        return recorded

    monkeypatch.setattr(RMSprop, "update_for", recording)
    network = make_network(hidden=(4,))
    for max_grad_norm in (None, 0.25):
        options = make_options(max_grad_norm=max_grad_norm)
        Epochs(network, make_state(network), make_data(8), options).run()
    assert min(norms[:2]) > 0.25
    np.testing.assert_allclose(norms[2:], 0.25)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda state: None, "cost"),
        (lambda state: state.params.__setitem__(1, np.inf), "weight"),
        (
            lambda state: state.optimizer.square_average_.__setitem__(2, np.inf),
            "an average",
        ),
    ],
    ids=["cost", "weight", "square average"],
)
def test_divergence_names_what_is_not_finite(batches, spoil, found):
    network = make_network()
    state = make_state(network)
    epochs = Epochs(network, state, make_data(8), make_options())
    epochs.run()
    spoil(state)
    if found == "cost":
        batches.costs = iter([0.0, np.nan])
    with pytest.raises(DivergenceError, match=rf"epoch 2: .*({found}).*StandardScaler"):
        epochs.run()


def test_large_finite_weights_are_no_divergence(batches):
    network = make_network()
    state = make_state(network)
    state.params[:] = 1e200
    Epochs(network, state, make_data(8), make_options()).run()


# --- Validation -----------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
def test_validation_loss_of_classes(weighted, as_format):
    rng = np.random.default_rng(0)
    network = Network((2, 5, 4), "tanh", "softmax")
    params = rng.standard_normal(network.n_params)
    X = rng.standard_normal((30, 2))
    target = np.arange(30) % 4
    weight = rng.uniform(0.1, 5, 30) if weighted else None
    data = Data(as_format(X), target, weight, np.arange(30))
    probabilities = network.predict(params, X, LOSSES["softmax"].link)
    expected = log_loss(target, probabilities, sample_weight=weight)
    assert ValidationLoss(network, data)(params) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_validation_loss_of_multilabels(weighted):
    rng = np.random.default_rng(0)
    network = Network((2, 5, 3), "tanh", "sigmoid")
    params = rng.standard_normal(network.n_params)
    X = rng.standard_normal((30, 2))
    target = rng.integers(0, 2, (30, 3)).astype(np.uint8)
    weight = rng.uniform(0.1, 5, 30) if weighted else None
    data = Data(X, target, weight, np.arange(30))
    probabilities = network.predict(params, X, LOSSES["sigmoid"].link)
    expected = sum(
        log_loss(target[:, k], probabilities[:, k], sample_weight=weight)
        for k in range(3)
    )
    assert ValidationLoss(network, data)(params) == pytest.approx(expected)


def test_validation_loss_of_a_class_without_rows():
    network = Network((1, 3), "relu", "softmax")
    params = np.array([0.0, 0.0, 0.0, np.log(1), np.log(2), np.log(5)])
    data = make_data(2, target=[1, 1])
    assert ValidationLoss(network, data)(params) == pytest.approx(np.log(4))


def test_validation_loss_stays_finite_where_probabilities_are_0():
    network = Network((1, 2), "relu", "softmax")
    params = np.array([0.0, 0.0, 5000.0, 0.0])
    data = make_data(2, target=[0, 1])
    assert ValidationLoss(network, data)(params) == 2500.0


# --- Stopping -------------------------------------------------------------------------


class Interrupting(Monitor):
    """Presses Ctrl-C, or asks to stop, at the end of one epoch."""

    def __init__(self, *, interrupt_at=None, stop_at=None):
        self.interrupt_at = interrupt_at
        self.stop_at = stop_at

    def end_epoch(self, state, record):
        if state.n_epochs == self.interrupt_at:
            raise KeyboardInterrupt
        return state.n_epochs == self.stop_at


@pytest.fixture
def run(batches):
    """A function that runs `train` with scripted costs, one batch an epoch."""

    def run(costs=(), *, scores=None, state=None, monitor=None, **options):
        batches.costs = iter(costs)
        network = make_network()
        state = make_state(network) if state is None else state
        history = [{}] * state.n_epochs
        if scores is not None:
            scores = iter(scores)

        def validate(state):
            score = next(scores)
            return {"validation_loss": -score, "validation_score": score}

        result = training.train(
            network,
            state,
            make_data(4),
            make_options(**options),
            history=history,
            validate=None if scores is None else validate,
            early_stopping=scores is not None,
            monitor=Monitor() if monitor is None else monitor,
        )
        return result, history

    return run


def test_stops_by_the_cost(run):
    #        best so far  1     2     -    3    -    -   stop
    costs = [5.0, 4.0, 4.0, 3.5, 3.6, 3.7, 3.4999, 0.0]
    result, history = run(costs, tol=0.001, n_iter_no_change=3)
    assert result.stop_reason == "no_change"
    assert result.n_iter == 7
    assert [record["loss"] for record in history] == costs[:7]
    assert result.state.n_epochs == 7
    assert result.state.best_loss == 3.4999
    assert result.best_score is None


def test_small_steps_do_not_add_up_to_an_improvement(run):
    # Every cost is compared with the lowest so far, of whatever epoch.
    result, _ = run([1.0, 0.95, 0.9, 0.85, 0.8], tol=0.06, n_iter_no_change=3)
    assert (result.stop_reason, result.n_iter) == ("no_change", 4)


def test_an_improvement_of_exactly_tol_is_none(run):
    result, _ = run([1.0, 0.75, 0.5, 0.25], tol=0.25, n_iter_no_change=2)
    assert (result.stop_reason, result.n_iter) == ("no_change", 3)


def test_stops_by_the_validation_score(run):
    scores = [0.1, 0.5, 0.3, 0.5, 0.5005, 0.9]
    result, history = run(scores=scores, tol=0.001, n_iter_no_change=3)
    assert result.stop_reason == "early_stopping"
    assert result.n_iter == 5
    assert [record["validation_score"] for record in history] == scores[:5]
    assert result.best_score == 0.5005
    assert result.state.n_epochs == 5


def test_early_stopping_ignores_the_cost(run):
    result, _ = run([1.0] * 6, scores=range(6), n_iter_no_change=2, max_iter=6)
    assert (result.stop_reason, result.n_iter) == ("max_iter", 6)


@pytest.mark.parametrize(
    ("scores", "best_epoch"),
    [
        ([0.1, 0.5, 0.3], 2),
        ([0.5, 0.5, 0.3], 2),
        ([0.5, 0.5, 0.5], 3),
        ([0.5, 0.3, 0.4], 1),
        ([np.nan, 0.3, 0.2], 2),
        ([0.3, np.nan, 0.2], 1),
        ([np.nan, np.nan, np.nan], 1),
        ([-np.inf, -np.inf, -1.0], 3),
        ([-5.0, -4.0, -6.0], 2),
    ],
)
def test_early_stopping_keeps_the_best_epoch_the_later_of_equals(
    run, scores, best_epoch
):
    result, history = run(scores=scores, max_iter=3)
    assert result.state.n_epochs == best_epoch
    assert result.state.n_samples == 4 * best_epoch
    assert result.state.optimizer.n_steps_ == best_epoch
    np.testing.assert_equal(result.best_score, scores[best_epoch - 1])
    assert len(history) == result.n_iter == 3


def test_a_warm_fit_may_return_the_state_it_began_with(run):
    state, _ = run(max_iter=2)
    result, history = run(scores=[0.9, 0.5, 0.6], state=state.state, max_iter=2)
    assert result.state.n_epochs == 2
    assert result.best_score == 0.9
    assert result.n_iter == 2
    assert len(history) == 4


def test_train_does_not_change_the_state_it_is_given(run):
    network = make_network()
    state = make_state(network)
    before = state.params.copy(), state.rng_state
    run(state=state)
    np.testing.assert_array_equal(state.params, before[0])
    assert (state.n_epochs, state.rng_state) == (0, before[1])
    assert state.optimizer.square_average_ is None


def test_counting_goes_on_in_the_next_run(run):
    # Two epochs without improvement, then one more in the next run.
    result, _ = run([1.0, 2.0, 2.0], max_iter=3, n_iter_no_change=3)
    assert result.stop_reason == "max_iter"
    result, _ = run([2.0, 2.0], state=result.state, max_iter=9, n_iter_no_change=3)
    assert (result.stop_reason, result.n_iter) == ("no_change", 1)


def test_counting_starts_again_after_a_stop(run):
    result, _ = run([1.0, 2.0, 2.0], n_iter_no_change=2)
    assert (result.stop_reason, result.n_iter) == ("no_change", 3)
    result, _ = run([2.0] * 5, state=result.state, n_iter_no_change=2)
    assert (result.stop_reason, result.n_iter) == ("no_change", 2)


def test_plateau_by_hand(run):
    costs = [5.0, 4.0, 4.0, 4.0, 4.0, 3.95, 1.0, 1.0, 0.5, 0.6]
    #   rate: 1    1    1    1  | .2    .2  | .04  .04  .04  .04
    # `|` is where two epochs in a row have brought no more than tol.
    result, history = run(
        costs,
        learning_rate=1.0,
        learning_rate_schedule="plateau",
        n_iter_no_change=2,
        tol=0.1,
    )
    rates = [record["learning_rate"] for record in history]
    assert rates == pytest.approx([1.0] * 4 + [0.2] * 2 + [0.04] * 4)
    assert (result.stop_reason, result.n_iter) == ("max_iter", 10)
    assert result.state.n_no_change == 1


def test_plateau_ends_when_the_rate_falls_below_a_millionth(run):
    # 1e-5 / 5 = 2e-6 still counts, 4e-7 does not.
    result, history = run(
        [1.0] * 20,
        learning_rate=1e-5,
        learning_rate_schedule="plateau",
        n_iter_no_change=3,
        max_iter=20,
    )
    rates = [record["learning_rate"] for record in history]
    assert rates == pytest.approx([1e-5] * 4 + [2e-6] * 3)
    assert (result.stop_reason, result.n_iter) == ("plateau", 7)


def test_plateau_with_early_stopping_watches_the_cost(run):
    # The cost stands still while the validation score improves.
    result, history = run(
        [1.0] * 5,
        scores=range(5),
        learning_rate=1.0,
        learning_rate_schedule="plateau",
        n_iter_no_change=2,
        max_iter=5,
    )
    rates = [record["learning_rate"] for record in history]
    assert rates == pytest.approx([1.0] * 3 + [0.2] * 2)
    assert result.state.n_epochs == 5


def test_a_new_fit_starts_the_plateau_schedule_again(run):
    options = {"learning_rate": 1.0, "learning_rate_schedule": "plateau"}
    result, _ = run([1.0] * 4, n_iter_no_change=1, max_iter=4, **options)
    assert result.state.rate_factor < 0.01
    _, history = run([1.0] * 4, state=result.state, max_iter=1, **options)
    assert history[-1]["learning_rate"] == 1.0


def test_a_schedule_follows_the_progress_of_the_fit(run):
    options = {"learning_rate": 2.0, "learning_rate_schedule": "linear", "max_iter": 4}
    result, history = run(**options)
    # From 1 down to 0.01, in four steps of 0.2475; the last of them is not reached.
    expected = [2.0, 1.505, 1.01, 0.515]
    assert [record["learning_rate"] for record in history] == pytest.approx(expected)
    _, history = run(state=result.state, **options)
    rates = [record["learning_rate"] for record in history[4:]]
    assert rates == pytest.approx(expected)


def test_epochs_beyond_the_schedule_stay_at_its_end(batches):
    network = make_network()
    options = make_options(
        learning_rate=1.0, learning_rate_schedule="cosine", max_iter=2
    )
    epochs = Epochs(network, make_state(network), make_data(4), options)
    rates = [epochs.run()["learning_rate"] for _ in range(4)]
    assert rates == pytest.approx([1.0, 0.505, 0.01, 0.01])


STOPS = {
    "max_iter": {},
    "no_change": {"costs": [1.0] * 5, "n_iter_no_change": 3},
    "early_stopping": {"scores": [1.0] * 5, "n_iter_no_change": 3},
    "plateau": {
        "costs": [1.0] * 5,
        "n_iter_no_change": 3,
        "learning_rate": 2e-6,
        "learning_rate_schedule": "plateau",
    },
    "callback": {"monitor": Interrupting(stop_at=4)},
    "interrupted": {"monitor": Interrupting(interrupt_at=4)},
}


@pytest.mark.parametrize("reason", STOP_REASONS)
def test_stop_reasons(run, reason):
    result, history = run(
        **{"max_iter": 4 if reason == "max_iter" else 9} | STOPS[reason]
    )
    assert result.stop_reason == reason
    assert result.n_iter == len(history) == 4
    sentence = STOP_REASONS[reason].format(max_iter=4, tol=0.5, n_iter_no_change=3)
    assert "{" not in sentence


def test_interrupted_in_the_first_epoch_nothing_is_kept(run):
    with pytest.raises(KeyboardInterrupt):
        run(scores=interrupted_scores(0))


def test_interrupted_in_an_epoch_the_one_before_is_kept(run):
    result, history = run(scores=interrupted_scores(2))
    assert result.stop_reason == "interrupted"
    assert result.n_iter == len(history) == 2
    assert result.state.n_epochs == 2


def interrupted_scores(n_scores):
    """Yield scores until Ctrl-C is pressed in the next epoch's validation."""
    yield from range(n_scores)
    raise KeyboardInterrupt
