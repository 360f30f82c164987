"""Tests of scikit-learn's callbacks, where this version of it has them."""

import importlib
import pickle
import sys
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import _ensemble
from sk_rmsprop._training import TrainingResult
from tests import helpers
from tests.helpers import Scorer, assert_same_model

pytestmark = pytest.mark.usefixtures("folds_of_few")


@pytest.fixture
def callback():
    """Return scikit-learn's module of callbacks; without it the test is skipped."""
    return pytest.importorskip("sklearn.callback")


@pytest.fixture
def data(data, names):
    """Three classes named by strings."""
    X, codes = data
    return X, names[codes]


small = partial(helpers.small, max_iter=4)


def ensemble(**params):
    """Return an ensemble; one of its base classifiers has half of the epochs."""
    return helpers.ensemble(small(**{"max_iter": 2} | params), small(**params))


every_kind = pytest.mark.parametrize(
    "make", [small, ensemble], ids=["network", "ensemble"]
)


def partially_fitted(data, n_epochs, **params):
    """Return the model after some epochs of partial_fit."""
    X, y = data
    clf = small(**params)
    for _ in range(n_epochs):
        clf.partial_fit(X, y, classes=np.unique(y))
    return clf


class Recorder:
    """Notes every call, and does `at_end` at the end of every epoch."""

    def __init__(self, at_end=lambda fitted: None):
        self.at_end = at_end
        self.events = []
        self.kept = []

    def setup(self, estimator, context):
        self.note("setup", context)

    def teardown(self, estimator, context):
        self.note("teardown", context)

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.note("begin", context)
        self.kept.append((estimator, X, y, metadata))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.note("end", context)
        self.kept.append((estimator, X, y, metadata))
        if context.task_name == "epoch":
            return self.at_end(fitted_estimator)
        return None

    def note(self, event, context):
        self.events.append((event, context.task_name, context.task_id))


def epoch_events(n_epochs):
    events = ("begin", "end")
    return [(event, "epoch", i) for i in range(n_epochs) for event in events]


def all_events(n_epochs):
    return [
        ("setup", "fit", 0),
        ("begin", "fit", 0),
        *epoch_events(n_epochs),
        ("end", "fit", 0),
        ("teardown", "fit", 0),
    ]


# --- The sequence of tasks ------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "n_epochs"),
    [({}, 4), ({"n_iter_no_change": 1, "tol": 10.0, "max_iter": 50}, 2)],
    ids=["max_iter", "stopped early"],
)
@every_kind
def test_one_task_per_epoch(data, callback, make, params, n_epochs):
    first, second = Recorder(), Recorder()
    clf = make(**params).set_callbacks(first, second)
    assert clf.fit(*data) is clf
    assert first.events == second.events == all_events(n_epochs)
    clf.set_callbacks().fit(*data)
    assert first.events == all_events(n_epochs)


@every_kind
def test_tasks_form_a_tree(data, callback, make):
    contexts = []

    class Contexts(Recorder):
        def note(self, event, context):
            contexts.append((event, context))

    clf = make().set_callbacks(Contexts()).fit(*data)
    (_, root), *others = contexts
    assert root.max_subtasks == 4
    assert root.parent is None
    epochs = [context for _, context in others if context.task_name == "epoch"]
    assert len(epochs) == 8
    assert all(context.parent is root for context in epochs)
    assert all(context.max_subtasks == 0 for context in epochs)
    names = {context.estimator_name for _, context in contexts}
    assert names == {type(clf).__name__}


@every_kind
def test_callbacks_change_nothing(data, callback, make):
    options = {"dropout": 0.2, "early_stopping": True}
    clf = make(**options).set_callbacks(Recorder()).fit(*data)
    plain = make(**options).fit(*data)
    assert_same_model(clf, plain)
    assert vars(clf).keys() - vars(plain).keys() == {"_skl_callbacks"}


