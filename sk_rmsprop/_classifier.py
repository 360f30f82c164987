"""The classifier: its parameters, and what its `y` may be."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_rmsprop._base import BaseRMSpropMLP
from sk_rmsprop._data import Target, class_weight_of
from sk_rmsprop._labels import as_labels, check_classes, check_labels, equal_labels
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._predictions import ClassPredictor, MatrixLike
from sk_rmsprop._scikit_learn import Interval, StrOptions, unchanged_on_failure


class RMSpropMLPClassifier(ClassPredictor, BaseRMSpropMLP):
    """Multilayer-perceptron classifier trained by RMSprop.

    A network of dense layers with softmax outputs that minimizes the mean
    cross-entropy by mini-batch RMSprop (see `RMSprop` for its formula). It is a
    scikit-learn estimator throughout: it works in a ``Pipeline`` and under
    ``GridSearchCV``, supports ``partial_fit``, sample weights and sparse input, and
    continues training exactly after it has been pickled. Data frames are used as they
    are, with missing values and categories.

    The defaults are meant to be good without tuning, for tabular data with a few
    hundred to a few hundred thousand samples: one wide hidden layer, features scaled
    robustly, small mini-batches, cosine decay from a high learning rate, and epochs and
    penalties that depend on the number of samples.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Numbers of hidden units. ``()`` is softmax regression; its initial weights are
        0, as the problem is convex.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", \
            "logistic", "identity"}, default="relu"
        Activation function of the hidden layers. "gelu" is the exact one, with the
        error function.
    categorical_features : array-like or "from_dtype", default="from_dtype"
        The categorical columns: "from_dtype" are those of a data frame with a
        categorical dtype or with strings; otherwise a mask, indices or names, or None.
        Each category is an input, the most frequent 255 of a column and one for all
        rarer ones; a missing value is a category, and unknown ones are all zeros.
    numerical_encoding : {"auto", "none", "standard", "robust", "piecewise"}, \
            default="auto"
        How numbers enter the network, by the weighted statistics of the first call
        (with early stopping, of the training split). "standard": zero mean and unit
        variance. "robust": by median and interquartile range, smoothly clipped, then
        standardized; columns of two values, one of them 0, become 0 and 1.
        "piecewise": also up to 16 piecewise-linear inputs between quantiles. "auto":
        "piecewise" up to 16 columns with more than two values, else "robust". Sparse
        data are only scaled: see the user guide. Missing numbers are 0 then, and
        columns that had any have an input that says so.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Dtype of parameters and training. "auto" is float32 for float32 `X` and for
        more than 1,000 training samples. Probabilities are float64 unless `X` and the
        parameters are float32.
    learning_rate : float, default=0.005
        Initial learning rate (with "one_cycle", the highest one). One update changes a
        weight by about this much.
    beta : float, default=0.9
        Decay rate of the moving average of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Added to the denominator for numerical stability.
    momentum : float, default=0.0
        Momentum of the scaled gradient, in [0, 1).
    nesterov : bool, default=False
        Whether to use Nesterov momentum.
    centered : bool, default=False
        If True, normalize gradients by an estimate of their standard deviation
        (centered RMSprop).
    learning_rate_schedule : {"constant", "linear", "cosine", "one_cycle", \
            "plateau"}, default="cosine"
        How the learning rate changes from epoch to epoch. "linear", "cosine" and
        "one_cycle" are planned over `max_iter` epochs and end at 1 % of
        `learning_rate`. "plateau" divides it by 5 whenever `n_iter_no_change`
        consecutive epochs have not decreased the training cost by more than `tol`, and
        stops below 1e-6.
    alpha : float or "auto", default="auto"
        Strength of the L2 penalty: ``alpha / 2`` times the sum of the squared weights
        is added to the cost of every mini-batch. Unlike in MLPClassifier it is not
        divided by the number of samples, so its effect does not depend on
        `batch_size`. Biases are not penalized. "auto" is ``min(3 / n_samples, 0.01)``,
        where `n_samples` counts the training samples; in `partial_fit`, the larger of
        this chunk and the average epoch so far. For sparse `X` it is 0.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay: weights (not biases) are multiplied by
        ``1 - learning_rate * weight_decay`` before every update. "auto" is
        ``min(600 / n_samples, 0.1)``, in a stream 0.03.
    dropout : float, default=0.0
        Dropout rate: probability, in [0, 1), of zeroing a hidden unit during training.
    label_smoothing : float, default=0.0
        Amount of label smoothing, in [0, 1): this share of the target is distributed
        uniformly over the classes.
    max_grad_norm : float, default=None
        Clip the global L2 norm of the gradient to this value. None disables clipping.
    batch_size : int or "auto", default="auto"
        Mini-batch size, at most the number of samples. "auto" uses all samples up to
        64; otherwise ``max(n_samples / 1000, n_inputs / 8)`` rounded up to a power
        of two and clipped to [32, 256], where `n_inputs` counts encoded features.
    max_iter : int or "auto", default="auto"
        Maximum number of epochs of a `fit`. "auto" is ``ceil(30_000 / n_samples)``
        clipped to [20, 100]. If `partial_fit` is called before any `fit`, the number
        of epochs is then unknown: the learning rate stays constant, and
        ``alpha="auto"`` is 0.
    tol : float, default=1e-4
        An epoch that improves the best cost (with `early_stopping`, the best
        validation score) by no more than `tol` counts as no improvement.
    n_iter_no_change : int or np.inf, default=10
        Number of consecutive epochs without improvement after which `fit` stops.
    early_stopping : bool, default=False
        Whether to validate after every epoch, stop when the validation score no longer
        improves, and keep the model of the best epoch (of ties, the last).
    validation_fraction : float, default=0.1
        Fraction of the samples, stratified by class (not for multilabel `y`), in the
        validation split of `early_stopping` if `fit` is not given `X_val`. At least one
        sample of every class stays in the training split.
    scoring : str or callable, default="loss"
        Validation score: "loss" is the negated validation loss; otherwise the name of
        a scorer or a callable ``scorer(estimator, X, y)``. The validation loss uses
        sample and class weights. A scorer gets sample weights only, and only if it has
        a parameter `sample_weight` (a scorer made by ``make_scorer``, if its metric
        does); it gets no samples of weight 0.
    class_weight : dict or "balanced", default=None
        Weights of the classes, which multiply `sample_weight`. "balanced" makes the
        total weights of all classes in the training split equal.
    shuffle : bool, default=True
        Whether to shuffle the samples in every epoch.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, shuffling, dropout and the validation split.
    warm_start : bool, default=False
        If True, `fit` resumes from the previous solution, including the state of the
        optimizer.
    verbose : bool or int, default=False
        Whether to print the cost of every epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted. For multilabel `y`, the column numbers.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all of them are strings.
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of the layers: views into the parameters of the model. The first has a
        row for each input, see `encoding_`.
    intercepts_ : list of ndarray of shape (fan_out,)
        Biases of the layers, likewise.
    encoding_ : Encoding
        ``encoding_.transform(X)`` returns the inputs of the network, and
        ``encoding_.get_feature_names_out()`` their names.
    n_layers_ : int
        Number of layers, including input and output.
    n_outputs_ : int
        Number of outputs: one per class, or per label of a multilabel `y`.
    out_activation_ : str
        "softmax", or "logistic" for multilabel `y`.
    optimizer_ : RMSprop
        The optimizer, with its state; its learning rate is the initial one.
    n_iter_ : int
        Number of epochs run by the last `fit`; 1 after `partial_fit`.
    best_epoch_ : int
        The epoch whose weights are kept, counted from 1 over all calls: with
        `early_stopping` the best one, otherwise the last.
    t_ : int
        Number of training samples seen so far, counted once per epoch.
    loss_ : float
        Training cost of the epoch the current weights come from.
    best_loss_ : float or None
        Lowest training cost of an epoch; None with `early_stopping`.
    cost_history_ : list of float
        Training cost of every epoch in `history_`.
    loss_curve_ : list of float
        The same, under the name that MLPClassifier uses.
    validation_scores_ : list of float or None
        Validation score of every epoch in `history_` that was validated; None if
        there was no validation.
    best_validation_score_ : float or None
        The best validation score of the last `fit`; with a warm start and
        `early_stopping` that of the initial model is included. None without
        validation, and after `partial_fit`.
    history_ : list of dict
        A record of every epoch so far: "epoch", "learning_rate", "loss" and, with
        validation, "validation_loss" and "validation_score". After early stopping it
        includes the epochs after the best one, until training continues. `partial_fit`
        keeps the last 1,000 records.

    See Also
    --------
    RMSprop : The optimizer on its own.

    Notes
    -----
    Training is a pure function of data, parameters and seed: ``k`` calls of
    `partial_fit` give bit for bit the weights of a `fit` on the same data, both with
    ``max_iter=k``, and pickling in between changes nothing. Sample weights mean
    repetition: the cost of a mini-batch is ``sum(w * loss) / sum(w)``. Samples of
    weight 0 are ignored. A call that fails leaves the model as it was.

    In sparse `X` with less than 1 % of stored values, such as text, features are
    rare. "auto" is then a `batch_size` of ``2 * sqrt(n_samples)``, rounded to a power
    of two and clipped to [32, 256], a `max_iter` of ``ceil(10_000 / n_samples)``
    clipped to [3, 40], a `weight_decay` of 0 and, if that is less than 1, a factor of
    `X` that gives samples a mean square norm of 1. Training on sparse `X` updates only
    the weights of features that a mini-batch has, and in `partial_fit` does so in
    place, unless `alpha`, `momentum` or `centered` move all of them.

    Initial weights are normally distributed with standard deviation
    ``sqrt(2 / fan_in)`` for "relu" (He et al.), and with the corresponding gain for the
    other activations; those of the output layer are a tenth as large. Initial biases
    are 0 in hidden layers. Those of the outputs are the logarithms of the weighted
    class frequencies in the data of the first call (with early stopping, the training
    split), or the logits of the label frequencies; classes rarer than a tenth of the
    most frequent one count as a tenth of it, and the odds of a label are from 1 to 10
    to 10 to 1.

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
    >>> from sk_rmsprop import RMSpropMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     X, y, stratify=y, random_state=0
    ... )
    >>> clf = RMSpropMLPClassifier(random_state=0).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.95
    True
    """

    classes_: NDArray[Any]

    _constraints: ClassVar[dict] = {
        **BaseRMSpropMLP._constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | NDArray[np.integer] = (256,),
        *,
        activation: str = "relu",
        categorical_features: ArrayLike | Literal["from_dtype"] | None = "from_dtype",
        numerical_encoding: str = "auto",
        dtype: Literal["auto", "float32", "float64"] = "auto",
        learning_rate: float = 0.005,
        beta: float = 0.9,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        nesterov: bool = False,
        centered: bool = False,
        learning_rate_schedule: str = "cosine",
        alpha: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
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
        self.categorical_features = categorical_features
        self.numerical_encoding = numerical_encoding
        self.dtype = dtype
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

    @unchanged_on_failure
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on a chunk of data, continuing from the current state.

        With a number as `max_iter`, means and standard deviations of the features are
        those of the first call. With the defaults of `max_iter` and
        `numerical_encoding`, and no `fit` before, they follow the data. Categories are
        always those of the first call, or of the dtype of a data frame, and only
        columns with missing values in the first call have an input that says so.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The data; see `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The labels; not all classes need to occur.
        classes : array-like of shape (n_classes,), default=None
            All classes that can occur in `y`. Required in the first call (not for
            multilabel `y`).
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights.

        Returns
        -------
        self : RMSpropMLPClassifier
            The classifier.

        Raises
        ------
        ValueError
            As in `fit`; also with ``early_stopping=True`` or
            ``class_weight="balanced"``, which need all the data at once, and without
            `classes` in the first call.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def _own_attributes(self, target):
        return {"classes_": target.classes}

    def _chunk_classes(self, y, classes):
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" is not supported by partial_fit, which does '
                "not see all of y. Pass a dict, such as dict(zip(classes, "
                'compute_class_weight("balanced", classes=classes, y=sample_of_y))).'
            )
        if classes is None and self.__sklearn_is_fitted__():
            return self.classes_
        if classes is None:
            loss, _ = check_labels(as_labels(y, "y"), "y")
            if LOSSES[loss].exclusive:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit."
                )
        return classes

    def _encode_y(self, y, *, resumed, classes=None):
        y = as_labels(y, "y")
        if resumed and y.ndim == 1 and LOSSES[self._network.loss].exclusive:
            loss = self._network.loss  # `encode` rejects what is not among the classes.
        else:
            loss, y = check_labels(y, "y")
        if resumed and loss != self._network.loss:
            raise ValueError(
                "y must be of the same kind as in the first call, multilabel or not."
            )
        named = classes is not None
        if not named:
            classes = LOSSES[loss].find_classes(y)
        elif not (resumed and classes is self.classes_):
            classes = check_classes(classes)
        if resumed:
            self._check_same_classes(classes, named)
            classes = np.array(self.classes_)  # In plain memory, where it was mapped.
        return Target.of(loss, classes, y, "y")

    def _check_same_classes(self, classes, named):
        same_length = len(classes) == len(self.classes_)
        if same_length and equal_labels(classes, self.classes_).all():
            return
        if named:
            raise ValueError(
                f"classes must be the same in every call of partial_fit. They were "
                f"{self.classes_}, now they are {classes}."
            )
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the "
            f"previous call to fit. Previously got {self.classes_}, `y` has {classes}."
        )

    def _encode_y_val(self, y_val, target):
        loss, y_val = check_labels(as_labels(y_val, "y_val"), "y_val")
        if loss != target.loss:
            raise ValueError("y_val must be of the same kind as y, multilabel or not.")
        return Target.of(loss, target.classes, y_val, "y_val")

    def _label_smoothing(self):
        return self.label_smoothing

    def _class_weight(self, samples, rows=None):
        return class_weight_of(self.class_weight, samples, rows)
