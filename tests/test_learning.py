"""Tests of what is learned, of when training stops, and of what it prints."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._schedules import SCHEDULES
from tests import helpers

small = partial(helpers.small, learning_rate=0.03, max_iter=8)

# --- Accuracy -------------------------------------------------------------------------


def test_digits():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    # So few hidden units that they must be learned: with random ones the accuracy is
    # 0.83.
    clf = RMSpropMLPClassifier(
        (16,), learning_rate=0.01, max_iter=20, batch_size=32, random_state=0
    )
    assert clf.fit(X_train, y_train).score(X_test, y_test) > 0.94


@pytest.mark.parametrize(
    ("load", "accuracy"), [(load_iris, 0.94), (load_breast_cancer, 0.96)]
)
def test_cross_validated_accuracy(load, accuracy):
    X, y = load(return_X_y=True)
    clf = RMSpropMLPClassifier(
        (10,), learning_rate=0.03, max_iter=60, batch_size=32, random_state=0
    )
    assert cross_val_score(clf, X, y, cv=5).mean() > accuracy


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"momentum": 0.9, "nesterov": True, "learning_rate": 0.002},
        {"centered": True},
        {"hidden_layer_sizes": (8, 8, 8), "activation": "gelu"},
        {"alpha": 1e-3, "weight_decay": 1e-3, "max_grad_norm": 1.0},
        {"dropout": 0.1, "hidden_layer_sizes": (32,)},
        {"label_smoothing": 0.1},
    ],
    ids=lambda params: ", ".join(params) or "defaults",
)
def test_moons_need_a_curved_decision_boundary(params):
    X, y = make_moons(300, noise=0.1, random_state=0)
    defaults = {
        "hidden_layer_sizes": (16,),
        "learning_rate": 0.02,
        "alpha": 0.0,
        "max_iter": 60,
        "batch_size": 30,
        "random_state": 0,
    }
    clf = RMSpropMLPClassifier(**{**defaults, **params}).fit(X, y)
    assert clf.score(X, y) > 0.98  # A straight decision boundary gets 0.87.


@pytest.mark.parametrize(
    ("activation", "schedule"),
    [
        *[(activation, "cosine") for activation in ACTIVATIONS],
        *[("relu", schedule) for schedule in SCHEDULES if schedule != "cosine"],
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_activation_and_every_schedule_learns(data, activation, schedule):
    clf = small(activation=activation, learning_rate_schedule=schedule, max_iter=30)
    assert clf.fit(*data).score(*data) >= 0.95


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_softmax_regression_finds_the_optimum(n_classes, weighted):
    X, y = load_iris(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[y < n_classes], y[y < n_classes]
    weight = np.linspace(0.5, 2, len(y)) if weighted else np.ones(len(y))
    alpha = 0.01
    clf = RMSpropMLPClassifier(
        (),
        numerical_encoding="none",
        alpha=alpha,
        weight_decay=0.0,
        learning_rate=0.05,
        learning_rate_schedule="cosine",
        batch_size=len(y),
        max_iter=2000,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y, sample_weight=weight)
    # LogisticRegression minimizes C * sum(weight * loss) + penalty; with two classes
    # it has one vector w for our -w/2 and w/2, whose penalty is half of its own.
    C = 1 / (alpha * weight.sum()) * (2 if n_classes == 2 else 1)
    exact = LogisticRegression(C=C, solver="newton-cg", tol=1e-10)
    exact.fit(X, y, sample_weight=weight)
    coef = clf.coefs_[0].T
    if n_classes == 2:
        coef = np.diff(coef, axis=0)
    np.testing.assert_allclose(coef, exact.coef_, atol=2e-3)
    np.testing.assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=1e-3)


# --- Stopping -------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("n_iter_no_change", "n_iter"),
    [(1, 2), (3, 4), (7, 8), (np.inf, 50), (10**400, 50)],
    ids=["1", "3", "7", "inf", "beyond floats"],
)
def test_stops_after_exactly_n_iter_no_change(
    data, n_iter_no_change, n_iter, early_stopping
):
    # Only the first epoch improves on anything: the steps are too small for more.
    clf = small(
        learning_rate=1e-9,
        n_iter_no_change=n_iter_no_change,
        max_iter=50,
        early_stopping=early_stopping,
    )
    assert clf.fit(*data).n_iter_ == n_iter


def test_tol_is_the_least_improvement_that_counts(data):
    options = {"n_iter_no_change": 1, "batch_size": 60, "max_iter": 100}
    clf = small(tol=0.05, **options).fit(*data)
    steps = -np.diff(clf.loss_curve_)
    assert 3 < clf.n_iter_ < 100
    assert (steps[:-1] > 0.05).all()
    assert steps[-1] <= 0.05
    assert small(tol=0.01, **options).fit(*data).n_iter_ > clf.n_iter_


def test_a_small_learning_rate_is_no_plateau(data):
    clf = small(learning_rate=5e-7, learning_rate_schedule="plateau", max_iter=4)
    with pytest.warns(ConvergenceWarning):
        clf.set_params(n_iter_no_change=np.inf).fit(*data)
    assert clf.n_iter_ == 4


@pytest.mark.parametrize(
    ("schedule", "params"),
    [("constant", {}), ("plateau", {}), ("constant", {"n_iter_no_change": np.inf})],
)
def test_convergence_warning(data, schedule, params):
    with pytest.warns(ConvergenceWarning, match="max_iter=8") as caught:
        small(learning_rate_schedule=schedule, **params).fit(*data)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("schedule", "params"),
    [
        ("linear", {}),
        ("cosine", {}),
        ("one_cycle", {}),
        ("constant", {"early_stopping": True}),
        ("plateau", {"early_stopping": True}),
        ("constant", {"tol": 10.0, "n_iter_no_change": 2}),
    ],
)
def test_no_convergence_warning(data, schedule, params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(learning_rate_schedule=schedule, **params).fit(*data)


def test_partial_fit_never_warns(data):
    clf = small(learning_rate_schedule="constant", max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            clf.partial_fit(*data, classes=[0, 1, 2])


# --- Printed output -------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [True, 1, 10])
def test_verbose_prints_a_line_per_epoch_and_the_reason(data, capsys, verbose):
    clf = small(verbose=verbose, max_iter=3).fit(*data)
    *lines, reason = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for record, line in zip(clf.history_, lines, strict=True):
        match = re.fullmatch(r"Iteration (\d+), loss = (\d+\.\d{8})", line)
        assert int(match[1]) == record["epoch"]
        assert float(match[2]) == pytest.approx(record["loss"], abs=5.1e-9)
    assert reason == "Training stopped after 3 epochs: all 3 epochs have been run."
    clf.partial_fit(*data)
    assert capsys.readouterr().out.startswith("Iteration 4, loss = ")


def test_verbose_prints_the_validation_too(data, capsys):
    clf = small(verbose=True, max_iter=2, scoring="accuracy")
    clf.fit(*data, X_val=data[0], y_val=data[1])
    line = capsys.readouterr().out.splitlines()[1]
    record = clf.history_[1]
    assert f"validation loss = {record['validation_loss']:.8f}" in line
    assert f"validation score = {record['validation_score']:.8f}" in line


@pytest.mark.parametrize("verbose", [False, 0])
def test_quiet_by_default(data, capsys, verbose):
    small(verbose=verbose).fit(*data).partial_fit(*data)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
