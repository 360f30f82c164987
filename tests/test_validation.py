"""Tests of early stopping and of validation data of one's own."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tests import helpers
from tests.helpers import assert_same_model, params_of


@pytest.fixture
def data():
    """Three overlapping classes of 120, 60 and 20 rows; the first feature numbers them.

    The number is divided by 1000, so that it hardly matters to the network.
    """
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [120, 60, 20]))
    X = rng.standard_normal((200, 4)) + np.eye(3, 4, k=1)[y]
    X[:, 0] = np.arange(200) / 1000
    return X, y


@pytest.fixture
def val():
    """Validation data of the same kind as `data`."""
    rng = np.random.default_rng(1)
    y = rng.permutation(np.repeat([0, 1, 2], [20, 15, 5]))
    X = rng.standard_normal((40, 4)) + np.eye(3, 4, k=1)[y]
    X[:, 0] = -0.1
    return X, y


small = partial(helpers.small, batch_size=32)


class Scorer:
    """A scorer that notes what it is called with and returns scripted scores."""

    def __init__(self, scores=None):
        self.scores = None if scores is None else iter(scores)
        self.calls = []

    def __call__(self, estimator, X, y, **metadata):
        self.calls.append((estimator, X, y, metadata))
        if self.scores is not None:
            return next(self.scores)
        return accuracy_score(y, estimator.predict(X))

    @property
    def y(self):
        return self.calls[0][2]

    @property
    def rows(self):
        """The numbers of the rows to validate on."""
        X = self.calls[0][1]
        X = X.toarray() if sp.issparse(X) else X
        return np.round(X[:, 0] * 1000).astype(int)


# --- The internal split ---------------------------------------------------------------


@pytest.mark.parametrize("as_format", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("fraction", "counts"), [(0.1, [12, 6, 2]), (0.25, [30, 15, 5])]
)
def test_split_has_the_proportions_of_the_classes(data, as_format, fraction, counts):
    X, y = data
    scorer = Scorer()
    clf = small(early_stopping=True, validation_fraction=fraction, scoring=scorer)
    clf.fit(as_format(X), y)
    assert np.bincount(scorer.y).tolist() == counts
    np.testing.assert_array_equal(scorer.y, y[scorer.rows])
    # Every epoch is validated on the same rows.
    assert len(scorer.calls) == clf.n_iter_
    assert all(call[1] is scorer.calls[0][1] for call in scorer.calls)


def test_training_leaves_out_what_is_held_out(data):
    X, y = data
    scorer = Scorer()
    options = {"learning_rate_schedule": "constant", "n_iter_no_change": np.inf}
    clf = small(early_stopping=True, scoring=scorer, **options).fit(X, y)
    training_rows = np.setdiff1d(np.arange(200), scorer.rows)
    assert len(training_rows) == 180
    reference = small(**options)
    for _ in range(clf.t_ // 180):
        reference.partial_fit(X[training_rows], y[training_rows], classes=[0, 1, 2])
    assert_same_model(clf, reference)


def test_split_depends_on_the_seed_alone(data):
    X, y = data
    rows = []
    for seed in (0, 0, 1):
        scorer = Scorer()
        clf = small(early_stopping=True, scoring=scorer, random_state=seed)
        clf.fit(X, y, sample_weight=np.full(200, 2.0))
        rows.append(scorer.rows.tolist())
    assert rows[0] == rows[1] != rows[2]


@pytest.mark.parametrize("n_lone", [1, 2])
def test_lone_classes_stay_in_training(data, n_lone):
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
    # All others are trained on, the lone ones too.
    assert clf.t_ == 200 - len(scorer.y)
    left = np.setdiff1d(np.arange(200), scorer.rows)
    reference = small(max_iter=1).fit(X[left], y[left])
    assert_same_model(clf, reference)


def test_fewer_held_out_rows_than_classes():
    # Of 100 rows 8 are held out: half of them from the class that has half of all.
    y = np.r_[np.zeros(51, int), np.repeat(np.arange(1, 8), 7)]
    scorer = Scorer()
    clf = small(
        early_stopping=True, scoring=scorer, max_iter=1, validation_fraction=0.08
    )
    clf.fit(np.arange(100.0)[:, np.newaxis] / 1000, y)
    np.testing.assert_array_equal(scorer.y, y[scorer.rows])
    counts = np.bincount(scorer.y, minlength=8)
    assert counts[0] == 4
    assert counts[1:].sum() == 4
    assert counts[1:].max() == 1
    assert clf.t_ == 92


def test_rows_of_weight_zero_are_not_split(data):
    X, y = data
    weight = np.ones(200)
    weight[::2] = 0.0
    scorer = Scorer()
    clf = small(early_stopping=True, scoring=scorer, validation_fraction=0.2)
    clf.fit(X, y, sample_weight=weight)
    assert len(scorer.y) == 20
    assert (scorer.rows % 2 == 1).all()
    assert clf.t_ % 80 == 0


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


def test_fewer_rows_are_held_out_than_there_are_classes():
    scorer = Scorer()
    y = np.repeat(np.arange(10), 2)
    X = np.arange(20.0)[:, np.newaxis]
    clf = small(early_stopping=True, scoring=scorer, validation_fraction=0.1)
    clf.fit(X, y)
    assert len(scorer.y) == 2
    assert clf.t_ % 18 == 0
    # Every class stays in training.
    assert len(set(scorer.y)) == 2


@pytest.mark.parametrize(
    ("y", "fraction", "held_out"),
    [([0, 0, 1, 1, 1, 2], 0.9, [0, 1, 1]), (["a", "a", "a"], 0.99, ["a", "a"])],
    ids=["three classes", "one class"],
)
def test_one_row_of_each_class_stays_in_training(y, fraction, held_out):
    scorer = Scorer()
    clf = small(early_stopping=True, validation_fraction=fraction, scoring=scorer)
    clf.fit(np.arange(float(len(y)))[:, np.newaxis], y)
    assert sorted(scorer.y) == held_out


@pytest.mark.parametrize(
    "y",
    [[0, 1, 2], ["a"], [[1, 0]]],
    ids=["lone classes only", "one row", "one multilabel row"],
)
def test_impossible_split_names_the_remedies(y):
    X = np.arange(float(len(y)))[:, np.newaxis]
    clf = small(early_stopping=True, validation_fraction=0.5)
    with pytest.raises(ValueError, match="early_stopping cannot hold out") as error:
        clf.fit(X, y)
    for remedy in ("more rows", "X_val", "early_stopping=False"):
        assert remedy in str(error.value)
    # Each of them helps.
    clf.fit(np.r_[X, X], np.r_[y, y])
    clf.fit(X, y, X_val=X, y_val=y)
    small().fit(X, y)


# --- Scoring --------------------------------------------------------------------------


def test_loss_is_the_default_score(data):
    clf = small(early_stopping=True).fit(*data)
    losses = [record["validation_loss"] for record in clf.history_]
    assert clf.validation_scores_ == [-loss for loss in losses]
    assert clf.best_validation_score_ == -min(losses)


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


def test_scorer_gets_labels_as_they_were_given(data):
    X, y = data
    scorer = Scorer()
    names = np.array(["ape", "bee", "cow"])
    small(early_stopping=True, scoring=scorer).fit(X, names[y])
    np.testing.assert_array_equal(scorer.y, names[y][scorer.rows])


def test_scorer_gets_the_sample_weight(data):
    X, y = data
    weight = np.linspace(1, 3, 200)
    scorer = Scorer()
    small(early_stopping=True, scoring=scorer).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(
        scorer.calls[0][3]["sample_weight"], weight[scorer.rows]
    )
    scorer = Scorer()
    small(early_stopping=True, scoring=scorer).fit(X, y)
    assert scorer.calls[0][3] == {}


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


@pytest.mark.parametrize(
    "failing",
    [
        lambda estimator, X, y: 1 / 0,
        lambda estimator, X, y: "good",
        lambda estimator, X: 1.0,
    ],
    ids=["raises", "no number", "signature"],
)
def test_failing_scorer_changes_nothing(data, failing):
    X, y = data
    clf = small(early_stopping=True).fit(X, y)
    clf.set_params(scoring=failing)
    before = vars(clf).copy()
    with pytest.raises((ZeroDivisionError, ValueError, TypeError)):
        clf.fit(X, y)
    assert vars(clf) == before


# --- What early stopping returns ------------------------------------------------------


def test_the_model_is_that_of_its_best_epoch(data):
    X, y = data
    scorer = Scorer([0.1, 0.4, 0.3, 0.9, 0.2, 0.8, 0.1, 0.0])
    clf = small(
        early_stopping=True, scoring=scorer, n_iter_no_change=3, max_iter=8
    ).fit(X, y)
    assert clf.n_iter_ == 7
    assert clf.validation_scores_ == [0.1, 0.4, 0.3, 0.9, 0.2, 0.8, 0.1]
    assert clf.best_validation_score_ == 0.9
    assert clf.t_ == 4 * 180
    assert clf.optimizer_.n_steps_ == 4 * 6
    assert clf.loss_ == clf.loss_curve_[3]
    assert clf.best_loss_ is None
    assert len(clf.loss_curve_) == len(clf.history_) == 7
    estimator_then = scorer.calls[3][0]
    np.testing.assert_array_equal(clf.predict_proba(X), estimator_then.predict_proba(X))


def test_of_equals_the_later_is_returned(data):
    X, y = data
    scorer = Scorer([0.1, 0.5, 0.5, 0.2, 0.5, 0.9])
    clf = small(
        early_stopping=True, scoring=scorer, n_iter_no_change=3, max_iter=8
    ).fit(X, y)
    # A tie is no improvement: epochs 3, 4 and 5 brought none.
    assert clf.n_iter_ == 5
    assert clf.t_ == 5 * 180
    assert clf.best_validation_score_ == 0.5


def test_going_on_after_early_stopping(data):
    X, y = data
    scorer = Scorer([0.1, 0.9, 0.2, 0.3, 0.4, 0.1])
    clf = small(early_stopping=True, scoring=scorer).fit(X, y)
    assert len(clf.history_) == 6
    losses = clf.loss_curve_
    clf.set_params(early_stopping=False).partial_fit(X, y)
    # The epochs after the best one are forgotten.
    assert [record["epoch"] for record in clf.history_] == [1, 2, 3]
    assert clf.loss_curve_[:2] == losses[:2]
    assert clf.t_ == 2 * 180 + 200
    assert clf.best_validation_score_ is None
    assert clf.validation_scores_ == [0.1, 0.9]


def test_warm_start_never_gets_worse(data, val):
    X, y = data
    options = {"X_val": val[0], "y_val": val[1]}
    clf = small(early_stopping=True, warm_start=True).fit(X, y, **options)
    before, best = params_of(clf), clf.best_validation_score_
    # Such large steps only make it worse.
    clf.set_params(learning_rate=5.0, max_iter=3).fit(X, y, **options)
    np.testing.assert_array_equal(params_of(clf), before)
    assert clf.best_validation_score_ == best
    assert clf.n_iter_ == 3


def test_a_score_that_is_undefined_at_first(data):
    X, y = data
    scorer = Scorer([np.nan, np.nan, 0.3, 0.5, 0.4, 0.2])
    clf = small(early_stopping=True, scoring=scorer).fit(X, y)
    assert clf.best_validation_score_ == 0.5
    assert clf.t_ == 4 * 180


def test_an_undefined_score_is_not_the_best(data, val):
    scorer = Scorer([np.nan, 0.3, 0.5, np.nan, 0.4, 0.2])
    clf = small(scoring=scorer).fit(*data, X_val=val[0], y_val=val[1])
    assert clf.best_validation_score_ == 0.5


# --- Validation data of one's own -----------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
def test_own_validation_data_are_recorded(data, val, early_stopping):
    clf = small(early_stopping=early_stopping, scoring="accuracy", tol=0.0)
    clf.fit(*data, X_val=val[0], y_val=val[1])
    assert len(clf.history_) == clf.n_iter_ == len(clf.validation_scores_)
    record = clf.history_[clf.t_ // 200 - 1]
    probabilities = clf.predict_proba(val[0])
    assert record["validation_loss"] == pytest.approx(log_loss(val[1], probabilities))
    assert record["validation_score"] == clf.score(*val)
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    assert (clf.best_loss_ is None) == early_stopping
    # All rows of X are trained on.
    assert clf.t_ % 200 == 0


def test_without_early_stopping_validation_changes_nothing(data, val):
    X, y = data
    options = {"n_iter_no_change": 2, "learning_rate": 0.1, "max_iter": 12}
    validation = {"X_val": val[0], "y_val": (val[1] + 1) % 3}  # Wrong labels.
    early = small(early_stopping=True, **options).fit(X, y, **validation)
    clf = small(**options).fit(X, y, **validation)
    reference = small(**options).fit(X, y)
    assert early.n_iter_ < clf.n_iter_ == reference.n_iter_
    assert_same_model(clf, reference)
    assert clf.loss_curve_ == reference.loss_curve_
    assert (clf.loss_, clf.best_loss_) == (reference.loss_, reference.best_loss_)
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    assert clf.best_validation_score_ > clf.validation_scores_[-1]


def test_with_early_stopping_nothing_is_held_out_of_X(data, val):
    X, y = data
    options = {"learning_rate_schedule": "constant", "n_iter_no_change": np.inf}
    clf = small(early_stopping=True, **options)
    clf.fit(X, y, X_val=val[0], y_val=val[1])
    reference = small(**options)
    for _ in range(clf.t_ // 200):
        reference.partial_fit(X, y, classes=[0, 1, 2])
    assert_same_model(clf, reference)


@pytest.mark.parametrize(
    "as_format", [lambda X: X.tolist(), sp.csr_array, sp.csc_matrix, sp.coo_array]
)
def test_forms_of_validation_data(data, val, as_format):
    reference = small().fit(*data, X_val=val[0], y_val=val[1])
    clf = small().fit(*data, X_val=as_format(val[0]), y_val=val[1].tolist())
    np.testing.assert_allclose(clf.validation_scores_, reference.validation_scores_)
    assert_same_model(clf, reference)


def test_validation_data_of_another_dtype(data, val):
    X, y = data
    clf = small(scoring="neg_log_loss")
    clf.fit(X.astype(np.float32), y, X_val=val[0], y_val=val[1])
    assert params_of(clf).dtype == np.float32
    reference = small(scoring="neg_log_loss").fit(X, y, X_val=val[0], y_val=val[1])
    np.testing.assert_allclose(
        clf.validation_scores_, reference.validation_scores_, atol=1e-3
    )


def test_validation_is_computed_in_the_dtype_of_the_model(data, val):
    scorer = Scorer()
    X, y = data
    clf = small(scoring=scorer)
    clf.fit(X.astype(np.float32), y, X_val=val[0], y_val=val[1])
    assert scorer.calls[0][1].dtype == np.float32


def test_sparse_training_with_dense_validation_data(data, val):
    X, y = data
    clf = small().fit(sp.csr_array(X), y, X_val=val[0], y_val=val[1])
    reference = small().fit(X, y, X_val=val[0], y_val=val[1])
    np.testing.assert_allclose(clf.validation_scores_, reference.validation_scores_)


def test_validation_labels_need_not_have_all_classes(data, val):
    rows = val[1] > 0
    clf = small().fit(*data, X_val=val[0][rows], y_val=val[1][rows])
    probabilities = clf.predict_proba(val[0][rows])
    loss = log_loss(val[1][rows], probabilities, labels=[0, 1, 2])
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


def test_multilabel_validation_data(data, val):
    Y, Y_val = (np.c_[y == 0, y > 0, X[:, 2] > 0] for X, y in (data, val))
    clf = small(early_stopping=True, scoring="accuracy")
    clf.fit(data[0], Y, X_val=val[0], y_val=sp.csr_array(Y_val.astype(int)))
    assert clf.best_validation_score_ == clf.score(val[0], Y_val)


def test_column_names_of_validation_data_must_match(data, val):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(ValueError, match="feature names should match"):
        small().fit(
            frame, y, X_val=pd.DataFrame(val[0], columns=list("abce")), y_val=val[1]
        )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_validation_labels_are_of_the_kind_of_y(data):
    X, y = data
    one_column = [[label] for label in (y > 0).astype(int)]
    two_columns = np.c_[y == 0, y == 1].astype(int)
    clf = small()
    for y_fit, y_val in (
        (y > 0, two_columns),
        (two_columns, y > 0),
        (two_columns, (y > 0).astype(int)),
        (two_columns, one_column),
    ):
        with pytest.raises(ValueError, match="y_val"):
            clf.fit(X, y_fit, X_val=X, y_val=y_val)
    assert vars(clf) == vars(small())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: {"X_val": X}, "X_val and y_val must be given together"),
        (lambda X, y: {"y_val": y}, "X_val and y_val must be given together"),
        (
            lambda X, y: {"sample_weight_val": np.ones(len(y))},
            "sample_weight_val needs X_val",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": y + 1},
            r"y_val has labels that are not among the classes.*\[3\]",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": y.astype(str)},
            "y_val has labels that are not among the classes",
        ),
        (lambda X, y: {"X_val": X[:, :3], "y_val": y}, "3 features"),
        (lambda X, y: {"X_val": X, "y_val": y[1:]}, "inconsistent numbers"),
        (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, "0 sample"),
        (lambda X, y: {"X_val": X * np.nan, "y_val": y}, "NaN"),
        (lambda X, y: {"X_val": X, "y_val": np.c_[y > 0, y > 1]}, "y_val"),
        (
            lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": -np.ones(40)},
            "Negative values in data passed to sample_weight_val",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.zeros(40)},
            "sample_weight_val is zero for every row",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.ones(39)},
            "sample_weight",
        ),
    ],
    ids=[
        "no y",
        "no X",
        "weight only",
        "unknown label",
        "strings",
        "features",
        "lengths",
        "empty",
        "nan",
        "multilabel",
        "negative weight",
        "zero weight",
        "weight's length",
    ],
)
def test_bad_validation_data_are_refused(data, val, change, message):
    clf = small().fit(*data)
    before = vars(clf).copy()
    with pytest.raises(ValueError, match=message):
        clf.fit(*data, **change(*val))
    assert vars(clf) == before


def test_validation_rows_that_all_have_class_weight_zero_are_refused(data, val):
    X_val, y_val = val
    clf = small(class_weight={1: 0.0})
    with pytest.raises(ValueError, match="zero for every validation row"):
        clf.fit(*data, X_val=X_val[y_val == 1], y_val=y_val[y_val == 1])


# --- Weights in validation ------------------------------------------------------------


def test_sample_weights_count_in_the_validation_loss(data, val):
    X, y = data
    weight = np.linspace(0.1, 3, 40)
    clf = small().fit(X, y, X_val=val[0], y_val=val[1], sample_weight_val=weight)
    loss = log_loss(val[1], clf.predict_proba(val[0]), sample_weight=weight)
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)
    # They change nothing about the training.
    assert_same_model(clf, small().fit(X, y))


def test_sample_weights_count_in_the_score(data, val):
    weight = np.linspace(0.1, 3, 40)
    clf = small(scoring="accuracy")
    clf.fit(*data, X_val=val[0], y_val=val[1], sample_weight_val=weight)
    expected = accuracy_score(val[1], clf.predict(val[0]), sample_weight=weight)
    assert clf.validation_scores_[-1] == pytest.approx(expected)


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 3, 40)])
def test_class_weights_count_in_the_validation_loss(data, val, weight):
    clf = small(class_weight={0: 0.5, 2: 4.0})
    clf.fit(*data, X_val=val[0], y_val=val[1], sample_weight_val=weight)
    both = np.array([0.5, 1.0, 4.0])[val[1]] * (1 if weight is None else weight)
    loss = log_loss(val[1], clf.predict_proba(val[0]), sample_weight=both)
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


def test_balanced_weights_are_those_of_the_training_data(data, val):
    clf = small(class_weight="balanced").fit(*data, X_val=val[0], y_val=val[1])
    # Training has 120, 60 and 20 rows: weights 1 : 2 : 6. Validation has other shares.
    both = np.array([1, 2, 6])[val[1]]
    loss = log_loss(val[1], clf.predict_proba(val[0]), sample_weight=both)
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_are_those_of_the_training_part(data, weighted):
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
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


def test_weights_count_in_the_loss_of_the_held_out_part(data):
    X, y = data
    weight = np.linspace(0.1, 3, 200)
    scorer = Scorer()
    clf = small(early_stopping=True, scoring=scorer, class_weight={0: 2.0})
    clf.fit(X, y, sample_weight=weight)
    rows = scorer.rows
    estimator = scorer.calls[-1][0]
    both = weight[rows] * np.where(y[rows] == 0, 2.0, 1.0)
    loss = log_loss(y[rows], estimator.predict_proba(X[rows]), sample_weight=both)
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


def test_validation_rows_of_weight_zero_count_for_nothing(data, val):
    weight = np.ones(40)
    weight[::3] = 0.0
    rows = weight > 0
    for scoring in ("loss", "accuracy"):
        clf = small(scoring=scoring)
        clf.fit(*data, X_val=val[0], y_val=val[1], sample_weight_val=weight)
        reference = small(scoring=scoring)
        reference.fit(*data, X_val=val[0][rows], y_val=val[1][rows])
        np.testing.assert_allclose(clf.validation_scores_, reference.validation_scores_)


def test_penalties_and_smoothing_are_no_part_of_the_validation_loss(data, val):
    clf = small(alpha=1.0, label_smoothing=0.4, dropout=0.5, weight_decay=0.1)
    clf.fit(*data, X_val=val[0], y_val=val[1])
    loss = log_loss(val[1], clf.predict_proba(val[0]))
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


# --- Pipelines ------------------------------------------------------------------------


@pytest.fixture
def routing():
    """Enable metadata routing."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("weighted", [False, True])
