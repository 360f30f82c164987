"""Training with each library: one small adapter per library.

``BUILDERS[library](task)`` does the preparation that users do once and returns a
function that trains for ``task.n_epochs`` epochs. All libraries use ReLU, softmax
outputs, mean cross-entropy, shuffled mini-batches, and RMSprop with the same
hyperparameters, except for scikit-learn, which has no RMSprop and uses Adam.
"""

import functools
import itertools
import os
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from benchmarks._settings import PEERS
from benchmarks._tasks import make_data
from benchmarks._timing import OURS, seconds

LEARNING_RATE = 0.001
BETA = 0.9
EPSILON = 1e-8

# The default of PyTorch and Keras. Keras casts the data by itself, PyTorch does not.
NETWORK_DTYPE = "float32"

WARM_UP_SECONDS = 0.1

# Not a library, but a lower bound for any implementation in NumPy.
FLOOR = "matrix products alone"


def libraries(settings):
    """Return our name and the names of the selected peers that are installed."""
    installed = [
        name for name in settings.peers if all(find_spec(n) for n in PEERS[name])
    ]
    return [OURS, *installed]


def train_seconds(library, task):
    """Return the training time in seconds, excluding the preparation."""
    with without_convergence_warnings():
        _warm_up(_prepared(library, task._replace(n_epochs=1)))
        return seconds(_prepared(library, task))


def _warm_up(train):
    """Train for a while, as caches have gone cold while other libraries ran."""
    end = perf_counter() + WARM_UP_SECONDS
    while perf_counter() < end:
        train()


@contextmanager
def without_convergence_warnings():
    """Silence them: the number of epochs is fixed, and no run is meant to converge."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not converged|.*hasn't converged")
        yield


@functools.lru_cache(maxsize=2)
def _prepared(library, task):
    return BUILDERS[library](task)


def our_classifier(hidden_layer_sizes, *, batch_size=200, **params):
    """Return our classifier, configured to do what the others do and nothing else.

    The default batch size is that of scikit-learn's classifier.
    """
    from sk_rmsprop import RMSpropMLPClassifier

    return RMSpropMLPClassifier(
        hidden_layer_sizes,
        numerical_encoding="none",
        alpha=0.0,
        weight_decay=0.0,
        batch_size=batch_size,
        learning_rate_schedule="constant",
        learning_rate=LEARNING_RATE,
        beta=BETA,
        epsilon=EPSILON,
        tol=0.0,
        n_iter_no_change=np.inf,
        random_state=0,
        **params,
    )


def sklearn_classifier(hidden_layer_sizes, **params):
    """Return scikit-learn's classifier, configured likewise."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        hidden_layer_sizes,
        solver="adam",
        alpha=0.0,
        learning_rate_init=LEARNING_RATE,
        tol=0.0,
        n_iter_no_change=10**9,
        random_state=0,
        **params,
    )


CLASSIFIERS = {OURS: our_classifier, "scikit-learn": sklearn_classifier}


def _build_ours(task):
    return _build_estimator(our_classifier, task, dtype=task.dtype or "auto")


def _build_sklearn(task):
    # Trains in the dtype of the data.
    return _build_estimator(sklearn_classifier, task)


def _build_estimator(make, task, **params):
    X, y = make_data(task)
    return lambda: make(
        task.hidden_layer_sizes,
        batch_size=min(task.batch_size, task.n_samples),
        max_iter=task.n_epochs,
        **params,
    ).fit(X, y)


def _torch_layers(task):
    from torch import nn

    dtype = _torch_dtype(task)
    sizes = task.layer_sizes
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, dtype=dtype), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _torch_dtype(task):
    import torch

    return getattr(torch, task.dtype or NETWORK_DTYPE)


def _build_torch(task):
    import torch
    from torch.nn.functional import cross_entropy

    X, y = map(torch.from_numpy, make_data(task))

    def train():
        torch.manual_seed(0)
        network = _torch_layers(task)
        inputs = X.to(_torch_dtype(task))  # does nothing if it is that of X
        optimizer = torch.optim.RMSprop(
            network.parameters(), lr=LEARNING_RATE, alpha=BETA, eps=EPSILON
        )
        for _ in range(task.n_epochs):
            cost = 0.0
            for rows in torch.randperm(len(X)).split(task.batch_size):
                optimizer.zero_grad()
                loss = cross_entropy(network(inputs[rows]), y[rows])
                loss.backward()
                optimizer.step()
                cost += loss.item() * len(rows)
        return network

    return train


def _build_skorch(task):
    import torch
    from skorch import NeuralNetClassifier

    X, y = make_data(task)
    dtype = task.dtype or NETWORK_DTYPE

    def train():
        torch.manual_seed(0)
        return NeuralNetClassifier(
            _torch_layers(task),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.RMSprop,
            optimizer__alpha=BETA,
            optimizer__eps=EPSILON,
            lr=LEARNING_RATE,
            max_epochs=task.n_epochs,
            batch_size=task.batch_size,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).fit(X.astype(dtype, copy=False), y)

    return train


def _build_keras_jax(task):
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    dtype = task.dtype or NETWORK_DTYPE
    jax.config.update("jax_enable_x64", dtype == "float64")
    keras.config.set_floatx(dtype)
    # Layers use the policy, which no longer follows floatx once it has been used.
    keras.config.set_dtype_policy(dtype)
    X, y = make_data(task)
    n_features, *hidden, n_classes = task.layer_sizes
    layers = [keras.layers.Dense(size, activation="relu") for size in hidden]
    network = keras.Sequential(
        [keras.Input((n_features,)), *layers, keras.layers.Dense(n_classes)]
    )
    network.compile(
        keras.optimizers.RMSprop(LEARNING_RATE, rho=BETA, epsilon=EPSILON),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # Continues to train the same network, so that compilation is not timed.
    return lambda: network.fit(
        X, y, batch_size=task.batch_size, epochs=task.n_epochs, verbose=0
    )


def _build_floor(task):
    products = {size: _products(task, size) for size in set(task.batch_sizes)}
    epoch = [products[size] for size in task.batch_sizes]

    def train():
        for _ in range(task.n_epochs):
            for step in epoch:
                for a, b, out in step:
                    a.dot(b, out)

    return train


def _products(task, n_rows):
    """Return the operands and output arrays of the matrix products in a step."""
    rng = np.random.default_rng(0)
    sizes = task.layer_sizes
    activations, deltas = (
        [rng.random((n_rows, size)).astype(task.dtype) for size in sizes]
        for _ in range(2)
    )
    forward, backward = [], []
    for i, shape in enumerate(itertools.pairwise(sizes)):
        # Small enough that the values do not grow from layer to layer.
        coef = (rng.random(shape) / shape[0]).astype(task.dtype)
        forward.append((activations[i], coef, activations[i + 1]))
        backward.append((activations[i].T, deltas[i + 1], np.empty_like(coef)))
        if i:
            backward.append((deltas[i + 1], coef.T, deltas[i]))
    return forward + backward[::-1]


BUILDERS = {
    OURS: _build_ours,
    "scikit-learn": _build_sklearn,
    "torch": _build_torch,
    "skorch": _build_skorch,
    "keras-jax": _build_keras_jax,
    FLOOR: _build_floor,
}