def test_every_fit_is_a_run_of_its_own(data, callback):
    recorder = Recorder()
    clf = small(warm_start=True).set_callbacks(recorder).fit(*data).fit(*data)
    assert clf.t_ == 8 * 60
    assert recorder.events == all_events(4) + all_events(4)


def test_partial_fit_calls_no_callbacks(data, callback):
    recorder = Recorder()
    clf = small().set_callbacks(recorder)
    clf.partial_fit(*data, classes=["ape", "bee", "cow"])
    assert recorder.events == []


def test_what_is_no_callback_is_refused(callback):
    with pytest.raises(TypeError, match="callbacks"):
        small().set_callbacks(print)


def test_an_ensemble_refuses_callbacks_of_its_base_classifiers(data, callback):
    base = small().set_callbacks(Recorder())
    with pytest.raises(ValueError, match="Set callbacks on the ensemble"):
        helpers.ensemble(base).fit(*data)
    assert base._skl_callbacks[0].events == []


# --- What the hooks are given ---------------------------------------------------------


@every_kind
@pytest.mark.parametrize("weight", [None, [1.0] * 60])
def test_hooks_get_the_data_as_they_were_given(data, frame, callback, make, weight):
    y, recorder = data[1].tolist(), Recorder()
    clf = make().set_callbacks(recorder).fit(frame, y, sample_weight=weight)
    assert len(recorder.kept) == 10
    for estimator, X_seen, y_seen, metadata in recorder.kept:
        assert estimator is clf
        assert X_seen is frame
        assert y_seen is y
        assert metadata == (None if weight is None else {"sample_weight": weight})


def test_the_fitted_estimator_is_that_of_its_epoch(data, callback):
    X, y = data
    fitted = []
    clf = small().set_callbacks(Recorder(fitted.append)).fit(X, y)
    assert len(fitted) == 4
    for n_epochs, estimator in enumerate(fitted, start=1):
        # Of the epochs that followed it knows nothing.
        assert_same_model(estimator, partially_fitted(data, n_epochs))
        assert estimator.classes_.tolist() == ["ape", "bee", "cow"]
        assert estimator.n_iter_ == n_epochs
        assert estimator.t_ == 60 * n_epochs
        assert estimator.loss_curve_ == clf.loss_curve_[:n_epochs]
        assert estimator.loss_ == clf.loss_curve_[n_epochs - 1]
        assert estimator.optimizer_.n_steps_ == 4 * n_epochs
        np.testing.assert_array_equal(
            estimator.predict(X),
            estimator.classes_[estimator.predict_proba(X).argmax(axis=1)],
        )
    assert_same_model(fitted[-1], clf)


def test_the_fitted_estimator_of_a_warm_start(data, callback):
    X, y = data
    fitted = []
    clf = small(warm_start=True).fit(X, y)
    clf.set_callbacks(Recorder(fitted.append)).fit(X, y)
    assert [estimator.n_iter_ for estimator in fitted] == [1, 2, 3, 4]
    assert [estimator.t_ for estimator in fitted] == [300, 360, 420, 480]
    assert [len(estimator.history_) for estimator in fitted] == [5, 6, 7, 8]


def test_the_fitted_estimator_knows_the_validation(data, callback):
    X, y = data
    fitted = []
    clf = small(scoring="accuracy").set_callbacks(Recorder(fitted.append))
    clf.fit(X, y, X_val=X[:20], y_val=y[:20])
    for n_epochs, estimator in enumerate(fitted, start=1):
        assert estimator.validation_scores_ == clf.validation_scores_[:n_epochs]
        assert estimator.best_validation_score_ == max(estimator.validation_scores_)
        assert estimator.score(X[:20], y[:20]) == estimator.validation_scores_[-1]


