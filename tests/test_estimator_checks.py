"""scikit-learn's checks of what an estimator must do, for every kind of model."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_classifier_multioutput,
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    estimator_checks_generator,
    parametrize_with_checks,
)

import sk_rmsprop
from sk_rmsprop import (
    RMSpropMLPClassifier,
    RMSpropMLPEnsembleClassifier,
    RMSpropMLPRegressor,
)
from sk_rmsprop._schedules import SCHEDULES
from tests.helpers import NUMBER_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(**params):
    """Return an estimator with as few epochs as the checks of accuracy take."""
    return RMSpropMLPClassifier(**({"max_iter": 50} | params))


DEFAULT = RMSpropMLPClassifier()
# Every option with values such as users choose, several of them in one estimator
MODELS = [
    make(momentum=0.9, activation="leaky_relu"),
    make(momentum=0.9, nesterov=True, activation="elu"),
    make(centered=True, beta=0.95, activation="selu"),
    make(momentum=0.9, nesterov=True, centered=True, epsilon=1e-7),
    make(alpha=1e-3, activation="gelu"),
    make(weight_decay=0.1, activation="silu"),
    make(label_smoothing=0.1, max_grad_norm=1.0, batch_size=1000),
    make(alpha=1e-3, weight_decay=0.01, label_smoothing=0.1, max_grad_norm=1.0),
    make(hidden_layer_sizes=(), numerical_encoding="standard"),
    # Slow starters need a higher learning rate for so few epochs.
    make(hidden_layer_sizes=(20, 10, 5), learning_rate=0.01),
    *[
        make(learning_rate_schedule=schedule, **options)
        for schedule, options in {
            "constant": {"numerical_encoding": "none", "n_iter_no_change": 20},
            "linear": {"activation": "tanh"},
            "one_cycle": {"shuffle": False},
            "plateau": {"tol": 1e-3},
        }.items()
    ],
]
EARLY_STOPPING = make(early_stopping=True, scoring="accuracy", validation_fraction=0.2)
DROPOUT = make(dropout=0.2)
FLOAT32 = make(dtype="float32", categorical_features=None)
ENSEMBLE = RMSpropMLPEnsembleClassifier()
QUICK_ENSEMBLE = RMSpropMLPEnsembleClassifier(
    [
        RMSpropMLPClassifier((8,), learning_rate=0.03, max_iter=15, **params)
        for params in ({}, {"early_stopping": True})
    ],
    n_folds=2,
    categorical_features=None,
)


def make_regressor(**params):
    quick = {"hidden_layer_sizes": 20, "learning_rate": 0.03, "max_iter": 20}
    return RMSpropMLPRegressor(**(quick | params))


DEFAULT_REGRESSOR = RMSpropMLPRegressor()
REGRESSORS = [
    *[
        make_regressor(loss=loss, quantile=0.4)
        for loss in NUMBER_LOSSES
        if loss != DEFAULT_REGRESSOR.loss
    ],
]
EARLY_STOPPING_REGRESSOR = make_regressor(early_stopping=True, validation_fraction=0.2)

WEIGHT_EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
CALLING_PARTIAL_FIT = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)
# Why a check may skip itself; nothing else may be skipped.
ALLOWED_SKIPS = {
    "check_array_api_input": "SCIPY_ARRAY_API is not set",
    "check_classifiers_multilabel_output_format_decision_function": "does not have a "
    "decision_function",
}


def expected_failures(estimator):
    """Return the checks that cannot hold, with the reasons."""
    failures = {}
    if estimator in ENSEMBLES:
        return failures
    if estimator.early_stopping:
        # A repeated sample can be on both sides of the split.
        reason = "what is held out depends on the number of samples"
        failures |= dict.fromkeys(WEIGHT_EQUIVALENCE, reason)
        reason = "partial_fit refuses early_stopping"
        failures |= dict.fromkeys(CALLING_PARTIAL_FIT, reason)
    if estimator.dropout:
        reason = "every sample draws its own mask, repeated ones too"
        failures |= dict.fromkeys(WEIGHT_EQUIVALENCE, reason)
    if estimator.dtype == "float32":
        reason = "the check compares to 1e-7, which is the rounding of one step"
        failures |= dict.fromkeys(WEIGHT_EQUIVALENCE, reason)
    return failures


def name_of(check):
    return check.func.__name__


def every_check(estimators):
    mark = parametrize_with_checks(
        estimators, expected_failed_checks=expected_failures
    ).mark
    names, checks = mark.args
    # Older versions of scikit-learn pass a generator, which pytest 9 deprecates.
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


WITH_FAILURES = [EARLY_STOPPING, DROPOUT, FLOAT32]
NETWORKS = [DEFAULT, *MODELS, *WITH_FAILURES]
ENSEMBLES = [ENSEMBLE, QUICK_ENSEMBLE]
ALL = [*NETWORKS, *ENSEMBLES]
ALL_REGRESSORS = [DEFAULT_REGRESSOR, *REGRESSORS, EARLY_STOPPING_REGRESSOR]


def test_failures_are_expected_where_announced_alone():
    assert list(filter(expected_failures, ALL)) == WITH_FAILURES


def unchanged_options(estimators):
    """Return the parameters that have their default in all estimators of a class."""
    default = type(estimators[0])().get_params()
    return {
        name
        for name, value in default.items()
        if all(estimator.get_params()[name] == value for estimator in estimators)
    }


def test_every_option_is_there():
    # The checks set random_state; they refit with other classes and partial_fit.
    left_out = {"random_state", "verbose", "class_weight"}
    assert unchanged_options(NETWORKS) == {*left_out, "warm_start"}
    assert unchanged_options(ENSEMBLES) == left_out
    for name, table in (
        ("activation", ["relu", "leaky_relu", "elu", "selu", "gelu", "silu"]),
        ("learning_rate_schedule", SCHEDULES),
    ):
        assert set(table) <= {getattr(estimator, name) for estimator in NETWORKS}


@every_check(ALL + ALL_REGRESSORS)
def test_check(estimator, check):
    reason = None
    try:
        check(estimator)
    except SkipTest as skip:
        reason = str(skip)
    if reason is not None:
        assert ALLOWED_SKIPS.get(name_of(check), "not allowed") in reason
        pytest.skip(reason)


@pytest.mark.parametrize("estimator", [make(), QUICK_ENSEMBLE])
@pytest.mark.parametrize(
    "check",
    [
        check_classifier_multioutput,
        check_dataframe_column_names_consistency,
        check_inplace_ensure_writeable,
        check_param_validation,
    ],
)
def test_check_that_scikit_learn_does_not_run_by_itself(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "check",
    [
        check_dataframe_column_names_consistency,
        check_inplace_ensure_writeable,
        check_param_validation,
    ],
)
def test_check_that_scikit_learn_does_not_run_by_itself_of_a_regressor(check):
    check("RMSpropMLPRegressor", make_regressor())


def test_check_that_needs_an_environment_variable():
    # It is read when scikit-learn and SciPy are imported.
    script = (
        "import warnings\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from sklearn.utils.estimator_checks import estimator_checks_generator\n"
        "from sk_rmsprop import RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier\n"
        "warnings.simplefilter('ignore')\n"
        "clf = RMSpropMLPClassifier(max_iter=50)\n"
        "ensemble = RMSpropMLPEnsembleClassifier([clf])\n"
        "for estimator, check in estimator_checks_generator(ensemble):\n"
        "    if check.func.__name__ == 'check_array_api_input':\n"
        "        check(estimator)\n"
        "results = check_estimator(clf, on_skip=None)\n"
        "for result in results:\n"
        "    if result['status'] == 'skipped':\n"
        "        print(result['check_name'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        cwd=Path(sk_rmsprop.__file__).parents[1],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        text=True,
        timeout=600,
    )
    assert set(run.stdout.split()) <= set(ALLOWED_SKIPS) - {"check_array_api_input"}


@pytest.mark.parametrize("estimator", [*WITH_FAILURES, EARLY_STOPPING_REGRESSOR])
def test_expected_failures_have_the_reason_given(estimator):
    # An expected failure would hide any other error in the same check.
    expected = expected_failures(estimator)
    failed = set()
    for estimator_of_check, check in estimator_checks_generator(estimator):
        name = name_of(check)
        if name in expected:
            why = "early_stopping" if name in CALLING_PARTIAL_FIT else "not equivalent"
            with pytest.raises((AssertionError, ValueError), match=why):
                check(estimator_of_check)
            failed.add(name)
    assert failed == set(expected)


@pytest.mark.parametrize("estimator", [DEFAULT, *WITH_FAILURES, ENSEMBLE])
def test_no_tag_switches_checks_off(estimator):
    tags = get_tags(estimator)
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert not tags._skip_test
    assert not tags.classifier_tags.poor_score
    # These tags switch checks on.
    assert tags.input_tags.sparse
    assert tags.input_tags.allow_nan
    assert tags.classifier_tags.multi_class
    assert tags.classifier_tags.multi_label


def test_checks_of_regressors_are_run():
    for estimator in ALL_REGRESSORS:
        tags = get_tags(estimator)
        assert not tags.no_validation
        assert not tags.non_deterministic
        assert not tags.regressor_tags.poor_score
        names = {name_of(check) for _, check in estimator_checks_generator(estimator)}
        assert {*WEIGHT_EQUIVALENCE, *CALLING_PARTIAL_FIT} < names
        assert {"check_regressors_train", "check_estimator_sparse_array"} < names
        is_poisson = estimator.loss == "poisson"
        assert ("check_regressor_multioutput" in names) != is_poisson
    assert {estimator.loss for estimator in ALL_REGRESSORS} == set(NUMBER_LOSSES)


@pytest.mark.parametrize("estimator", [DEFAULT, ENSEMBLE])
def test_checks_of_all_kinds_are_run(estimator):
    names = {name_of(check) for _, check in estimator_checks_generator(estimator)}
    assert len(names) > 50
    assert {*WEIGHT_EQUIVALENCE, *CALLING_PARTIAL_FIT} < names
    assert {
        "check_classifiers_train",
        "check_class_weight_classifiers",
        "check_classifiers_multilabel_output_format_predict_proba",
        "check_estimator_sparse_array",
    } < names
