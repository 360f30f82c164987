"""Plot of the training history.

matplotlib is optional and slow to import, so only `plot` imports it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_rmsprop._base import BaseRMSpropMLP
from sk_rmsprop._ensemble import RMSpropMLPEnsembleClassifier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Each panel's curves, by their keys in the history
PANELS = {
    "loss": {"loss": "Training cost", "validation_loss": "Validation loss"},
    "score": {"validation_score": "Validation score"},
    "learning_rate": {"learning_rate": "Learning rate"},
}
HEIGHTS = {"loss": 3, "score": 2, "learning_rate": 1}

# Ratios of the largest to the smallest value from which a panel is logarithmic. The
# planned schedules span a factor of 100, and their shapes are known from linear plots.
LOG_RATIOS = {"loss": 10, "learning_rate": 110}

# Below two decades there are labels within decades, too.
NARROW_LOG_RATIO = 100

# Curves of at most this many points have markers: a single point is no line.
MAX_MARKERS = 20


class TrainingHistoryDisplay:
    """Plot of the training history of a network or an ensemble.

    It is recommended to use `from_estimator` to create a display. Up to three panels,
    one below the other, show

    - "loss": the training cost and, where there was validation, the validation loss.
      The cost includes the L2 penalty, label smoothing and dropout, the validation
      loss none of them.
    - "score": the validation score, where `scoring` was not "loss".
    - "learning_rate": the learning rate, where it varies.

    A vertical line marks the epoch whose weights early stopping kept. Of an ensemble,
    whose networks may keep different epochs, the curves are means over its networks.

    To compare two runs, plot the second one with ``ax=first.axes_``, and name both.

    Parameters
    ----------
    history : list of dict
        A record of every epoch, as in the estimator's `history_`.
    kept_epoch : int, default=None
        The epoch whose weights early stopping kept, to be marked.
    estimator_name : str, default=None
        Name of the model in the legend. None leaves it unnamed.
    score_name : str, default=None
        Name of the validation score, such as "balanced_accuracy". None means
        "score".

    Attributes
    ----------
    ax_ : matplotlib Axes
        The uppermost panel.
    axes_ : ndarray of matplotlib Axes
        All panels.
    figure_ : matplotlib Figure
        The figure of the panels.
    lines_ : dict of str to matplotlib Line2D
        The curves, by their key in the history: "loss", "validation_loss",
        "validation_score", "learning_rate".
    kept_lines_ : list of matplotlib Line2D
        The marks of the kept epoch, one in every panel; empty if there is none.

    See Also
    --------
    RMSpropMLPClassifier : A classifier whose training history is plotted.
    RMSpropMLPRegressor : A regressor whose training history is plotted.
    sklearn.model_selection.LearningCurveDisplay : Scores by number of training
        samples.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_rmsprop import RMSpropMLPClassifier, TrainingHistoryDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = RMSpropMLPClassifier(
    ...     early_stopping=True, scoring="accuracy", max_iter=30, random_state=0
    ... ).fit(X / 16, y)
    >>> display = TrainingHistoryDisplay.from_estimator(clf)
    >>> display.ax_.get_ylabel()
    'Loss'
    >>> sorted(display.lines_)
    ['learning_rate', 'loss', 'validation_loss', 'validation_score']
    """

    def __init__(
        self,
        *,
        history: list[dict[str, float]],
        kept_epoch: int | None = None,
        estimator_name: str | None = None,
        score_name: str | None = None,
    ) -> None:
        self.history = history
        self.kept_epoch = kept_epoch
        self.estimator_name = estimator_name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: "Axes | Sequence[Axes] | NDArray[Any] | None" = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the training history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `RMSpropMLPClassifier`, `RMSpropMLPRegressor` or
            `RMSpropMLPEnsembleClassifier`; a ``Pipeline`` that ends in one; a search
            such as ``GridSearchCV`` whose `best_estimator_` is one; a
            ``FrozenEstimator`` of one; or any nesting of these.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to plot on; see `plot`.
        name : str, default=None
            Name of the model in the legend. None leaves it unnamed.
        **kwargs : dict
            Further keyword arguments of `plot`.

        Returns
        -------
        TrainingHistoryDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no such estimator where one is looked for.
        sklearn.exceptions.NotFittedError
            If there is one, but not fitted.
        """
        end = _final_estimator(estimator)
        kept_epoch = score_name = None
        if isinstance(end, BaseRMSpropMLP):
            early_stopped = end.best_loss_ is None
            kept_epoch = end.best_epoch_ if early_stopped else None
            score_name = _score_name(end.scoring)
        display = cls(
            history=end.history_,
            kept_epoch=kept_epoch,
            estimator_name=name,
            score_name=score_name,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: "Axes | Sequence[Axes] | NDArray[Any] | None" = None,
        *,
        name: str | None = None,
        panels: Literal["auto"] | Sequence[str] = "auto",
        loss_scale: Literal["auto", "linear", "log"] = "auto",
        learning_rate_scale: Literal["auto", "linear", "log"] = "auto",
        line_kw: dict[str, Any] | None = None,
        kept_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Plot the history.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to plot on. A single Axes is divided to make room for all panels; an
            array has one Axes for each panel. None creates a new figure.
        name : str, default=None
            Name of the model in the legend. None means `estimator_name`.
        panels : "auto" or sequence of {"loss", "score", "learning_rate"}, \
                default="auto"
            The panels, from top to bottom. "auto" omits a score that is the negated
            validation loss, and a constant learning rate.
        loss_scale : {"auto", "linear", "log"}, default="auto"
            Scale of the loss. "auto" is logarithmic if the largest value is at least
            10 times the smallest, ignoring zeros.
        learning_rate_scale : {"auto", "linear", "log"}, default="auto"
            Scale of the learning rate. "auto" is logarithmic if it spans a factor of
            110 or more, beyond what the schedules that end with `max_iter` span.
        line_kw : dict, default=None
            Keyword arguments of ``Axes.plot`` for all curves.
        kept_kw : dict, default=None
            Keyword arguments of ``Axes.axvline`` for the marks of the kept epoch.

        Returns
        -------
        self : TrainingHistoryDisplay
            The display.
        """
        _import_matplotlib(f"{type(self).__name__}.plot")
        panels = self._panels(panels)
        scales = {"loss": loss_scale, "learning_rate": learning_rate_scale}
        for scale in scales.values():
            if scale not in ("auto", "linear", "log"):
                raise ValueError(
                    f"A scale must be 'auto', 'linear' or 'log', got {scale!r}."
                )
        name = self.estimator_name if name is None else name
        self.axes_ = _panel_axes(ax, panels)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        self.lines_ = self._draw_curves(panels, name, line_kw)
        self.kept_lines_ = self._mark_kept_epoch(name, kept_kw)
        for panel, panel_ax in zip(panels, self.axes_, strict=True):
            if panel in scales:
                _set_scale(panel_ax, scales[panel], LOG_RATIOS[panel])
            self._set_labels(panel, panel_ax)
        self.figure_.align_ylabels(self.axes_)
        self.ax_.legend()
        return self

    def _panels(self, panels):
        """Return the names of the panels to draw."""
        if not isinstance(panels, str):
            return self._check_panels(list(panels))
        if panels != "auto":
            raise ValueError(f'panels must be "auto" or a list, got {panels!r}.')
        panels = ["loss"]
        score, loss = self._values("validation_score"), self._values("validation_loss")
        if not np.array_equal(score, -loss, equal_nan=True):
            panels.append("score")
        if len(np.unique(self._values("learning_rate"))) > 1:
            panels.append("learning_rate")
        return panels

    def _check_panels(self, panels):
        if not panels or len(set(panels)) < len(panels) or set(panels) - set(PANELS):
            raise ValueError(
                f"panels must be distinct names from {list(PANELS)}, got {panels}."
            )
        if "score" in panels and not self._has("validation_score"):
            raise ValueError("There is no score to draw: nothing was validated.")
        return panels

    def _values(self, key):
        """Return a value of every epoch, NaN where there is none."""
        return np.array([record.get(key, np.nan) for record in self.history], float)

    def _has(self, key):
        return any(key in record for record in self.history)

    def _draw_curves(self, panels, name, line_kw):
        """Draw all curves, training in one color and validation in another."""
        from matplotlib import cbook, lines

        line_kw = cbook.normalize_kwargs(line_kw, lines.Line2D)
        epochs = self._values("epoch")
        drawn, colors = {}, {}
        for panel, panel_ax in zip(panels, self.axes_, strict=True):
            for key, label in PANELS[panel].items():
                if not self._has(key):
                    continue
                values = self._values(key)
                style = {"label": _label(name, label)}
                if np.isfinite(values).sum() <= MAX_MARKERS:
                    style |= {"marker": "o", "markersize": 3}
                of_validation = key.startswith("validation")
                if of_validation in colors:
                    style["color"] = colors[of_validation]
                (drawn[key],) = panel_ax.plot(epochs, values, **(style | line_kw))
                colors[of_validation] = drawn[key].get_color()
        return drawn

    def _mark_kept_epoch(self, name, kept_kw):
        """Draw a vertical line in every panel at the epoch that was kept."""
        if self.kept_epoch is None:
            return []
        # Validation decided which; its color tells histories in the same Axes apart.
        decisive = max(self.lines_, key=lambda key: key.startswith("validation"))
        style = {
            "color": self.lines_[decisive].get_color(),
            "linestyle": ":",
            "label": _label(name, f"Kept model (epoch {self.kept_epoch})"),
        }
        style |= kept_kw or {}
        return [panel_ax.axvline(self.kept_epoch, **style) for panel_ax in self.axes_]

    def _set_labels(self, panel, panel_ax):
        from matplotlib.ticker import MaxNLocator

        score_name = (self.score_name or "score").replace("_", " ")
        ylabels = {
            "loss": "Loss",
            "score": f"Validation\n{score_name}",
            "learning_rate": "Learning\nrate",
        }
        panel_ax.set_ylabel(ylabels[panel])
        locator = panel_ax.xaxis.get_major_locator()
        if isinstance(locator, MaxNLocator):
            locator.set_params(integer=True, min_n_ticks=1)
        if panel_ax.xaxis.get_tick_params()["labelbottom"]:
            panel_ax.set_xlabel("Epoch")


def _import_matplotlib(caller_name):
    """Import matplotlib, or say how to install it, as scikit-learn does."""
    try:
        import matplotlib.pyplot  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller_name} requires matplotlib. You can install matplotlib with "
            "`pip install matplotlib`"
        ) from error


def _final_estimator(estimator):
    """Return the fitted network or ensemble that an estimator ends in."""
    end = estimator
    while not isinstance(end, BaseRMSpropMLP | RMSpropMLPEnsembleClassifier):
        if isinstance(end, Pipeline):
            end = end.steps[-1][1]
        elif isinstance(end, FrozenEstimator):
            end = end.estimator
        elif hasattr(end, "best_estimator_"):
            end = end.best_estimator_
        elif hasattr(end, "refit") and hasattr(end, "estimator"):
            raise NotFittedError(
                f"This {type(end).__name__} has no best_estimator_: it is not fitted "
                "yet, or has refit=False."
            )
        else:
            found = "" if end is estimator else f" that ends in {end!r}"
            raise TypeError(
                "Expected an RMSpropMLPClassifier, an RMSpropMLPRegressor or an "
                "ensemble, a Pipeline that ends in one or a fitted search for one, got "
                f"a {type(estimator).__name__}{found}."
            )
    check_is_fitted(end)
    return end


def _score_name(scoring):
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", None)
    return None if name in ("loss", "<lambda>") else name


def _panel_axes(ax, panels):
    """Return an array of the Axes to draw the panels in."""
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    heights = [HEIGHTS[panel] for panel in panels]
    if ax is None:
        width, height = plt.rcParams["figure.figsize"]
        _, axes = plt.subplots(
            len(panels),
            sharex=True,
            squeeze=False,
            figsize=(width, height * np.sqrt(sum(heights) / HEIGHTS["loss"])),
            height_ratios=heights,
            layout="constrained",
        )
        return axes[:, 0]
    if isinstance(ax, Axes):
        return _make_room(ax, heights)
    axes = np.array(ax, dtype=object).ravel()
    if not all(isinstance(panel_ax, Axes) for panel_ax in axes):
        raise TypeError(f"ax must be a matplotlib Axes or an array of them, got {ax!r}")
    if len(axes) != len(panels):
        raise ValueError(
            f"ax has {len(axes)} Axes, but there are {len(panels)} panels: {panels}."
        )
    return axes


def _make_room(ax, heights):
    """Divide the place of an Axes; return it with the new ones below it."""
    from matplotlib.gridspec import GridSpec

    axes = np.array([ax], dtype=object)
    if len(heights) == 1:
        return axes
    shape, place = (len(heights), 1), ax.get_subplotspec()
    if place is not None:
        grid = place.subgridspec(*shape, height_ratios=heights)
    else:
        box = ax.get_position()
        sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        grid = GridSpec(*shape, ax.figure, height_ratios=heights, **sides)
    ax.set_subplotspec(grid[0])
    below = [ax.figure.add_subplot(part, sharex=ax) for part in list(grid)[1:]]
    for upper in [ax, *below[:-1]]:
        upper.tick_params(labelbottom=False)
    return np.append(axes, below)


def _set_scale(ax, scale, log_ratio):
    """Set the scale; "auto" is logarithmic from this ratio of the values on."""
    from matplotlib.ticker import LogLocator, NullFormatter

    # Of all values that are drawn there, those of other histories included
    ratio = ax.dataLim.ymax / ax.dataLim.minposy
    if scale == "auto":
        scale = "log" if ratio >= log_ratio else ax.get_yscale()
    if scale != ax.get_yscale():
        ax.set_yscale(scale)
    if scale == "log" and ratio < NARROW_LOG_RATIO:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())


def _label(name, label):
    return label if name is None else f"{name}: {label.lower()}"