def test_training_the_fitted_estimator_leaves_the_fit_alone(data, callback):
    X, y = data

    def train_further(fitted):
        fitted.set_params(early_stopping=False).partial_fit(X, y)

    clf = small().set_callbacks(Recorder(train_further)).fit(X, y)
    assert_same_model(clf, small().fit(X, y))
    assert len(clf.history_) == 4


def test_the_fitted_ensemble_is_that_of_its_epoch(data, callback):
    def of_epochs(n):
        bases = (small(max_iter=min(n, m), **constant) for m in (2, 4))
        return helpers.ensemble(*bases)

    constant, fitted = {"learning_rate_schedule": "constant"}, []
    clf = of_epochs(4).set_callbacks(Recorder(fitted.append)).fit(*data)
    assert len(fitted) == 4
    for n_epochs, estimator in enumerate(fitted, start=1):
        # It is calibrated by what has been learned so far.
        reference = of_epochs(n_epochs).fit(*data)
        assert_same_model(estimator, reference)
        assert estimator.oof_log_loss_ == reference.oof_log_loss_
        assert estimator.n_iter_ == n_epochs
        assert estimator.history_ == reference.history_ == clf.history_[:n_epochs]
        np.testing.assert_array_equal(
            estimator.predict_proba(data[0]), reference.predict_proba(data[0])
        )
        for group, other in zip(
            estimator.estimators_, reference.estimators_, strict=True
        ):
            assert [one.history_ for one in group] == [one.history_ for one in other]
    assert len({estimator.temperature_ for estimator in fitted}) == 4


def test_training_networks_of_a_fitted_ensemble_leaves_the_fit_alone(data, callback):
    def train_further(fitted):
        for group in fitted.estimators_:
            for member in group:
                member.partial_fit(*data)

    clf = ensemble().set_callbacks(Recorder(train_further)).fit(*data)
    assert_same_model(clf, ensemble().fit(*data))


def save(path, fitted):
    joblib.dump(fitted, path)


def test_the_fitted_estimator_can_be_saved_in_the_hook(data, callback, tmp_path):
    X, y = data
    path = tmp_path / "model.joblib"
    clf = small().set_callbacks(Recorder(partial(save, path))).fit(X, y)
    loaded = joblib.load(path).set_callbacks()
    assert_same_model(loaded, clf)
    assert_same_model(loaded.partial_fit(X, y), clf.partial_fit(X, y))
    assert_same_model(loaded.fit(X, y), clf.fit(X, y))


# --- Stopping and failing -------------------------------------------------------------


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_a_hook_stops_the_fit(data, callback, n_epochs, capsys):
    never, recorder = Recorder(), Recorder(lambda fitted: fitted.n_iter_ == n_epochs)
    clf = small(max_iter=9, learning_rate_schedule="constant", verbose=True)
    clf.set_callbacks(recorder, never).fit(*data)  # Without a ConvergenceWarning
    assert clf.n_iter_ == n_epochs
    assert recorder.events == never.events == all_events(n_epochs)
    assert "a callback requested it" in capsys.readouterr().out
    reference = partially_fitted(data, n_epochs, learning_rate_schedule="constant")
    assert_same_model(clf, reference)


def test_a_hook_stops_all_networks_of_an_ensemble(data, callback):
    recorder = Recorder(lambda fitted: fitted.n_iter_ == 3)
    bases = (small(max_iter=m, learning_rate_schedule="constant") for m in (9, 2, 7))
    clf = helpers.ensemble(*bases).set_callbacks(recorder).fit(*data)
    assert recorder.events == all_events(3)
    lengths = [[len(member.history_) for member in g] for g in clf.estimators_]
    assert lengths == [[3] * 3, [2] * 3, [3] * 3]
    bases = (small(max_iter=m, learning_rate_schedule="constant") for m in (3, 2, 3))
    assert_same_model(clf, helpers.ensemble(*bases).fit(*data))


