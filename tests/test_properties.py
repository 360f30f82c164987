"""Properties that hold for every valid combination of parameters and inputs."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone

from sk_rmsprop import RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._schedules import SCHEDULES
from tests.cases import trained
from tests.helpers import params_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X has .* categories among"),
]

EPOCHS = 3

VALID = {
    "hidden_layer_sizes": st.one_of(
        st.integers(1, 5), st.lists(st.integers(1, 5), max_size=3).map(tuple)
    ),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "categorical_features": st.sampled_from(["from_dtype", None, [0]]),
    "numerical_encoding": st.sampled_from(["auto", "none", "standard"]),
    "dtype": st.sampled_from(["auto", "float32", "float64"]),
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
    n_samples = draw(st.integers(4, 40))
    X = rng.normal(size=(n_samples, draw(st.integers(1, 5))))
    X[:, 0] = np.rint(X[:, 0])
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    kind = draw(st.sampled_from(["dense", "with gaps", "csr"]))
    if kind == "with gaps":
        X[rng.random(X.shape) < 0.3] = np.nan
    if kind == "csr":
        X = csr_array(X * (rng.random(X.shape) < 0.5))
    y = np.arange(n_samples) % draw(st.integers(1, 3))
    rng.shuffle(y)
    return X, y


def for_data(params, X, y):
    """Drop weights of classes that `y` does not have, and categories of sparse data."""
    if set(params["class_weight"] or ()) - set(y):
        params = params | {"class_weight": None}
    return (
        params if isinstance(X, np.ndarray) else params | {"categorical_features": None}
    )


def test_all_parameters_are_drawn():
    names = set(RMSpropMLPClassifier().get_params())
    fixed = {"max_iter", "early_stopping", "validation_fraction", "scoring"}
    fixed |= {"warm_start", "verbose"}
    assert set(VALID) | {"beta", "centered"} == names - fixed


@quick
@given(PARAMETERS, data_sets(), st.data())
def test_any_valid_combination(params, data, draw):
    X, y = data
    params = for_data(params, X, y)
    clf = RMSpropMLPClassifier(**params, max_iter=EPOCHS).fit(X, y)
    probabilities = clf.predict_proba(X)
    is_single = X.dtype == params_of(clf).dtype == np.float32
    assert probabilities.dtype == (np.float32 if is_single else np.float64)
    assert np.isfinite(probabilities).all()
    assert np.isfinite(clf.predict_log_proba(X)).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert set(clf.predict(X)) <= set(y)
    assert trained(clone(clf).fit(X, y)) == trained(clf)
    # Cut anywhere by a pickle, and fed by partial_fit.
    cut = draw.draw(st.integers(0, EPOCHS))
    partly = clone(clf)
    for epoch in range(EPOCHS):
        partly.partial_fit(X, y, classes=np.unique(y))
        if epoch == cut:
            partly = pickle.loads(pickle.dumps(partly))
    assert trained(partly) == trained(clf)


@quick
@given(
    PARAMETERS, data_sets(), st.floats(0.05, 0.6), st.sampled_from(["loss", "accuracy"])
)
def test_early_stopping_returns_the_best_epoch(params, data, fraction, scoring):
    X, y = data
    params = for_data(params, X, y)
    clf = RMSpropMLPClassifier(
        **params,
        early_stopping=True,
        validation_fraction=fraction,
        scoring=scoring,
        max_iter=EPOCHS,
    )
    try:
        clf.fit(X, y)
    except ValueError as error:
        assert "cannot hold out" in str(error)  # noqa: PT017
        return
    scores = clf.validation_scores_
    assert clf.best_validation_score_ == max(scores)
    best_epoch = max(i for i, score in enumerate(scores) if score == max(scores))
    assert clf.loss_ == clf.cost_history_[best_epoch]


@quick
@given(PARAMETERS, data_sets(), st.data())
def test_zero_weight_is_absence(params, data, draw):
    X, y = data
    params = for_data(params, X, y) | {"dropout": 0.0, "shuffle": False}
    n_samples = X.shape[0]
    lists = st.lists(st.booleans(), min_size=n_samples, max_size=n_samples)
    keep = np.array(draw.draw(lists))
    keep[[np.flatnonzero(y == label)[0] for label in np.unique(y)]] = True
    clf = RMSpropMLPClassifier(**params, max_iter=EPOCHS)
    whole = clone(clf).fit(X, y, keep.astype(float))
    part = clf.fit(X[np.flatnonzero(keep)], y[keep], np.ones(keep.sum()))
    assert trained(part) == trained(whole)
