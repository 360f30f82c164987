"""Tests of the ensemble: folds, calibration, pooling, and what input it takes."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from sk_rmsprop import (
    RMSpropMLPClassifier,
    RMSpropMLPEnsembleClassifier,
    _ensemble,
    _pool,
)
from sk_rmsprop._data import Data
from sk_rmsprop._pool import deal_folds, fit_weights
from tests.cases import FRAME, WEIGHT, X_SPARSE, every_copier, everything
from tests.helpers import Scorer, assert_same_model, ensemble, params_of, small

X, y = make_classification(
    150, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0
)
Y_MULTILABEL = np.column_stack([y > 0, X[:, 0] > 0, X[:, 1] > X[:, 2] + 0.5]).astype(
    int
)
FOLDS = [np.arange(k, 150, 3) for k in range(3)]


@pytest.fixture
def known_folds(monkeypatch):
    """Make fold k of three consist of the samples k, k + 3, k + 6 and so on."""

    def deal(rows, strata, n_folds, rng):
        return [rows[k::n_folds] for k in range(n_folds)]

    monkeypatch.setattr(_ensemble, "deal_folds", deal)


def log_probabilities(clf, X):
    """Return those of all networks: (n_estimators, n_folds, n_samples, n_outputs).

    Where classes are exclusive, raw outputs differ from them by a number per sample.
    """
    return np.array(
        [[member.predict_log_proba(X) for member in group] for group in clf.estimators_]
    )


def left_out(clf, X):
    """Return the log-probabilities of each sample by the networks without its fold."""
    everyone = log_probabilities(clf, X)
    return np.stack([everyone[:, i % 3, i] for i in range(len(X))], axis=1)


# --- Folds ----------------------------------------------------------------------------


def test_folds_divide_the_rows_by_class():
    rows, strata = np.arange(3, 40), np.arange(40) % 3
    folds = deal_folds(rows, strata, 4, np.random.RandomState(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), rows)
    assert {len(fold) for fold in folds} == {9, 10}
    for fold in folds:
        counts = np.bincount(strata[fold], minlength=3)
        assert counts.max() - counts.min() <= 1
    # They are shuffled.
    assert np.diff(folds[0]).std() > 0
    others = deal_folds(rows, strata, 4, np.random.RandomState(1))
    assert folds[0].tolist() != others[0].tolist()


@pytest.mark.parametrize("form", ["array", "csr"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.usefixtures("known_folds")
def test_a_member_is_the_network_trained_without_its_fold(form, weighted):
    # Without hidden layers all start at 0. Full batches have no order; biases start
    # equal if all folds have the same share of each class.
    labels = np.arange(150) // 3 % 3
    weight = np.repeat(np.random.default_rng(0).random(50), 3) if weighted else None
    data = X_SPARSE[np.arange(150) % 65] if form == "csr" else X
    base = small(hidden_layer_sizes=(), batch_size=150, alpha=0.01, max_iter=20)
    clf = ensemble(base).fit(data, labels, weight)
    for fold, member in zip(FOLDS, clf.estimators_[0], strict=True):
        rest = np.setdiff1d(np.arange(150), fold)
        alone = clone(base).set_params(batch_size=100)
        alone.fit(data[rest], labels[rest], weight[rest] if weighted else None)
        np.testing.assert_allclose(params_of(member), params_of(alone), rtol=1e-7)


def test_members_have_weights_of_their_own():
    clf = ensemble().fit(X, y)
    assert [len(group) for group in clf.estimators_] == [3, 3]
    assert clf.estimators_[1][0].hidden_layer_sizes == (5, 4)
    for group in clf.estimators_:
        weights = np.stack([params_of(member) for member in group])
        assert (
            np.abs(weights[:, np.newaxis] - weights)
            .max(axis=2)
            .min(where=~np.eye(3, dtype=bool), initial=np.inf)
            > 0.01
        )


def test_every_network_has_a_seed_of_its_own():
    # Of so few samples there are no folds: networks differ by their seeds alone.
    seen = {
        params_of(member).tobytes()
        for seed in (0, 1)
        for group in ensemble(small(), small(), random_state=seed)
        .fit(X[:40], y[:40])
        .estimators_
        for member in group
    }
    assert len(seen) == 12


# --- Calibration ----------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.usefixtures("known_folds")
def test_pool_weights_minimize_the_left_out_log_loss(weighted):
    weight = np.random.default_rng(1).random(150) if weighted else None
    class_weight = {0: 3.0, 2: 0.5} if weighted else None
    clf = ensemble(class_weight=class_weight).fit(X, y, weight)
    logits = left_out(clf, X)
    total = np.ones(150)
    if weighted:
        total = weight * np.array([3.0, 1.0, 0.5])[y]

    def objective(w):
        loss = -log_softmax(np.tensordot(w, logits, 1), axis=1)[np.arange(150), y]
        return np.average(loss, weights=total) + np.sum((w - 0.5) ** 2) / 150

    found = minimize(
        objective, [0.4, 0.3], bounds=[(0, None)] * 2, method="Nelder-Mead", tol=1e-9
    )
    np.testing.assert_allclose(clf.pool_weights_ / clf.temperature_, found.x, atol=2e-3)
    assert clf.pool_weights_.sum() == pytest.approx(1)
    assert type(clf.temperature_) is float
    w = clf.pool_weights_ / clf.temperature_
    probabilities = softmax(np.tensordot(w, logits, 1), axis=1)
    expected = log_loss(y, probabilities, sample_weight=total)
    assert clf.oof_log_loss_ == pytest.approx(expected, rel=1e-10)


def test_what_is_worse_than_chance_has_no_weight():
    # It would have a negative one.
    rng = np.random.default_rng(0)
    good = np.eye(3)[y].T + rng.standard_normal((3, 150))
    raw = np.array([good, -0.5 * np.eye(3)[y].T])
    weights, _ = fit_weights("softmax", raw, Data(X, y, None, np.arange(150)))
    assert weights[0] > 0.5
    assert weights[1] == 0


def test_too_little_confidence_has_a_temperature_below_1():
    # As many of class 1 as the probability of 0.8 says, but for the raw output's scale
    raw = np.array([[np.zeros(1000), np.full(1000, np.log(4) / 3)]])
    target = (np.arange(1000) % 5 > 0).astype(int)
    data = Data(raw[0].T, target, None, np.arange(1000))
    weights, value = fit_weights("softmax", raw, data)
    np.testing.assert_allclose(weights, [3], rtol=0.1)
    assert value == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.2), abs=1e-3)


def test_probabilities_are_the_mean_over_the_folds():
    clf = ensemble().fit(X, y)
    w = clf.pool_weights_ / clf.temperature_
    pools = softmax(np.tensordot(w, log_probabilities(clf, X), 1), axis=2)
    probabilities = clf.predict_proba(X)
    np.testing.assert_allclose(probabilities, pools.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        clf.predict_log_proba(X), np.log(probabilities), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_array_equal(
        clf.predict(X), clf.classes_[probabilities.argmax(axis=1)]
    )
    assert clf.score(X, y) == np.mean(clf.predict(X) == y)


def test_multilabel_probabilities_are_the_mean_over_the_folds():
    clf = ensemble().fit(X, Y_MULTILABEL)
    w = clf.pool_weights_ / clf.temperature_
    logits = np.array(
        [
            [
                member.predict_log_proba(X) - np.log1p(-member.predict_proba(X))
                for member in group
            ]
            for group in clf.estimators_
        ]
    )
    pools = expit(np.tensordot(w, logits, 1))
    np.testing.assert_allclose(clf.predict_proba(X), pools.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(clf.predict(X), clf.predict_proba(X) > 0.5)


def test_noise_is_predicted_with_little_confidence():
    # The networks memorize labels that do not depend on X; the calibration sees it.
    labels = np.random.default_rng(0).integers(0, 2, 150)
    base = small(hidden_layer_sizes=60, max_iter=60, numerical_encoding="standard")
    clf = ensemble(base).fit(X, labels)
    assert clf.temperature_ > 5
    assert clf.oof_log_loss_ == pytest.approx(np.log(2), abs=0.02)
    (member, *_) = clf.estimators_[0]
    new = np.random.default_rng(1).standard_normal((500, 6))
    assert np.abs(member.predict_proba(new) - 0.5).mean() > 0.2
    assert np.abs(clf.predict_proba(new) - 0.5).mean() < 0.1


def test_weights_may_all_be_0(monkeypatch):
    # Then nothing is known: all classes have the same probability.
    monkeypatch.setattr(_ensemble, "fit_weights", lambda *_: (np.zeros(2), 1.0))
    clf = ensemble().fit(X, y)
    assert clf.temperature_ == np.inf
    np.testing.assert_array_equal(clf.pool_weights_, [0.5, 0.5])
    np.testing.assert_allclose(clf.predict_proba(X), 1 / 3)


def test_few_samples_are_averaged_plainly():
    clf = ensemble().fit(X[:63], y[:63])
    assert clf.oof_log_loss_ is None
    assert clf.temperature_ == 1
    np.testing.assert_array_equal(clf.pool_weights_, [0.5, 0.5])
    means = log_probabilities(clf, X).mean(axis=0)
    np.testing.assert_allclose(
        clf.predict_proba(X), softmax(means, axis=2).mean(axis=0), rtol=1e-6
    )
    assert ensemble().fit(X[:64], y[:64]).oof_log_loss_ is not None


def test_few_samples_are_all_trained_on():
    # There is nothing left to stop early by.
    clf = ensemble(small(early_stopping=True, n_iter_no_change=1)).fit(X[:63], y[:63])
    plain = ensemble(small()).fit(X[:63], y[:63])
    np.testing.assert_array_equal(params_of(clf), params_of(plain))
    clf = ensemble(small()).fit(X_SPARSE[:63], y[:63])
    assert [len(group) for group in clf.estimators_] == [3]
    assert clf.oof_log_loss_ is None
    assert {member.t_ for member in clf.estimators_[0]} == {6 * 63}


def test_a_fold_may_be_a_single_sample():
    clf = ensemble(small(max_iter=2), n_folds=64).fit(X[:64], y[:64])
    assert len(clf.estimators_[0]) == 64
    assert np.isfinite(clf.oof_log_loss_)


def test_few_samples_with_weights_are_repeated_samples():
    weight = np.random.default_rng(0).integers(0, 4, 20)
    rows = np.repeat(np.arange(20), weight)
    base = small(batch_size=1000, numerical_encoding="piecewise")
    clf = ensemble(base).fit(X[:20], y[:20], weight)
    repeated = ensemble(base).fit(X[rows], y[rows])
    np.testing.assert_allclose(
        clf.predict_proba(X), repeated.predict_proba(X), rtol=1e-7
    )


def test_samples_of_weight_0_are_absent():
    weight = np.where(np.arange(150) < 100, 1.0, 0.0)
    clf = ensemble().fit(X, y, weight)
    alone = ensemble().fit(X[:100], y[:100])
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))
    assert clf.oof_log_loss_ == alone.oof_log_loss_
    of_class = ensemble(class_weight={2: 0.0}).fit(X, y)
    clf = ensemble().fit(X, y, y != 2)
    np.testing.assert_array_equal(of_class.predict_proba(X), clf.predict_proba(X))


def test_balanced_class_weights_are_those_of_scikit_learn():
    labels = np.where(y == 2, 2, 0)
    values = compute_class_weight("balanced", classes=np.array([0, 2]), y=labels)
    balanced = ensemble(class_weight="balanced").fit(X, labels)
    named = ensemble(class_weight=dict(zip([0, 2], values, strict=True)))
    named.fit(X, labels)
    np.testing.assert_allclose(
        balanced.predict_proba(X), named.predict_proba(X), rtol=1e-6
    )


# --- Training -------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.usefixtures("known_folds")
def test_early_stopping_keeps_the_best_epoch_of_each_network(weighted):
    base = small(
        early_stopping=True, max_iter=40, n_iter_no_change=3, learning_rate=0.1
    )
    weight = np.random.default_rng(1).random(150) if weighted else None
    class_weight = {0: 3.0, 2: 0.5} if weighted else None
    total = weight * np.array([3.0, 1.0, 0.5])[y] if weighted else np.ones(150)
    clf = ensemble(base, small(), class_weight=class_weight).fit(X, y, weight)
    members = clf.estimators_[0]
    assert len({member.best_epoch_ for member in members}) > 1
    for fold, member in zip(FOLDS, members, strict=True):
        scores = np.array(member.validation_scores_)
        assert member.best_epoch_ == np.argmax(scores) + 1
        loss = log_loss(
            y[fold],
            member.predict_proba(X[fold]),
            sample_weight=total[fold],
            labels=[0, 1, 2],
        )
        assert loss == pytest.approx(-scores.max(), rel=1e-6)
    assert all(member.best_epoch_ == 6 for member in clf.estimators_[1])
    assert clf.n_iter_ == max(len(member.history_) for member in members)


@pytest.mark.usefixtures("known_folds")
def test_early_stopping_by_a_scorer():
    validated = set()

    def scorer(estimator, X_fold, y_fold):
        validated.add(tuple(X_fold[:, 0]))
        return -abs(len(estimator.history_) - 2)

    clf = ensemble(small(early_stopping=True, scoring=scorer)).fit(X, y)
    assert [member.best_epoch_ for member in clf.estimators_[0]] == [2, 2, 2]
    assert validated == {tuple(X[fold, 0]) for fold in FOLDS}


def test_the_history_has_means():
    clf = ensemble(small(max_iter=4), small(max_iter=6)).fit(X, y)
    first, second = ([member.cost_history_ for member in g] for g in clf.estimators_)
    expected = np.mean([*np.array(first), *np.array(second)[:, :4]], axis=0)
    losses = [record["loss"] for record in clf.history_]
    np.testing.assert_allclose(losses[:4], expected)
    np.testing.assert_allclose(losses[4:], np.mean(second, axis=0)[4:])
    assert [record["epoch"] for record in clf.history_] == [1, 2, 3, 4, 5, 6]
    assert clf.n_iter_ == 6


def test_verbose_prints_each_epoch(capsys):
    ensemble(small(verbose=True)).fit(X, y)
    assert capsys.readouterr().out == ""
    clf = ensemble(verbose=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Iteration {record['epoch']}, loss = {record['loss']:.8f}"
        for record in clf.history_
    ]


def test_training_depends_on_data_parameters_and_seed_alone():
    clf = ensemble().fit(X, y)
    state = np.random.RandomState(0)
    assert everything(ensemble().fit(X, y)) == everything(clf)
    by_columns = np.asfortranarray(X)
    again = ensemble(random_state=state).fit(by_columns, y.astype(str))
    np.testing.assert_array_equal(again.predict_proba(by_columns), clf.predict_proba(X))
    other = ensemble(random_state=state).fit(X, y)
    assert np.abs(other.predict_proba(X) - clf.predict_proba(X)).max() > 1e-3
    # Seeds of the base classifiers do not count.
    bases = [clone(base).set_params(random_state=5) for base in clf.estimators]
    seeded = ensemble(*bases).fit(X, y)
    np.testing.assert_array_equal(seeded.predict_proba(X), clf.predict_proba(X))


def test_fit_leaves_the_base_classifiers_alone():
    bases = [small(), small(dropout=0.2)]
    clf = ensemble(*bases)
    before = [everything(base) for base in bases]
    clf.fit(X, y)
    assert [everything(base) for base in bases] == before
    assert clf.estimators[0] is bases[0]


def test_base_classifiers_may_be_fitted():
    fitted = small().fit(FRAME, np.arange(65) % 2)
    clf = ensemble(fitted).fit(X, y)
    np.testing.assert_array_equal(
        params_of(clf), params_of(ensemble(small()).fit(X, y))
    )
    for member in clf.estimators_[0]:
        assert not hasattr(member, "feature_names_in_")
        assert member.n_features_in_ == 6


def test_interrupt_keeps_the_finished_epochs():
    class Interrupt(Scorer):
        def __call__(self, estimator, *data, **metadata):
            if len(estimator.history_) == 4:
                raise KeyboardInterrupt
            return super().__call__(estimator, *data, **metadata)

    base = small(early_stopping=True, scoring=Interrupt())
    bases = small(activation="tanh"), base
    with pytest.warns(UserWarning, match="interrupted.*after 3 epochs") as caught:
        clf = ensemble(*bases).fit(X, y)
    assert [w.filename for w in caught] == [__file__]
    assert clf.n_iter_ == 3
    # Without early stopping, the networks are those of three epochs.
    constant = {"activation": "tanh", "learning_rate_schedule": "constant"}
    bases = small(**constant, n_iter_no_change=np.inf), base
    with pytest.warns(UserWarning, match="interrupted"):
        clf = ensemble(*bases).fit(X, y)
    short = ensemble(bases[0].set_params(max_iter=3), small(max_iter=3))
    short.fit(X, y)
    for member, other in zip(clf.estimators_[0], short.estimators_[0], strict=True):
        assert_same_model(member, other)
    assert np.isfinite(clf.predict_proba(X)).all()


# --- Failures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimators": []}, "empty"),
        ({"estimators": [StandardScaler()]}, "RMSpropMLPClassifier"),
        ({"estimators": small()}, "estimators"),
        ({"estimators": [small(beta=2)]}, "beta"),
        ({"estimators": [small(shuffle="yes")]}, "shuffle"),
        ({"estimators": [small(warm_start=True)]}, "warm_start"),
        ({"estimators": [small(class_weight="balanced")]}, "class_weight"),
        ({"estimators": [small(categorical_features=[0])]}, "categorical_features"),
        ({"estimators": [small(categorical_features=None)]}, "categorical_features"),
        (
            {"estimators": [small(categorical_features=np.array([0, 1]))]},
            "categorical_features",
        ),
        ({"n_folds": 1}, "n_folds"),
        ({"n_folds": 2.0}, "n_folds"),
        ({"n_folds": 151}, "n_folds=151 is larger than n_samples=150"),
        ({"class_weight": {7: 1.0}}, "class_weight"),
        ({"random_state": "0"}, "random_state"),
        ({"verbose": "yes"}, "verbose"),
        ({"categorical_features": "dtype"}, "categorical_features"),
        ({"estimators": [small(learning_rate=1e300)]}, "diverged"),
        (
            {"estimators": [small(early_stopping=True, scoring=lambda *_: "good")]},
            "good",
        ),
    ],
)
def test_a_failed_fit_changes_nothing(params, message):
    clf = ensemble().fit(X, y)
    clf.set_params(**params)
    before = dict(vars(clf))
    with pytest.raises((ValueError, TypeError), match=message):
        clf.fit(X, y)
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is value for name, value in before.items())


def test_there_is_no_partial_fit():
    assert not hasattr(RMSpropMLPEnsembleClassifier(), "partial_fit")


# --- Input ----------------------------------------------------------------------------


def test_a_frame_with_gaps_and_categories():
    labels = np.arange(65) % 2
    clf = ensemble(
        small(numerical_encoding="robust"), small(numerical_encoding="piecewise")
    ).fit(FRAME, labels, WEIGHT)
    assert list(clf.feature_names_in_) == list(FRAME.columns)
    first, second = (group[0].encoding_ for group in clf.estimators_)
    assert first.n_inputs < second.n_inputs
    for member in clf.estimators_[1]:
        assert member.predict_proba(FRAME).shape == (65, 2)
    renamed = FRAME.rename(columns={"a": "A"})
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(renamed)


def test_categorical_features_are_those_of_all_networks():
    codes = np.column_stack([np.arange(150) % 3, X])
    clf = ensemble(categorical_features=[0]).fit(codes, y)
    frame = pd.DataFrame(codes).astype({0: "category"})
    of_frame = ensemble().fit(frame.rename(columns=str), y)
    np.testing.assert_array_equal(params_of(clf), params_of(of_frame))
    # A network that is fitted anew, by itself, has them, too.
    again = clone(clf.estimators_[1][2]).fit(codes, y)
    assert again.encoding_.n_inputs == 9


def test_identifiers_are_warned_of_once():
    frame = pd.DataFrame({"x": X[:, 0], "name": [f"n{i}" for i in range(150)]})
    with pytest.warns(UserWarning, match="150 categories") as record:
        ensemble().fit(frame, y)
    assert len(record) == 1
    assert record[0].filename == __file__


@pytest.mark.parametrize("classes", [2, 3])
def test_sparse_data(classes):
    rows = np.arange(150) % 65
    labels = (np.arange(65) % classes)[rows]
    clf = ensemble().fit(X_SPARSE[rows], labels)
    dense = clf.predict_proba(X_SPARSE.toarray())
    np.testing.assert_allclose(clf.predict_proba(X_SPARSE), dense, rtol=1e-6)
    default = RMSpropMLPEnsembleClassifier(random_state=0).fit(X_SPARSE[rows], labels)
    assert len(default.estimators_) == 1


def test_a_rare_class():
    # No fold but one has the class; its member has never seen it.
    labels = np.where(np.arange(150) == 7, "rare", np.where(y > 0, "b", "a"))
    clf = ensemble().fit(X, labels)
    assert clf.predict_proba(X).shape == (150, 3)
    assert np.isfinite(clf.oof_log_loss_)


def test_one_class():
    clf = ensemble().fit(X, np.zeros(150))
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((150, 1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_sum_to_1_in_their_dtype(dtype):
    clf = ensemble(small(dtype="float32")).fit(X.astype(dtype), y)
    probabilities = clf.predict_proba(X.astype(dtype))
    logs = clf.predict_log_proba(X.astype(dtype))
    assert probabilities.dtype == logs.dtype == dtype
    assert probabilities.flags.c_contiguous
    assert logs.flags.c_contiguous
    np.testing.assert_allclose(
        probabilities.sum(axis=1), 1, rtol=8 * np.finfo(dtype).eps
    )


def test_dtypes_of_networks():
    single = X.astype(np.float32)
    clf = ensemble(small(), small(dtype="float64")).fit(single, y)
    dtypes = [params_of(group[0]).dtype for group in clf.estimators_]
    assert dtypes == [np.float32, np.float64]
    # They are float32 only if all numbers are.
    for bases in (clf.estimators, clf.estimators[::-1]):
        clf = ensemble(*bases).fit(single, y)
        probabilities = clf.predict_proba(single)
        assert probabilities.dtype == np.float64
        np.testing.assert_array_equal(
            probabilities, clf.predict_proba(single.astype(np.float64))
        )


def test_predictions_round_small_numbers_to_zero():
    clf = ensemble().fit(X, y)
    with np.errstate(all="raise"):
        assert clf.predict_proba(1e8 * X).min() == 0
        assert clf.predict_log_proba(1e8 * X).min() < -1e6


@pytest.mark.parametrize(("block_size", "n_blocks"), [(70, 22), (8, 150)])
def test_blocks_of_rows_do_not_matter(monkeypatch, block_size, n_blocks):
    def recorded(*args):
        for raw in pooled(*args):
            sizes.append(raw.size)
            yield raw

    clf, sizes, pooled = ensemble().fit(X, y), [], _ensemble.pooled
    expected = clf.predict_proba(X), clf.predict_log_proba(X), clf.predict(X)
    monkeypatch.setattr(_pool, "BLOCK_SIZE", block_size)
    monkeypatch.setattr(_ensemble, "pooled", recorded)
    found = clf.predict_proba(X), clf.predict_log_proba(X), clf.predict(X)
    # Of each sample there are 9 raw outputs: three classes in each of three folds.
    assert len(sizes) == 3 * n_blocks
    assert max(sizes) <= max(9, block_size)
    for one, other in zip(found, expected, strict=True):
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-9)
        else:
            np.testing.assert_array_equal(one, other)


def test_calibration_reads_the_rows_in_blocks(monkeypatch):
    def recorded(group, rows, dtype):
        sizes.append(rows.size)
        return raw(group, rows, dtype)

    expected, sizes, raw = ensemble().fit(X, y), [], _pool.Group.raw
    monkeypatch.setattr(_pool, "BLOCK_SIZE", 70)
    monkeypatch.setattr(_pool.Group, "raw", recorded)
    clf = ensemble().fit(X, y)
    # Of both groups, five blocks of at most 11 rows of 6 numbers for each fold
    assert len(sizes) == 2 * 3 * 5
    assert max(sizes) == 66
    np.testing.assert_allclose(clf.pool_weights_, expected.pool_weights_, rtol=1e-6)
    assert clf.oof_log_loss_ == pytest.approx(expected.oof_log_loss_)


# --- With scikit-learn ----------------------------------------------------------------


@every_copier
def test_copies_predict_the_same(copier, tmp_path):
    clf = ensemble().fit(X, y)
    loaded = copier(clf, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    assert loaded.oof_log_loss_ == clf.oof_log_loss_


def test_a_saved_ensemble_holds_weights_and_one_encoding_per_base(tmp_path):
    import pickle

    clf = ensemble(small(hidden_layer_sizes=300), n_folds=4).fit(X, y)
    n_weights = sum(len(params_of(member)) for member in clf.estimators_[0])
    assert clf.estimators_[0][0].encoding_ is clf.estimators_[0][3].encoding_
    assert len(pickle.dumps(clf)) < 8 * n_weights + 20_000
    member = clf.estimators_[0][0]
    assert member.optimizer_.square_average_ is None
    assert member.optimizer_.n_steps_ == 0


def test_models_of_other_formats_are_refused():
    clf = ensemble().fit(X, y)
    clf._state_format = 99
    state = clf.__getstate__()
    with pytest.raises(ValueError, match="another version"):
        RMSpropMLPEnsembleClassifier().__setstate__(state)


def test_a_network_of_the_ensemble_can_be_trained_further():
    clf = ensemble().fit(X, y)
    member = clf.estimators_[0][1]
    before = params_of(member).copy()
    member.partial_fit(X, y)
    assert np.abs(params_of(member) - before).max() > 0


def test_searches_and_pipelines():
    pipeline = make_pipeline(StandardScaler(), ensemble(small()))
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    search = GridSearchCV(
        ensemble(small()),
        {"n_folds": [2, 3], "estimators": [[small()], [small(), small(alpha=0.1)]]},
        cv=2,
        scoring="neg_log_loss",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("n_samples", [60, 70, 240])
def test_the_default_pair_is_that_of_the_documentation(n_samples):
    rows = np.arange(n_samples) % 150
    clf = RMSpropMLPEnsembleClassifier(n_folds=2, random_state=0).fit(X[rows], y[rows])
    common = {
        "learning_rate": 0.01,
        "weight_decay": 0.03,
        "batch_size": 64,
        "dtype": "float32" if n_samples >= 64 else "auto",
        "categorical_features": "from_dtype",
    }
    smooth = {
        "hidden_layer_sizes": (64,),
        "numerical_encoding": "robust",
        "alpha": min(10 / n_samples, 0.05),
    }
    sharp = {"hidden_layer_sizes": (64, 64), "numerical_encoding": "piecewise"}
    for group, own in zip(clf.estimators_, (smooth, sharp), strict=True):
        expected = RMSpropMLPClassifier(**common | own).get_params()
        assert all(member.get_params() == expected for member in group)


def test_the_default_pair_beats_one_network_on_noisy_data():
    data, labels = make_classification(
        900, 12, n_informative=5, flip_y=0.3, class_sep=0.7, random_state=1
    )
    one = RMSpropMLPClassifier(random_state=0).fit(data[:300], labels[:300])
    clf = RMSpropMLPEnsembleClassifier(random_state=0).fit(data[:300], labels[:300])
    losses = [log_loss(labels[300:], m.predict_proba(data[300:])) for m in (clf, one)]
    assert losses[0] < losses[1] - 0.08
    assert clf.oof_log_loss_ == pytest.approx(losses[0], abs=0.1)


def test_a_score_of_nan_is_an_error():
    base = small(early_stopping=True, scoring=lambda *_: float("nan"))
    with pytest.raises(ValueError, match="returned NaN after every epoch"):
        ensemble(base).fit(X, y)


def test_a_scorer_that_lacks_a_class_names_the_folds():
    labels = np.where(np.arange(150) == 7, 3, y)
    base = small(early_stopping=True, scoring="roc_auc_ovr")
    with pytest.raises(ValueError, match="decrease n_folds"):
        ensemble(base).fit(X, labels)


def test_validation_is_in_the_history_if_all_stop_early():
    stops = {"early_stopping": True, "n_iter_no_change": np.inf}
    both = ensemble(small(**stops), small(max_iter=3, **stops)).fit(X, y)
    assert all("validation_loss" in record for record in both.history_)
    one = ensemble(small(**stops), small(max_iter=3)).fit(X, y)
    assert not any("validation_loss" in record for record in one.history_)


def test_few_samples_are_not_validated():
    base = small(early_stopping=True, n_iter_no_change=1, tol=100.0)
    clf = ensemble(base).fit(X[:40], y[:40])
    for member in clf.estimators_[0]:
        assert member.best_epoch_ == 2  # By the cost, which has not improved by 100.
        assert member.validation_scores_ is None
        assert member.best_loss_ is not None


def test_predictions_are_those_of_one_model_while_another_thread_refits(monkeypatch):
    clf, later = ensemble().fit(X, y), ensemble(small(), random_state=1).fit(X, y)
    expected = clf.predict_proba(X)
    pooled = _ensemble.pooled

    def refit_and_pool(*arguments):
        vars(clf).update(vars(later))
        return pooled(*arguments)

    monkeypatch.setattr(_ensemble, "pooled", refit_and_pool)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
    assert np.abs(clf.predict_proba(X) - expected).max() > 1e-3


def test_underflow_is_no_error():
    base = small(hidden_layer_sizes=())
    far = X * np.where(np.arange(150) % 10, 1.0, 1e5)[:, np.newaxis]
    with np.errstate(all="raise"):
        clf = ensemble(base).fit(far, X[:, 0] > 0)
        assert clf.predict_proba(1e3 * far).min() < 1e-300
        clf.predict_log_proba(1e3 * far)
        multilabel = ensemble(base).fit(far, Y_MULTILABEL)
        assert multilabel.predict_proba(1e3 * far).min() < 1e-300


def test_a_sparse_sample_takes_the_weights_of_its_features_alone():
    n_features = 20_000
    rng = np.random.default_rng(0)
    columns = rng.integers(0, n_features, 150)
    rows = csr_array((np.ones(150), (np.arange(150), columns)), (150, n_features))
    clf = ensemble(small(hidden_layer_sizes=20, dtype="float32")).fit(rows, y)
    weights = clf.estimators_[0][0].coefs_[0].nbytes
    tracemalloc.start()
    try:
        clf.predict_proba(rows[:1])
        assert tracemalloc.get_traced_memory()[1] < weights
    finally:
        tracemalloc.stop()


def test_tiny_weights_are_no_error():
    weight = np.where(np.arange(150) % 50, 1e5, 1e-310)
    with np.errstate(all="raise"):
        clf = ensemble(small(numerical_encoding="piecewise")).fit(X, y, weight)
    assert np.isfinite(clf.oof_log_loss_)
