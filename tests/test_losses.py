"""Tests of the losses and links, most of them on every row of the table."""

import tracemalloc
from math import log

import numpy as np
import pytest

from sk_rmsprop._losses import LOSSES
from tests.helpers import CLASS_LOSSES

# Of OpenBLAS, now and then and for nothing: see `Network.predict`.
pytestmark = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in dot:RuntimeWarning"
)

every_loss = pytest.mark.parametrize("name", CLASS_LOSSES)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])

# Raw outputs whose probabilities are simple, for three outputs and two rows, with
# weights 1/4 and 3/4. Softmax: 1/8, 2/8, 5/8 and 1/2, 1/4, 1/4, the labels 2 and 0.
# Sigmoid: 3/4, 1/5, 1/2 and 1/2, 9/10, 1/3, the labels (1, 0, 0) and (1, 1, 0).
EXAMPLE_WEIGHT = [0.25, 0.75]
EXAMPLES = {
    "softmax": {
        "raw": [[log(1), log(4)], [log(2), log(2)], [log(5), log(2)]],
        "labels": [[0, 1], [0, 0], [1, 0]],
        "cost": log(8 / 5) / 4 + log(2) * 3 / 4,
        "gradient": [[1 / 32, -3 / 8], [1 / 16, 3 / 16], [-3 / 32, 3 / 16]],
    },
    "sigmoid": {
        "raw": [[log(3), 0], [-log(4), log(9)], [0, -log(2)]],
        "labels": [[1, 1], [0, 1], [0, 0]],
        # -log of 3/4, 4/5, 1/2 and of 1/2, 9/10, 2/3
        "cost": log(4 / 3 * 5 / 4 * 2) / 4 + log(2 * 10 / 9 * 3 / 2) * 3 / 4,
        "gradient": [[-1 / 16, -3 / 8], [1 / 20, -3 / 40], [1 / 8, 1 / 4]],
    },
}


@pytest.fixture
def problem():
    """Return raw outputs, smoothed labels and weights of 6 rows, one of weight 0."""
    rng = np.random.default_rng(0)
    raw = 3 * rng.standard_normal((4, 6))
    labels = np.eye(4)[rng.integers(4, size=6)].T * 0.9 + 0.1 / 4
    weight = rng.random(6)
    weight[2] = 0
    return raw, labels, weight


def cost_and_gradient(name, raw, labels, weight):
    """Return the cost and its gradient; everything is computed in raw's dtype."""
    gradient = np.array(raw)
    weight = np.asarray(weight, gradient.dtype)
    target = np.asarray(labels, gradient.dtype) * weight
    target.setflags(write=False)
    weight.setflags(write=False)
    scratch = LOSSES[name].scratch(gradient)
    for array in scratch if isinstance(scratch, tuple) else [scratch]:
        array[...] = np.nan
    cost = LOSSES[name].value_and_gradient(gradient, target, weight, scratch)
    return cost, gradient


def linked(name, raw):
    raw = np.array(raw)
    LOSSES[name].link(raw)
    return raw


def log_linked(name, raw):
    raw = np.array(raw)
    LOSSES[name].log_link(raw)
    return raw


# The cost and its gradient.


@every_loss
def test_worked_example(name):
    example = EXAMPLES[name]
    cost, gradient = cost_and_gradient(
        name, example["raw"], example["labels"], EXAMPLE_WEIGHT
    )
    assert cost == pytest.approx(example["cost"], rel=1e-14)
    np.testing.assert_allclose(gradient, example["gradient"], rtol=1e-14)


@every_loss
def test_gradient_by_finite_differences(name, problem):
    raw, labels, weight = problem
    _, gradient = cost_and_gradient(name, *problem)
    step = 1e-6

    def cost(change):
        return cost_and_gradient(name, raw + change, labels, weight)[0]

    directions = step * np.eye(raw.size).reshape(-1, *raw.shape)
    differences = [cost(change) - cost(-change) for change in directions]
    np.testing.assert_allclose(
        gradient.ravel(), np.array(differences) / (2 * step), atol=1e-8
    )


