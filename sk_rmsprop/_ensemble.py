"""The ensemble: cross-fitted networks, trained as stacks, calibrated and pooled."""

import warnings
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_rmsprop import _rules as rules
from sk_rmsprop._base import WARNING_STACKLEVEL
from sk_rmsprop._classifier import RMSpropMLPClassifier
from sk_rmsprop._cross_fitting import CrossFit, Cut
from sk_rmsprop._data import (
    Target,
    class_weight_of,
)
from sk_rmsprop._encoding import warn_of_identifiers
from sk_rmsprop._fitted import STATE_FORMAT, StoredEstimator
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._pool import (
    Group,
    deal_folds,
    fit_weights,
    log_mean_probabilities,
    mean_probabilities,
    pooled,
    raw_left_out,
)
from sk_rmsprop._predictions import ClassPredictor, MatrixLike
from sk_rmsprop._scikit_learn import (
    FitCallbacks,
    Interval,
    StrOptions,
    check_params,
    draw_seed,
    has_callbacks,
    read_samples,
    read_X,
    unchanged_on_failure,
    validating_parameters,
)
from sk_rmsprop._training import mean_record, train


class RMSpropMLPEnsembleClassifier(ClassPredictor, StoredEstimator):
    """Ensemble of multilayer perceptrons, cross-fitted and calibrated.

    Of each base classifier, `n_folds` networks are trained, each of which leaves out
    one fold of the samples. What they predict for the samples that they have not seen
    calibrates them: it determines a temperature and the weights of the base
    classifiers. The networks of a base classifier are trained as one stack of arrays,
    on the same mini-batches.

    On average its predictions are better than those of `RMSpropMLPClassifier`, above
    all its probabilities; training takes two to three times as long, with few columns
    up to six times. It takes what a single network takes: arrays, data frames with
    missing values and categories, sparse matrices. It does not support `partial_fit`.

    Parameters
    ----------
    estimators : list of RMSpropMLPClassifier, default=None
        The base classifiers. None stands for two that complement each other: one hidden
        layer with a strong penalty, on numbers as they are, and two hidden layers on
        the piecewise-linear encoding of numbers (see the notes). Their `random_state`
        and `verbose` are ignored; `categorical_features` and `class_weight` are
        parameters of the ensemble. One with ``early_stopping=True`` keeps the best
        epoch of each network, by the fold that it left out.
    n_folds : int, default=4
        Number of folds, from 2 to the number of samples. With fewer than 64 samples
        each network is trained on all of them, and the prediction is the plain average.
    categorical_features : array-like or "from_dtype", default="from_dtype"
        The categorical columns, as in `RMSpropMLPClassifier`.
    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply `sample_weight`. They count in training
        and in calibration.
    random_state : int, RandomState instance or None, default=None
        Controls the folds, weight initialization, shuffling and dropout.
    verbose : bool or int, default=False
        Whether to print the mean cost of the networks after every epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted. For multilabel `y`, the column numbers.
    estimators_ : list of list of RMSpropMLPClassifier
        The fitted networks: a list for each base classifier, with one network for each
        fold. Their optimizers start anew if they are trained further.
    pool_weights_ : ndarray of shape (n_estimators,)
        Weights of the base classifiers' raw outputs; they sum to 1.
    temperature_ : float
        What the weighted sum of raw outputs is divided by. It is above 1 where the
        networks are overconfident.
    oof_log_loss_ : float or None
        Mean loss of the samples, each predicted by the networks that have not seen it:
        for one class per sample the log-loss, for multilabel `y` the sum over labels.
        None without folds.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all of them are strings.
    n_iter_ : int
        Number of epochs, of the network that was trained longest.
    history_ : list of dict
        A record of every epoch, with means over the networks that were trained in it:
        "epoch", "learning_rate", "loss" and, if all base classifiers stop early,
        "validation_loss" and "validation_score", whatever their `scoring` is.

    See Also
    --------
    RMSpropMLPClassifier : A single network.

    Notes
    -----
    Network k of base classifier g has the raw outputs ``raw[g, k]``. With weights
    ``w = pool_weights_ / temperature_`` the probabilities are the mean over k of
    ``softmax(sum_g w[g] * raw[g, k])``. The weights are not negative; they minimize the
    log-loss of the samples left out, each predicted by the networks that left it out,
    plus ``sum((w - 1 / n_estimators)**2) / n_samples``. This is convex.

    Encodings and initial biases are those of all samples. Members of a stack share the
    mini-batches; in the cost of a member, samples of its fold have weight 0. With
    folds, a sample of weight 2 is not the same as two samples, which may be in
    different folds.

    By default, the base classifiers have these parameters, where they differ from the
    defaults of `RMSpropMLPClassifier`:

    - both: a learning rate of 0.01, mini-batches of at least 64 samples, a weight decay
      of at most 0.03, and, with folds, float32
    - the first one: 64 hidden units, ``numerical_encoding="robust"`` and
      ``alpha=min(max(3, 30 / n_classes) / n_samples, 0.05)``
    - the second one: two hidden layers of 64 units, ``numerical_encoding="piecewise"``

    On sparse data there is one base classifier, of default parameters.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On Calibration of Modern Neural
    Networks, 2017, arXiv:1706.04599.

    L. Breiman, Stacked Regressions, Machine Learning 24, 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.metrics import log_loss
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_rmsprop import RMSpropMLPEnsembleClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     X, y, stratify=y, random_state=0
    ... )
    >>> clf = RMSpropMLPEnsembleClassifier(random_state=0).fit(X_train, y_train)
    >>> log_loss(y_test, clf.predict_proba(X_test)) < 0.1
    True
    """

    _constraints: ClassVar[dict] = {
        "estimators": [list, None],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _fitted_mark = "estimators_"

    estimators_: list[list[RMSpropMLPClassifier]]
    pool_weights_: NDArray[np.float64]
    temperature_: float
    oof_log_loss_: float | None
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_iter_: int
    history_: list[dict[str, float]]

    def __init__(
        self,
        estimators: list[RMSpropMLPClassifier] | None = None,
        *,
        n_folds: int = 4,
        categorical_features: ArrayLike | Literal["from_dtype"] | None = "from_dtype",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.estimators = estimators
        self.n_folds = n_folds
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    @unchanged_on_failure
    @validating_parameters
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the networks and calibrate them.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The training data, as in `RMSpropMLPClassifier.fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type; a 2-D array of zeros and ones is multilabel.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights. They count in training and in calibration.

        Returns
        -------
        self : RMSpropMLPEnsembleClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid, or training diverges. The
            estimator is then as it was before.

        Warns
        -----
        UserWarning
            If training was interrupted (Ctrl-C). The networks are as they were after
            the last complete epoch, with early stopping after the best one, and
            calibrated. Ctrl-C during calibration leaves the estimator as it was.
        """
        samples = read_samples(self, X, y, sample_weight, Target.of_labels)
        rng = np.random.RandomState(draw_seed(self.random_state))
        rows = samples.rows(class_weight_of(self.class_weight, samples), "sample")
        class_weight = class_weight_of(self.class_weight, samples, rows)
        data = samples.data(rows, class_weight)
        folds = self._folds(rows, samples.target.strata, rng)
        cut = Cut.of(samples, data, class_weight, folds)
        trainings = [
            CrossFit(base, cut, self.n_folds, rng)
            for base in self._bases(data, samples.target)
        ]
        warn_of_identifiers(trainings[0].encoding, len(rows), WARNING_STACKLEVEL)
        attributes = partial(self._fitted_attributes, trainings, data, folds)
        max_iter = max(training.options.max_iter for training in trainings)
        callbacks = FitCallbacks(self, max_iter, attributes)
        callbacks.begin_fit(X, y, sample_weight)
        stacks = [stack for training in trainings for stack in training.stacks]
        results = train(stacks, callbacks, verbose=self.verbose)
        for training in trainings:
            training.check_scores()
        self.__dict__.update(attributes(results))
        self._report_end(callbacks, results)
        return self

    # --- Before training ---

    def _folds(self, rows, strata, rng):
        """Return the rows of each fold; None if there are too few for folds."""
        if len(rows) < rules.MIN_SAMPLES_FOR_FOLDS:
            return None
        if len(rows) < self.n_folds:
            raise ValueError(
                f"n_folds={self.n_folds} is larger than n_samples={len(rows)}."
            )
        return deal_folds(rows, strata, self.n_folds, rng)

    def _bases(self, data, target):
        """Return the base classifiers, to be fitted to these data."""
        if self.estimators is not None:
            bases = [_checked(base) for base in self.estimators]
            if not bases:
                raise ValueError("estimators is an empty list; None is the default.")
        else:
            choices = [{}]
            if isinstance(data.X, np.ndarray):
                n_samples, n_features = len(data.rows), data.X.shape[1]
                choices = rules.auto_estimators(n_samples, n_features, target.n_outputs)
            bases = [RMSpropMLPClassifier(**parameters) for parameters in choices]
        for base in bases:
            base.categorical_features = self.categorical_features
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, name):
                    setattr(base, name, getattr(self, name))
        return bases

    # --- After training ---

    def _fitted_attributes(self, trainings, data, folds, results):
        """Return the attributes that make the ensemble fitted."""
        results = iter(results)
        estimators, histories = [], []
        for training in trainings:
            members = [result for _ in training.stacks for result in next(results)]
            estimators.append([training.fitted(member) for member in members])
            histories += [member.history for member in members]
        target = trainings[0].target
        equal = np.full(len(estimators), 1 / len(estimators))
        weights, value = equal, None
        if folds is not None:
            raw = raw_left_out(_groups(estimators), data.X, folds)
            left_out = data._replace(rows=np.concatenate(folds))
            weights, value = fit_weights(target.loss, raw, left_out)
        # All are 0 if nothing is better than to predict all classes alike.
        total = weights.sum()
        return {
            "classes_": target.classes,
            "estimators_": estimators,
            "pool_weights_": weights / total if total > 0 else equal,
            "temperature_": float(1 / total) if total > 0 else np.inf,
            "oof_log_loss_": value,
            "n_iter_": max(map(len, histories)),
            "history_": _mean_history(histories),
            "_state_format": STATE_FORMAT,
        }

    def _report_end(self, callbacks, results):
        """Tell callbacks and the user that training has ended."""
        reasons = {result.stop_reason for members in results for result in members}
        try:
            callbacks.end_fit()
        except KeyboardInterrupt:
            reasons.add("interrupted")
        if "interrupted" in reasons:
            warnings.warn(
                f"Training was interrupted after {self.n_iter_} epochs. The networks "
                "are those of the last one, with early stopping those of their best.",
                stacklevel=WARNING_STACKLEVEL,
            )

    # --- Predictions ---

    def _fitted_loss(self):
        check_is_fitted(self)
        return LOSSES[self.estimators_[0][0]._network.loss]

    def _probabilities(self, X):
        return np.concatenate(list(self._blocks(X, mean_probabilities)))

    def _log_probabilities(self, X):
        return np.concatenate(list(self._blocks(X, log_mean_probabilities)))

    def _probability_blocks(self, X):
        return self._blocks(X, mean_probabilities)

    def _blocks(self, X, mean):
        """Yield what a mean makes of the pools' raw outputs, in blocks of rows."""
        loss = self._fitted_loss()
        # All of one model, though another thread may be refitting it.
        fitted = vars(self).copy()
        groups = _groups(fitted["estimators_"])
        _, X = read_X(self, X, groups[0].encoding.table)
        weights = fitted["pool_weights_"] / fitted["temperature_"]
        for raw in pooled(groups, weights, X):
            yield mean(raw, loss)


def _checked(base):
    """Return a copy of a base classifier that may be part of an ensemble."""
    if not isinstance(base, RMSpropMLPClassifier):
        raise TypeError(
            f"estimators must be RMSpropMLPClassifier objects, got {base!r}."
        )
    check_params(base)
    of_ensemble = {"categorical_features": "from_dtype", "class_weight": None}
    for name, default in of_ensemble.items():
        value = getattr(base, name)
        if not (isinstance(value, type(default)) and value == default):
            raise ValueError(
                f"{name} is a parameter of the ensemble; one of its estimators has "
                f"{name}={value!r}."
            )
    if base.warm_start:
        raise ValueError("warm_start=True is not supported in an ensemble.")
    if has_callbacks(base):
        raise ValueError("Set callbacks on the ensemble, not on its estimators.")
    return clone(base)


def _groups(estimators):
    """Return fitted networks by their encodings."""
    return [
        Group(
            members[0]._network,
            members[0]._state.encoding,
            [member._state.params for member in members],
        )
        for members in estimators
    ]


def _mean_history(histories):
    """Return a record for each epoch, with means over the networks trained in it.

    It has what the records of all networks have.
    """
    names = set.intersection(*(set(history[0]) for history in histories))
    return [
        mean_record([history[i] for history in histories if len(history) > i], names)
        for i in range(max(map(len, histories)))
    ]
