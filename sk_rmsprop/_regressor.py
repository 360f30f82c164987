"""The regressor: its parameters, what its `y` may be, and its predictions."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d

from sk_rmsprop._base import BaseRMSpropMLP
from sk_rmsprop._data import Target
from sk_rmsprop._fitted import check_same
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._predictions import MatrixLike
from sk_rmsprop._regression import NumberLoss
from sk_rmsprop._scikit_learn import (
    Interval,
    StrOptions,
    read_X,
    unchanged_on_failure,
)

NUMBER_LOSSES = {name for name, row in LOSSES.items() if isinstance(row, NumberLoss)}
POSITIVE_LOSSES = {name for name in NUMBER_LOSSES if LOSSES[name].is_positive}

# The squares of larger numbers overflow.
MAX_TARGET = 1e150


class RMSpropMLPRegressor(RegressorMixin, BaseRMSpropMLP):
    """Multilayer-perceptron regressor trained by RMSprop.

    A network of dense layers that minimizes the mean loss of its predictions by
    mini-batch RMSprop (see `RMSprop` for its formula). It is a scikit-learn estimator
    throughout: it works in a ``Pipeline`` and under ``GridSearchCV``, supports
    ``partial_fit``, sample weights and sparse input, and continues training exactly
    after it has been pickled. Data frames are used as they are, with missing values and
    categories. Targets on any scale are standardized inside.

    The defaults are those of `RMSpropMLPClassifier` but for a smaller `alpha`, meant to
    be good without tuning.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Numbers of hidden units. ``()`` is linear regression; its initial weights are 0,
        as the problem is convex.
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, \
            default="squared_error"
        The loss. "squared_error" is half of the squared error and predicts the mean.
        "absolute_error" predicts the median. "huber" is the squared error up to 1.345
        standard deviations of `y` (estimated by its quantiles) and linear beyond: for
        outliers. "quantile" predicts the quantile `quantile`. "poisson" is
        half of the Poisson deviance of `y` that is not negative, such as counts; the
        network predicts the logarithm of the mean.
    quantile : float, default=0.5
        The quantile to predict with ``loss="quantile"``, in (0, 1).
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
        more than 1,000 training samples. Predictions are float64.
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
        is added to the cost of every mini-batch. Unlike in MLPRegressor it is not
        divided by the number of samples, so its effect does not depend on
        `batch_size`. Biases are not penalized. "auto" is
        ``min(1.5 / n_samples, 0.005)``, where `n_samples` counts the training samples;
        in `partial_fit`, the larger of this chunk and the average epoch so far. For
        sparse `X` it is 0.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay: weights (not biases) are multiplied by
        ``1 - learning_rate * weight_decay`` before every update. "auto" is
        ``min(600 / n_samples, 0.1)``, in a stream 0.03.
    dropout : float, default=0.0
        Dropout rate: probability, in [0, 1), of zeroing a hidden unit during training.
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
        validation score) by no more than `tol` counts as no improvement. Costs and
        validation losses are compared on the scale of the targets, where a standard
        deviation of `y` is 1.
    n_iter_no_change : int or np.inf, default=10
        Number of consecutive epochs without improvement after which `fit` stops.
    early_stopping : bool, default=False
        Whether to validate after every epoch, stop when the validation score no longer
        improves, and keep the model of the best epoch (of ties, the last).
    validation_fraction : float, default=0.1
        Fraction of the samples in the validation split of `early_stopping` if `fit` is
        not given `X_val`.
    scoring : str or callable, default="loss"
        Validation score: "loss" is the negated validation loss; otherwise the name of a
        scorer, such as "r2", or a callable ``scorer(estimator, X, y)``. The validation
        loss uses sample weights. A scorer gets them only if it has a parameter
        `sample_weight` (a scorer made by ``make_scorer``, if its metric does); it gets
        no samples of weight 0.
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
        Number of outputs, one for each target.
    out_activation_ : str
        "identity", or "exp" for ``loss="poisson"``.
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
        Training cost of the epoch the current weights come from, in units of `y` (with
        "squared_error" and "huber", of its square); see the notes for several targets.
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
    RMSpropMLPClassifier : The classifier.
    RMSprop : The optimizer on its own.

    Notes
    -----
    The network learns ``(y - center) / scale``, with the weighted mean and standard
    deviation of the targets in the first call (with early stopping, of the training
    split). With "absolute_error", "huber" and "quantile" they are the median, or the
    quantile, and the interquartile range divided by 1.349; if that is less than a
    hundredth of the distance of the quantiles 0.1 and 0.9 divided by 2.563, the latter.
    Of normal targets, both are the standard deviation. With "poisson", they are 0 and
    the mean. In a stream they are means and standard deviations that follow the data.
    Predictions are in units of `y`, and so are costs and losses of a single target;
    with several ones, they are the mean over the scaled targets. `alpha` applies to the
    scaled targets.

    Training is a pure function of data, parameters and seed, and sample weights mean
    repetition, as in `RMSpropMLPClassifier`, whose notes on sparse `X` and on initial
    weights hold here, too. Initial biases are 0: they predict the center.

    References
    ----------
    T. Tieleman and G. Hinton, Lecture 6.5: RMSprop, COURSERA: Neural Networks for
    Machine Learning, 2012.

    P. J. Huber, Robust Estimation of a Location Parameter, Annals of Mathematical
    Statistics 35, 1964.

    R. Koenker and G. Bassett, Regression Quantiles, Econometrica 46, 1978.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_rmsprop import RMSpropMLPRegressor
    >>> X, y = make_friedman1(1000, noise=1.0, random_state=0)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> reg = RMSpropMLPRegressor(random_state=0).fit(X_train, y_train)
    >>> reg.score(X_test, y_test) > 0.9
    True
    """

    _constraints: ClassVar[dict] = {
        **BaseRMSpropMLP._constraints,
        "loss": [StrOptions(NUMBER_LOSSES)],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | NDArray[np.integer] = (256,),
        *,
        loss: str = "squared_error",
        quantile: float = 0.5,
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
        max_grad_norm: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: str | Callable[..., float] = "loss",
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        verbose: bool | int = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.loss = loss
        self.quantile = quantile
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
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @unchanged_on_failure
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on a chunk of data, continuing from the current state.

        With a number as `max_iter`, means and standard deviations of features and
        targets are those of the first call. With the default of `max_iter`, and no
        `fit` before, those of the targets follow the data, and with that of
        `numerical_encoding` those of the features.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The data; see `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights.

        Returns
        -------
        self : RMSpropMLPRegressor
            The regressor.

        Raises
        ------
        ValueError
            As in `fit`; also with ``early_stopping=True``, which needs all the data at
            once.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: MatrixLike) -> NDArray[np.float64]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predictions, in float64.
        """
        self._fitted_loss()  # It raises if there is none.
        # All of one model, though another thread may be training it.
        fitted = vars(self).copy()
        network, state = fitted["_network"], fitted["_state"]
        _, X = read_X(self, X, state.encoding.table)
        # Targets such as timestamps need float64, whatever the network computes in.
        raw = network.predict(state.params, X, state.encoding)
        outputs = raw.T.astype(np.float64)
        network.bound_loss.link(outputs)
        return outputs[0] if len(outputs) == 1 else np.ascontiguousarray(outputs.T)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Several targets are always supported, but scikit-learn's check of that has
        # negative ones.
        is_positive = isinstance(self.loss, str) and self.loss in POSITIVE_LOSSES
        tags.target_tags.multi_output = not is_positive
        tags.target_tags.positive_only = is_positive
        return tags

    def _encode_y(self, y, *, resumed, classes=None):
        if resumed:
            check_same("loss", self._network.loss, self.loss)
        target = self._numbers(y, "y")
        if resumed:
            fitted = self._network
            check_same("number of targets", self.n_outputs_, target.n_outputs)
            if self.loss == "quantile":
                check_same("quantile", fitted.targets.level, self.quantile)
        return target

    def _encode_y_val(self, y_val, target):
        validation = self._numbers(y_val, "y_val")
        if validation.n_outputs != target.n_outputs:
            raise ValueError(
                f"y_val has {validation.n_outputs} targets, but y has "
                f"{target.n_outputs}."
            )
        return validation

    def _numbers(self, y, name):
        """Return numbers as the target of training."""
        if y is None:
            raise ValueError(f"requires y to be passed, but the target {name} is None.")
        if _has_dates(y):
            raise ValueError(
                f"{name} has dates or durations. Convert them to numbers, for example "
                "with y.astype('int64'), in a unit of your choice."
            )
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name=name)
        if len(y) and np.abs(y).max() > MAX_TARGET:
            raise ValueError(
                f"{name} has numbers larger than {MAX_TARGET}: use another unit."
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if LOSSES[self.loss].is_positive and (y < 0).any():
            raise ValueError(
                f"Negative values in {name}, which loss={self.loss!r} does not support."
            )
        return Target(self.loss, None, y, y.reshape(len(y), -1))

    def _targets(self, data, resumed, stream=None):
        # `stream` is a chunk with the weights as they are.
        row = LOSSES[self.loss]
        if not resumed:
            follows = stream is not None and self.max_iter == "auto"
            if follows:
                return row.following(stream, self.quantile, None)
            return row.target_scale(data, self.quantile)
        before = self._network.targets
        is_stream = before.moments is not None and not self._state.n_planned
        if stream is not None and is_stream:
            return row.following(stream, self.quantile, before)
        return before.copy()  # A loaded one may be mapped from a file.

    def _class_weight(self, samples, rows=None):
        return None


def _has_dates(y):
    """Return whether `y`, or a column of it, has dates or durations."""
    dtypes = [y.dtype] if hasattr(y, "dtype") else list(getattr(y, "dtypes", []))
    kinds = [getattr(dtype, "kind", None) for dtype in dtypes]
    return any(kind in ("m", "M") for kind in kinds) or np.asarray(y).dtype.kind in "mM"
