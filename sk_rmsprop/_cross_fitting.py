"""Cross-fitting: several networks of one classifier, each without a fold."""

import copy
from functools import partial
from typing import NamedTuple

import numpy as np

from sk_rmsprop._base import check_score
from sk_rmsprop._data import Data, Samples
from sk_rmsprop._scikit_learn import Validation
from sk_rmsprop._training import Member, Stack


class Cut(NamedTuple):
    """What the networks of all base classifiers are trained on.

    Attributes
    ----------
    samples : Samples
    data : Data
    class_weight : ndarray or None
    folds : list of ndarray of int, or None
        The rows of each fold.
    masked : Data
        Dense data in which each member gives the samples of its fold no weight.
    """

    samples: Samples
    data: Data
    class_weight: np.ndarray | None
    folds: list | None
    masked: Data

    @classmethod
    def of(cls, samples, data, class_weight, folds):
        """Return the same for some folds."""
        return cls(samples, data, class_weight, folds, _masked(data, folds))


class CrossFit:
    """The networks of one base classifier in training.

    Parameters
    ----------
    base : RMSpropMLPClassifier
        Not fitted.
    cut : Cut
    n_members : int
        Number of networks: that of folds, if there are any.
    rng : numpy.random.RandomState
        Draws the members' seeds.
    """

    def __init__(self, base, cut, n_members, rng):
        self.base = base
        self.target = cut.samples.target
        if cut.folds is None:
            base.early_stopping = False  # There is nothing to validate on.
        plan = base._plan(cut.samples, cut.data)
        self.encoding, self.network, self.options = plan
        seeds = rng.randint(np.iinfo(np.int32).max, size=n_members)
        states = [
            base._make_state(
                self.network, self.encoding, int(seed), cut.data, self.options, False
            )
            for seed in seeds
        ]
        validations = [None] * n_members
        if base.early_stopping:
            validations = self._validations(cut, states[0].params.dtype)
        self.members = [
            Member(state, self.options, validate=validate)
            for state, validate in zip(states, validations, strict=True)
        ]
        self.stacks = _stacks(self.network, self.members, cut)

    def _validations(self, cut, dtype):
        """Return the validation of each network on its fold."""
        base, network = self.base, self.network
        attributes = partial(base._fitted_attributes, network, self.target)
        remedy = "decrease n_folds"
        return [
            Validation(
                base,
                cut.samples,
                fold,
                cut.class_weight,
                network,
                attributes,
                dtype,
                remedy,
            )
            for fold in cut.folds
        ]

    def check_scores(self):
        """Raise if early stopping had no score to select an epoch by."""
        for member in self.members:
            check_score(member.final_result(), member.validate, self.base.scoring)

    def fitted(self, result):
        """Return a network as a fitted classifier."""
        model = copy.copy(self.base)
        result = result._replace(state=result.state.without_averages())
        attributes = self.base._fitted_attributes(self.network, self.target, result)
        model.__dict__.update(attributes)
        return model


def _stacks(network, members, cut):
    """Return the members as one stack; of sparse data, each as one of its own."""
    if isinstance(cut.data.X, np.ndarray):
        return [Stack(network, members, cut.masked)]
    parts = [cut.data] * len(members)
    if cut.folds is not None:
        rows = cut.data.rows
        parts = [cut.data._replace(rows=np.setdiff1d(rows, f)) for f in cut.folds]
    return [
        Stack(network, [member], part)
        for member, part in zip(members, parts, strict=True)
    ]


def _masked(data, folds):
    """Return data in which each member gives the samples of its fold no weight."""
    if folds is None or not isinstance(data.X, np.ndarray):
        return data
    n_samples = len(data.target)
    weight = np.ones(n_samples) if data.weight is None else data.weight
    weights = np.repeat(weight[np.newaxis], len(folds), axis=0)
    for row, fold in zip(weights, folds, strict=True):
        row[fold] = 0.0
    return data._replace(weight=weights)
