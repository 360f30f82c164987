"""The scikit-learn estimator.

Beside `_callbacks` the only file that knows scikit-learn's internals: it turns
parameters and data into what `_training` takes, and the result into fitted attributes.
"""

import copy
import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse, sparray, spmatrix
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    make_constraint,
)
from sklearn.utils._param_validation import Options as OneOf
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import _approximate_mode
from sklearn.utils.multiclass import (
    check_classification_targets,
    is_multilabel,
    type_of_target,
)
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sk_rmsprop import _training
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._callbacks import CallbackSupportMixin, FitCallbacks
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._network import Network
from sk_rmsprop._rmsprop import RMSprop
from sk_rmsprop._schedules import SCHEDULES
from sk_rmsprop._standardization import Standardization

FLOAT_DTYPES = [np.float64, np.float32]

# Saved with a fitted model. A release that changes what `_state` and its like hold
# takes the next number, and either reads the models of earlier ones or refuses them.
STATE_FORMAT = 1

MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix
Method = TypeVar("Method", bound=Callable)

DOCUMENTATION_URL = "https://sk-rmsprop.readthedocs.io/en/stable"


def _unchanged_on_failure(method: Method) -> Method:
    """Make a method that raises leave the estimator as it was before the call.

    Training replaces what the estimator refers to and never changes it, so that it is
    enough to put the references back. Only a generator that the user passed as
    `random_state` is changed, by drawing the seed.
    """

    @functools.wraps(method)
    def unchanged_on_failure(estimator, *args, **kwargs):
        before = estimator.__dict__.copy()
        random_state = estimator.random_state
        if isinstance(random_state, np.random.RandomState):
            generator_before = random_state.get_state(legacy=False)
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            # In this order, as another thread may be predicting meanwhile.
            estimator.__dict__.update(before)
            for name in estimator.__dict__.keys() - before.keys():
                del estimator.__dict__[name]
            if isinstance(random_state, np.random.RandomState):
                random_state.set_state(generator_before)
            raise

    return cast(Method, unchanged_on_failure)


def _validating_parameters(method: Method) -> Method:
    """Wrap a `fit` in scikit-learn's context, without losing its type."""
    return _fit_context(prefer_skip_nested_validation=True)(method)


class RMSpropMLPClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Multilayer-perceptron classifier trained by RMSprop.

    A network of dense layers with softmax outputs that minimises the mean
    cross-entropy by mini-batch RMSprop (see `RMSprop` for its formula). It is a
    scikit-learn estimator throughout: it works in a ``Pipeline``, under
    ``GridSearchCV``, with ``partial_fit``, sample weights, sparse inputs, and it can
    be pickled and then trained further exactly as if it had not been.

    The defaults are meant to be good without tuning, for tables of some hundred to
    some hundred thousand rows: one wide layer, in standardised coordinates, small
    batches, a high rate that falls along a cosine, as many epochs as the number of rows
    asks for, and a penalty that fades as rows get more.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Sizes of the hidden layers. ``()`` is softmax regression; its weights start
        at 0, as the problem is convex.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", \
            "logistic", "identity"}, default="relu"
        Activation function of the hidden layers. "gelu" is the exact one, with the
        error function.
    standardize : bool or "auto", default="auto"
        Whether to subtract from every feature its mean and divide it by its standard
        deviation before it enters the network. Both are the weighted ones of the
        first data seen (of the training part, with early stopping) and stay; the
        deviation of a constant feature counts as 1. `X` is neither copied nor
        densified, and `coefs_` and `intercepts_` apply to `X` as it is. "auto" does
        so if the first data are dense: rare features, such as the words of a text,
        would get too much weight.
    learning_rate : float, default=0.005
        Size of RMSprop's steps: about how much a weight changes in one of them.
    beta : float, default=0.9
        Decay of the average of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of that average.
    momentum : float, default=0.0
        Momentum of the scaled gradient, in [0, 1).
    nesterov : bool, default=False
        Whether the momentum is Nesterov's.
    centered : bool, default=False
        Whether gradients are divided by the root of their variance instead of their
        mean square.
    learning_rate_schedule : {"constant", "linear", "cosine", "one_cycle", \
            "plateau"}, default="cosine"
        How the learning rate changes from epoch to epoch. "linear", "cosine" and
        "one_cycle" follow the progress of the `fit`, epochs divided by `max_iter`,
        and end at 1 % of `learning_rate`. "plateau" divides it by 5 when
        `n_iter_no_change` epochs in a row have not lowered the training cost by more
        than `tol`, and stops below 1e-6.
    alpha : float or "auto", default="auto"
        L2 penalty: ``alpha / 2`` times the sum of the squared weights is added to
        the cost of every batch. Unlike in MLPClassifier it is not divided by the
        number of rows, so that it means the same for every batch size. Biases are
        not penalised. "auto" is ``min(3 / n_samples, 0.01)``, with the rows of a
        `fit`, and in `partial_fit` those of the call or, if they were more, of the
        epochs so far on the average.
    weight_decay : float, default=0.03
        Decoupled decay: weights (not biases) shrink by the factor
        ``1 - learning_rate * weight_decay`` before every update.
    dropout : float, default=0.0
        Probability, in [0, 1), of leaving out each output of a hidden layer during
        training.
    label_smoothing : float, default=0.0
        Part of each label, in [0, 1), that is spread evenly over all classes.
    max_grad_norm : float, default=None
        Gradients of a larger Euclidean norm, over all parameters together, are
        scaled down to it.
    batch_size : int or "auto", default="auto"
        Rows per update, at most all. "auto" is all of up to 64 rows, then 32; from
        32,000 rows on a thousandth of them, and from 256 features on an eighth of
        these, the larger of the two rounded up to a power of two and at most 256.
    max_iter : int or "auto", default="auto"
        Largest number of epochs of a `fit`. "auto" is ``ceil(30_000 / n_samples)``,
        but at least 20 and at most 100. A `partial_fit` that no `fit` came before
        then is taken for a part of a stream, of which nobody knows the length: it
        keeps to `learning_rate` instead of following the schedule, and
        ``alpha="auto"`` is 0.
    tol : float, default=1e-4
        An epoch that improves the best cost (with `early_stopping`: the best
        validation score) by no more than `tol` counts as no improvement.
    n_iter_no_change : int or np.inf, default=10
        Number of epochs in a row without improvement after which `fit` stops.
    early_stopping : bool, default=False
        Whether to validate after every epoch, stop by the validation score, and
        return the model as it was after its best epoch (of equals, the later).
    validation_fraction : float, default=0.1
        Part of the rows, stratified by class, that `early_stopping` holds out where
        `fit` is given no `X_val`. At least one row of every class stays in training.
    scoring : str or callable, default="loss"
        Validation score: "loss" is minus the validation loss; otherwise the name of
        a scorer or a callable ``scorer(estimator, X, y)``. In the loss the weights
        of classes and samples count; a scorer is passed the samples' alone, and no
        rows whose weight is 0.
    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply `sample_weight`. "balanced" makes the
        total weights of all classes in the training part equal.
    shuffle : bool, default=True
        Whether to shuffle the rows in every epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the start weights, shuffling, dropout and what is held out.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last call left off, the optimiser's state
        included.
    verbose : bool or int, default=False
        Whether to print the cost of every epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted. For multilabel `y`, the column numbers.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where all are strings.
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of the layers: views into the model's parameters. With `standardize`
        the first is computed from them, to apply to `X` as it is.
    intercepts_ : list of ndarray of shape (fan_out,)
        Biases of the layers, likewise.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs: one per class, or per label of a multilabel `y`.
    out_activation_ : str
        "softmax", or "logistic" for multilabel `y`.
    optimizer_ : RMSprop
        The optimiser, with its state.
    n_iter_ : int
        Epochs run by the last `fit`; 1 after a `partial_fit`.
    t_ : int
        Training rows seen so far, counted once per epoch.
    loss_ : float
        Mean cost of the epoch whose model this is.
    best_loss_ : float or None
        Lowest mean cost of an epoch; None with `early_stopping`.
    cost_history_ : list of float
        Mean cost of every epoch so far.
    loss_curve_ : list of float
        The same, under MLPClassifier's name.
    validation_scores_ : list of float or None
        Validation score of every epoch in `history_` that was validated; None if
        none was.
    best_validation_score_ : float or None
        The best of the last `fit`, with a warm start and `early_stopping` that of
        the model it began with included; None if it validated nothing, and after
        `partial_fit`.
    history_ : list of dict
        A record of every epoch so far: "epoch", "learning_rate", "loss" and, where
        there was validation, "validation_loss" and "validation_score". After early
        stopping it includes the epochs after the best one, until training goes on.

    See Also
    --------
    RMSprop : The optimiser on its own.
    sklearn.neural_network.MLPClassifier : scikit-learn's network, trained by Adam,
        SGD or L-BFGS.

    Notes
    -----
    Training is a pure function of data, parameters and seed: ``k`` calls of
    `partial_fit` give bit for bit the weights of a `fit` on the same data, both with
    ``max_iter=k``, and pickling in between changes nothing. Sample weights mean
    repetition: the cost of a batch is ``sum(w * loss) / sum(w)``, and rows of weight
    0 are left out. A call that fails leaves the model as it was.

    Weights start as normal numbers of standard deviation ``sqrt(2 / fan_in)`` for
    "relu" (He et al.), and with the corresponding gain for the other activations;
    biases start at 0.

    References
    ----------
    T. Tieleman and G. Hinton, Lecture 6.5: RMSprop, COURSERA: Neural Networks for
    Machine Learning, 2012.

    K. He, X. Zhang, S. Ren and J. Sun, Delving Deep into Rectifiers, 2015,
    arXiv:1502.01852.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_rmsprop import RMSpropMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     X, y, stratify=y, random_state=0
    ... )
    >>> clf = make_pipeline(
    ...     StandardScaler(), RMSpropMLPClassifier(random_state=0)
    ... ).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.95
    True
    """

    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    n_iter_: int
    loss_: float
    best_loss_: float | None
    best_validation_score_: float | None
    history_: list[dict[str, float]]

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "standardize": ["boolean", StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterov": ["boolean"],
        "centered": ["boolean"],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES))],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            OneOf(Real, {np.inf}),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    _doc_link_module = "sk_rmsprop"
    _doc_link_template = f"{DOCUMENTATION_URL}/api/{{estimator_name}}.html"

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | NDArray[np.integer] = (256,),
        *,
        activation: str = "relu",
        standardize: bool | Literal["auto"] = "auto",
        learning_rate: float = 0.005,
        beta: float = 0.9,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        nesterov: bool = False,
        centered: bool = False,
        learning_rate_schedule: str = "cosine",
        alpha: float | Literal["auto"] = "auto",
        weight_decay: float = 0.03,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        max_grad_norm: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: str | Callable[..., float] = "loss",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        verbose: bool | int = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.standardize = standardize
        self.learning_rate = learning_rate
        self.beta = beta
        self.epsilon = epsilon
        self.momentum = momentum
        self.nesterov = nesterov
        self.centered = centered
        self.learning_rate_schedule = learning_rate_schedule
        self.alpha = alpha
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.class_weight = class_weight
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @_unchanged_on_failure
    @_validating_parameters
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data. float32 is computed in float32, anything else in
            float64. A C-ordered array of one of these is not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type; a 2-D array of zeros and ones is multilabel.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        X_val, y_val : array-like, default=None
            Validation data, of the same form as `X` and `y`. Their loss and score are
            recorded after every epoch; with `early_stopping` they are used instead
            of a part of `X`.
        sample_weight_val : array-like, default=None
            Weights of the validation data.

        Returns
        -------
        self : RMSpropMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or training diverges. The
            estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` ended a "constant" or "plateau" run without early stopping.
        UserWarning
            If training was interrupted (Ctrl-C). The model is as it was after the
            last epoch that was finished, with `early_stopping` after the best one.
        """
        going_on = self.warm_start and self.__sklearn_is_fitted__()
        job = self._prepare(X, y, sample_weight, going_on=going_on)
        job, validation = self._prepare_validation(job, X_val, y_val, sample_weight_val)
        n_rows = len(job.data.rows)
        options = self._options(job, n_rows, _training.auto_max_iter(n_rows))
        callbacks = FitCallbacks(self, options.max_iter, X, y, sample_weight)
        result = _training.train(
            job.network,
            job.state,
            job.data,
            options,
            history=job.history,
            validate=validation,
            early_stopping=self.early_stopping,
            monitor=_FitMonitor(self, job, callbacks),
        )
        undefined = result.best_score is not None and np.isnan(result.best_score)
        if undefined and result.stop_reason != "interrupted":
            raise ValueError(
                f"scoring={self.scoring!r} returned NaN after every epoch: early "
                "stopping has nothing to go by."
            )
        self._finish(job, result)
        try:
            callbacks.end_fit(dict)
        except KeyboardInterrupt:
            result = result._replace(stop_reason="interrupted")
        self._report_stop(result, options)
        return self

    @_unchanged_on_failure
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on one piece of data, going on from where things are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data; see `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The labels; they need not include all classes.
        classes : array-like of shape (n_classes,), default=None
            All classes there are. Needed at the first call (not for multilabel `y`).
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : RMSpropMLPClassifier
            The classifier.

        Raises
        ------
        ValueError
            As `fit` does; also with ``early_stopping=True`` or
            ``class_weight="balanced"``, which need all the data at once, and without
            `classes` at the first call.
        """
        self._check_params()
        self._check_partial_fit_allowed()
        going_on = self.__sklearn_is_fitted__()
        if classes is None and going_on:
            classes = self.classes_
        elif classes is None and not is_multilabel(y):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        job = self._prepare(X, y, sample_weight, going_on=going_on, classes=classes)
        job = self._complete(job)
        n_rows, state = len(job.data.rows), job.state
        # One more piece of data is no smaller than those that the model has seen.
        n_samples = max(n_rows, state.n_samples // max(1, state.n_epochs))
        options = self._options(job, n_samples, state.n_planned)
        record = _training.Epochs(job.network, job.state, job.data, options).run()
        job.history.append(record)
        self._finish(job, _training.TrainingResult(job.state, 1, None, "max_iter"))
        if self.verbose:
            _print_record(record)
        return self

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each row; for multilabel `y` 1 where a label's
            probability exceeds 0.5, else 0.
        """
        probabilities = self.predict_proba(X)
        if self._network.loss == "sigmoid":
            return (probabilities > 0.5).astype(int)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class, in the order of `classes_`; for multilabel
            `y`, of each label. float32 if `X` and the data of `fit` are.
        """
        return self._predict(X, LOSSES[self._fitted_network().loss].link)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict logarithms of probabilities.

        They are computed from the raw outputs, so that they are finite where the
        probability is too small for a float.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Natural logarithms of what `predict_proba` returns.
        """
        return self._predict(X, LOSSES[self._fitted_network().loss].log_link)

    @property
    def coefs_(self) -> list[NDArray[np.floating]]:
        """Weights of the layers, for `X` as it is."""
        return [coef for coef, _ in self._layers()]

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """Biases of the layers, for `X` as it is."""
        return [intercept for _, intercept in self._layers()]

    @property
    def optimizer_(self) -> RMSprop:
        """The optimiser, with its state."""
        return self._fitted_state().optimizer

    @property
    def t_(self) -> int:
        """Training rows seen so far."""
        return self._fitted_state().n_samples

    @property
    def cost_history_(self) -> list[float]:
        """Mean cost of every epoch so far."""
        return [record["loss"] for record in self.history_]

    @property
    def loss_curve_(self) -> list[float]:
        """The cost history, under MLPClassifier's name."""
        return self.cost_history_

    @property
    def validation_scores_(self) -> list[float] | None:
        """Validation score of every epoch; None if nothing was validated."""
        scores = [
            record["validation_score"]
            for record in self.history_
            if "validation_score" in record
        ]
        return scores or None

    def __setstate__(self, state):
        found = state.get("_state_format")
        if "_state" in state and found != STATE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was saved by another version of "
                f"sk-rmsprop, in format {found}; the installed one reads format "
                f"{STATE_FORMAT}. Load it with the version that has saved it."
            )
        super().__setstate__(state)

    def __sklearn_is_fitted__(self):
        return "_state" in self.__dict__

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    def _fitted_state(self):
        # As an AttributeError, so that hasattr() is False before fit.
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self._state

    def _fitted_network(self):
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # It raises, and takes too long to ask it always.
        return self._network

    def _layers(self):
        state = self._fitted_state()
        layers = self._network.layers(state.params)
        if state.standardization is not None:
            layers[0] = state.standardization.raw_layer(*layers[0])
        return layers

    def _predict(self, X, link):
        X = self._validate_X(X, dtype=FLOAT_DTYPES)
        state = self._state
        return self._network.predict(
            state.params, X, link, standardization=state.standardization
        )

    def _check_params(self):
        """Validate the parameters, in a fifth of the time of `_validate_params`.

        `_fit_context` would not validate them at all once the estimator is fitted, but
        `set_params` may have changed them.
        """
        for name, constraints in _constraints_of(type(self)).items():
            value = getattr(self, name)
            if not any(constraint.is_satisfied_by(value) for constraint in constraints):
                self._validate_params()  # It raises, and words the error.

    def _check_partial_fit_allowed(self):
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True.")
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" is not supported by partial_fit, which does '
                "not see all of y. Pass a dict, for example from "
                "sklearn.utils.class_weight.compute_class_weight."
            )

    def _prepare(self, X, y, sample_weight, *, going_on, classes=None):
        """Validate the data and return the `_Job` of training on them.

        `classes` are all there are, by default those in `y`. What is computed from
        the rows that are trained on is left to `_complete`.
        """
        X, y = self._validate_X_y(
            X,
            y,
            dtype=self._state.params.dtype if going_on else FLOAT_DTYPES,
            order="C",
            reset=not going_on,
        )
        if not (going_on and y.ndim == 1):  # Else _encode refuses what is no class.
            y = _check_labels(y, "y")
        classes_given = classes is not None
        if not classes_given:
            classes = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        elif not (going_on and classes is self.classes_):
            classes = _check_classes(classes)
            if y.ndim == 2 and len(classes) == y.shape[1]:
                _check_column_numbers(classes)
        if going_on:
            self._check_same_classes(classes, classes_given)
        target = _encode(y, classes, "y")
        sample_weight = _check_weight(sample_weight, X, "sample_weight")
        class_weight = self._given_class_weight(classes, target)
        weight, rows = _combine_weights(sample_weight, class_weight, target, "row")
        network = self._make_network(X.shape[1], len(classes), y.ndim == 2)
        if going_on:
            self._check_same_network(network)
            self._check_same_standardization()
        return _Job(
            classes=classes,
            class_weight=class_weight,
            sample_weight=sample_weight,
            network=network,
            state=self._next_state() if going_on else self._first_state(network, X),
            history=self.history_[: self._state.n_epochs] if going_on else [],
            data=_training.Data(X, target, weight, rows),
        )

    def _validate_X_y(self, X, y, *, dtype, order=None, reset):
        """Return X and y as arrays, X of the features that the estimator knows."""
        if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biu":
            # Whole numbers cannot be NaN or infinite. What scikit-learn would look for
            # in them takes longer than a step of a small network.
            X = self._validate_X(X, dtype=dtype, order=order, reset=reset)
            check_consistent_length(X, y)
            return X, y
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=dtype,
            order=order,
            multi_output=True,
            reset=reset,
        )

    def _validate_X(self, X, *, dtype, order=None, reset=False):
        """Return X as an array of the features that the estimator knows."""
        if not reset and self._is_plain(X, dtype):
            return X
        return validate_data(
            self, X, accept_sparse="csr", dtype=dtype, order=order, reset=reset
        )

    def _is_plain(self, X, dtype):
        """Return whether there is nothing to convert in `X`, nor to complain about.

        Finding that out oneself spares a single row most of its time: scikit-learn's
        validation takes several times as long as the network.
        """
        if (
            type(X) is not np.ndarray
            or X.ndim != 2
            or "feature_names_in_" in vars(self)
        ):
            return False
        right_dtype = X.dtype in dtype if isinstance(dtype, list) else X.dtype == dtype
        right_shape = X.shape[0] > 0 and X.shape[1] == self.n_features_in_
        if not (right_dtype and right_shape and X.flags.c_contiguous):
            return False
        with np.errstate(all="ignore"):
            return bool(np.isfinite(X.sum()))

    def _make_network(self, n_features, n_outputs, multilabel):
        hidden = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, Integral) else hidden
        ordered = isinstance(hidden, Sequence) or getattr(hidden, "ndim", 0) == 1
        if not ordered or not all(
            isinstance(size, Integral) and size > 0 for size in hidden
        ):
            raise ValueError(
                "hidden_layer_sizes must be positive integers, got "
                f"{self.hidden_layer_sizes!r}."
            )
        sizes = (n_features, *map(int, hidden), n_outputs)
        loss = "sigmoid" if multilabel else "softmax"
        return Network(sizes, self.activation, loss)

    def _first_state(self, network, X):
        seed = _draw_seed(self.random_state)
        bit_generator = np.random.PCG64(seed)
        params = network.initial_params(np.random.Generator(bit_generator), X.dtype)
        optimizer = self._make_optimizer()
        return _training.TrainingState(params, optimizer, seed, bit_generator.state)

    def _next_state(self):
        """Return a copy of the state, with the optimiser's parameters of now."""
        optimizer = self._make_optimizer()
        optimizer.take_state(self._state.optimizer)
        return self._state.copy(optimizer)

    def _make_optimizer(self):
        return RMSprop(
            self.learning_rate,
            beta=self.beta,
            epsilon=self.epsilon,
            momentum=self.momentum,
            nesterov=self.nesterov,
            centered=self.centered,
            weight_decay=self.weight_decay,
        )

    def _options(self, job, n_samples, auto_max_iter):
        """Return the options of the epochs of a job.

        `n_samples` is the number that "auto" stands for in the rule of `alpha`, and
        `auto_max_iter` that of the epochs, where None is for a stream: nobody knows
        how many epochs and rows there will be.
        """
        max_iter = auto_max_iter if self.max_iter == "auto" else int(self.max_iter)
        batch_size, alpha = self.batch_size, self.alpha
        n_rows, n_features = len(job.data.rows), job.network.layer_sizes[0]
        if batch_size == "auto":
            batch_size = _training.auto_batch_size(n_rows, n_features)
        if alpha == "auto":
            alpha = 0.0 if max_iter is None else _training.auto_alpha(n_samples)
        max_norm = self.max_grad_norm
        # Python floats: with NumPy's float64 numbers float32 arithmetic would widen.
        return _training.Options(
            learning_rate=float(self.learning_rate),
            learning_rate_schedule=self.learning_rate_schedule,
            alpha=float(alpha),
            dropout=float(self.dropout),
            label_smoothing=float(self.label_smoothing),
            max_grad_norm=None if max_norm is None else float(max_norm),
            batch_size=int(min(batch_size, n_rows)),
            shuffle=bool(self.shuffle),
            max_iter=max_iter,
            tol=float(self.tol),
            n_iter_no_change=self.n_iter_no_change,
        )

    def _check_same_classes(self, classes, given):
        if np.array_equal(classes, self.classes_):
            return
        if given:
            raise ValueError(
                f"classes must be the same in every call of partial_fit. They were "
                f"{self.classes_}, now they are {classes}."
            )
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the "
            f"previous call to fit. Previously got {self.classes_}, `y` has {classes}."
        )

    def _check_same_network(self, network):
        if network != self._network:
            raise ValueError(
                f"Going on with a fitted model (warm_start=True or partial_fit) needs "
                f"the same hidden_layer_sizes, activation and kind of y. It has "
                f"{self._network}, these parameters and y ask for {network}."
            )

    def _check_same_standardization(self):
        is_on = self._state.standardization is not None
        if self.standardize not in ("auto", is_on):
            raise ValueError(
                "Going on with a fitted model (warm_start=True or partial_fit) needs "
                f"the same standardize; it is now {self.standardize}."
            )

    def _complete(self, job):
        """Return the job with what is computed from the rows that are trained on.

        These are balanced class weights and, at the start of training, the
        standardisation.
        """
        data, state = job.data, job.state
        if self.class_weight == "balanced":
            job = _balanced(job)
            data = job.data
        wanted = self.standardize
        if wanted == "auto":
            wanted = state.n_epochs == 0 and isinstance(data.X, np.ndarray)
        if wanted and state.standardization is None:
            standardization = Standardization.of(data.X, data.rows, data.weight)
            state = replace(state, standardization=standardization)
        data = data._replace(standardization=state.standardization)
        return job._replace(state=state, data=data)

    def _given_class_weight(self, classes, target):
        """Return the weights of the classes where they are given, or None."""
        if self.class_weight is None:
            return None
        if target.ndim == 2:
            raise ValueError(
                "class_weight is not supported for multilabel y; use sample_weight."
            )
        if isinstance(self.class_weight, dict):
            return _weight_from_dict(self.class_weight, classes)
        return None

    def _prepare_validation(self, job, X_val, y_val, sample_weight_val):
        """Return the complete job, without what is held out, and its `_Validation`.

        The latter is None where nothing is to be validated.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together.")
        if sample_weight_val is not None and X_val is None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        if X_val is not None:
            job = self._complete(job)
            return job, self._given_validation(job, X_val, y_val, sample_weight_val)
        if self.early_stopping:
            job, held_out = self._hold_out(job)
            job = self._complete(job)
            return job, self._held_out_validation(job, held_out)
        return self._complete(job), None

    def _given_validation(self, job, X_val, y_val, sample_weight_val):
        """Return the validation on the data that `fit` was given for it."""
        X, y = self._validate_X_y(
            X_val, y_val, dtype=job.state.params.dtype, reset=False
        )
        y = _check_labels(y, "y_val")
        if y.ndim != job.data.target.ndim:
            raise ValueError("y_val must be of the same kind as y, multilabel or not.")
        target = _encode(y, job.classes, "y_val")
        sample_weight = _check_weight(sample_weight_val, X, "sample_weight_val")
        weight, rows = _combine_weights(
            sample_weight, job.class_weight, target, "validation row"
        )
        data = job.data._replace(X=X, target=target, weight=weight, rows=rows)
        return self._validation_on(rows, job, data, y, sample_weight)

    def _hold_out(self, job):
        """Return the job without the held-out rows, and these."""
        training_rows, held_out = self._split(job.data, job.state.seed)
        return job._replace(data=job.data._replace(rows=training_rows)), held_out

    def _held_out_validation(self, job, held_out):
        """Return the validation on the held-out rows."""
        target = job.data.target
        y = target if target.ndim == 2 else job.classes[target]
        return self._validation_on(held_out, job, job.data, y, job.sample_weight)

    def _validation_on(self, rows, job, data, y, sample_weight):
        """Return the validation on some rows of the data."""
        if len(rows) < len(y):
            X, target, y = data.X[rows], data.target[rows], y[rows]
            weight = None if data.weight is None else data.weight[rows]
            sample_weight = None if sample_weight is None else sample_weight[rows]
            rows = np.arange(len(rows))
            data = data._replace(X=X, target=target, weight=weight, rows=rows)
        return _Validation(self, job, data, y, sample_weight)

    def _split(self, data, seed):
        """Return the rows that stay in training and those that are held out."""
        rng = np.random.RandomState(seed)
        rows = rng.permutation(data.rows)
        # A multilabel y is split as if it had one class.
        multilabel = data.target.ndim == 2
        codes = np.zeros(len(rows), int) if multilabel else data.target[rows]
        # One row of each class stays in training, the others can be held out.
        n_spare = np.maximum(np.bincount(codes) - 1, 0)
        n_held_out = min(ceil(len(rows) * self.validation_fraction), n_spare.sum())
        if not n_held_out:
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction="
                f"{self.validation_fraction} of n_samples={len(rows)} rows: one of "
                "each class stays in training, and there are no others. Pass more "
                "rows, or X_val and y_val, to fit, or set early_stopping=False."
            )
        counts = _approximate_mode(n_spare, n_held_out, rng)
        held_out = [rows[codes == i][:count] for i, count in enumerate(counts)]
        held_out = np.sort(np.concatenate(held_out))
        return np.setdiff1d(data.rows, held_out, assume_unique=True), held_out

    def _fitted_attributes(self, job, state, n_iter, best_score):
        """Return the attributes that make an estimator fitted with `state`."""
        scores = [
            record["validation_score"]
            for record in job.history[len(job.history) - n_iter :]
            if "validation_score" in record
        ]
        if best_score is None and scores:
            best_score = float(np.fmax.reduce(scores))  # Of those that are numbers.
        return {
            "classes_": job.classes,
            "n_layers_": len(job.network.layer_sizes),
            "n_outputs_": job.network.layer_sizes[-1],
            "out_activation_": LOSSES[job.network.loss].out_activation,
            "n_iter_": n_iter,
            "loss_": job.history[state.n_epochs - 1]["loss"],
            "best_loss_": None if self.early_stopping else state.best_loss,
            "best_validation_score_": best_score,
            "history_": job.history,
            "_network": job.network,
            "_state": state,
            "_state_format": STATE_FORMAT,
        }

    def _finish(self, job, result):
        """Set the fitted attributes, all at once."""
        self.__dict__.update(
            self._fitted_attributes(job, result.state, result.n_iter, result.best_score)
        )

    def _report_stop(self, result, options):
        reason = _training.STOP_REASONS[result.stop_reason].format(**vars(options))
        if self.verbose:
            print(f"Training stopped after {result.n_iter} epochs: {reason}")
        if result.stop_reason == "interrupted":
            warnings.warn(
                f"Training was interrupted. The model is as it was after "
                f"{result.state.n_epochs} epochs, and fit with warm_start=True goes on "
                "from there.",
                stacklevel=5,
            )
        planned = self.learning_rate_schedule not in ("constant", "plateau")
        if result.stop_reason != "max_iter" or planned or self.early_stopping:
            return
        warnings.warn(
            f"Training has not converged within max_iter={options.max_iter} epochs. "
            "Raise max_iter or learning_rate, or choose a learning_rate_schedule that "
            'ends with max_iter, such as "cosine".',
            ConvergenceWarning,
            stacklevel=5,
        )


@functools.cache
def _constraints_of(estimator_class):
    """Return the constraints of an estimator's parameters as scikit-learn's objects."""
    return {
        name: list(map(make_constraint, constraints))
        for name, constraints in estimator_class._parameter_constraints.items()
        if constraints != "no_validation"
    }


class _Job(NamedTuple):
    """What a call of `fit` or `partial_fit` trains, validated.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    class_weight : ndarray of shape (n_classes,) or None
    sample_weight : ndarray of shape (n_samples,) or None
        The user's; `data` has its product with the weights of the classes.
    network : Network
    state : TrainingState
        Where training begins; nothing else refers to it.
    history : list of dict
        The records of the state's epochs, likewise.
    data : Data
    """

    classes: np.ndarray
    class_weight: np.ndarray | None
    sample_weight: np.ndarray | None
    network: Network
    state: _training.TrainingState
    history: list
    data: _training.Data


class _Validation:
    """The validation of one `fit`: loss and score of a state on validation data.

    `data` holds the rows to validate on, all of them of non-zero weight; `y` are
    their labels as the user gave them.
    """

    def __init__(self, estimator, job, data, y, sample_weight):
        self.estimator = estimator
        self.job = job
        self.X = data.X
        self.y = y
        self.sample_weight = sample_weight
        self.loss = _training.ValidationLoss(job.network, data)
        self.scorer = None
        if estimator.scoring != "loss":
            self.scorer = check_scoring(estimator, estimator.scoring)

    def __call__(self, state):
        """Return the validation loss and score of a state, as part of its record."""
        loss = self.loss(state.params)
        score = -loss if self.scorer is None else self._score(state)
        return {"validation_loss": loss, "validation_score": score}

    def _score(self, state):
        fitted = copy.copy(self.estimator)
        n_iter = state.n_epochs - self.job.state.n_epochs
        fitted.__dict__.update(
            self.estimator._fitted_attributes(self.job, state, n_iter, None)
        )
        # The validated X has lost its names, and is not to be warned about.
        fitted.__dict__.pop("feature_names_in_", None)
        weights = {}
        if self.sample_weight is not None:
            weights["sample_weight"] = self.sample_weight
        return float(self.scorer(fitted, self.X, self.y, **weights))


class _FitMonitor(_training.Monitor):
    """Passes the epochs of a `fit` on to the screen and to the callbacks."""

    def __init__(self, estimator, job, callbacks):
        self.estimator = estimator
        self.job = job
        self.callbacks = callbacks

    def begin_epoch(self):
        self.callbacks.begin_epoch()

    def end_epoch(self, state, record):
        if self.estimator.verbose:
            _print_record(record)
        return self.callbacks.end_epoch(
            functools.partial(self._fitted_attributes, state)
        )

    def _fitted_attributes(self, state):
        n_iter = state.n_epochs - self.job.state.n_epochs
        attributes = self.estimator._fitted_attributes(self.job, state, n_iter, None)
        attributes["history_"] = list(self.job.history)
        return attributes


def _print_record(record):
    line = f"Iteration {record['epoch']}, loss = {record['loss']:.8f}"
    if "validation_loss" in record:
        line += f", validation loss = {record['validation_loss']:.8f}"
        line += f", validation score = {record['validation_score']:.8f}"
    print(line)


def _balanced(job):
    """Return the job with the class weights that balance its training rows."""
    data, sample_weight = job.data, job.sample_weight
    class_weight = _balanced_weight(
        data.target[data.rows],
        None if sample_weight is None else sample_weight[data.rows],
        len(job.classes),
    )
    weight, _ = _combine_weights(sample_weight, class_weight, data.target, "row")
    return job._replace(class_weight=class_weight, data=data._replace(weight=weight))


def _balanced_weight(target, sample_weight, n_classes):
    """Return the weight of each class that makes their totals equal."""
    if sample_weight is not None:
        sample_weight = sample_weight / sample_weight.max()
    totals = np.bincount(target, sample_weight, minlength=n_classes)
    # Only ratios matter. At most 1, they cannot overflow.
    smallest = totals[totals > 0].min()
    return np.divide(
        smallest, totals, out=np.zeros(n_classes), where=totals > 0, dtype=float
    )


def _weight_from_dict(class_weight, classes):
    try:
        weight = compute_class_weight(class_weight, classes=classes, y=classes)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"class_weight={class_weight!r} is not valid: {error}"
        ) from error
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(
            f"class_weight must be finite and not negative, got {class_weight!r}."
        )
    return weight


def _check_classes(classes):
    """Return the classes that `partial_fit` is given, sorted and each once."""
    try:
        unique = np.unique(classes)
        with np.errstate(invalid="ignore"):  # Of NaN among the classes.
            is_labels = type_of_target(unique) in ("binary", "multiclass")
    except (TypeError, ValueError):
        is_labels = False
    if not is_labels or np.ndim(classes) != 1 or not len(unique):
        raise ValueError(f"classes must be a 1-D array of labels, got {classes!r}.")
    return unique


def _check_column_numbers(classes):
    if not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            f"classes of a multilabel y are the numbers of its columns, got {classes}."
        )


def _check_labels(y, name):
    """Return `y` as 1-D labels, or as a 0/1 array of shape (n_rows, n_labels)."""
    kind = type_of_target(y, input_name=name)
    if kind in ("continuous", "continuous-multioutput", "unknown"):
        check_classification_targets(y)  # Raises scikit-learn's error.
    if kind == "multilabel-indicator":
        y = y.toarray() if issparse(y) else np.asarray(y)
        if not np.isin(y, (0, 1)).all():
            raise ValueError(f"A multilabel {name} must consist of zeros and ones.")
        return y.astype(np.uint8)
    if kind.endswith("multioutput"):
        raise ValueError(
            f"{name} has shape {y.shape}: multioutput {name} is not supported, only a "
            "1-D array of labels or a 2-D indicator of zeros and ones."
        )
    return column_or_1d(y, warn=True)


def _encode(y, classes, name):
    """Return the index into `classes` of every label; a multilabel `y` stays."""
    if y.ndim == 2:
        if y.shape[1] != len(classes):
            raise ValueError(
                f"{name} has {y.shape[1]} columns, but there are {len(classes)} labels."
            )
        return y
    try:
        codes = np.searchsorted(classes, y)
    except TypeError as error:
        raise ValueError(
            f"{name} has labels of other types than the classes {classes}."
        ) from error
    codes[codes == len(classes)] = 0
    unknown = classes[codes] != y
    if unknown.any():
        raise ValueError(
            f"{name} has labels that are not among the classes {classes}: "
            f"{np.unique(y[unknown])}."
        )
    return codes


def _check_weight(sample_weight, X, name):
    """Return the weights in float64, or None."""
    if sample_weight is None:
        return None
    # Looked at first, as newer scikit-learns refuse zeros without naming the argument.
    given = np.asarray(sample_weight)
    if given.dtype.kind in "biuf" and given.size and not given.any():
        raise ValueError(f"{name} is zero for every row.")
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(f"Negative values in data passed to {name}.")
    return weight


def _combine_weights(sample_weight, class_weight, target, row):
    """Return the product of both weights, or None, and the rows where it is not 0."""
    weight = sample_weight
    if class_weight is not None:
        weight = _product_of_weights(sample_weight, class_weight, target)
    if weight is None:
        return None, np.arange(len(target))
    if not weight.any():
        raise ValueError(
            f"sample_weight and class_weight together are zero for every {row}."
        )
    # Only ratios matter. At most 1, no sum can overflow; scaled by a power of two, no
    # digit is lost.
    weight = np.ldexp(weight, -np.frexp(weight.max())[1])
    return weight, np.flatnonzero(weight)


def _product_of_weights(sample_weight, class_weight, target):
    if sample_weight is None:
        return class_weight[target]
    with np.errstate(all="ignore"):
        weight = sample_weight * class_weight[target]
    zero = (sample_weight == 0) | (class_weight[target] == 0)
    if np.isfinite(weight).all() and ((weight == 0) == zero).all():
        return weight
    # The products over- or underflow. Only ratios matter, so scale both factors.
    class_weight = class_weight / (class_weight.max() or 1.0)
    return (sample_weight / sample_weight.max()) * class_weight[target]


def _draw_seed(random_state):
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