def test_a_stop_with_early_stopping_returns_the_best_epoch(data, callback):
    scorer = Scorer(0.5, 0.9, 0.1, 0.2)
    clf = small(early_stopping=True, scoring=scorer, max_iter=9)
    clf.set_callbacks(Recorder(lambda fitted: fitted.n_iter_ == 4)).fit(*data)
    assert clf.n_iter_ == 4
    assert clf.t_ == 2 * 54
    assert clf.best_validation_score_ == 0.9


# That the estimator is what it was before is in test_failures.
@every_kind
def test_an_error_in_a_hook_tears_the_callbacks_down(data, callback, make):
    def fail(fitted):
        if fitted.n_iter_ == 2:
            raise RuntimeError("disk full")

    recorder = Recorder(fail)
    clf = make().set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="disk full"):
        clf.fit(*data)
    assert recorder.events[-1] == ("teardown", "fit", 0)
    assert recorder.events[1:-1] == [("begin", "fit", 0), *epoch_events(2)]
    # And it can be fitted again.
    clf.set_callbacks().fit(*data)


@every_kind
def test_diverging_training_tears_the_callbacks_down(data, callback, make):
    recorder = Recorder()
    clf = make(learning_rate=1e300).set_callbacks(recorder)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(*data)
    assert recorder.events[-1] == ("teardown", "fit", 0)


@every_kind
def test_bad_data_reach_no_callback(data, callback, make):
    recorder = Recorder()
    with pytest.raises(ValueError, match="infinity"):
        make().set_callbacks(recorder).fit(data[0] ** 2 * np.inf, data[1])
    assert recorder.events == []


def test_ctrl_c_in_a_hook_keeps_the_finished_epochs(data, callback):
    def interrupt(fitted):
        if fitted.n_iter_ == 3:
            raise KeyboardInterrupt

    recorder = Recorder(interrupt)
    clf = small(max_iter=9, learning_rate_schedule="constant").set_callbacks(recorder)
    with pytest.warns(UserWarning, match="interrupted.*after 3 epochs") as caught:
        clf.fit(*data)
    assert [w.category for w in caught] == [UserWarning]
    assert clf.n_iter_ == len(clf.history_) == 3
    assert recorder.events == all_events(3)
    reference = partially_fitted(data, 3, learning_rate_schedule="constant")
    assert_same_model(clf, reference)
    assert_same_model(clf.partial_fit(*data), reference.partial_fit(*data))


@every_kind
def test_ctrl_c_in_the_last_hook_keeps_all_epochs(data, callback, make):
    class Interrupting(Recorder):
        def on_fit_task_end(self, estimator, context):
            if context.task_name == "fit":
                raise KeyboardInterrupt

    recorder = Interrupting()
    clf = make().set_callbacks(recorder)
    with pytest.warns(UserWarning, match=r"interrupted.*after 4 epochs") as caught:
        clf.fit(*data)
    assert [w.filename for w in caught] == [__file__]
    assert_same_model(clf, make().fit(*data))
    assert recorder.events[-1] == ("teardown", "fit", 0)


# --- Copies and files -----------------------------------------------------------------


def do_nothing(fitted):
    """Ask for nothing; unlike a lambda it can be pickled."""


@every_kind
def test_pickle_with_callbacks_set(data, callback, make):
    clf = make().set_callbacks(Recorder(do_nothing)).fit(*data)
    clf._skl_callbacks[0].kept.clear()
    loaded = pickle.loads(pickle.dumps(clf))
    assert_same_model(loaded, clf)
    loaded.fit(*data)
    assert loaded._skl_callbacks[0].events == all_events(4) + all_events(4)
    assert clf._skl_callbacks[0].events == all_events(4)


@every_kind
def test_clone_keeps_the_callbacks(data, callback, make):
    recorder = Recorder()
    clf = clone(make().set_callbacks(recorder).fit(*data))
    assert not hasattr(clf, "history_")
    clf.fit(*data)
    assert recorder.events == all_events(4) + all_events(4)