def test_pipeline_transforms_the_validation_data(data, val, routing, weighted):
    X, y = data[0] * 100 + 7, data[1]
    X_val = val[0] * 100 + 7
    weights = {"sample_weight_val": np.linspace(1, 2, 40)} if weighted else {}
    clf = small(early_stopping=True, scoring="neg_log_loss")
    clf.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
    pipe = Pipeline(
        [("scale", StandardScaler()), ("clf", clf)], transform_input=["X_val"]
    )
    pipe.fit(X, y, X_val=X_val, y_val=val[1], **weights)
    scaler = StandardScaler().fit(X)
    reference = small(early_stopping=True, scoring="neg_log_loss")
    reference.fit(
        scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=val[1], **weights
    )
    assert_same_model(pipe["clf"], reference)
    assert pipe["clf"].validation_scores_ == reference.validation_scores_


def test_pipeline_of_frames(data, val, routing):
    names = list("abcd")
    X, X_val = (pd.DataFrame(X, columns=names) for X in (data[0], val[0]))
    clf = small(early_stopping=True, scoring="accuracy")
    clf.set_fit_request(X_val=True, y_val=True)
    scaler = StandardScaler().set_output(transform="pandas")
    pipe = Pipeline([("scale", scaler), ("clf", clf)], transform_input=["X_val"])
    pipe.fit(X, data[1], X_val=X_val, y_val=val[1])
    assert pipe["clf"].feature_names_in_.tolist() == names
    assert pipe["clf"].best_validation_score_ == pipe.score(X_val, val[1])


def test_early_stopping_at_max_iter_does_not_warn(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        small(early_stopping=True, learning_rate_schedule="constant").fit(*data)
