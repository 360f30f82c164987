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
from sk_rmsprop._network import Network


class Group(NamedTuple):
    """Fitted networks of equal shapes, with one encoding.

    Attributes
    ----------
    network : Network
    encoding : Encoding
    params : ndarray of shape (n_members, n_params)
    """

    network: Network
    encoding: object
    params: np.ndarray

    def raw(self, X, dtype):
        """Return the raw outputs, of shape (n_members, n_outputs, n_samples)."""
        network, encoding, params = self
        if not encoding.is_sparse(X):
            return network.predict(params, X, encoding, dtype=dtype).mT
        return np.stack(
            [network.predict(row, X, encoding, dtype=dtype).T for row in params]
        )


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
    ndarray of float64 of shape (n_groups, n_outputs, n_rows)
    """
    blocks = []
    for k, rows in enumerate(folds):
        members = [group._replace(params=group.params[k : k + 1]) for group in groups]
        blocks.append([member.raw(X[rows], np.float64)[0] for member in members])
    return np.concatenate(blocks, axis=-1)


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
    row = LOSSES[loss]
    n_groups, n_rows = len(raw), len(data.rows)
    weight = np.full(n_rows, 1 / n_rows)
    if data.weight is not None:
        weight = data.weight[data.rows] / data.weight[data.rows].sum()
    target = np.empty_like(raw[0])
    row.write_target(data.target[data.rows], target[np.newaxis], 0.0)
    np.multiply(target, weight, out=target)
    scratch = row.scratch(target)

    def objective(weights):
        outputs = np.tensordot(weights, raw, 1)
        value = row.value_and_gradient(outputs, target, weight, scratch)
        pull = weights - 1 / n_groups
        gradient = np.tensordot(raw, outputs, 2) + 2 * pull / n_rows
        return value + pull @ pull / n_rows, gradient

    start = np.full(n_groups, 1 / n_groups)
    found = minimize(objective, start, jac=True, bounds=[(0, None)] * n_groups)
    outputs = np.tensordot(found.x, raw, 1)
    return found.x, row.value(outputs, target, weight, scratch)


def pooled(groups, weights, X, dtype):
    """Return the raw outputs of the pools, of shape (n_folds, n_outputs, n_samples)."""
    outputs = sum(
        group.raw(X, dtype) * dtype.type(weight)
        for group, weight in zip(groups, weights, strict=True)
    )
    return np.ascontiguousarray(outputs)


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