# --- scikit-learn's own callbacks -----------------------------------------------------


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_scoring_monitor(data, callback, make, weighted):
    X, y = data
    weight = np.linspace(0.1, 2, 60) if weighted else None
    monitor = callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    fitted = []
    clf = make(hidden_layer_sizes=()).set_callbacks(monitor, Recorder(fitted.append))
    clf.fit(X, y, sample_weight=weight)
    log = monitor.get_logs().data
    epochs = [entry for entry in log if entry["task_name"] == "epoch"]
    assert [entry["task_id"] for entry in epochs] == [0, 1, 2, 3]
    for entry, estimator in zip(epochs, fitted, strict=True):
        assert entry["accuracy"] == estimator.score(X, y, sample_weight=weight)
    losses = [entry["neg_log_loss"] for entry in epochs]
    assert losses == sorted(losses)
    (of_fit,) = (entry for entry in log if entry["task_name"] == "fit")
    assert of_fit["accuracy"] == clf.score(X, y, sample_weight=weight)


@every_kind
def test_scoring_monitor_of_a_frame(data, frame, callback, make):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    make().set_callbacks(monitor).fit(frame, data[1])
    assert len(monitor.get_logs().data) == 5


@every_kind
def test_progress_bar(data, callback, capsys, make):
    clf = make().set_callbacks(callback.ProgressBar()).fit(*data)
    assert f"{type(clf).__name__} - fit" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_bar_of_a_search(data, callback, capsys, n_jobs):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), small(learning_rate=0.05)),
        {"rmspropmlpclassifier__beta": [0.8, 0.9]},
        cv=2,
        n_jobs=n_jobs,
    )
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None))
    with joblib.parallel_config(backend="threading"):
        search.fit(*data)
    out = capsys.readouterr().out
    assert "GridSearchCV - fit" in out
    assert "RMSpropMLPClassifier - fit" in out
    assert search.best_score_ > 0.9


def test_callbacks_reach_the_classifier_through_a_pipeline(data, callback):
    class Propagated(Recorder):
        max_propagation_depth = None

    recorder = Propagated()
    pipe = make_pipeline(StandardScaler(), small()).set_callbacks(recorder)
    pipe.fit(*data)
    epochs = [event for event in recorder.events if event[1] == "epoch"]
    assert epochs == epoch_events(4)
    assert not hasattr(pipe[-1], "_skl_callbacks")


# --- Without callbacks ----------------------------------------------------------------


@every_kind
def test_without_callbacks_nothing_is_made_for_them(data, callback, monkeypatch, make):
    def made(*args, **kwargs):
        raise AssertionError("something was made for callbacks")

    monkeypatch.setattr(callback.CallbackContext, "_from_estimator", made)
    monkeypatch.setattr(TrainingResult, "copy", made)
    make().fit(*data)


def test_an_ensemble_without_callbacks_is_calibrated_once(data, monkeypatch):
    calls = []

    def fit_weights(*args):
        calls.append(args)
        return np.ones(2), 0.0

    monkeypatch.setattr(_ensemble, "fit_weights", fit_weights)
    ensemble().fit(*data)
    assert len(calls) == 1


def test_before_version_1_9_there_are_no_callbacks(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    for name in [name for name in sys.modules if name.startswith("sk_rmsprop")]:
        monkeypatch.delitem(sys.modules, name)
    package = importlib.import_module("sk_rmsprop")
    clf = package.RMSpropMLPClassifier(max_iter=3)
    for model in (clf, package.RMSpropMLPEnsembleClassifier([clf])):
        assert not hasattr(model, "set_callbacks")
        assert model.fit(*data).n_iter_ == 3


@every_kind
def test_a_classifier_has_callbacks_where_scikit_learn_has(make):
    exists = importlib.util.find_spec("sklearn.callback") is not None
    assert hasattr(make(), "set_callbacks") == exists
