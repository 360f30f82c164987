"""Properties that hold for every valid combination of parameters and inputs."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._schedules import SCHEDULES

EPOCHS = 3

VALID = {
    "hidden_layer_sizes": st.one_of(
        st.integers(1, 5), st.lists(st.integers(1, 5), max_size=3).map(tuple)
    ),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "standardize": st.booleans(),
    "learning_rate": st.floats(1e-5, 0.1),
    "epsilon": st.floats(1e-10, 1e-2),
    "momentum": st.floats(0, 0.95),
    "nesterov": st.booleans(),
    "learning_rate_schedule": st.sampled_from(sorted(SCHEDULES)),
    "alpha": st.floats(0, 1),
    "weight_decay": st.floats(0, 1),
    "dropout": st.floats(0, 0.9),
    "label_smoothing": st.floats(0, 0.9),
    "max_grad_norm": st.one_of(st.none(), st.floats(1e-3, 10)),
    "batch_size": st.one_of(st.just("auto"), st.integers(1, 50)),
    "tol": st.floats(0, 1),
    "n_iter_no_change": st.one_of(st.just(np.inf), st.integers(EPOCHS + 1, 9)),
    "class_weight": st.one_of(
        st.none(), st.fixed_dictionaries({0: st.floats(0.1, 9), 1: st.floats(0.1, 9)})
    ),
    "shuffle": st.booleans(),
    "random_state": st.integers(0, 2**32 - 1),
}

# Values that no parameter of the name may have.
INVALID = {
    "hidden_layer_sizes": [0, -1, (3, 0), (2.5,), "wide", {3: 4}, {3, 4}, None],
    "activation": ["softplus", None, 1],
    "standardize": ["yes", None],
    "learning_rate": [0, -1.0, np.nan, np.inf, "auto", None],
    "beta": [-0.1, 1.0, np.nan, "0.9"],
    "epsilon": [0, -1e-8, np.nan],
    "momentum": [-0.1, 1.0, None],
    "nesterov": ["yes", 2, None],
    "centered": ["yes", 2],
    "learning_rate_schedule": ["adaptive", None],
    "alpha": [-1e-9, np.nan, None],
    "weight_decay": [-1, np.nan],
    "dropout": [-0.1, 1.0, np.nan],
    "label_smoothing": [-0.1, 1.0],
    "max_grad_norm": [0, -1, np.nan],
    "batch_size": [0, -1, 1.5, "all"],
    "max_iter": [0, -1, 1.5, np.inf],
    "tol": [-1e-4, np.nan],
    "n_iter_no_change": [0, -1, 1.5],
    "early_stopping": ["yes", None],
    "validation_fraction": [0, 1, -0.1],
    "scoring": ["no_such_scorer", None],
    "class_weight": ["equal", 1.0],
    "shuffle": ["yes", None],
    "random_state": ["seed", -1, 1.5],
    "warm_start": ["yes", None],
    "verbose": ["yes", -1],
}

# With a decay near 0 the centered variance is 0, and steps are gradient / epsilon: such
# a run may well diverge. That is the formula's, and must be refused clearly; here we
# draw what can train.
VARIANTS = st.one_of(
    st.fixed_dictionaries({"beta": st.floats(0, 0.999), "centered": st.just(False)}),
    st.fixed_dictionaries({"beta": st.floats(0.5, 0.999), "centered": st.just(True)}),
)
PARAMETERS = st.builds(dict.__or__, st.fixed_dictionaries(VALID), VARIANTS)

quick = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def data_sets(draw):
    """Draw X and y of one of the kinds that there are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.integers(4, 40))
    X = rng.normal(size=(n_rows, draw(st.integers(1, 5))))
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    if draw(st.booleans()):
        X = csr_array(X * (rng.random(X.shape) < 0.5))
    y = np.arange(n_rows) % draw(st.integers(1, 3))
    rng.shuffle(y)
    return X, y


