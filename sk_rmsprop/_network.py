"""The network: sizes, forward pass, and the cost with its gradient.

All parameters are one flat vector, all weights first and then all biases, so that
penalties, optimizer and copies see one array. Views into it are made on demand and
never stored beside it: pickling would turn them into separate arrays.

A stack of networks of equal shapes has an array of such vectors, one row a member. All
of its arrays then have a leading axis, but for those that the members share, such as
the inputs. What is written for one network holds for the last axes of a stack.
"""

from dataclasses import dataclass, replace
from functools import partial
from math import prod, sqrt

import numpy as np

from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._losses import LOSSES, inner_rows
from sk_rmsprop._regression import TargetScale
from sk_rmsprop._sparse import ColumnsPresent

# Predictions are made in blocks of rows whose inputs and activations fill about this
# many bytes.
PREDICTION_BLOCK_BYTES = 2**21

# Initial weights are drawn, in float64, in blocks of about this many.
DRAWN_BLOCK_SIZE = 2**16

# Factor of the output layer's initial weights: see `Network.initial_params`.
OUTPUT_SCALE = 0.1


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron without its weights.

    Parameters
    ----------
    layer_sizes : tuple of int
        Number of inputs, sizes of the hidden layers, number of outputs.
    activation : str
        Key of `ACTIVATIONS`, for the hidden layers.
    loss : str
        Key of `LOSSES`.
    targets : TargetScale, default=None
        The scale of numbers to be predicted; None for classes.
    """

    layer_sizes: tuple
    activation: str
    loss: str
    targets: TargetScale | None = None

    @property
    def bound_loss(self):
        """The functions of the loss, on the scale of the targets."""
        return LOSSES[self.loss].bind(self.targets)

    @property
    def coef_shapes(self):
        """Shapes of the layers' weights, (fan_in, fan_out) each."""
        return list(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))

    @property
    def n_weights(self):
        """Number of weights: they lead the parameter vector."""
        return sum(map(prod, self.coef_shapes))

    @property
    def n_params(self):
        """Number of weights and biases."""
        return self.n_weights + sum(self.layer_sizes[1:])

    @property
    def n_first_weights(self):
        """Number of the first layer's weights: they lead the parameter vector."""
        return self.layer_sizes[0] * self.layer_sizes[1]

    @property
    def beyond_inputs(self):
        """The network without inputs: all parameters but the first layer's weights."""
        return replace(self, layer_sizes=(0, *self.layer_sizes[1:]))

    def layers(self, vector):
        """Return views ``[(coef, intercept), ...]`` into a vector of n_params.

        Those into a stack of vectors have its leading axis.
        """
        layers, members = [], vector.shape[:-1]
        coef_start, intercept_start = 0, self.n_weights
        for fan_in, fan_out in self.coef_shapes:
            coef_stop = coef_start + fan_in * fan_out
            intercept_stop = intercept_start + fan_out
            coef = vector[..., coef_start:coef_stop]
            coef = coef.reshape(*members, fan_in, fan_out)
            layers.append((coef, vector[..., intercept_start:intercept_stop]))
            coef_start, intercept_start = coef_stop, intercept_stop
        return layers

    def initial_params(self, rng, dtype, output_bias=0.0, absent_inputs=None):
        """Draw initial parameters: He et al.'s random weights, and biases.

        The hidden layers' weights are normal with standard deviation gain /
        sqrt(fan_in): K. He et al., Delving Deep into Rectifiers (2015),
        arXiv:1502.01852. Their biases are 0, those of the outputs `output_bias`.

        The output layer's weights are a tenth as large. With the full gain, which is
        for layers with a next one, the outputs of the untrained network differ by
        about 2, and few samples do not mend that: on 500 samples with a weak signal,
        where the class frequencies have a log-loss of 0.695, the untrained network had
        0.98 and the best epoch 0.83, with a tenth 0.70 and 0.73. On seven real tables
        the loss after early stopping fell by 3 %; without, it is the same within 1 %.

        Weights of `absent_inputs`, which are 0 in all of the training data, start at 0:
        nothing is known of them. Without hidden layers, where the problem is convex,
        the weights are 0. All are drawn in float64 whatever the dtype, so that both
        start from the same weights.
        """
        params = np.zeros(self.n_params, dtype)
        layers = self.layers(params)
        if len(layers) > 1:
            gain = ACTIVATIONS[self.activation].gain
            for i, (coef, _) in enumerate(layers, start=1):
                scale = OUTPUT_SCALE if i == len(layers) else 1.0
                _fill_normal(coef, rng, scale * gain / sqrt(len(coef)))
        if absent_inputs is not None:
            first_coef, _ = layers[0]
            first_coef[absent_inputs] = 0.0
        _, output_intercept = layers[-1]
        output_intercept[:] = output_bias
        return params

    def predict(self, params, X, encoding, link=None, dtype=None):
        """Return the outputs, of shape (n_samples, n_outputs): see `blocks`.

        `params` may be those of a stack, if inputs are dense.
        """
        dtype = prediction_dtype(params, X) if dtype is None else dtype
        shape = (*params.shape[:-1], X.shape[0], self.layer_sizes[-1])
        result = np.empty(shape, dtype)
        for rows, raw in self.blocks(params, X, encoding, link, dtype):
            result[..., rows, :] = raw.mT
        return result

    def blocks(self, params, X, encoding, link=None, dtype=None):
        """Yield the outputs in blocks of rows, so that memory is bounded.

        `X` is encoded and passed through the network. Each item is a slice of the rows
        and their outputs, of shape (n_outputs, n_rows): raw, or their `link`, in a
        buffer that the next block refills. They are computed in `dtype`, by default
        the `prediction_dtype`.
        """
        dtype = prediction_dtype(params, X) if dtype is None else dtype
        sparse = encoding.is_sparse(X)
        # Few documents need the weights of few words: only these are converted.
        if sparse and params.dtype != dtype and X.nnz < X.shape[1]:
            make_forward = partial(SparseForward, self, params, dtype)
        else:
            params = params.astype(dtype, copy=False)
            make_forward = partial(Forward, self, params)
        encode = encoding.encoder(X, dtype)
        first = 1 if sparse else 0  # CSR stays as small as it is.
        n_members = prod(params.shape[:-1])
        row_bytes = np.dtype(dtype).itemsize * n_members * max(self.layer_sizes[first:])
        n_rows = X.shape[0]
        block_size = max(1, min(n_rows, PREDICTION_BLOCK_BYTES // row_bytes))
        forward = None
        for start in range(0, n_rows, block_size):
            whole = block_size == n_rows
            block = X if whole else X[start : start + block_size]
            if forward is None or forward.batch_size != block.shape[0]:
                forward = make_forward(block.shape[0])
            # A probability may well underflow. And OpenBLAS was seen to flag an invalid
            # operation in products of finite float32 numbers by a vector (SkylakeX
            # kernels), now and then.
            with np.errstate(under="ignore", invalid="ignore"):
                raw = forward(encode(block))
                if link is not None:
                    link(raw)
            yield slice(start, start + block_size), raw


def prediction_dtype(params, X):
    """Return the dtype of predictions: float64 unless all numbers are float32."""
    all_single = params.dtype == X.dtype == np.float32
    return np.dtype(np.float32 if all_single else np.float64)


def _fill_normal(coef, rng, deviation):
    """Draw weights in float64, block by block."""
    n_together = max(1, DRAWN_BLOCK_SIZE // coef.shape[1])
    for start in range(0, len(coef), n_together):
        block = coef[start : start + n_together]
        block[...] = deviation * rng.standard_normal(block.shape)


class Forward:
    """The forward pass for batches of one size, with its views and buffers.

    Parameters
    ----------
    network : Network
    params : ndarray of shape (n_params,) or (n_members, n_params)
        Read at every call, so that they may be changed in place in between.
    batch_size : int
    dropout : float, default=0.0
        Probability of zeroing a hidden unit.
    rng : numpy.random.Generator, default=None
        Draws the dropout masks; required with dropout.
    """

    def __init__(self, network, params, batch_size, *, dropout=0.0, rng=None):
        self.batch_size = batch_size
        self.activation = ACTIVATIONS[network.activation]
        self.dropout = dropout
        self.rng = rng
        # Half the call overhead of np.matmul, which small layers would feel.
        self.product = np.ndarray.dot if params.ndim == 1 else np.matmul
        *hidden, (coef, intercept) = network.layers(params)
        self.hidden = [_HiddenLayer(self, *layer) for layer in hidden]
        # The output layer is laid out as (n_outputs, batch_size): see `_losses`.
        self.output_coef = coef
        self.output_intercept = intercept[..., np.newaxis]
        self.raw = np.empty((*intercept.shape, batch_size), params.dtype)

    def set_first_weights(self, coef):
        """Replace the weights of the first layer."""
        if self.hidden:
            self.hidden[0].coef = coef
        else:
            self.output_coef = coef

    def __call__(self, X):
        """Return the raw outputs for `X`, in a buffer that the next call refills."""
        below = X
        for layer in self.hidden:
            self.multiply(below, layer.coef, layer.a)
            np.add(layer.a, layer.intercept, layer.a)
            self.activation.forward(layer.a, layer.kept)
            if self.dropout:
                layer.drop_out(self.rng, self.dropout)
            below = layer.output
        if isinstance(below, np.ndarray):
            self.product(self.output_coef.mT, below.mT, self.raw)
        else:
            self.raw[...] = (below @ self.output_coef).T
        np.add(self.raw, self.output_intercept, self.raw)
        return self.raw

    def multiply(self, a, b, out):
        """Write a @ b into `out`; `a` may be sparse, unless this is a stack."""
        if isinstance(a, np.ndarray):
            self.product(a, b, out)
        else:
            out[...] = a @ b


class SparseForward:
    """The forward pass for CSR rows that converts only the weights that they need.

    Parameters
    ----------
    network : Network
    params : ndarray of shape (n_params,)
    dtype : dtype
        That of the arithmetic, another one than that of `params`.
    batch_size : int
    """

    def __init__(self, network, params, dtype, batch_size):
        n_first = network.n_first_weights
        self.batch_size = batch_size
        self.dtype = dtype
        self.first_coef = params[:n_first].reshape(network.layer_sizes[:2])
        self.columns_present = ColumnsPresent(network.layer_sizes[0])
        rest = params[n_first:].astype(dtype)
        self.forward = Forward(network.beyond_inputs, rest, batch_size)

    def __call__(self, X):
        """Return the raw outputs for `X`, in a buffer that the next call refills."""
        columns, X = self.columns_present(X)
        self.forward.set_first_weights(self.first_coef[columns].astype(self.dtype))
        return self.forward(X)


class _HiddenLayer:
    """Views and buffers of one hidden layer for one size of batch."""

    def __init__(self, forward, coef, intercept):
        shape = (*coef.shape[:-2], forward.batch_size, coef.shape[-1])
        self.coef = coef
        self.intercept = intercept[..., np.newaxis, :]
        self.a = np.empty(shape, coef.dtype)
        keeps = forward.activation.keeps
        self.kept = np.empty(shape, coef.dtype) if keeps else None
        self.output = self.a
        if forward.dropout:
            self.mask = np.empty(shape, coef.dtype)
            self.output = np.empty(shape, coef.dtype)

    def drop_out(self, rng, dropout):
        """Zero a random part of the hidden units and scale up the others.

        N. Srivastava et al., Dropout, Journal of Machine Learning Research 15 (2014),
        in the inverted form, which leaves prediction unchanged.
        """
        rng.random(dtype=self.mask.dtype, out=self.mask)
        np.greater_equal(self.mask, dropout, out=self.mask)
        np.multiply(self.mask, 1 / (1 - dropout), out=self.mask)
        np.multiply(self.a, self.mask, out=self.output)


class CostGradient:
    """The cost of a batch and its gradient, for batches of one size.

    The cost is the weighted mean of the samples' losses plus ``alpha / 2`` times the
    sum of the squared weights (biases are not penalized).

    Parameters
    ----------
    network : Network
    params, gradient : ndarray of shape (n_params,) or (n_members, n_params)
        `params` is read and `gradient` written at every call.
    batch_size : int
    alpha : float or ndarray of shape (n_members, 1), default=0.0
        L2 penalty.
    dropout, rng
        As in `Forward`.
    """

    def __init__(
        self, network, params, gradient, batch_size, *, alpha=0.0, dropout=0.0, rng=None
    ):
        self.forward = Forward(network, params, batch_size, dropout=dropout, rng=rng)
        self.activation = self.forward.activation
        self.loss = network.bound_loss
        self.alpha = np.array(alpha, params.dtype)
        self.weights = params[..., : network.n_weights]
        self.penalty = np.empty_like(self.weights) if self.alpha.any() else None
        self.weights_gradient = gradient[..., : network.n_weights]
        self.gradients = network.layers(gradient)
        self.first_gradient = None
        self.deltas = [np.empty_like(layer.a) for layer in self.forward.hidden]
        self.scratch = self.loss.scratch(self.forward.raw)
        self.ones = np.ones(batch_size, params.dtype)

    def __call__(self, X, target, weight):
        """Return the cost, of a stack an array of costs, and write its gradient.

        Parameters
        ----------
        X : ndarray or CSR array of shape (batch_size, n_features)
            Those of a stack are arrays.
        target : ndarray of shape (n_outputs, batch_size)
            Labels as numbers in [0, 1], multiplied by the samples' weights.
        weight : ndarray of shape (batch_size,)
            Weights that sum to 1.
        """
        raw = self.forward(X)
        cost = self.loss.value_and_gradient(raw, target, weight, self.scratch)
        self._backward(X, raw)
        if self.penalty is not None:
            cost += self._add_penalty()
        return cost

    def set_first_weights(self, coef):
        """Replace the weights of the first layer.

        Their gradient will be the attribute `first_gradient`.
        """
        self.forward.set_first_weights(coef)
        self.gradients[0] = (None, self.gradients[0][1])

    def _backward(self, X, raw_gradient):
        """Propagate the gradient from the raw outputs back to all parameters."""
        hidden, product = self.forward.hidden, self.forward.product
        coef_gradient, intercept_gradient = self.gradients[-1]
        product(raw_gradient, self.ones, intercept_gradient)
        delta, coef = raw_gradient.mT, self.forward.output_coef
        for i in range(len(hidden) - 1, -1, -1):
            layer = hidden[i]
            product(layer.output.mT, delta, coef_gradient)
            delta = product(delta, coef.mT, self.deltas[i])
            if self.forward.dropout:
                np.multiply(delta, layer.mask, delta)
            self.activation.backward(delta, layer.a, layer.kept)
            coef_gradient, intercept_gradient = self.gradients[i]
            product(self.ones, delta, intercept_gradient)
            coef = layer.coef
        if coef_gradient is None:
            self.first_gradient = X.T @ delta
        else:
            self.forward.multiply(X.T, delta, coef_gradient)

    def _add_penalty(self):
        np.multiply(self.weights, self.alpha, self.penalty)
        np.add(self.weights_gradient, self.penalty, self.weights_gradient)
        return 0.5 * self.loss.unit * inner_rows(self.penalty, self.weights)
