"""Losses on the raw outputs of the network, each with its link and its targets.

`LOSSES` is the only list of losses, and its rows are the only place that knows what
kind of target a network has. Raw outputs, targets and gradients have shape
(n_outputs, n_samples): reducing over a short first axis is several times faster than
over a short last one. Those of a stack of networks have a leading axis of members; its
targets have one, too, if weights differ between members.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

from sk_rmsprop import _regression

# No class starts at less than this share of the most frequent one, and no label at odds
# beyond it for or against. The first chunk of `partial_fit` may have two samples, and a
# rare class that is easily told apart is learned sooner if it does not start at its
# frequency (thyroid disease, two classes of 2 and 5 %: a log-loss of 0.096 instead of
# 0.100). It is not a pseudo count, which would tell a sample of weight 2 from two.
MIN_ODDS = 0.1


class Loss(NamedTuple):
    """A row of the table, for targets that are classes.

    In `value` and `value_and_gradient`, `weight` has shape (n_samples,) or (n_members,
    n_samples), `target` is already multiplied by it, and `scratch` is what
    ``scratch(raw)`` returned for raw outputs of this shape. Both overwrite `raw` and
    `scratch`.

    Attributes
    ----------
    value : callable
        ``value(raw, target, weight, scratch)`` returns the weighted sum of the losses,
        of a stack an array with that of each member.
    value_and_gradient : callable
        ``value_and_gradient(raw, target, weight, scratch)`` returns the same and
        overwrites `raw` with the gradient.
    scratch : callable
        ``scratch(raw)`` returns the arrays that both need.
    link : callable
        ``link(raw)`` overwrites raw outputs with probabilities.
    log_link : callable
        ``log_link(raw)`` overwrites raw outputs with log-probabilities.
    out_activation : str
        Name of the link, as in ``MLPClassifier.out_activation_``.
    initial_bias : callable
        ``initial_bias(encoded, weight, n_outputs)`` returns the biases, in float64,
        that alone predict the weighted frequencies of the classes, within `MIN_ODDS`;
        `weight` is an array of positive numbers, or None for ones.
    find_classes : callable
        ``find_classes(y)`` returns the classes that occur in `y`.
    encode : callable
        ``encode(y, classes, name)`` returns `y` with numbers in place of labels, one
        row per sample; `name` is the argument's name for error messages.
    write_target : callable
        ``write_target(encoded, out, smoothing)`` writes encoded samples into `out`, of
        shape (n_batches, n_outputs, n_samples), as numbers to compare outputs with.
    decode : callable
        ``decode(probabilities, classes)`` returns predictions, in the form of `y`.
    exclusive : bool
        Whether each sample belongs to exactly one class, so that splits can be
        stratified and classes weighted.

    weighs_target : bool, default=True
        Whether targets are multiplied by the weights.
    unit : float, default=1.0
        What a loss of 1 is reported as.

    The rows for numbers are in `_regression`. Their `bind` returns what has the same
    functions and attributes, up to `write_target`.
    """

    value: Callable[..., Any]
    value_and_gradient: Callable[..., Any]
    scratch: Callable[[np.ndarray], Any]
    link: Callable[[np.ndarray], None]
    log_link: Callable[[np.ndarray], None]
    out_activation: str
    initial_bias: Callable[[np.ndarray, np.ndarray | None, int], np.ndarray]
    find_classes: Callable[[np.ndarray], np.ndarray]
    encode: Callable[[np.ndarray, np.ndarray, str], np.ndarray]
    write_target: Callable[[np.ndarray, np.ndarray, float], None]
    decode: Callable[[np.ndarray, np.ndarray], Any]
    exclusive: bool
    weighs_target: bool = True
    unit: float = 1.0

    def bind(self, targets):
        """Return this row: classes have no scale."""
        return self


# --- Softmax: one class per sample ---


def _softmax_scratch(raw):
    row = np.empty(raw[..., 0, :].shape, raw.dtype)
    return row, row[..., np.newaxis, :], np.empty_like(row)


def _softmax_value(raw, target, weight, scratch):
    # loss = log(sum(exp(raw))) - raw[label], and since the targets of a sample sum to
    # its weight, both terms may be shifted by the sample's largest raw output.
    # Leaves exp(raw) in `raw` and its sums in the first part of `scratch`.
    row, for_outputs, log_row = scratch
    np.maximum.reduce(raw, -2, None, row)
    np.subtract(raw, for_outputs, raw)
    label_term = inner(target, raw)
    np.exp(raw, raw)
    np.add.reduce(raw, -2, None, row)
    np.log(row, log_row)
    return inner_rows(weight, log_row) - label_term


def _softmax_value_and_gradient(raw, target, weight, scratch):
    value = _softmax_value(raw, target, weight, scratch)
    # d loss / d raw = softmax(raw) - one_hot(label), both times the weight.
    row, for_outputs, _ = scratch
    np.divide(weight, row, row)
    np.multiply(raw, for_outputs, raw)
    np.subtract(raw, target, raw)
    return value


def _softmax(raw):
    np.subtract(raw, np.maximum.reduce(raw, -2, keepdims=True), out=raw)
    np.exp(raw, out=raw)
    np.divide(raw, np.add.reduce(raw, -2, keepdims=True), out=raw)


def _log_softmax(raw):
    with np.errstate(over="ignore"):
        np.subtract(raw, np.maximum.reduce(raw, -2, keepdims=True), out=raw)
    # The largest floats of opposite signs differ by more than a float can hold.
    np.maximum(raw, np.finfo(raw.dtype).min, out=raw)
    sums = np.add.reduce(np.exp(raw), -2, keepdims=True)
    np.subtract(raw, np.log(sums), out=raw)


def _log_frequencies(codes, weight, n_classes):
    totals = np.bincount(codes, at_most_1(weight), minlength=n_classes)
    frequencies = totals / totals.sum()
    return np.log(np.maximum(frequencies, MIN_ODDS * frequencies.max()))


def _sorted_labels(y):
    try:
        return np.unique(y)
    except TypeError as error:
        names = sorted({type(label).__name__ for label in y})
        raise ValueError(
            f"y has labels that cannot be sorted, of the types {', '.join(names)}, "
            f"such as {_examples(y)}. Convert them to one type, for example to str."
        ) from error


def _examples(y):
    """Return a label of each type."""
    return list({type(label): label for label in y}.values())[:4]


def exactly_comparable(y, other):
    """Return two arrays of labels so that comparing them rounds no number."""
    numeric = y.dtype.kind in "iuf" and other.dtype.kind in "iuf"
    if numeric and y.dtype.kind != other.dtype.kind:
        # Python compares exactly where NumPy's common dtype would merge numbers.
        return y.astype(object), other.astype(object)
    return y, other


def _class_indices(y, classes, name):
    y, classes = exactly_comparable(y, classes)
    try:
        codes = np.searchsorted(classes, y)
    except TypeError as error:
        raise ValueError(
            f"{name} has labels of a different type than the classes {classes}."
        ) from error
    codes[codes == len(classes)] = 0
    unknown = classes[codes] != y
    if unknown.any():
        raise ValueError(
            f"{name} has labels that are not among the classes {classes}: "
            f"{np.unique(y[unknown])}."
        )
    return codes


def _write_one_hot(codes, out, smoothing):
    n_batches, n_classes, batch_size = out.shape
    codes = codes.reshape(n_batches, 1, batch_size)
    np.equal(codes, np.arange(n_classes)[:, np.newaxis], out=out)
    _smooth(out, smoothing, n_classes)


def _most_probable(probabilities, classes):
    return classes[probabilities.argmax(axis=1)]


# --- Sigmoid: any number of labels per sample ---


def _sigmoid_value(raw, target, weight, scratch):
    # loss = log(1 + exp(raw)) - label * raw, summed over the outputs. Both terms grow
    # with raw; with log(1 + exp(raw)) = max(raw, 0) + log(1 + exp(-|raw|)) what would
    # cancel between them is ((raw > 0) - label) * raw, exactly 0 for a right output.
    # Leaves `raw` as it is.
    np.greater(raw, 0, scratch)
    np.multiply(scratch, weight[..., np.newaxis, :], scratch)
    np.subtract(scratch, target, scratch)
    label_term = inner(scratch, raw)
    np.abs(raw, scratch)
    np.negative(scratch, scratch)
    np.exp(scratch, scratch)
    np.log1p(scratch, scratch)
    return inner_rows(weight, np.add.reduce(scratch, -2)) + label_term


def _sigmoid_value_and_gradient(raw, target, weight, scratch):
    value = _sigmoid_value(raw, target, weight, scratch)
    # d loss / d raw = sigmoid(raw) - label, both times the weight.
    expit(raw, raw)
    np.multiply(raw, weight[..., np.newaxis, :], raw)
    np.subtract(raw, target, raw)
    return value


def _sigmoid(raw):
    expit(raw, out=raw)


def _log_sigmoid(raw):
    # log(sigmoid(raw)) = -log(1 + exp(-raw))
    np.negative(raw, out=raw)
    np.logaddexp(raw, 0, out=raw)
    np.negative(raw, out=raw)


def _logits_of_frequencies(labels, weight, n_labels):
    frequencies = np.average(labels, axis=0, weights=at_most_1(weight))
    lowest = MIN_ODDS / (1 + MIN_ODDS)
    return logit(np.clip(frequencies, lowest, 1 - lowest))


def _column_numbers(y):
    return np.arange(y.shape[1])


def _indicator(y, classes, name):
    if y.shape[1] != len(classes):
        raise ValueError(
            f"{name} has {y.shape[1]} columns, but there are {len(classes)} labels."
        )
    if not np.array_equal(classes, _column_numbers(y)):
        raise ValueError(
            f"classes of a multilabel y are the numbers of its columns, got {classes}."
        )
    return y


def _write_indicator(labels, out, smoothing):
    n_batches, n_labels, batch_size = out.shape
    labels = labels.reshape(n_batches, batch_size, n_labels)
    np.copyto(out, labels.transpose(0, 2, 1))
    _smooth(out, smoothing, 2)


def _more_likely_than_not(probabilities, classes):
    return (probabilities > 0.5).astype(int)


def _smooth(target, smoothing, n_values):
    """Spread a share of the target evenly over the values that it can have.

    C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision
    (2016), arXiv:1512.00567.
    """
    if smoothing:
        np.multiply(target, 1 - smoothing, out=target)
        np.add(target, smoothing / n_values, out=target)


def at_most_1(weight):
    """Return weights whose sums neither overflow nor vanish; only ratios matter."""
    if weight is None:
        return None
    with np.errstate(under="ignore"):
        return weight / weight.max()


def inner(a, b):
    """Return the sum of the products of two matrices, of stacks that of each member.

    Where only one of them is a stack, the other one belongs to each member.
    """
    if a.ndim == b.ndim == 2:
        return float(np.vdot(a, b))
    return inner_rows(*(c.reshape(*c.shape[:-2], -1) for c in (a, b)))


def inner_rows(a, b):
    """Return the same for arrays with one axis less."""
    if a.ndim == b.ndim == 1:
        return float(a.dot(b))
    # Costs are added up over an epoch: in float64, as those of one network.
    return np.vecdot(a, b).astype(np.float64)


LOSSES: dict[str, Any] = {
    "softmax": Loss(
        value=_softmax_value,
        value_and_gradient=_softmax_value_and_gradient,
        scratch=_softmax_scratch,
        link=_softmax,
        log_link=_log_softmax,
        out_activation="softmax",
        initial_bias=_log_frequencies,
        find_classes=_sorted_labels,
        encode=_class_indices,
        write_target=_write_one_hot,
        decode=_most_probable,
        exclusive=True,
    ),
    "sigmoid": Loss(
        value=_sigmoid_value,
        value_and_gradient=_sigmoid_value_and_gradient,
        scratch=np.empty_like,
        link=_sigmoid,
        log_link=_log_sigmoid,
        out_activation="logistic",
        initial_bias=_logits_of_frequencies,
        find_classes=_column_numbers,
        encode=_indicator,
        write_target=_write_indicator,
        decode=_more_likely_than_not,
        exclusive=False,
    ),
    "squared_error": _regression.SQUARED,
    "absolute_error": _regression.ABSOLUTE,
    "huber": _regression.HUBER,
    "quantile": _regression.QUANTILE,
    "poisson": _regression.POISSON,
}
