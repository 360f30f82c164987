"""TrainingHistoryDisplay draws what the history says, wherever it is asked to."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import (
    RMSpropMLPClassifier,
    RMSpropMLPEnsembleClassifier,
    RMSpropMLPRegressor,
    TrainingHistoryDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

from_estimator = TrainingHistoryDisplay.from_estimator

X, y = make_classification(n_samples=120, n_informative=4, flip_y=0.2, random_state=0)


@pytest.fixture(autouse=True)
def _no_windows():
    """Draw into memory, and leave no figure open."""
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def fitted(**params):
    defaults = {
        "hidden_layer_sizes": (8,),
        "learning_rate": 0.01,
        "learning_rate_schedule": "constant",
        "max_iter": 5,
        "random_state": 0,
    }
    return RMSpropMLPClassifier(**{**defaults, **params}).fit(X, y)


@pytest.fixture(scope="module")
def plain():
    return fitted()


@pytest.fixture(scope="module")
def early_stopped():
    """Stopped by accuracy, three epochs after the best one."""
    clf = fitted(
        early_stopping=True,
        scoring="accuracy",
        validation_fraction=0.3,
        learning_rate=0.05,
        n_iter_no_change=3,
        max_iter=50,
    )
    assert clf.n_iter_ == len(clf.history_) < 50
    return clf


@pytest.fixture(scope="module")
def scheduled():
    return fitted(learning_rate_schedule="cosine")


@pytest.fixture(scope="module")
def all_panels():
    """Early stopping by accuracy, with a schedule."""
    return fitted(
        early_stopping=True, scoring="accuracy", learning_rate_schedule="linear"
    )


def history_of(*losses, **columns):
    """Return a history with these costs, one epoch for each."""
    return [
        {"epoch": epoch, "learning_rate": 0.1, "loss": loss}
        | {key: values[epoch - 1] for key, values in columns.items()}
        for epoch, loss in enumerate(losses, start=1)
    ]


def draw(*losses, **columns):
    return TrainingHistoryDisplay(history=history_of(*losses, **columns)).plot()


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def ylabels(display):
    return [ax.get_ylabel().replace("\n", " ") for ax in display.axes_]


def tick_labels(axis):
    axis.axes.figure.canvas.draw()
    low, high = axis.get_view_interval()
    return [
        tick.label1.get_text()
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible()
    ]


def lift(clf, X, y):
    return clf.score(X, y) / np.bincount(y).max() * len(y)


class TestCurves:
    def test_training_cost_by_epoch(self, plain):
        display = from_estimator(plain)
        assert list(display.lines_) == ["loss"]
        line = display.lines_["loss"]
        assert line.axes is display.ax_
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(line.get_ydata(), plain.cost_history_)
        assert display.ax_.get_xlabel() == "Epoch"
        assert ylabels(display) == ["Loss"]
        assert texts(display.ax_.get_legend()) == ["Training cost"]

    def test_validation_loss_and_score(self, early_stopped):
        display = from_estimator(early_stopped)
        for key in ("loss", "validation_loss", "validation_score"):
            drawn = display.lines_[key].get_ydata()
            stated = [record[key] for record in early_stopped.history_]
            np.testing.assert_array_equal(drawn, stated)
        assert ylabels(display) == ["Loss", "Validation accuracy"]
        loss_ax, score_ax = display.axes_
        assert display.lines_["validation_loss"].axes is loss_ax
        assert display.lines_["validation_score"].axes is score_ax
        assert texts(loss_ax.get_legend())[:2] == ["Training cost", "Validation loss"]

    def test_learning_rate(self, scheduled):
        display = from_estimator(scheduled)
        assert ylabels(display) == ["Loss", "Learning rate"]
        line = display.lines_["learning_rate"]
        assert line.axes is display.axes_[1]
        rates = [record["learning_rate"] for record in scheduled.history_]
        np.testing.assert_array_equal(line.get_ydata(), rates)

    def test_all_panels_share_the_epochs(self, all_panels):
        display = from_estimator(all_panels)
        assert ylabels(display) == ["Loss", "Validation accuracy", "Learning rate"]
        display.ax_.set_xlim(2, 3)
        assert [ax.get_xlim() for ax in display.axes_] == [(2, 3)] * 3
        assert [ax.get_xlabel() for ax in display.axes_] == ["", "", "Epoch"]

    def test_labels_of_the_panels_are_aligned(self, all_panels):
        display = from_estimator(all_panels)
        # Of different widths, the tick labels would push theirs.
        display.axes_[2].yaxis.set_major_formatter("{x:.9f}")
        display.figure_.canvas.draw()
        labels = [ax.yaxis.get_label() for ax in display.axes_]
        assert len({label.get_position()[0] for label in labels}) == 1

    def test_score_that_is_minus_the_loss_is_left_out(self):
        clf = fitted(early_stopping=True)
        display = from_estimator(clf)
        assert list(display.lines_) == ["loss", "validation_loss"]
        assert len(display.axes_) == 1

    def test_training_and_validation_have_one_colour_each(self, all_panels):
        lines = from_estimator(all_panels).lines_
        color = {key: line.get_color() for key, line in lines.items()}
        assert color["loss"] == color["learning_rate"]
        assert color["validation_loss"] == color["validation_score"] != color["loss"]

    def test_epochs_without_validation_are_gaps(self):
        clf = fitted(early_stopping=True, max_iter=3)
        clf.set_params(early_stopping=False).partial_fit(X, y)
        lines = from_estimator(clf).lines_
        assert np.isfinite(lines["loss"].get_ydata()).all()
        is_gap = np.isnan(lines["validation_loss"].get_ydata())
        assert is_gap.tolist() == [*[False] * (len(clf.history_) - 1), True]

    @pytest.mark.parametrize("n_epochs", [1, 20])
    def test_few_points_have_markers(self, n_epochs):
        line = draw(*np.linspace(2, 1, n_epochs)).lines_["loss"]
        assert line.get_marker() not in ("None", "", None)

    def test_many_points_have_none(self):
        assert draw(*np.linspace(2, 1, 21)).lines_["loss"].get_marker() == "None"

    def test_epochs_are_whole_numbers(self):
        assert tick_labels(draw(3.0, 2.0, 1.5).ax_.xaxis) == ["1", "2", "3"]
        assert tick_labels(draw(3.0).ax_.xaxis) == ["1"]


@pytest.mark.parametrize(
    ("scoring", "label"),
    [
        ("balanced_accuracy", "Validation balanced accuracy"),
        (make_scorer(recall_score), "Validation score"),
        (lift, "Validation lift"),
        (lambda clf, X, y: 0.5, "Validation score"),
    ],
    ids=["name", "scorer", "function", "lambda"],
)
def test_score_is_called_by_its_name(scoring, label):
    display = from_estimator(fitted(early_stopping=True, scoring=scoring))
    assert ylabels(display)[1] == label


class TestKeptEpoch:
    def test_is_marked_in_every_panel(self, early_stopped):
        display = from_estimator(early_stopped)
        scores = early_stopped.validation_scores_
        best = max(
            epoch for epoch, score in enumerate(scores, 1) if score == max(scores)
        )
        assert best < len(scores)
        assert display.kept_epoch == best
        assert [mark.axes for mark in display.kept_lines_] == display.axes_.tolist()
        for mark in display.kept_lines_:
            assert list(mark.get_xdata()) == [best, best]
        assert texts(display.ax_.get_legend())[-1] == f"Kept model (epoch {best})"

    def test_has_the_colour_of_validation(self, early_stopped):
        display = from_estimator(early_stopped)
        colors = {mark.get_color() for mark in display.kept_lines_}
        assert colors == {display.lines_["validation_loss"].get_color()}
        display = from_estimator(early_stopped, panels=["score"])
        (mark,) = display.kept_lines_
        assert mark.get_color() == display.lines_["validation_score"].get_color()

    def test_is_marked_where_the_last_one_was_the_best(self):
        clf = fitted(early_stopping=True, max_iter=3, learning_rate=0.001)
        assert clf.best_validation_score_ == clf.validation_scores_[-1]
        assert from_estimator(clf).kept_epoch == 3

    def test_is_not_marked_without_early_stopping(self, plain):
        display = from_estimator(plain)
        assert display.kept_epoch is None
        assert display.kept_lines_ == []
        assert len(display.ax_.lines) == 1

    def test_is_not_marked_where_validation_was_only_recorded(self):
        clf = RMSpropMLPClassifier((8,), max_iter=3, random_state=0)
        display = from_estimator(clf.fit(X, y, X_val=X, y_val=y))
        assert "validation_loss" in display.lines_
        assert display.kept_lines_ == []

    def test_is_not_marked_of_an_ensemble(self):
        # Each of its networks has one of its own.
        base = RMSpropMLPClassifier(
            (8,), max_iter=5, early_stopping=True, scoring="accuracy"
        )
        clf = RMSpropMLPEnsembleClassifier([base], n_folds=2, random_state=0)
        display = from_estimator(clf.fit(X, y))
        assert ylabels(display) == ["Loss", "Validation score", "Learning rate"]
        for key in ("loss", "validation_loss", "validation_score", "learning_rate"):
            drawn = display.lines_[key].get_ydata()
            assert drawn.tolist() == [record[key] for record in clf.history_]
        assert display.kept_epoch is None
        assert display.kept_lines_ == []


class TestScale:
    @pytest.mark.parametrize(
        ("losses", "scale"),
        [
            ((2.0, 1.0, 0.21), "linear"),
            ((2.0, 1.0, 0.2), "log"),
            ((0.01, 1e-9), "log"),
            ((2.0, 0.1, 0.0), "log"),
            ((2.0, 1.0, 0.0), "linear"),
            ((0.0, 0.0), "linear"),
            ((1.0,), "linear"),
        ],
    )
    def test_of_the_loss_follows_its_range(self, losses, scale):
        assert draw(*losses).ax_.get_yscale() == scale

    def test_of_the_loss_counts_validation(self):
        display = draw(
            2.0, 1.0, validation_loss=[2.0, 0.1], validation_score=[-2.0, -0.1]
        )
        assert display.ax_.get_yscale() == "log"

    @pytest.mark.parametrize(
        ("rates", "scale"),
        [([0.1, 0.001, 0.001], "linear"), ([0.1, 0.01, 1e-5], "log")],
    )
    def test_of_the_learning_rate_follows_its_range(self, rates, scale):
        display = draw(2.0, 1.0, 0.5, learning_rate=rates)
        assert [ax.get_yscale() for ax in display.axes_] == ["linear", scale]

    def test_of_a_score_is_linear(self):
        display = draw(
            2.0, 1.0, validation_loss=[2.0, 1.0], validation_score=[0.001, 1.0]
        )
        assert display.axes_[1].get_yscale() == "linear"

    @pytest.mark.parametrize("scale", ["linear", "log"])
    def test_can_be_chosen(self, scheduled, scale):
        display = from_estimator(scheduled, loss_scale=scale)
        assert display.ax_.get_yscale() == scale
        display = from_estimator(scheduled, learning_rate_scale=scale)
        assert display.axes_[1].get_yscale() == scale

    def test_narrow_logarithmic_scale_has_plain_numbers(self):
        assert tick_labels(draw(2.5, 1.0, 0.15).ax_.yaxis) == ["0.2", "0.5", "1", "2"]

    def test_wide_logarithmic_scale_has_powers(self):
        labels = tick_labels(draw(2.0, 1.0, 1e-4).ax_.yaxis)
        assert labels == [rf"$\mathdefault{{10^{{{n}}}}}$" for n in range(-4, 1)]

    @pytest.mark.parametrize("parameter", ["loss_scale", "learning_rate_scale"])
    def test_unknown_one_is_refused(self, plain, parameter):
        with pytest.raises(ValueError, match="'auto', 'linear' or 'log', got 'symlog'"):
            from_estimator(plain, **{parameter: "symlog"})
        assert plt.get_fignums() == []


class TestPanels:
    def test_can_be_chosen(self, all_panels):
        display = from_estimator(all_panels, panels=["learning_rate", "loss"])
        assert ylabels(display) == ["Learning rate", "Loss"]
        assert set(display.lines_) == {"learning_rate", "loss", "validation_loss"}

    def test_constant_rate_and_redundant_score_can_be_asked_for(self):
        clf = fitted(early_stopping=True)
        display = from_estimator(clf, panels=["score", "learning_rate"])
        np.testing.assert_array_equal(
            display.lines_["validation_score"].get_ydata(), clf.validation_scores_
        )
        assert set(display.lines_["learning_rate"].get_ydata()) == {0.01}

    @pytest.mark.parametrize(
        "panels", [[], ["cost"], ["loss", "loss"], ["loss", "scores"]]
    )
    def test_unknown_ones_are_refused(self, plain, panels):
        with pytest.raises(ValueError, match="panels must be distinct names"):
            from_estimator(plain, panels=panels)

    def test_single_name_is_refused(self, plain):
        with pytest.raises(ValueError, match="\"auto\" or a list, got 'loss'"):
            from_estimator(plain, panels="loss")

    def test_missing_score_is_refused(self, plain):
        with pytest.raises(ValueError, match="nothing was validated"):
            from_estimator(plain, panels=["loss", "score"])


class TestAxes:
    def test_new_figure(self, plain):
        display = from_estimator(plain)
        assert plt.get_fignums() == [display.figure_.number]
        assert display.figure_.axes == [display.ax_]

    def test_given_one_is_drawn_in(self, plain):
        figure, (left, right) = plt.subplots(1, 2)
        display = from_estimator(plain, ax=right)
        assert display.ax_ is right
        assert display.figure_ is figure
        assert figure.axes == [left, right]
        assert left.lines[:] == []

    @pytest.mark.parametrize("in_grid", [True, False])
    def test_given_one_makes_room_for_the_panels(self, all_panels, in_grid):
        figure = plt.figure()
        ax = figure.add_subplot(122) if in_grid else figure.add_axes([0.5, 0, 0.4, 1])
        before = ax.get_position().bounds
        display = from_estimator(all_panels, ax=ax)
        assert display.ax_ is ax
        assert figure.axes == display.axes_.tolist()
        assert len(figure.axes) == 3
        boxes = [panel.get_position() for panel in display.axes_]
        for upper, lower in itertools.pairwise(boxes):
            assert upper.y0 > lower.y1
        # Together they have the place that it had.
        np.testing.assert_allclose(
            [boxes[-1].x0, boxes[-1].y0, boxes[0].width, boxes[0].y1 - boxes[-1].y0],
            before,
        )
        assert [panel.get_xlabel() for panel in display.axes_] == ["", "", "Epoch"]
        ax.set_xlim(0.5, 5.5)
        assert [panel.get_xlim() for panel in display.axes_] == [(0.5, 5.5)] * 3
        assert tick_labels(display.axes_[0].xaxis) == []
        assert tick_labels(display.axes_[-1].xaxis) == ["1", "2", "3", "4", "5"]

    def test_given_ones_are_drawn_in(self, all_panels):
        figure, axes = plt.subplots(1, 3)
        display = from_estimator(all_panels, ax=axes)
        assert display.axes_.tolist() == axes.tolist()
        assert figure.axes == axes.tolist()
        assert [ax.get_xlabel() for ax in axes] == ["Epoch"] * 3

    def test_wrong_number_is_refused(self, all_panels):
        _, axes = plt.subplots(1, 2)
        with pytest.raises(ValueError, match="ax has 2 Axes, but there are 3 panels"):
            from_estimator(all_panels, ax=axes)

    def test_anything_else_is_refused(self, plain):
        with pytest.raises(TypeError, match="ax must be a matplotlib Axes"):
            from_estimator(plain, ax=plt.figure())

    def test_two_histories_in_the_same_axes(self, all_panels):
        first = from_estimator(all_panels, name="first")
        second = from_estimator(all_panels, name="second", ax=first.axes_)
        assert second.axes_.tolist() == first.figure_.axes == first.axes_.tolist()
        kept = f"kept model (epoch {first.kept_epoch})"
        assert texts(second.ax_.get_legend()) == [
            f"{name}: {what}"
            for name in ("first", "second")
            for what in ("training cost", "validation loss", kept)
        ]
        for ax in first.axes_[:2]:
            colors = [line.get_color() for line in ax.lines]
            # Curves by epoch and the mark, which has a curve's colour
            n_colors = 4 if ax is first.ax_ else 2
            assert len(set(colors)) == n_colors
        assert [ax.get_xlabel() for ax in first.axes_] == ["", "", "Epoch"]

    def test_scale_suits_both_histories(self):
        first = draw(2.0, 1.0)
        assert first.ax_.get_yscale() == "linear"
        second = TrainingHistoryDisplay(history=history_of(0.3, 0.15))
        second.plot(first.ax_)
        assert first.ax_.get_yscale() == "log"
        TrainingHistoryDisplay(history=history_of(1.0, 0.9)).plot(first.ax_)
        assert first.ax_.get_yscale() == "log"

    def test_scale_that_was_chosen_stays(self):
        display = TrainingHistoryDisplay(history=history_of(2.0, 1.0))
        display.plot(loss_scale="log")
        display.plot(display.ax_)
        assert display.ax_.get_yscale() == "log"


class TestKeywords:
    def test_of_curves_and_marks_are_passed_on(self, all_panels):
        display = from_estimator(
            all_panels, line_kw={"linewidth": 3.5}, kept_kw={"alpha": 0.25}
        )
        assert {line.get_linewidth() for line in display.lines_.values()} == {3.5}
        assert {mark.get_alpha() for mark in display.kept_lines_} == {0.25}
        assert 3.5 not in {mark.get_linewidth() for mark in display.kept_lines_}

    def test_have_the_last_word_by_any_name(self, all_panels):
        display = from_estimator(
            all_panels, line_kw={"c": "red", "marker": "x"}, kept_kw={"ls": "--"}
        )
        assert {line.get_color() for line in display.lines_.values()} == {"red"}
        assert {line.get_marker() for line in display.lines_.values()} == {"x"}
        assert {mark.get_linestyle() for mark in display.kept_lines_} == {"--"}

    def test_are_not_changed(self, plain):
        line_kw = {"lw": 2}
        from_estimator(plain, line_kw=line_kw)
        assert line_kw == {"lw": 2}

    def test_unknown_one_is_matplotlibs_error(self, plain):
        with pytest.raises(AttributeError, match="colour"):
            from_estimator(plain, line_kw={"colour": "red"})


class TestEstimators:
    @pytest.mark.parametrize(
        "clf",
        [
            RMSpropMLPClassifier((4,), max_iter=3, random_state=0),
            RMSpropMLPEnsembleClassifier(
                [RMSpropMLPClassifier((4,), max_iter=n) for n in (2, 3)], n_folds=2
            ),
        ],
        ids=["network", "ensemble"],
    )
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda clf: clf,
            lambda clf: make_pipeline(StandardScaler(), clf),
            lambda clf: GridSearchCV(clf, {"random_state": [0]}, cv=2),
            lambda clf: GridSearchCV(make_pipeline(StandardScaler(), clf), {}, cv=2),
            lambda clf: make_pipeline(
                StandardScaler(),
                make_pipeline(StandardScaler(), GridSearchCV(clf, {}, cv=2)),
            ),
        ],
        ids=["alone", "Pipeline", "search", "search for Pipeline", "nested"],
    )
    def test_that_end_in_a_classifier(self, wrap, clf):
        estimator = wrap(clone(clf)).fit(X, y)
        end = estimator
        while not isinstance(end, type(clf)):
            end = getattr(end, "best_estimator_", None) or end[-1]
        for fit in (estimator, FrozenEstimator(estimator)):
            display = from_estimator(fit)
            assert isinstance(display, TrainingHistoryDisplay)
            assert display.history == end.history_
            drawn = display.lines_["loss"].get_ydata()
            assert drawn.tolist() == [record["loss"] for record in end.history_]
            assert len(drawn) == 3

    def test_that_end_in_a_regressor(self):
        reg = RMSpropMLPRegressor(
            (4,), max_iter=3, early_stopping=True, scoring="r2", random_state=0
        )
        display = from_estimator(make_pipeline(StandardScaler(), reg).fit(X, y))
        assert display.history == reg.history_
        assert display.kept_epoch == reg.best_epoch_
        assert [ax.get_ylabel() for ax in display.axes_[:2]] == [
            "Loss",
            "Validation\nr2",
        ]

    @pytest.mark.parametrize(
        "estimator",
        [
            RMSpropMLPClassifier(),
            RMSpropMLPEnsembleClassifier(),
            make_pipeline(StandardScaler(), RMSpropMLPClassifier()),
            FrozenEstimator(RMSpropMLPClassifier()),
            GridSearchCV(RMSpropMLPClassifier(), {}),
            make_pipeline(GridSearchCV(RMSpropMLPClassifier(), {})),
        ],
        ids=["alone", "ensemble", "Pipeline", "FrozenEstimator", "search", "nested"],
    )
    def test_that_are_not_fitted(self, estimator):
        with pytest.raises(NotFittedError, match="is not fitted"):
            from_estimator(estimator)
        assert plt.get_fignums() == []

    def test_search_that_kept_no_estimator(self):
        clf = RMSpropMLPClassifier((4,), max_iter=1)
        search = GridSearchCV(clf, {}, cv=2, refit=False).fit(X, y)
        with pytest.raises(NotFittedError, match="GridSearchCV has no best_estimator_"):
            from_estimator(search)

    @pytest.mark.parametrize(
        ("estimator", "found"),
        [
            (LogisticRegression(), "LogisticRegression"),
            (
                make_pipeline(StandardScaler(), "passthrough"),
                "Pipeline that ends in 'passthrough'",
            ),
            (make_pipeline(StandardScaler()), "Pipeline that ends in StandardScaler"),
            (BaggingClassifier(RMSpropMLPClassifier()), "BaggingClassifier"),
            (RMSpropMLPClassifier, "ABCMeta|type"),
            (None, "NoneType"),
            ([{"epoch": 1, "loss": 2.0}], "list"),
        ],
    )
    def test_of_another_kind(self, estimator, found):
        with pytest.raises(TypeError, match=f"got a ({found})"):
            from_estimator(estimator)

    def test_subclass(self):
        class Subclass(RMSpropMLPClassifier):
            def __init__(self, max_iter=2):
                super().__init__((3,), max_iter=max_iter)

        clf = Subclass().fit(X, y)
        assert from_estimator(clf).history == clf.history_


class TestDisplay:
    def test_stores_its_data_and_draws_when_asked(self):
        history = history_of(2.0, 1.0)
        display = TrainingHistoryDisplay(
            history=history, kept_epoch=1, estimator_name="mine", score_name="kappa"
        )
        assert vars(display) == {
            "history": history,
            "kept_epoch": 1,
            "estimator_name": "mine",
            "score_name": "kappa",
        }
        assert plt.get_fignums() == []
        assert display.plot() is display
        assert texts(display.ax_.get_legend()) == [
            "mine: training cost",
            "mine: kept model (epoch 1)",
        ]

    def test_draws_again(self, early_stopped):
        display = from_estimator(early_stopped, name="a")
        first = display.figure_
        assert display.plot(name="b", panels=["loss"]) is display
        assert display.figure_ is not first
        assert len(display.axes_) == 1
        assert texts(display.ax_.get_legend())[0] == "b: training cost"
        assert display.estimator_name == "a"

    def test_keeps_its_data_when_training_goes_on(self):
        clf = fitted(max_iter=2)
        display = from_estimator(clf)
        clf.partial_fit(X, y)
        assert len(clf.history_) == 3
        assert len(display.history) == 2


class TestMatplotlib:
    def test_is_not_imported_with_the_package(self):
        code = (
            "import sys, sk_rmsprop\n"
            "clf = sk_rmsprop.RMSpropMLPClassifier((2,), max_iter=2, tol=9.0,"
            " n_iter_no_change=1).fit([[0.0], [1.0]], [0, 1])\n"
            "sk_rmsprop.TrainingHistoryDisplay(history=clf.history_)\n"
            "assert 'matplotlib' not in sys.modules"
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

    def test_missing_one_is_asked_for(self, plain, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        message = r"TrainingHistoryDisplay\.plot requires matplotlib.*pip install"
        with pytest.raises(ImportError, match=message):
            from_estimator(plain)
