"""Calibration and pooling of networks by what they predict for samples left out.

The networks come in groups, one group for each kind of network, with one member for
each fold: member k has not seen fold k. With weights w of the groups, the pool of fold
k has the raw outputs ``sum_g w[g] * raw[g, k]``, and the prediction is the mean of the
pools' probabilities. The weights minimize the loss of the samples left out, each
predicted by the pool that has not seen it. Their sum is the inverse of a temperature
(C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On Calibration of Modern Neural
Networks, 2017, arXiv:1706.04599).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from sk_rmsprop._losses import LOSSES
from sk_rmsprop._network import Network, prediction_dtype

# Samples are predicted in blocks of about this many numbers.
BLOCK_SIZE = 2**20


class Group(NamedTuple):
    """Fitted networks of equal shapes, with one encoding.

    Attributes
    ----------
    network : Network
    encoding : Encoding
    params : list of ndarray of shape (n_params,)
    """

    network: Network
    encoding: object
    params: list

    def dtype(self, X):
        """Return the dtype of the predictions for samples."""
        return prediction_dtype(self.params[0], X)

    def raw(self, X, dtype):
        """Return the raw outputs, of shape (n_members, n_outputs, n_samples)."""
        network, encoding, params = self
        if not encoding.is_sparse(X):
            params = [np.stack(params)]
        # Of sparse data, only the weights that they need are read.
        parts = [network.predict(one, X, encoding, dtype=dtype).mT for one in params]
        return parts[0] if parts[0].ndim == 3 else np.stack(parts)


def deal_folds(rows, strata, n_folds, rng):
    """Return the rows of each fold, which has all strata in proportion.

    Parameters
    ----------
    rows : ndarray of int
    strata : ndarray of int
        The stratum of every sample, not only of these rows.
    n_folds : int
    rng : numpy.random.RandomState
    """
    shuffled = rng.permutation(rows)
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    return [np.sort(by_stratum[k::n_folds]) for k in range(n_folds)]


def raw_left_out(groups, X, folds):
    """Return the raw outputs of all groups for the rows of all folds, fold by fold.

    Returns
    -------
    ndarray of shape (n_groups, n_outputs, n_rows)
        Of the largest dtype of the groups' parameters.
    """
    dtype = np.result_type(*(group.params[0] for group in groups))
    n_rows, n_outputs = sum(map(len, folds)), groups[0].network.layer_sizes[-1]
    raw = np.empty((len(groups), n_outputs, n_rows), dtype)
    row_size = X.shape[1] if isinstance(X, np.ndarray) else 1
    stop = 0
    for k, fold in enumerate(folds):
        for rows in _blocks(len(fold), row_size):
            block = X[fold[rows]]
            start, stop = stop, stop + block.shape[0]
            for out, group in zip(raw, groups, strict=True):
                member = group._replace(params=group.params[k : k + 1])
                out[:, start:stop] = member.raw(block, dtype)[0]
    return raw


def _blocks(n_rows, row_size):
    """Return slices of rows, of about `BLOCK_SIZE` numbers each."""
    size = max(1, BLOCK_SIZE // max(1, row_size))
    return [slice(start, start + size) for start in range(0, n_rows, size)]


def fit_weights(loss, raw, data):
    """Return the weights of the groups and the mean loss of their pool.

    They minimize the loss plus ``sum((w - 1 / n_groups)**2) / n_samples``, which is
    convex.

    Parameters
    ----------
    loss : str
        Key of `LOSSES`.
    raw : ndarray of shape (n_groups, n_outputs, n_rows)
        Raw outputs for ``data.rows``.
    data : Data

    Returns
    -------
    weights : ndarray of shape (n_groups,)
        Not negative.
    value : float
    """
    n_groups, n_outputs, n_rows = raw.shape
    weight = np.full(n_rows, 1 / n_rows)
    if data.weight is not None:
        weight = data.weight[data.rows]
        with np.errstate(under="ignore"):
            weight = weight / weight.sum()
    blocks = _blocks(n_rows, n_outputs)

    def loss_and_gradient(weights):
        value, gradient = 0.0, np.zeros(n_groups)
        for block in blocks:
            part = raw[:, :, block].astype(np.float64, copy=False)
            outputs = np.tensordot(weights, part, 1)
            target = data.target[data.rows[block]]
            value += _gradient_of_block(loss, outputs, target, weight[block])
            gradient += np.tensordot(part, outputs, 2)
        return value, gradient

    def objective(weights):
        value, gradient = loss_and_gradient(weights)
        pull = weights - 1 / n_groups
        return value + pull @ pull / n_rows, gradient + 2 * pull / n_rows

    start = np.full(n_groups, 1 / n_groups)
    with np.errstate(under="ignore"):
        found = minimize(objective, start, jac=True, bounds=[(0, None)] * n_groups)
        return found.x, loss_and_gradient(found.x)[0]


def _gradient_of_block(loss, outputs, y, weight):
    """Return the loss of some samples; overwrite their outputs by the gradient."""
    row = LOSSES[loss]
    target = np.empty_like(outputs)
    row.write_target(y, target[np.newaxis], 0.0)
    np.multiply(target, weight, out=target)
    return row.value_and_gradient(outputs, target, weight, row.scratch(outputs))


def pooled(groups, weights, X):
    """Yield the raw outputs of the pools in blocks of rows.

    Each item has the shape (n_folds, n_outputs, n_rows).
    """
    dtype = np.result_type(*(group.dtype(X) for group in groups))
    n_outputs = len(groups[0].params) * groups[0].network.layer_sizes[-1]
    for rows in _blocks(X.shape[0], n_outputs):
        outputs, block = None, X[rows]
        for group, weight in zip(groups, weights, strict=True):
            part = np.multiply(group.raw(block, dtype), dtype.type(weight), order="C")
            outputs = part if outputs is None else np.add(outputs, part, out=outputs)
        yield outputs


def mean_probabilities(raw, loss):
    """Return the mean probabilities of pools, of shape (n_samples, n_outputs)."""
    with np.errstate(under="ignore"):
        loss.link(raw)
        return np.ascontiguousarray(raw.mean(axis=0).T)


def log_mean_probabilities(raw, loss):
    """Return their logarithms, finite where the probabilities are too small."""
    with np.errstate(under="ignore"):
        loss.log_link(raw)
        logs = logsumexp(raw, axis=0) - np.log(raw.dtype.type(len(raw)))
    return np.ascontiguousarray(logs.T)