@every_loss
def test_gradient_vanishes_where_the_labels_are_the_probabilities(name, problem):
    raw, _, weight = problem
    _, gradient = cost_and_gradient(name, raw, linked(name, raw), weight)
    np.testing.assert_allclose(gradient, 0, atol=1e-15)


@every_loss
def test_cost_is_the_weighted_sum_over_the_rows(name, problem):
    raw, labels, weight = problem
    cost, gradient = cost_and_gradient(name, raw, labels, weight)
    total = 0
    for row in range(len(weight)):
        alone = np.s_[:, row : row + 1]
        row_cost, row_gradient = cost_and_gradient(name, raw[alone], labels[alone], [1])
        total += weight[row] * row_cost
        np.testing.assert_allclose(
            gradient[alone], weight[row] * row_gradient, rtol=1e-12, atol=1e-16
        )
    assert cost == pytest.approx(total, rel=1e-14)


@every_loss
def test_rows_of_zero_weight_do_not_count(name, problem):
    raw, labels, weight = problem
    cost, gradient = cost_and_gradient(name, raw, labels, weight)
    raw[:, 2] = [1e4, -1e4, 0, 1e3]
    other_cost, other_gradient = cost_and_gradient(name, raw, labels, weight)
    assert other_cost == pytest.approx(cost, rel=1e-14)
    np.testing.assert_array_equal(other_gradient, gradient)


@every_loss
def test_cost_is_a_float(name, problem):
    raw, labels, weight = problem
    cost, _ = cost_and_gradient(name, raw.astype("float32"), labels, weight)
    assert type(cost) is float


@every_loss
def test_float32_agrees_with_float64(name, problem):
    raw, labels, weight = problem
    raw = raw.astype("float32")
    cost, gradient = cost_and_gradient(name, raw, labels, weight)
    double_cost, double_gradient = cost_and_gradient(
        name, raw.astype("float64"), labels, weight
    )
    assert cost == pytest.approx(double_cost, rel=1e-6)
    np.testing.assert_allclose(gradient, double_gradient, rtol=1e-5, atol=2e-7)


@both_dtypes
@pytest.mark.parametrize(
    ("name", "labels", "expected_cost", "expected_gradient"),
    [
        # For raw outputs 1e4 and -1e4.
        ("softmax", [1, 0], 0, [0, 0]),
        ("softmax", [0, 1], 2e4, [1, -1]),
        ("softmax", [0.75, 0.25], 0.5e4, [0.25, -0.25]),
        ("sigmoid", [1, 0], 0, [0, 0]),
        ("sigmoid", [0, 0], 1e4, [1, 0]),
        ("sigmoid", [1, 1], 1e4, [0, -1]),
        ("sigmoid", [0, 1], 2e4, [1, -1]),
        ("sigmoid", [0.75, 0.25], 0.5e4, [0.25, -0.25]),
    ],
)
def test_extreme_outputs(name, labels, expected_cost, expected_gradient, dtype):
    raw = np.array([[1e4], [-1e4]], dtype)
    cost, gradient = cost_and_gradient(name, raw, np.array([labels]).T, [1])
    assert cost == expected_cost
    np.testing.assert_array_equal(gradient[:, 0], expected_gradient)


@every_loss
def test_extreme_outputs_are_finite(name):
    extremes = np.array([-1e4, -750, -104, -80, 0, 80, 104, 750, 1e4], "float32")
    raw = np.array(np.meshgrid(extremes, extremes, extremes)).reshape(3, -1)
    weight = np.full(raw.shape[1], 1 / raw.shape[1])
    for label in np.eye(3):
        cost, gradient = cost_and_gradient(name, raw, label[:, np.newaxis], weight)
        assert 0 < cost < 1e5
        assert np.isfinite(gradient).all()


