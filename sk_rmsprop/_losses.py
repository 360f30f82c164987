"""Losses on the raw outputs of the network, each with the link it belongs to.

Raw outputs, targets and gradients have shape (n_outputs, n_rows): reducing over a
short first axis is several times faster than over a short last one.

`LOSSES` is the only list of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit


def scratch_like(raw):
    """Return the scratch array that a loss takes for raw outputs like these."""
    return np.empty((max(2, raw.shape[0]), raw.shape[1]), raw.dtype)


class Loss(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    cost_and_gradient : callable
        ``cost_and_gradient(raw, target, weight, scratch)`` returns the weighted sum
        of the rows' losses and overwrites `raw` with its gradient. `weight` has
        shape (n_rows,); `target` is already multiplied by it. `scratch` has shape
        (max(2, n_outputs), n_rows).
    link : callable
        ``link(raw)`` overwrites raw outputs with probabilities.
    log_link : callable
        ``log_link(raw)`` overwrites raw outputs with log-probabilities.
    out_activation : str
        The link's name, as in ``MLPClassifier.out_activation_``.
    """

    cost_and_gradient: Callable[..., float]
    link: Callable[[np.ndarray], None]
    log_link: Callable[[np.ndarray], None]
    out_activation: str


def _softmax_cross_entropy(raw, target, weight, scratch):
    # loss = log(sum(exp(raw))) - raw[label], and since the targets of a row sum to
    # its weight, both terms may be shifted by the row's largest raw output.
    row, log_row = scratch[0], scratch[1]
    np.maximum.reduce(raw, 0, None, row)
    np.subtract(raw, row, raw)
    label_term = np.vdot(target, raw)
    np.exp(raw, raw)
    np.add.reduce(raw, 0, None, row)
    np.log(row, log_row)
    log_term = weight.dot(log_row)
    # d loss / d raw = softmax(raw) - one_hot(label), both times the weight.
    np.divide(weight, row, row)
    np.multiply(raw, row, raw)
    np.subtract(raw, target, raw)
    return float(log_term - label_term)


def _sigmoid_cross_entropy(raw, target, weight, scratch):
    # loss = log(1 + exp(raw)) - label * raw, summed over the outputs. Both terms grow
    # with raw; with log(1 + exp(raw)) = max(raw, 0) + log(1 + exp(-|raw|)) what would
    # cancel between them is ((raw > 0) - label) * raw, exactly 0 for a right output.
    scratch = scratch[: len(raw)]
    np.greater(raw, 0, scratch)
    np.multiply(scratch, weight, scratch)
    np.subtract(scratch, target, scratch)
    label_term = np.vdot(scratch, raw)
    np.abs(raw, scratch)
    np.negative(scratch, scratch)
    np.exp(scratch, scratch)
    np.log1p(scratch, scratch)
    log_term = scratch.dot(weight).sum()
    # d loss / d raw = sigmoid(raw) - label, both times the weight.
    expit(raw, raw)
    np.multiply(raw, weight, raw)
    np.subtract(raw, target, raw)
    return float(log_term + label_term)


def _softmax(raw):
    np.subtract(raw, raw.max(axis=0), out=raw)
    np.exp(raw, out=raw)
    np.divide(raw, raw.sum(axis=0), out=raw)


def _log_softmax(raw):
    with np.errstate(over="ignore"):
        np.subtract(raw, raw.max(axis=0), out=raw)
    # The largest floats of opposite signs differ by more than a float can hold.
    np.maximum(raw, np.finfo(raw.dtype).min, out=raw)
    np.subtract(raw, np.log(np.exp(raw).sum(axis=0)), out=raw)


def _sigmoid(raw):
    expit(raw, out=raw)


def _log_sigmoid(raw):
    # log(sigmoid(raw)) = -log(1 + exp(-raw))
    np.negative(raw, out=raw)
    np.logaddexp(raw, 0, out=raw)
    np.negative(raw, out=raw)


LOSSES = {
    "softmax": Loss(_softmax_cross_entropy, _softmax, _log_softmax, "softmax"),
    "sigmoid": Loss(_sigmoid_cross_entropy, _sigmoid, _log_sigmoid, "logistic"),
}
