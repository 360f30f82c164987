"""Tests of the network: parameters, prediction, and the cost with its gradient."""

import functools
import itertools
import pickle
import tracemalloc
from math import sqrt

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import log_loss

from sk_rmsprop import _network
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._encoding import Encoding
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._network import CostGradient, Network
from sk_rmsprop._tables import Table
from tests.helpers import CLASS_LOSSES

# Of OpenBLAS, now and then and for nothing: see `Network.predict`.
pytestmark = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in dot:RuntimeWarning"
)

CONTAINERS = {
    "dense": np.asarray,
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
}
HIDDEN = [(), (4,), (4, 3)]
WEIGHTS = {"uniform": [0.2] * 5, "random": [0.35, 0.0, 0.15, 0.3, 0.2]}
PRECISION = {"float32": 3e-6, "float64": 2e-9}

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_loss = pytest.mark.parametrize("loss", CLASS_LOSSES)
every_depth = pytest.mark.parametrize("hidden", HIDDEN, ids=str)
both_dtypes = pytest.mark.parametrize("dtype", PRECISION)
every_container = pytest.mark.parametrize(
    "container", CONTAINERS.values(), ids=CONTAINERS
)
dense_and_sparse = pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_array], ids=["dense", "csr"]
)


def random_inputs(n_rows=5):
    """Return X of 4 columns, exact in float32, with a column and a row of zeros."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n_rows, 4), dtype="float32").astype("float64")
    X *= rng.random(X.shape) < 0.6
    X[:, 1] = 0
    X[-1] = 0
    return X


def random_params(network):
    """Return weights and biases, exact in float32, none of them 0."""
    rng = np.random.default_rng(2)
    params = 0.7 * rng.standard_normal(network.n_params, dtype="float32")
    return params.astype("float64")


def as_they_are(network):
    """Return the encoding whose inputs are the features."""
    X = np.zeros((1, network.layer_sizes[0]))
    return Encoding.of(Table.of(X, None), X, np.zeros(1, int), None, "none")


def read_only(array):
    array = array.copy()
    (array.data if sparse.issparse(array) else array).setflags(write=False)
    return array


def cost_and_gradient(network, params, X, labels, weight, **options):
    """Return the cost and its gradient, computed in the dtype of `params`."""
    params = read_only(params)
    weight = read_only(np.asarray(weight, params.dtype))
    target = read_only(np.asarray(labels * weight, params.dtype))
    gradient = np.full_like(params, np.nan)
    compute = CostGradient(network, params, gradient, X.shape[0], **options)
    return compute(read_only(X), target, weight), gradient


def numerical_gradient(cost, params):
    """Return the gradient of ``cost(params)`` by central differences."""
    step = 1e-6
    changes = step * np.eye(len(params))
    differences = [cost(params + change) - cost(params - change) for change in changes]
    return np.array(differences) / (2 * step)


ONE_HOT = np.eye(3)[[2, 0, 1, 1, 0]].T


@functools.cache
def expected_gradient(network, weights, alpha):
    """Return the gradient for the problem of `test_gradient`, by differences."""
    problem = random_inputs(), ONE_HOT, WEIGHTS[weights]

    def cost(params):
        return cost_and_gradient(network, params, *problem, alpha=alpha)[0]

    return numerical_gradient(cost, random_params(network))


# The parameter vector.


def test_layers_are_all_weights_then_all_biases():
    network = Network((2, 3, 1), "relu", "softmax")
    assert network.n_weights == 9
    assert network.n_params == 13
    (coef, intercept), (output_coef, output_intercept) = network.layers(np.arange(13))
    np.testing.assert_array_equal(coef, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(output_coef, [[6], [7], [8]])
    np.testing.assert_array_equal(intercept, [9, 10, 11])
    np.testing.assert_array_equal(output_intercept, [12])


def test_layers_are_views():
    network = Network((4, 3, 5, 2), "relu", "softmax")
    vector = np.zeros(network.n_params)
    for coef, intercept in network.layers(vector):
        coef += 1
        intercept += 2
    np.testing.assert_array_equal(vector[: 12 + 15 + 10], 1)
    np.testing.assert_array_equal(vector[12 + 15 + 10 :], 2)


@both_dtypes
def test_start_of_relu_is_that_of_he(dtype):
    network = Network((800, 200, 500, 3), "relu", "softmax")
    params = network.initial_params(np.random.default_rng(0), dtype)
    assert params.dtype == dtype
    assert params.shape == (network.n_params,)
    deviations = [coef.std() for coef, _ in network.layers(params)]
    np.testing.assert_allclose(deviations[:2], [0.05, 0.1], rtol=0.01)
    assert deviations[2] == pytest.approx(0.1 * sqrt(2 / 500), rel=0.1)
    np.testing.assert_allclose(params[: network.n_weights].mean(), 0, atol=1e-3)
    assert (params[network.n_weights :] == 0).all()


@every_activation
def test_start_has_the_gain_of_the_activation(activation):
    network = Network((100, 100, 100), activation, "softmax")
    params = network.initial_params(np.random.default_rng(0), "float64")
    (hidden, _), (output, _) = network.layers(params)
    gain = ACTIVATIONS[activation].gain
    assert hidden.std() == pytest.approx(gain / 10, rel=0.02)
    assert output.std() == pytest.approx(0.1 * gain / 10, rel=0.02)


@every_loss
def test_start_without_hidden_layers_is_zero(loss):
    params = Network((7, 3), "relu", loss).initial_params(np.random.default_rng(0), "f")
    np.testing.assert_array_equal(params, np.zeros(7 * 3 + 3, "float32"))


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_start_has_the_output_biases_that_are_given(hidden):
    network = Network((7, *hidden, 3), "relu", "softmax")
    plain = network.initial_params(np.random.default_rng(0), "float64")
    params = network.initial_params(np.random.default_rng(0), "float64", [1, -2, 3])
    np.testing.assert_array_equal(params[-3:], [1, -2, 3])
    np.testing.assert_array_equal(params[:-3], plain[:-3])


def test_start_is_the_same_in_both_dtypes():
    network = Network((7, 5, 3), "tanh", "softmax")
    generator, other = np.random.default_rng(0), np.random.default_rng(0)
    single = network.initial_params(generator, "float32", [0.1, -0.2, 0.3])
    double = network.initial_params(other, "float64", [0.1, -0.2, 0.3])
    np.testing.assert_array_equal(single, double.astype("float32"))
    assert generator.bit_generator.state == other.bit_generator.state


def test_network_is_a_value():
    network = Network((7, 5, 3), "tanh", "softmax")
    assert pickle.loads(pickle.dumps(network)) == network
    assert network != Network((7, 5, 3), "relu", "softmax")
    with pytest.raises(AttributeError, match="cannot assign"):
        network.activation = "relu"


# Prediction.


@both_dtypes
@every_container
def test_raw_outputs_by_hand(container, dtype):
    network = Network((2, 2, 2), "relu", "softmax")
    params = np.array([1, -1, 2, 0.5, 1, 0.5, -2, 4, -1, 1, 0.25, -1], dtype)
    X = container(np.array([[1, 2], [-1, 0.5]], dtype))
    # X @ [[1, -1], [2, 0.5]] + [-1, 1] = [[4, 1], [-1, 2.25]], of which ReLU makes
    # [[4, 1], [0, 2.25]]; that @ [[1, 0.5], [-2, 4]] + [0.25, -1] is
    raw = network.predict(params, X, as_they_are(network))
    assert raw.dtype == dtype
    np.testing.assert_array_equal(raw, [[2.25, 5], [-4.25, 8]])


@every_activation
@every_depth
def test_raw_outputs_layer_by_layer(activation, hidden):
    network = Network((4, *hidden, 3), activation, "softmax")
    params, X = random_params(network), random_inputs()
    *layers, (output_coef, output_intercept) = network.layers(params)
    a = X
    for coef, intercept in layers:
        a = a @ coef + intercept
        ACTIVATIONS[activation].forward(a, np.empty_like(a))
    raw = network.predict(read_only(params), read_only(X), as_they_are(network))
    np.testing.assert_allclose(raw, a @ output_coef + output_intercept, atol=1e-14)


@pytest.mark.parametrize("n_bytes", [1, 3 * 8 * 6, 4 * 8 * 6, 10 * 8 * 6])
@every_loss
@every_container
def test_blocks_predict_what_one_block_does(container, loss, n_bytes, monkeypatch):
    # Blocks of 1 row, of 3 with 1 left over, of 4 with 2 left over, and of all rows.
    network = Network((4, 6, 3), "silu", loss)
    params, X = random_params(network), container(random_inputs(n_rows=10))
    for link in (None, LOSSES[loss].link, LOSSES[loss].log_link):
        whole = network.predict(params, X, as_they_are(network), link)
        monkeypatch.setattr(_network, "PREDICTION_BLOCK_BYTES", n_bytes)
        in_blocks = network.predict(params, X, as_they_are(network), link)
        monkeypatch.undo()
        np.testing.assert_allclose(in_blocks, whole, rtol=1e-13, atol=1e-15)


@every_container
def test_one_row_and_none(container):
    network = Network((4, 6, 3), "relu", "softmax")
    params, X = random_params(network), random_inputs()
    together = network.predict(params, container(X), as_they_are(network))
    alone = [
        network.predict(params, container(X[i : i + 1]), as_they_are(network))
        for i in range(len(X))
    ]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-15)
    assert network.predict(params, container(X[:0]), as_they_are(network)).shape == (
        0,
        3,
    )


@every_loss
def test_predict_applies_the_link(loss):
    network = Network((4, 6, 3), "relu", loss)
    params, X = random_params(network), random_inputs()
    expected = np.ascontiguousarray(network.predict(params, X, as_they_are(network)).T)
    LOSSES[loss].link(expected)
    probability = network.predict(params, X, as_they_are(network), LOSSES[loss].link)
    np.testing.assert_allclose(probability, expected.T, rtol=1e-13)


@pytest.mark.parametrize("params_dtype", PRECISION)
@pytest.mark.parametrize("X_dtype", PRECISION)
@every_container
def test_predict_computes_in_the_wider_dtype(container, X_dtype, params_dtype):
    network = Network((4, 6, 3), "tanh", "softmax")
    params, X = random_params(network), random_inputs()
    raw = network.predict(
        params.astype(params_dtype), container(X.astype(X_dtype)), as_they_are(network)
    )
    wider = max(X_dtype, params_dtype)
    assert raw.dtype == wider
    np.testing.assert_allclose(
        raw,
        network.predict(params, X, as_they_are(network)),
        rtol=0,
        atol=4 * np.finfo(wider).eps,
    )


def test_predict_takes_any_memory_layout():
    network = Network((4, 6, 3), "relu", "softmax")
    params, X = random_params(network), random_inputs()
    expected = network.predict(params, X, as_they_are(network))
    strided = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    for other in (np.asfortranarray(X), strided):
        np.testing.assert_allclose(
            network.predict(params, other, as_they_are(network)), expected, atol=1e-14
        )


def test_prediction_memory_is_bounded():
    network = Network((1, 100, 2), "silu", "softmax")
    params, X = random_params(network).astype("float32"), np.zeros((200_000, 1), "f")
    tracemalloc.start()
    try:
        network.predict(params, X, as_they_are(network))
        # The activations of all rows would take this more than twice over.
        assert tracemalloc.get_traced_memory()[1] < len(X) * 100 * 4 / 2
    finally:
        tracemalloc.stop()


def test_prediction_casts_only_blocks_of_the_inputs():
    network = Network((10_000, 2), "relu", "softmax")
    params, X = np.zeros(network.n_params), np.zeros((1000, 10_000), "float32")
    tracemalloc.start()
    try:
        network.predict(params, X, as_they_are(network))
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 4
    finally:
        tracemalloc.stop()


# The cost and its gradient.


@every_activation
@every_loss
@every_depth
@dense_and_sparse
@both_dtypes
def test_gradient(activation, loss, hidden, container, dtype):
    network = Network((4, *hidden, 3), activation, loss)
    X = container(random_inputs().astype(dtype))
    params = random_params(network).astype(dtype)
    for weights, alpha in itertools.product(WEIGHTS, [0.0, 0.3]):
        _, gradient = cost_and_gradient(
            network, params, X, ONE_HOT, WEIGHTS[weights], alpha=alpha
        )
        expected = expected_gradient(network, weights, alpha)
        np.testing.assert_allclose(
            *(gradient, expected),
            rtol=0,
            atol=PRECISION[dtype],
            err_msg=f"{weights} weights, alpha={alpha}",
        )


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1), (3, 1, 2, 1), (2, 3, 2)], ids=str)
@every_loss
@dense_and_sparse
def test_gradient_of_one_row(container, loss, sizes):
    network = Network(sizes, "tanh", loss)
    params = random_params(network)
    X = container(np.array([[0.5, -2.0, 1.0]])[:, : sizes[0]])
    labels = np.eye(sizes[-1])[:, :1]

    def compute(params):
        return cost_and_gradient(network, params, X, labels, [1])

    _, gradient = compute(params)
    expected = numerical_gradient(lambda params: compute(params)[0], params)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=PRECISION["float64"])


@every_loss
def test_gradient_with_smoothed_labels(loss):
    network = Network((4, 4, 3), "relu", loss)
    params, X, labels = random_params(network), random_inputs(), 0.7 * ONE_HOT + 0.1

    def compute(params):
        return cost_and_gradient(network, params, X, labels, WEIGHTS["random"])

    _, gradient = compute(params)
    expected = numerical_gradient(lambda params: compute(params)[0], params)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=PRECISION["float64"])


@every_activation
@pytest.mark.parametrize("hidden", [(6,), (6, 5)], ids=str)
def test_gradient_with_dropout(activation, hidden):
    network = Network((4, *hidden, 3), activation, "softmax")
    params, X = random_params(network), random_inputs()

    def compute(params):
        # The same seed leaves out the same outputs.
        options = {"dropout": 0.3, "rng": np.random.default_rng(3), "alpha": 0.1}
        return cost_and_gradient(
            network, params, X, ONE_HOT, WEIGHTS["random"], **options
        )

    _, gradient = compute(params)
    expected = numerical_gradient(lambda params: compute(params)[0], params)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=PRECISION["float64"])
    _, whole = cost_and_gradient(
        network, params, X, ONE_HOT, WEIGHTS["random"], alpha=0.1
    )
    assert not np.allclose(gradient, whole)


@both_dtypes
def test_gradient_of_a_dropout_mask_by_hand(dtype):
    # Logistic regression on 400 hidden outputs that are all 1, each with output weight
    # 1/400. Of those that are kept, every one counts 4 times.
    network = Network((1, 400, 1), "identity", "sigmoid")
    params = np.zeros(network.n_params, dtype)
    (_, intercept), (output_coef, _) = network.layers(params)
    intercept[:] = 1
    output_coef[:] = 1 / 400
    rng = np.random.default_rng(0)
    cost, gradient = cost_and_gradient(
        *(network, params, np.zeros((1, 1), dtype), np.zeros((1, 1)), [1]),
        dropout=0.75,
        rng=rng,
    )
    (_, intercept_gradient), (coef_gradient, raw_gradient) = network.layers(gradient)
    kept = coef_gradient[:, 0] != 0
    assert 70 < kept.sum() < 130
    raw = kept.sum() * 4 / 400
    assert cost == pytest.approx(np.log1p(np.exp(raw)), rel=1e-5)
    np.testing.assert_allclose(coef_gradient[kept, 0], 4 * raw_gradient[0], rtol=1e-6)
    np.testing.assert_allclose(
        intercept_gradient, np.where(kept, raw_gradient[0] / 100, 0), rtol=1e-6
    )


def test_every_pass_drops_others():
    network = Network((4, 50, 50, 3), "relu", "softmax")
    params, X = random_params(network), random_inputs()
    gradient = np.empty_like(params)
    compute = CostGradient(
        network, params, gradient, 5, dropout=0.5, rng=np.random.default_rng(0)
    )
    weight = np.array(WEIGHTS["uniform"])
    assert len({compute(X, ONE_HOT * weight, weight) for _ in range(10)}) == 10


@every_loss
@pytest.mark.parametrize("weights", WEIGHTS)
def test_cost_is_the_mean_cross_entropy(loss, weights):
    network = Network((4, 6, 3), "relu", loss)
    params, X = random_params(network), random_inputs()
    cost, _ = cost_and_gradient(network, params, X, ONE_HOT, WEIGHTS[weights])
    probability = network.predict(params, X, as_they_are(network), LOSSES[loss].link)
    weighted = {"sample_weight": WEIGHTS[weights]}
    if loss == "softmax":
        expected = log_loss(ONE_HOT.T, probability, **weighted)
    else:
        pairs = zip(ONE_HOT, probability.T, strict=True)
        expected = sum(log_loss(label, p, **weighted) for label, p in pairs)
    assert cost == pytest.approx(expected, rel=1e-12)


@every_loss
@both_dtypes
def test_penalty_leaves_biases_alone(loss, dtype):
    # 4 * 2 + 2 * 3 weights of 2, with alpha 0.5: each adds 0.5 / 2 * 2**2 = 1 to the
    # cost and 0.5 * 2 = 1 to its derivative.
    network = Network((4, 2, 3), "tanh", loss)
    params = np.full(network.n_params, 2, dtype)
    problem = network, params, random_inputs().astype(dtype), ONE_HOT, [0.2] * 5
    cost, gradient = cost_and_gradient(*problem)
    penalised_cost, penalised_gradient = cost_and_gradient(*problem, alpha=0.5)
    assert penalised_cost - cost == pytest.approx(14, abs=1e-5)
    added = penalised_gradient - gradient
    np.testing.assert_allclose(added[:14], 1, atol=1e-6)
    np.testing.assert_array_equal(added[14:], 0)


@every_activation
@every_loss
@dense_and_sparse
def test_calls_do_not_depend_on_earlier_ones(activation, loss, container):
    network = Network((4, 6, 5, 3), activation, loss)
    X = container(random_inputs())
    weight = np.array(WEIGHTS["random"])
    problem = X, ONE_HOT * weight, weight
    first, second = random_params(network), random_params(network)[::-1]
    params, gradient = first.copy(), np.empty_like(first)
    compute = CostGradient(network, params, gradient, 5, alpha=0.1)
    costs, gradients = [], []
    for params[...] in (first, second, first):
        costs.append(compute(*problem))
        gradients.append(gradient.copy())
    assert costs[0] == costs[2] != costs[1]
    np.testing.assert_array_equal(gradients[0], gradients[2])
    expected = cost_and_gradient(network, second, X, ONE_HOT, weight, alpha=0.1)
    assert costs[1] == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(gradients[1], expected[1], rtol=1e-12, atol=1e-15)


@both_dtypes
@pytest.mark.parametrize("hidden", [(), (2,), (2, 2)], ids=str)
def test_sparse_inputs_are_never_densified(hidden, dtype):
    n_rows, n_features = 1000, 100_000
    network = Network((n_features, *hidden, 2), "relu", "softmax")
    rng = np.random.default_rng(0)
    X = sparse.csr_array(
        (
            np.ones(10 * n_rows, dtype),
            rng.integers(n_features, size=10 * n_rows),
            np.arange(n_rows + 1) * 10,
        ),
        shape=(n_rows, n_features),
    )
    params = np.zeros(network.n_params, dtype)
    labels, weight = np.ones((2, n_rows)) / 2, np.full(n_rows, 1 / n_rows)
    encoding = as_they_are(network)
    tracemalloc.start()
    try:
        network.predict(params, X, encoding)
        cost_and_gradient(network, params, X, labels, weight)
        # The vector of parameters a few times over; densified, X takes 500 times that.
        assert tracemalloc.get_traced_memory()[1] < 8 * params.nbytes
    finally:
        tracemalloc.stop()


@every_activation
@every_loss
@both_dtypes
def test_no_allocation_for_dense_inputs(activation, loss, dtype):
    network = Network((256,) * 4, activation, loss)
    rng = np.random.default_rng(0)
    params = network.initial_params(rng, dtype)
    X = rng.standard_normal((256, 256)).astype(dtype)
    weight = np.full(256, 1 / 256, dtype)
    target = np.eye(256, dtype=dtype) * weight
    compute = CostGradient(
        network, params, np.empty_like(params), 256, alpha=0.1, dropout=0.2, rng=rng
    )
    compute(X, target, weight)
    tracemalloc.start()
    try:
        compute(X, target, weight)
        # NumPy casts and reduces through buffers of 64 KiB.
        assert tracemalloc.get_traced_memory()[1] < 100_000 < X.nbytes / 2
    finally:
        tracemalloc.stop()