def fit(clf, X, y, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clf.fit(X, y, **kwargs)


def without_class_weight(params, y):
    """Drop class weights that name classes which `y` does not have."""
    if set(params["class_weight"] or ()) - set(y):
        return params | {"class_weight": None}
    return params


def assert_same(first, second):
    for a, b in zip(
        first.coefs_ + first.intercepts_,
        second.coefs_ + second.intercepts_,
        strict=True,
    ):
        np.testing.assert_array_equal(a, b, strict=True)
    assert first.history_ == second.history_


def test_all_parameters_are_drawn():
    names = set(RMSpropMLPClassifier().get_params())
    fixed = {"max_iter", "early_stopping", "validation_fraction", "scoring"}
    fixed |= {"warm_start", "verbose"}
    assert set(VALID) | {"beta", "centered"} == names - fixed
    assert set(INVALID) == names


@quick
@given(PARAMETERS, data_sets(), st.data())
def test_any_valid_combination(params, data, draw):
    X, y = data
    params = without_class_weight(params, y)
    clf = fit(RMSpropMLPClassifier(**params, max_iter=EPOCHS), X, y)
    probabilities = clf.predict_proba(X)
    assert probabilities.dtype == X.dtype
    assert np.isfinite(probabilities).all()
    assert np.isfinite(clf.predict_log_proba(X)).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert set(clf.predict(X)) <= set(y)
    assert_same(clf, fit(clone(clf), X, y))
    # Cut anywhere by a pickle, and fed by partial_fit.
    cut = draw.draw(st.integers(0, EPOCHS))
    pieces = clone(clf)
    for epoch in range(EPOCHS):
        pieces.partial_fit(X, y, classes=np.unique(y))
        if epoch == cut:
            pieces = pickle.loads(pickle.dumps(pieces))
    assert_same(clf, pieces)


@quick
@given(
    PARAMETERS,
    data_sets(),
    st.floats(0.05, 0.6),
    st.sampled_from(["loss", "accuracy"]),
)
def test_early_stopping_returns_the_best_epoch(params, data, fraction, scoring):
    X, y = data
    params = without_class_weight(params, y)
    clf = RMSpropMLPClassifier(
        **params,
        early_stopping=True,
        validation_fraction=fraction,
        scoring=scoring,
        max_iter=EPOCHS,
    )
    try:
        fit(clf, X, y)
    except ValueError as error:
        assert "cannot hold out" in str(error)  # noqa: PT017
        return
    scores = clf.validation_scores_
    assert clf.best_validation_score_ == max(scores)
    best_epoch = max(i for i, score in enumerate(scores) if score == max(scores))
    assert clf.loss_ == clf.cost_history_[best_epoch]


@quick
@given(
    PARAMETERS,
    data_sets(),
    st.data(),
)
def test_zero_weight_is_absence(params, data, draw):
    X, y = data
    params = without_class_weight(params, y) | {"dropout": 0.0, "shuffle": False}
    n_rows = X.shape[0]
    keep = np.array(
        draw.draw(st.lists(st.booleans(), min_size=n_rows, max_size=n_rows))
    )
    keep[[np.flatnonzero(y == label)[0] for label in np.unique(y)]] = True
    whole = fit(
        RMSpropMLPClassifier(**params, max_iter=EPOCHS), X, y, sample_weight=keep * 1.0
    )
    part = RMSpropMLPClassifier(**params, max_iter=EPOCHS)
    fit(part, X[np.flatnonzero(keep)], y[keep], sample_weight=np.ones(keep.sum()))
    assert_same(whole, part)


@pytest.fixture(scope="module")
def fitted():
    X, y = np.eye(6), np.arange(6) % 2
    return fit(RMSpropMLPClassifier(3, max_iter=2, random_state=0), X, y), X, y


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in INVALID.items() for value in values],
    ids=str,
)
def test_any_invalid_value_is_refused_by_name(fitted, name, value):
    model, X, y = fitted
    clf = copy.deepcopy(model).set_params(**{name: value})
    before = pickle.dumps(clf.__dict__)
    for call in (clf.fit, clf.partial_fit):
        with pytest.raises((ValueError, TypeError), match=name):
            call(X, y)
        assert pickle.dumps(clf.__dict__) == before
