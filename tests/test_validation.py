"""Tests of early stopping and of given validation data.

That bad validation data and scorers are refused, and change nothing, is in
test_failures; that samples of weight 0 are absent is in test_weights.
"""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    make_scorer,
)

from tests import cases
from tests.cases import CASES, Case, trained
from tests.helpers import Scorer, assert_same_model, number_rows, params_of, small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data():
    """Three overlapping classes of 120, 60 and 20 numbered samples."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [120, 60, 20]))
    return number_rows(rng.standard_normal((200, 4)) + np.eye(3, 4, k=1)[y]), y


@pytest.fixture
def val():
    """Validation data of the same kind as `data`."""
    rng = np.random.default_rng(1)
    y = rng.permutation(np.repeat([0, 1, 2], [20, 15, 5]))
    X = rng.standard_normal((40, 4)) + np.eye(3, 4, k=1)[y]
    X[:, 0] = -0.1
    return X, y


def last_loss(clf):
    """Return the validation loss of the last epoch."""
    return clf.history_[-1]["validation_loss"]


# --- The split of early stopping ------------------------------------------------------


@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("fraction", "counts"), [(0.1, [12, 6, 2]), (0.25, [30, 15, 5])]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_split_has_the_proportions_of_the_classes(
    data, as_format, fraction, counts, seed
):
    X, y = data
    scorer = Scorer()
    clf = small(early_stopping=True, validation_fraction=fraction, scoring=scorer)
    clf.set_params(random_state=seed).fit(as_format(X), y)
    assert np.bincount(scorer.y).tolist() == counts
    np.testing.assert_array_equal(scorer.y, y[scorer.rows])
    # Every epoch is validated on the same samples.
    assert len(scorer.calls) == clf.n_iter_
    assert all(call[1] is scorer.calls[0][1] for call in scorer.calls)


def test_split_depends_on_the_seed_alone(data):
    rows = []
    for seed in (0, 0, 1):
        scorer = Scorer()
        clf = small(early_stopping=True, scoring=scorer, random_state=seed)
        clf.fit(*data, sample_weight=np.full(200, 2.0))
        rows.append(scorer.rows.tolist())
    assert rows[0] == rows[1] != rows[2]


@pytest.mark.parametrize("n_lone", [1, 2])
def test_classes_of_one_sample_stay_in_training(data, n_lone):
    X, y = data
    y = y.copy()
    lone = [7, 150][:n_lone]
    y[lone] = [5, 9][:n_lone]
    scorer = Scorer()
    clf = small(
        early_stopping=True, scoring=scorer, validation_fraction=0.3, max_iter=1
    ).fit(X, y)
    assert clf.classes_.tolist() == [0, 1, 2, 5, 9][: 3 + n_lone]
    assert not set(lone) & set(scorer.rows)
    assert set(scorer.y) == {0, 1, 2}
    # All other samples are trained on.
    assert clf.t_ == 200 - len(scorer.y)
    left = np.setdiff1d(np.arange(200), scorer.rows)
    assert_same_model(clf, small(max_iter=1).fit(X[left], y[left]))


def test_split_of_fewer_samples_than_classes():
    # Of 100 samples 8 are held out, half of them from the class that has half of all.
    y = np.r_[np.zeros(51, int), np.repeat(np.arange(1, 8), 7)]
    scorer = Scorer()
    clf = small(
        early_stopping=True, scoring=scorer, max_iter=1, validation_fraction=0.08
    )
    clf.fit(number_rows(np.zeros((100, 1))), y)
    np.testing.assert_array_equal(scorer.y, y[scorer.rows])
    counts = np.bincount(scorer.y, minlength=8)
    assert counts[0] == 4
    assert counts[1:].sum() == 4
    assert counts[1:].max() == 1
    assert clf.t_ == 92


def test_multilabel_split(data):
    X, y = data
    Y = np.c_[y == 0, y == 1, X[:, 2] > 0].astype(int)
    Y[:, 0] = 0
    Y[13, 0] = 1
    scorer = Scorer()
    clf = small(early_stopping=True, scoring=scorer, validation_fraction=0.15)
    clf.fit(X, Y)
    assert scorer.y.shape == (30, 3)
    np.testing.assert_array_equal(scorer.y, Y[scorer.rows])
    assert clf.t_ % 170 == 0


@pytest.mark.parametrize(
    ("y", "fraction", "held_out"),
    [([0, 0, 1, 1, 1, 2], 0.9, [0, 1, 1]), (["a", "a", "a"], 0.99, ["a", "a"])],
    ids=["three classes", "one class"],
)
def test_one_sample_of_each_class_stays_in_training(y, fraction, held_out):
    scorer = Scorer()
    clf = small(early_stopping=True, validation_fraction=fraction, scoring=scorer)
    clf.fit(np.arange(float(len(y)))[:, np.newaxis], y)
    assert sorted(scorer.y) == held_out


@pytest.mark.parametrize(
    "y",
    [[0, 1, 2], ["a"], [[1, 0]]],
    ids=["classes of one sample", "one sample", "one multilabel sample"],
)
def test_impossible_split_names_the_remedies(y):
    X = np.arange(float(len(y)))[:, np.newaxis]
    clf = small(early_stopping=True, validation_fraction=0.5)
    remedies = "(?s)early_stopping cannot hold out.*X_val.*early_stopping=False"
    with pytest.raises(ValueError, match=remedies):
        clf.fit(X, y)
    # Each of them helps, and so do more samples.
    clf.fit(X, y, X_val=X, y_val=y)
    small().fit(X, y)
    clf.fit(np.r_[X, X], np.r_[y, y])


# --- Scorers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("accuracy", accuracy_score),
        ("balanced_accuracy", balanced_accuracy_score),
        (
            lambda estimator, X, y: -np.abs(estimator.predict(X) - y).sum(),
            lambda y, predicted: -np.abs(predicted - y).sum(),
        ),
    ],
    ids=["accuracy", "balanced_accuracy", "callable"],
)
def test_scorers(data, val, scoring, metric):
    clf = small(early_stopping=True, scoring=scoring)
    clf.fit(*data, X_val=val[0], y_val=val[1])
    assert clf.best_validation_score_ == metric(val[1], clf.predict(val[0]))
    assert {type(score) for score in clf.validation_scores_} == {float}


def test_probabilistic_scorers(data, val):
    clf = small(early_stopping=True, scoring="neg_log_loss")
    clf.fit(*data, X_val=val[0], y_val=val[1])
    loss = clf.best_validation_score_
    assert loss == pytest.approx(-log_loss(val[1], clf.predict_proba(val[0])))
    np.testing.assert_allclose(
        clf.validation_scores_,
        [-record["validation_loss"] for record in clf.history_],
    )


def test_scorer_gets_labels_as_they_were_given(data, names):
    X, y = data
    scorer = Scorer()
    small(early_stopping=True, scoring=scorer).fit(X, names[y])
    np.testing.assert_array_equal(scorer.y, names[y][scorer.rows])


def test_scorer_gets_the_sample_weight(data):
    weight = np.linspace(1, 3, 200)
    scorer = Scorer()
    small(early_stopping=True, scoring=scorer).fit(*data, sample_weight=weight)
    np.testing.assert_array_equal(
        scorer.calls[0][3]["sample_weight"], weight[scorer.rows]
    )
    scorer = Scorer()
    small(early_stopping=True, scoring=scorer).fit(*data)
    assert scorer.calls[0][3] == {}


def hits(y, predicted):
    """Return the number of right predictions: a metric without weights."""
    return float((y == predicted).sum())


def weighted_hits(y, predicted, **weights):
    """Return the total weight of right predictions, or their number."""
    return float(((y == predicted) * weights.get("sample_weight", 1.0)).sum())


# Scorers, and whether they take sample weights
SCORERS = {
    "callable": (lambda e, X, y: hits(y, e.predict(X)), False),
    "callable of weights": (
        lambda e, X, y, sample_weight=None: weighted_hits(
            y, e.predict(X), sample_weight=sample_weight
        ),
        True,
    ),
    "callable of anything": (
        lambda e, X, y, **weights: weighted_hits(y, e.predict(X), **weights),
        True,
    ),
    "partial": (partial(lambda k, e, X, y: k * hits(y, e.predict(X)), 1), False),
    "make_scorer": (make_scorer(hits), False),
    "make_scorer of anything": (make_scorer(weighted_hits), True),
    "make_scorer of weights": (make_scorer(accuracy_score, normalize=False), True),
}


@pytest.mark.parametrize(("scoring", "weighted"), SCORERS.values(), ids=SCORERS)
def test_sample_weight_is_passed_to_what_takes_it(data, val, scoring, weighted):
    weight = np.linspace(1, 3, 40)
    clf = small(scoring=scoring, early_stopping=True)
    data = {"X_val": val[0], "y_val": val[1], "sample_weight_val": weight} | dict(
        zip(("X", "y"), data, strict=True)
    )
    clf.fit(**data)
    right = clf.predict(val[0]) == val[1]
    expected = weight[right].sum() if weighted else right.sum()
    assert clf.best_validation_score_ == pytest.approx(expected)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr", "roc_auc_ovo"])
def test_scorer_that_needs_a_class_which_is_not_held_out(data, scoring):
    X, y = data
    y = np.where(np.arange(200) < 3, 7, y)  # 3 of 200: of 20 samples not even half.
    clf = small(early_stopping=True, scoring=scoring)
    match = rf"scoring='{scoring}' failed on the validation set.* \[7\].*X_val.*loss"
    with pytest.raises(ValueError, match=match) as info:
        clf.fit(X, y)
    # The scorer's own words are told, too.
    assert str(info.value).endswith(f"The error was: {info.value.__cause__}")
    # Each of the remedies helps.
    clf.fit(X, y, X_val=X, y_val=y)
    clf.set_params(validation_fraction=0.5).fit(X, y)
    clf.set_params(validation_fraction=0.1, scoring="loss").fit(X, y)


def test_error_of_a_scorer_on_all_classes_blames_no_class(data):
    clf = small(early_stopping=True, scoring=Scorer(ValueError("no score")))
    with pytest.raises(ValueError, match=r"validation set. The error was: no score"):
        clf.fit(*data)


def test_score_that_is_never_a_number_tells_which_classes_lack(data, val):
    clf = small(early_stopping=True, scoring=Scorer(*[np.nan] * 6))
    rows = val[1] != 1
    with pytest.raises(ValueError, match=r"NaN after every epoch.* classes \[1\]"):
        clf.fit(*data, X_val=val[0][rows], y_val=val[1][rows])
    Y, Y_val = np.eye(3, dtype=int)[data[1]], np.eye(3, dtype=int)[val[1]]
    with pytest.raises(ValueError, match=r"NaN after every epoch.* classes \[1\]"):
        clf.fit(data[0], Y, X_val=val[0][rows], y_val=Y_val[rows])


def test_scorer_gets_an_estimator_fitted_so_far(data):
    X, y = data
    seen = []

    def scorer(estimator, X, y):
        assert estimator.n_iter_ == len(estimator.cost_history_) == len(seen) + 1
        assert estimator.t_ == 180 * estimator.n_iter_
        seen.append(estimator)
        return -estimator.loss_

    clf = small(early_stopping=True, scoring=scorer).fit(X, y)
    assert len(seen) == clf.n_iter_
    assert all(estimator is not clf for estimator in seen)
    # Later epochs have not changed what it was given.
    probabilities = [estimator.predict_proba(X).tobytes() for estimator in seen]
    assert len(set(probabilities)) == clf.n_iter_
    assert [len(estimator.history_) for estimator in seen] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_scorer_with_names_does_not_warn(data, val, early_stopping):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    options = {"early_stopping": early_stopping, "scoring": "accuracy"}
    val_frame = pd.DataFrame(val[0], columns=list("abcd"))
    clf = small(**options).fit(frame, y, X_val=val_frame, y_val=val[1])
    assert clf.feature_names_in_.tolist() == list("abcd")
    clf = small(early_stopping=True, scoring="accuracy").fit(frame, y)
    assert clf.feature_names_in_.tolist() == list("abcd")


# --- The best epoch -------------------------------------------------------------------

SCORES = (0.1, 0.3, 0.7, 0.2, 0.1, 0.1, 0.1)  # The best epoch is the third.
PARAMS = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 50}
EARLY_STOPPED = {
    name: CASES[name]
    for name in (
        "default",
        "momentum",
        "dropout",
        "class_weight",
        "csr",
        "gaps",
        "float32",
        "multilabel",
        "sample_weight",
        "everything",
        "everything, csr",
    )
}

every_early_stopped_case = pytest.mark.parametrize(
    "case", EARLY_STOPPED.values(), ids=EARLY_STOPPED
)


def fit(case, clf, **params):
    """Fit a classifier to a case, with validation data."""
    y_val = cases.Y_VAL if np.ndim(case.y) == 1 else np.eye(40, case.y.shape[1])
    validation = {"X_val": cases.X_VAL, "y_val": y_val}
    clf.set_params(**params)
    return clf.fit(case.X, case.y, case.sample_weight, **validation)


def without_history(clf):
    state = trained(clf)
    del state["history"]
    return state


def assert_continues_alike(case, stopped, reference):
    """Check that both are in the same state, now and after more training."""
    assert without_history(stopped) == without_history(reference)
    params = {"warm_start": True, "max_iter": 2, "n_iter_no_change": np.inf}
    stopped.set_params(early_stopping=False, **params)
    reference.set_params(**params)
    for clf in (stopped, reference):
        case.partial_fit(clf)
        case.fit(clf)
    assert without_history(stopped) == without_history(reference)
    assert stopped.cost_history_ == reference.cost_history_


@every_early_stopped_case
def test_whole_state_is_that_of_the_best_epoch(case):
    stopped = fit(case, case.make(**PARAMS), scoring=Scorer(*SCORES))
    assert (stopped.n_iter_, len(stopped.history_)) == (6, 6)
    assert stopped.best_epoch_ == 3
    assert stopped.validation_scores_ == list(SCORES[:6])
    assert stopped.best_validation_score_ == 0.7
    assert stopped.best_loss_ is None
    reference = case.fit(case.make(max_iter=3))
    assert stopped.cost_history_[:3] == reference.cost_history_
    assert_continues_alike(case, stopped, reference)


@every_early_stopped_case
def test_whole_state_is_that_of_the_training_split(case):
    case = case._replace(X=number_rows(case.X))
    scorer = Scorer(*SCORES)
    stopped = case.fit(case.make(**PARAMS, scoring=scorer))
    np.testing.assert_array_equal(scorer.y, np.asarray(case.y)[scorer.rows])
    weight = case.sample_weight
    n_present = 65 if weight is None else np.count_nonzero(weight)
    assert len(scorer.rows) == np.ceil(n_present / 10)
    kept = np.setdiff1d(np.arange(65), scorer.rows)
    training_part = case._replace(
        X=case.X[kept],
        y=case.y[kept],
        sample_weight=None if weight is None else weight[kept],
    )
    reference = training_part.fit(case.make(max_iter=3))
    assert stopped.cost_history_[:3] == reference.cost_history_
    assert_continues_alike(training_part, stopped, reference)


def test_validation_loss_is_the_default_score():
    case = Case({"learning_rate": 0.1, "hidden_layer_sizes": 50}, cases.X, cases.y)
    stopped = fit(case, case.make(**PARAMS))
    scores = stopped.validation_scores_
    assert scores == [-record["validation_loss"] for record in stopped.history_]
    assert stopped.best_validation_score_ == max(scores)
    best = len(scores) - 1 - int(np.argmax(scores[::-1]))
    assert 1 < best + 1 < stopped.n_iter_ < 50, "the best epoch is not in between"
    reference = fit(case, case.make(max_iter=best + 1))
    assert reference.history_ == stopped.history_[: best + 1]
    assert_continues_alike(case, stopped, reference)


@pytest.mark.parametrize(
    ("scores", "best", "n_iter"),
    [
        pytest.param([0.5, 0.5, 0.5, 0.1], 3, 4, id="of equals the later"),
        pytest.param([0.1, 0.5, 0.55, 0.1, 0.1], 3, 5, id="better, but within tol"),
        pytest.param([0.5, 0.1, 0.1, 0.1], 1, 4, id="first"),
        pytest.param([-5.0, -3.0, -4.0, -4.0, -4.0], 2, 5, id="negative"),
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 6, 6, id="last of max_iter"),
        pytest.param([-np.inf, 0.1, 0.3, 0.1, 0.1, 0.1], 3, 6, id="-inf first"),
        pytest.param([np.nan, np.nan, 0.6, 0.1, 0.1, 0.1], 3, 6, id="nan first"),
        pytest.param([0.3, np.nan, 0.6, 0.1, np.nan, 0.1], 3, 6, id="nan later"),
    ],
)
def test_which_epoch_is_the_best(scores, best, n_iter):
    case = CASES["default"]
    params = PARAMS | {"max_iter": 6, "tol": 0.09}
    stopped = fit(case, case.make(**params), scoring=Scorer(*scores))
    assert stopped.n_iter_ == n_iter
    assert stopped.best_validation_score_ == scores[best - 1]
    assert stopped.best_epoch_ == best
    reference = case.fit(case.make(max_iter=best))
    assert without_history(stopped) == without_history(reference)


def test_history_keeps_what_follows_the_best_epoch_until_training_continues():
    case = CASES["default"]
    clf = fit(case, case.make(**PARAMS), scoring=Scorer(*SCORES))
    history = clf.history_
    assert clf.loss_ == history[2]["loss"]
    case.partial_fit(clf.set_params(early_stopping=False))
    assert clf.history_[:3] == history[:3]
    assert [record["epoch"] for record in clf.history_] == [1, 2, 3, 4]
    assert len(history) == 6
    assert clf.best_validation_score_ is None
    assert clf.validation_scores_ == list(SCORES[:3])


def test_warm_fit_continues_from_the_best_epoch():
    case = CASES["everything"]
    params = PARAMS | {"warm_start": True}
    # Epochs 3 and, of the second fit, 2: five in all
    first, second = Scorer(*SCORES), Scorer(0, 0, 0.1, 0.2, 0.5, 0, 0, 0)
    clf = fit(case, case.make(**params), scoring=first)
    fit(case, clf, scoring=second)
    assert clf.n_iter_ == 5
    assert [record["epoch"] for record in clf.history_] == list(range(1, 9))
    assert_continues_alike(case, clf, case.fit(case.make(max_iter=5)))


def test_warm_fit_returns_its_start_where_all_epochs_are_worse():
    case = CASES["everything"]
    params = PARAMS | {"warm_start": True}
    clf = fit(case, case.make(**params), scoring=Scorer(*SCORES))
    fit(case, clf, scoring=Scorer(0, 0, 0.7, 0.6, 0.6, 0.6))
    assert (clf.n_iter_, clf.best_validation_score_) == (3, 0.7)
    assert_continues_alike(case, clf, case.fit(case.make(max_iter=3)))


def test_pickling_keeps_the_best_epoch():
    case = CASES["everything"]
    clf = fit(case, case.make(**PARAMS), scoring="accuracy")
    clf.set_params(early_stopping=False)
    copied = pickle.loads(pickle.dumps(clf))
    assert trained(case.partial_fit(copied)) == trained(case.partial_fit(clf))


# --- Validation without early stopping ------------------------------------------------


@every_early_stopped_case
def test_without_early_stopping_validation_changes_nothing(case):
    params = {"max_iter": 4, "n_iter_no_change": 2, "tol": 0.0}
    scorer = Scorer(0.4, 0.3, 0.2, 0.1)  # Early stopping would stop at 0.2.
    validated = fit(case, case.make(**params), scoring=scorer)
    plain = case.fit(case.make(**params))
    assert without_history(validated) == without_history(plain)
    assert validated.cost_history_ == plain.cost_history_
    assert validated.best_loss_ == plain.best_loss_
    assert len(validated.validation_scores_) == validated.n_iter_ == plain.n_iter_
    assert validated.best_validation_score_ == 0.4


def test_an_undefined_score_is_not_the_best(data, val):
    scorer = Scorer(np.nan, 0.3, 0.5, np.nan, 0.4, 0.2)
    clf = small(scoring=scorer).fit(*data, X_val=val[0], y_val=val[1])
    assert clf.best_validation_score_ == 0.5


@pytest.mark.parametrize("early_stopping", [False, True])
def test_validation_is_recorded(data, val, early_stopping):
    clf = small(early_stopping=early_stopping, scoring="accuracy", tol=0.0)
    clf.fit(*data, X_val=val[0], y_val=val[1])
    assert len(clf.history_) == clf.n_iter_ == len(clf.validation_scores_)
    record = clf.history_[clf.t_ // 200 - 1]
    probabilities = clf.predict_proba(val[0])
    assert record["validation_loss"] == pytest.approx(log_loss(val[1], probabilities))
    assert record["validation_score"] == clf.score(*val)
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    assert (clf.best_loss_ is None) == early_stopping
    # All samples of X are trained on.
    assert clf.t_ % 200 == 0


# --- Forms of validation data ---------------------------------------------------------


@pytest.mark.parametrize(
    "as_format",
    [lambda X: X.tolist(), np.asarray, sp.csr_array, sp.csc_matrix, sp.coo_array],
    ids=["list", "array", "CSR", "CSC", "COO"],
)
@pytest.mark.parametrize("training_format", [np.asarray, sp.csr_array])
def test_forms_of_validation_data(data, val, as_format, training_format):
    X, y = data
    reference = small().fit(X, y, X_val=val[0], y_val=val[1])
    clf = small()
    clf.fit(training_format(X), y, X_val=as_format(val[0]), y_val=val[1].tolist())
    np.testing.assert_allclose(clf.validation_scores_, reference.validation_scores_)


def test_validation_data_keep_their_dtype(data, val):
    X, y = data
    scorer = Scorer()
    clf = small(scoring=scorer)
    clf.fit(X.astype(np.float32), y, X_val=val[0], y_val=val[1])
    assert params_of(clf).dtype == np.float32
    assert scorer.calls[0][1].dtype == np.float64
    reference = small().fit(X, y, X_val=val[0], y_val=val[1])
    assert last_loss(clf) == pytest.approx(last_loss(reference), abs=1e-3)


def test_validation_labels_need_not_have_all_classes(data, val):
    rows = val[1] > 0
    clf = small().fit(*data, X_val=val[0][rows], y_val=val[1][rows])
    probabilities = clf.predict_proba(val[0][rows])
    loss = log_loss(val[1][rows], probabilities, labels=[0, 1, 2])
    assert last_loss(clf) == pytest.approx(loss)


def test_multilabel_validation_data(data, val):
    Y, Y_val = (np.c_[y == 0, y > 0, X[:, 2] > 0] for X, y in (data, val))
    clf = small(early_stopping=True, scoring="accuracy")
    clf.fit(data[0], Y, X_val=val[0], y_val=sp.csr_array(Y_val.astype(int)))
    assert clf.best_validation_score_ == clf.score(val[0], Y_val)


# --- What counts in the validation loss -----------------------------------------------


@pytest.mark.parametrize("class_weight", [None, {0: 0.5, 2: 4.0}])
@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 3, 40)])
def test_weights_count_in_the_validation_loss(data, val, weight, class_weight):
    clf = small(class_weight=class_weight)
    clf.fit(*data, X_val=val[0], y_val=val[1], sample_weight_val=weight)
    both = np.ones(40) if weight is None else weight.copy()
    if class_weight:
        both *= np.array([0.5, 1.0, 4.0])[val[1]]
    loss = log_loss(val[1], clf.predict_proba(val[0]), sample_weight=both)
    assert last_loss(clf) == pytest.approx(loss)
    # They change nothing about the training.
    assert_same_model(clf, small(class_weight=class_weight).fit(*data))


def test_sample_weights_count_in_the_score(data, val):
    weight = np.linspace(0.1, 3, 40)
    clf = small(scoring="accuracy")
    clf.fit(*data, X_val=val[0], y_val=val[1], sample_weight_val=weight)
    expected = accuracy_score(val[1], clf.predict(val[0]), sample_weight=weight)
    assert clf.validation_scores_[-1] == pytest.approx(expected)


def test_weights_count_in_the_loss_of_the_validation_split(data):
    X, y = data
    weight = np.linspace(0.1, 3, 200)
    scorer = Scorer()
    clf = small(early_stopping=True, scoring=scorer, class_weight={0: 2.0})
    clf.fit(X, y, sample_weight=weight)
    rows = scorer.rows
    estimator = scorer.calls[-1][0]
    both = weight[rows] * np.where(y[rows] == 0, 2.0, 1.0)
    loss = log_loss(y[rows], estimator.predict_proba(X[rows]), sample_weight=both)
    assert last_loss(clf) == pytest.approx(loss)


def test_balanced_weights_are_those_of_the_training_data(data, val):
    clf = small(class_weight="balanced").fit(*data, X_val=val[0], y_val=val[1])
    # Training has 120, 60 and 20 samples: weights 1 : 2 : 6. Validation differs.
    both = np.array([1, 2, 6])[val[1]]
    loss = log_loss(val[1], clf.predict_proba(val[0]), sample_weight=both)
    assert last_loss(clf) == pytest.approx(loss)


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_are_those_of_the_training_split(data, weighted):
    X, y = data
    weight = np.linspace(0.1, 3, 200) if weighted else np.ones(200)
    scorer = Scorer()
    options = {"class_weight": "balanced", "n_iter_no_change": np.inf, "max_iter": 2}
    # Too small a part for the proportions of the classes.
    clf = small(
        early_stopping=True, validation_fraction=0.03, scoring=scorer, **options
    ).fit(X, y, sample_weight=weight)
    left = np.setdiff1d(np.arange(200), scorer.rows)
    assert len(left) == 194
    reference = small(**options)
    reference.fit(X[left], y[left], sample_weight=weight[left])
    assert reference.cost_history_ == clf.cost_history_
    totals = np.bincount(y[left], weight[left])
    both = (weight / totals[y])[scorer.rows]
    probabilities = scorer.calls[-1][0].predict_proba(X[scorer.rows])
    loss = log_loss(y[scorer.rows], probabilities, labels=[0, 1, 2], sample_weight=both)
    assert last_loss(clf) == pytest.approx(loss)


def test_penalties_and_smoothing_are_no_part_of_the_validation_loss(data, val):
    clf = small(alpha=1.0, label_smoothing=0.4, dropout=0.5, weight_decay=0.1)
    clf.fit(*data, X_val=val[0], y_val=val[1])
    loss = log_loss(val[1], clf.predict_proba(val[0]))
    assert last_loss(clf) == pytest.approx(loss)