@every_loss
@both_dtypes
@pytest.mark.parametrize("seed", range(3))
def test_cost_of_confident_right_outputs(name, dtype, seed):
    # Of a model that has learned all there is: the cost is tiny, never negative.
    rng = np.random.default_rng(seed)
    labels = np.eye(100)[rng.integers(100, size=200)].T
    raw = (2 * labels - 1) * rng.uniform(15, 30, labels.shape)
    weight = np.full(200, 1 / 200)
    cost, _ = cost_and_gradient(name, raw.astype(dtype), labels, weight)
    # For each of the outputs exp(-15) at the most
    assert 0 <= cost < 100 * 3.06e-7


@every_loss
@both_dtypes
def test_no_allocation(name, dtype):
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((512, 512)).astype(dtype)
    weight = np.full(512, 1 / 512, dtype)
    target, scratch = np.eye(512, dtype=dtype) * weight, LOSSES[name].scratch(raw)
    tracemalloc.start()
    try:
        LOSSES[name].value_and_gradient(raw, target, weight, scratch)
        # NumPy reduces through buffers of 64 KiB.
        assert tracemalloc.get_traced_memory()[1] < 100_000 < raw.nbytes / 8
    finally:
        tracemalloc.stop()


# The links.


def test_softmax_by_hand():
    probability = linked("softmax", EXAMPLES["softmax"]["raw"])
    np.testing.assert_allclose(
        probability, [[1 / 8, 1 / 2], [1 / 4, 1 / 4], [5 / 8, 1 / 4]], rtol=1e-14
    )


def test_sigmoid_by_hand():
    probability = linked("sigmoid", EXAMPLES["sigmoid"]["raw"])
    np.testing.assert_allclose(
        probability, [[3 / 4, 1 / 2], [1 / 5, 9 / 10], [1 / 2, 1 / 3]], rtol=1e-14
    )


@both_dtypes
def test_softmax_sums_to_one(dtype):
    raw = np.random.default_rng(0).standard_normal((50, 20)) * np.logspace(-2, 4, 20)
    probability = linked("softmax", raw.astype(dtype))
    assert (probability >= 0).all()
    np.testing.assert_allclose(
        probability.sum(axis=0, dtype="float64"), 1, rtol=8 * np.finfo(dtype).eps
    )


def test_softmax_of_one_output_is_one():
    raw = np.array([[-1e4, 0, 3.0]])
    np.testing.assert_array_equal(linked("softmax", raw), [[1, 1, 1]])
    np.testing.assert_array_equal(log_linked("softmax", raw), [[0, 0, 0]])


@both_dtypes
def test_sigmoids_of_both_signs_sum_to_one(dtype):
    raw = np.linspace(-200, 200, 101).astype(dtype)[np.newaxis]
    total = linked("sigmoid", raw) + linked("sigmoid", -raw)
    np.testing.assert_allclose(total, 1, rtol=2 * np.finfo(dtype).eps)


@every_loss
@both_dtypes
def test_log_link_is_the_log_of_the_link(name, dtype):
    raw = np.random.default_rng(0).uniform(-30, 30, (5, 40)).astype(dtype)
    probability = linked(name, raw.astype("float64"))
    log_probability = log_linked(name, raw)
    assert log_probability.dtype == dtype
    precision = 4 * np.finfo(dtype).eps
    # Absolute near 1, where the probability is rounded more than its logarithm.
    np.testing.assert_allclose(
        log_probability, np.log(probability), rtol=precision, atol=precision
    )


@both_dtypes
@pytest.mark.parametrize(
    ("name", "expected"),
    [("softmax", [-2000, 0, -1000]), ("sigmoid", [-1500, 0, -500])],
)
def test_log_link_where_the_probability_underflows(name, expected, dtype):
    raw = np.array([[-1500], [500], [-500]], dtype)
    np.testing.assert_allclose(log_linked(name, raw)[:, 0], expected, atol=1e-200)
    assert linked(name, raw)[0, 0] == 0


@every_loss
@both_dtypes
def test_log_link_is_never_infinite(name, dtype):
    raw = np.array([[-1e4, 1e4, 1e4], [1e4, -1e4, 1e4], [0, 0, -1e4]], dtype)
    log_probability = log_linked(name, raw)
    assert np.isfinite(log_probability).all()
    assert (log_probability <= 0).all()


@every_loss
@both_dtypes
def test_log_link_of_the_largest_outputs(name, dtype):
    largest = np.finfo(dtype).max
    log_probability = log_linked(name, np.array([[largest], [-largest]], dtype))
    np.testing.assert_array_equal(log_probability, [[0], [-largest]])


@every_loss
def test_link_of_extreme_outputs(name):
    raw = np.array([[-1e4, 1e4, 1e4], [1e4, -1e4, 1e4], [0, 0, -1e4]], "float32")
    probability = linked(name, raw)
    assert (probability[[0, 1, 2], [0, 1, 2]] == 0).all()
    assert (probability[[1, 0], [0, 1]] == 1).all()


# --- The output biases that training starts from ---


def initial_probabilities(name, encoded, weight, n_outputs):
    """Return what a network predicts whose outputs are its initial biases."""
    bias = LOSSES[name].initial_bias(np.array(encoded), weight, n_outputs)
    assert bias.dtype == np.float64
    raw = bias[:, np.newaxis]
    LOSSES[name].link(raw)
    return raw[:, 0]


def test_initial_biases_of_classes_by_hand():
    bias = LOSSES["softmax"].initial_bias(np.array([0, 2, 1, 2]), None, 3)
    np.testing.assert_allclose(bias, [log(1 / 4), log(1 / 4), log(1 / 2)])
    weight = np.array([3.0, 1.0, 2.0, 4.0])
    bias = LOSSES["softmax"].initial_bias(np.array([0, 2, 1, 2]), weight, 3)
    np.testing.assert_allclose(bias, [log(0.3), log(0.2), log(0.5)])


def test_initial_biases_of_labels_by_hand():
    labels = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], np.uint8)
    bias = LOSSES["sigmoid"].initial_bias(labels, None, 2)
    np.testing.assert_allclose(bias, [log(3), -log(3)])
    bias = LOSSES["sigmoid"].initial_bias(labels, np.array([1.0, 4.0, 2.0, 1.0]), 2)
    np.testing.assert_allclose(bias, [log(6 / 2), log(4 / 4)], atol=1e-15)


def test_classes_that_are_absent_or_rare_start_at_a_tenth_of_the_most_frequent():
    found = initial_probabilities("softmax", [2, 2], None, 3)
    np.testing.assert_allclose(found, [1 / 12, 1 / 12, 10 / 12])
    found = initial_probabilities("softmax", [0] * 99 + [1], None, 2)
    np.testing.assert_allclose(found, [10 / 11, 1 / 11])
    np.testing.assert_allclose(initial_probabilities("softmax", [0, 0], None, 1), 1)


def test_labels_start_at_odds_between_1_to_10_and_10_to_1():
    found = initial_probabilities("sigmoid", [[0, 1], [0, 1]], None, 2)
    np.testing.assert_allclose(found, [1 / 11, 10 / 11])


@every_loss
def test_initial_biases_do_not_depend_on_the_scale_of_the_weights(name):
    encoded = {"softmax": [0, 1, 1, 2], "sigmoid": [[1, 0], [0, 1], [0, 1], [1, 1]]}
    encoded, weight = np.array(encoded[name]), np.array([1.0, 2.0, 1.0, 3.0])
    n_outputs = 3 if name == "softmax" else 2
    bias = LOSSES[name].initial_bias(encoded, weight, n_outputs)
    for copied in (1, 3):
        rows = np.repeat(np.arange(4), copied * weight.astype(int))
        repeated = LOSSES[name].initial_bias(encoded[rows], None, n_outputs)
        np.testing.assert_allclose(repeated, bias, atol=1e-14)
    for factor in (5e-324, 1e-300, 1e307):
        scaled = LOSSES[name].initial_bias(encoded, factor * weight, n_outputs)
        np.testing.assert_allclose(scaled, bias, atol=1e-14)
