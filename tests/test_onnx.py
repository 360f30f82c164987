"""Tests of the ONNX conversion, against what onnxruntime computes.

Those that convert need skl2onnx and onnxruntime and are skipped without them.
"""

import importlib
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sk_rmsprop import (
    RMSpropMLPClassifier,
    RMSpropMLPEnsembleClassifier,
    RMSpropMLPRegressor,
)
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._losses import LOSSES
from tests.helpers import CLASS_LOSSES

FLOAT_DTYPES = ["float32", "float64"]
TOLERANCES = {"float32": 1e-5, "float64": 1e-13}

# What the three classes are called.
CLASSES = {
    "int": [3, 5, 8],
    "negative": [-7, 0, 2],
    "large": [2**40, 2**40 + 1, 2**62],
    "int8": np.array([1, 2, 3], np.int8),
    "uint8": np.array([1, 2, 200], np.uint8),
    "float64": [-1.0, 0.0, 4.0],
    "float32": np.array([1, 2, 3], np.float32),
    "str": ["a", "bc", "é"],
    "object": np.array(["x", "yy", "z"], object),
}


@pytest.fixture
def convert():
    """Return skl2onnx's `to_onnx`, which knows the estimators."""
    skl2onnx = pytest.importorskip("skl2onnx")
    import sk_rmsprop.onnx  # noqa: F401

    return skl2onnx.to_onnx


@pytest.fixture
def run(convert):
    """Return a function that converts a model for inputs X and computes its outputs."""
    onnxruntime = pytest.importorskip("onnxruntime")

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1

    def convert_and_run(model, X, *, target_opset=None, **options):
        """Return the outputs by name; a frame is one input per column."""
        exported = convert(
            model, X[:1], options=options or None, target_opset=target_opset
        )
        session = onnxruntime.InferenceSession(
            exported.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        inputs = {"X": X}
        if hasattr(X, "columns"):
            inputs = {name: X[[name]].to_numpy() for name in X.columns}
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs), strict=True))

    return convert_and_run


@pytest.fixture
def X():
    """Return inputs of 300 rows, some of them far from zero."""
    rng = np.random.default_rng(0)
    return 2 * rng.standard_normal((300, 6))


@pytest.fixture
def codes(X):
    """Return the class of every row: 0, 1 or 2."""
    return np.digitize(X[:, 0] + np.abs(X[:, 1]), [0, 3])


@pytest.fixture
def targets(codes, X):
    """Return a y for every kind of classification."""
    return {
        "binary": codes > 0,
        "multiclass": codes,
        "multilabel": np.column_stack([codes > 0, X[:, 2] > 0]).astype(int),
        "one class": np.full(len(codes), 7),
    }


def make_classifier(hidden_layer_sizes=(8,), **params):
    return RMSpropMLPClassifier(
        hidden_layer_sizes,
        learning_rate=0.03,
        learning_rate_schedule="linear",
        max_iter=5,
        batch_size=50,
        random_state=0,
        **params,
    )


def make_regressor(hidden_layer_sizes=(8,), **params):
    return RMSpropMLPRegressor(
        hidden_layer_sizes,
        learning_rate=0.03,
        learning_rate_schedule="linear",
        max_iter=5,
        batch_size=50,
        random_state=0,
        **params,
    )


def make_ensemble(*, n_folds=3, **params):
    """Return an ensemble of two kinds of networks, with different encodings."""
    bases = [
        make_classifier(numerical_encoding="robust"),
        make_classifier((6, 5), activation="tanh", numerical_encoding="piecewise"),
    ]
    return RMSpropMLPEnsembleClassifier(
        bases, n_folds=n_folds, random_state=0, **params
    )


def pool_unequally(ensemble):
    """Give a fitted ensemble weights and a temperature that make a difference."""
    # Calibration may find that one base classifier suffices.
    weights = np.arange(1.0, 1 + len(ensemble.pool_weights_))
    ensemble.pool_weights_ = weights / weights.sum()
    ensemble.temperature_ = 0.8
    return ensemble


def assert_same_predictions(outputs, clf, X, tolerance=1e-5):
    """Check the outputs `label` and `probabilities` against the classifier."""
    expected = clf.predict_proba(X)
    np.testing.assert_allclose(
        outputs["probabilities"], expected, rtol=0, atol=tolerance
    )
    if np.ndim(outputs["label"]) == 2:  # Multilabel
        margin = 2 * np.abs(expected - 0.5).min(axis=1)
    else:
        two_best = np.sort(np.pad(expected, [(0, 0), (1, 0)]), axis=1)[:, -2:]
        margin = two_best[:, 1] - two_best[:, 0]
    clear = margin > 10 * tolerance
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(outputs["label"][clear], clf.predict(X)[clear])


# Agreement.


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_predictions(activation, dtype, kind, X, targets, run):
    X = X.astype(dtype)
    clf = make_classifier((8, 6), activation=activation).fit(X, targets[kind])
    outputs = run(clf, X, zipmap=False)
    assert outputs["probabilities"].dtype == dtype
    tolerance = 1e-5
    if dtype == "float64":
        # onnxruntime has the error function in float32 only.
        tolerance = 1e-6 if activation == "gelu" else 1e-13
    assert_same_predictions(outputs, clf, X, tolerance)


def test_every_activation_can_be_converted(convert):
    from sk_rmsprop.onnx import ONNX_ACTIVATIONS

    assert list(ONNX_ACTIVATIONS) == list(ACTIVATIONS)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_inputs_of_any_size(activation, dtype, X, codes, run):
    clf = make_classifier(activation=activation).fit(X.astype(dtype), codes)
    rows = np.concatenate([1e-6 * X, 1e3 * X, 1e6 * X]).astype(dtype)
    rows[0] = 0
    assert_same_predictions(run(clf, rows, zipmap=False), clf, rows)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (5, 4, 3, 2)])
def test_any_depth(hidden_layer_sizes, kind, X, targets, run):
    clf = make_classifier(hidden_layer_sizes).fit(X, targets[kind])
    assert_same_predictions(run(clf, X, zipmap=False), clf, X, 1e-13)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,)])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_standardize(dtype, hidden_layer_sizes, X, targets, run):
    X = X * [1e-3, 1.0, 1e4, 1.0, 1.0, 1.0] + [0.5, 1e3, 1e5, 0.0, -7.0, 0.0]
    X = X.astype(dtype)
    clf = make_classifier(hidden_layer_sizes, numerical_encoding="standard")
    clf.fit(X, targets["multiclass"])
    assert_same_predictions(run(clf, X, zipmap=False), clf, X)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_one_class(dtype, X, targets, run):
    X = X.astype(dtype)
    outputs = run(make_classifier().fit(X, targets["one class"]), X, zipmap=False)
    np.testing.assert_array_equal(outputs["label"], targets["one class"])
    np.testing.assert_array_equal(outputs["probabilities"], np.ones((len(X), 1)))


@pytest.mark.parametrize("target_opset", [9, 13, 21])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("activation", ["leaky_relu", "elu", "selu", "gelu", "silu"])
def test_opsets(activation, dtype, target_opset, X, codes, run):
    X = X.astype(dtype)
    clf = make_classifier(activation=activation).fit(X, codes)
    outputs = run(clf, X, zipmap=False, target_opset=target_opset)
    assert_same_predictions(outputs, clf, X)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_inputs_that_are_not_floats(dtype, X, codes, run):
    X = np.abs(X).astype(dtype)
    clf = make_classifier().fit(X, codes)
    outputs = run(clf, X, zipmap=False)
    assert outputs["probabilities"].dtype == np.float32
    assert_same_predictions(outputs, clf, X)


def test_input_of_the_other_precision(X, codes, run):
    single = X.astype(np.float32)
    clf = make_classifier().fit(X, codes)
    outputs = run(clf, single, zipmap=False)
    assert outputs["probabilities"].dtype == np.float32
    assert_same_predictions(outputs, clf, single)

    clf = make_classifier().fit(single, codes)
    outputs = run(clf, X, zipmap=False)
    assert outputs["probabilities"].dtype == np.float64
    assert_same_predictions(outputs, clf, X, 1e-13)


def test_parameters_set_after_fit_change_nothing(X, codes, run):
    clf = make_classifier(activation="tanh").fit(X, codes)
    clf.set_params(activation="relu", hidden_layer_sizes=(3, 3))
    assert_same_predictions(run(clf, X, zipmap=False), clf, X, 1e-13)


# Missing values and categories.


def with_gaps(X, columns, share=0.2):
    """Return a copy with NaN in some rows of some columns."""
    X = X.copy()
    missing = np.random.default_rng(1).random((len(X), len(columns))) < share
    X[:, columns] = np.where(missing, np.nan, X[:, columns])
    return X


def with_codes(X, n_codes):
    """Return X with codes of categories in its columns 1 and 4, and labels."""
    rng = np.random.default_rng(2)
    X = np.resize(X, (1200, X.shape[1]))
    X[:, 1] = rng.permutation(np.arange(len(X)) % n_codes) * 10 - 30
    X[:, 4] = rng.integers(0, 2, len(X)) + 0.1
    y = (X[:, 1] % 20 == 0) ^ (X[:, 0] > 0)
    return X, y


@pytest.mark.parametrize("numerical_encoding", ["auto", "none", "standard"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_missing_numbers(dtype, numerical_encoding, X, codes, run):
    X_train = with_gaps(X, [1, 4]).astype(dtype)
    clf = make_classifier(numerical_encoding=numerical_encoding).fit(X_train, codes)
    assert len(clf.encoding_.gaps) == 2
    # Two of these columns had no missing values in training.
    rows = with_gaps(X, [0, 1, 2]).astype(dtype)
    rows[0] = np.nan
    outputs = run(clf, rows, zipmap=False)
    assert_same_predictions(outputs, clf, rows, TOLERANCES[dtype])


@pytest.mark.parametrize("target_opset", [9, 10, 11, None])
@pytest.mark.parametrize("n_codes", [5, 256, 300])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_categories(dtype, n_codes, target_opset, X, run):
    X, y = with_codes(X, n_codes)
    X = with_gaps(X, [1, 2]).astype(dtype)
    clf = make_classifier(categorical_features=[1, 4]).fit(X, y)
    n_inputs = 4 + clf.encoding_.n_bins + 1 + min(n_codes, 256) + 1 + 2
    assert clf.coefs_[0].shape == (n_inputs, 8)
    rows = with_gaps(X, [1, 4])  # Column 4 had no missing values in training.
    rows[:50, 1] = 7  # Not a code
    rows[:50, 4] = 1e6
    outputs = run(clf, rows, zipmap=False, target_opset=target_opset)
    assert_same_predictions(outputs, clf, rows, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_only_categories(dtype, X, run):
    X, y = with_codes(X, 5)
    X = X[:, [1, 4]].astype(dtype)
    clf = make_classifier(categorical_features=[True, True]).fit(X, y)
    assert_same_predictions(run(clf, X, zipmap=False), clf, X)


def test_codes_in_the_other_precision(X, run):
    X, y = with_codes(X, 5)
    single = X.astype(np.float32)
    clf = make_classifier(categorical_features=[1, 4]).fit(X, y)
    # 0.1 in single precision is another number, and so an unknown category.
    assert not clf.encoding_.transform(single)[:, -2:].any()
    assert_same_predictions(run(clf, single, zipmap=False), clf, single)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_categories_of_inputs_that_are_not_floats(dtype, X, run):
    X, y = with_codes(X, 12)
    X = np.abs(X)
    X_train = with_gaps(X.astype(dtype).astype(float), [1, 2])
    clf = make_classifier(categorical_features=[1, 4]).fit(X_train, y)
    rows = X.astype(dtype)
    assert_same_predictions(run(clf, rows, zipmap=False), clf, rows)


def test_large_integers(X, run):
    # float32 could not tell them apart.
    X, y = with_codes(X, 5)
    X = (100 * X).astype(np.int64) + 2**40
    clf = make_classifier(categorical_features=[1]).fit(X, y)
    assert_same_predictions(run(clf, X, zipmap=False), clf, X)


@pytest.mark.parametrize("make", [make_classifier, make_ensemble, make_regressor])
def test_string_categories_are_refused(make, X, codes, convert):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": X[:, 0], "color": np.array(list("rgb"))[codes]})
    clf = make().fit(frame, codes)
    message = "column 'color' are not numeric codes.*OrdinalEncoder"
    with pytest.raises(ValueError, match=message):
        convert(clf, frame[:1])
    with pytest.raises(ValueError, match=message):
        convert(clf, X[:1, :2])


@pytest.mark.parametrize("missing", [False, True])
def test_string_categories_behind_an_encoder(missing, X, codes, run):
    # The remedy that the error names.
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"size": X[:, 0].astype(np.float32), "color": np.array(list("rgb"))[codes]}
    )
    if missing:
        frame.loc[::5, "size"] = np.nan
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = make_column_transformer((encoder, ["color"]), ("passthrough", ["size"]))
    clf = make_classifier(categorical_features=[0])
    pipeline = make_pipeline(encode, clf).fit(frame, codes)
    assert len(clf.encoding_.categories) == 1
    frame.loc[:50, "color"] = "unknown"
    assert_same_predictions(run(pipeline, frame, zipmap=False), pipeline, frame)


# Ensembles.


@pytest.mark.parametrize("n_folds", [2, 3])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_ensemble(dtype, kind, n_folds, X, targets, run):
    X = X.astype(dtype)
    ensemble = pool_unequally(make_ensemble(n_folds=n_folds).fit(X, targets[kind]))
    outputs = run(ensemble, X, zipmap=False)
    assert outputs["probabilities"].dtype == dtype
    assert_same_predictions(outputs, ensemble, X, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_ensemble_with_gaps_and_codes(dtype, X, run):
    X, y = with_codes(X, 5)
    X_train = with_gaps(X, [0, 1]).astype(dtype)
    ensemble = make_ensemble(categorical_features=[1, 4]).fit(X_train, y)
    pool_unequally(ensemble)
    rows = with_gaps(X, [0, 1, 2, 4]).astype(dtype)
    rows[:50, 1] = 7  # Not a code
    outputs = run(ensemble, rows, zipmap=False)
    assert_same_predictions(outputs, ensemble, rows, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_ensemble_without_folds(dtype, X, codes, run):
    X = X.astype(dtype)
    ensemble = make_ensemble().fit(X[:60], codes[:60])
    assert ensemble.oof_log_loss_ is None
    outputs = run(ensemble, X, zipmap=False)
    assert_same_predictions(outputs, ensemble, X, TOLERANCES[dtype])


@pytest.mark.parametrize("target_opset", [9, None])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("n_bases", [1, 3])
def test_ensemble_of_any_networks(n_bases, dtype, target_opset, X, codes, run):
    X = X.astype(dtype)
    bases = [
        make_classifier((4, 3), activation="selu"),
        make_classifier(()),
        make_classifier(activation="silu", numerical_encoding="none"),
    ]
    ensemble = RMSpropMLPEnsembleClassifier(bases[:n_bases], n_folds=2, random_state=0)
    pool_unequally(ensemble.fit(X, codes))
    outputs = run(ensemble, X, zipmap=False, target_opset=target_opset)
    assert_same_predictions(outputs, ensemble, X, TOLERANCES[dtype])


def test_default_ensemble_in_a_pipeline(X, codes, run):
    names = np.array(CLASSES["str"])
    ensemble = RMSpropMLPEnsembleClassifier(n_folds=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), ensemble).fit(X, names[codes])
    outputs = run(pipeline, X, zipmap=False, output_class_labels=True)
    assert list(outputs["class_labels"]) == list(names)
    assert_same_predictions(outputs, pipeline, X, 1e-12)
    # skl2onnx's default.
    outputs = run(pipeline, X)
    assert list(outputs["output_probability"][0]) == list(names)
    np.testing.assert_array_equal(outputs["output_label"], pipeline.predict(X))


def test_ensemble_encodes_once_per_base(X, codes, convert):
    ensemble = make_ensemble(n_folds=3).fit(with_gaps(X, [0]), codes)
    nodes = convert(ensemble, X[:1], options={"zipmap": False}).graph.node
    operators = [node.op_type for node in nodes]
    # Both bases look for missing numbers, and the second one again for its bins.
    assert operators.count("IsNaN") == 3
    assert operators.count("Gemm") == 3 * (2 + 3)


def test_ensemble_trained_on_sparse_data(X, codes, run):
    # The remedy that the documentation names: a dense sample.
    X = np.maximum(X, 0)
    ensemble = pool_unequally(make_ensemble().fit(csr_array(X), codes))
    assert_same_predictions(run(ensemble, X, zipmap=False), ensemble, X, 1e-13)


# Regressors.


@pytest.fixture
def amounts(X):
    """Return positive numbers to predict, with a standard deviation of about 2."""
    return X[:, 0] + np.abs(X[:, 1]) + 12


def assert_same_numbers(outputs, reg, X, tolerance=None):
    """Check the output, relative to the spread of the predictions."""
    (values,) = outputs.values()
    expected = reg.predict(X)
    if expected.ndim == 1:
        expected = expected[:, np.newaxis]
    assert values.shape == expected.shape
    assert np.ptp(expected, axis=0).min() > 0
    if tolerance is None:
        tolerance = TOLERANCES[values.dtype.name]
    error = np.abs(values - expected) / expected.std(axis=0)
    assert error.max() < tolerance


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("loss", [name for name in LOSSES if name not in CLASS_LOSSES])
def test_every_loss_of_numbers(loss, dtype, activation, X, amounts, run):
    X = X.astype(dtype)
    reg = make_regressor((8, 6), loss=loss, quantile=0.3, activation=activation)
    outputs = run(reg.fit(X, amounts), X)
    assert list(outputs) == ["variable"]
    assert outputs["variable"].dtype == dtype
    assert_same_numbers(outputs, reg, X)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (5, 4, 3)])
def test_any_depth_of_a_regressor(hidden_layer_sizes, X, amounts, run):
    reg = make_regressor(hidden_layer_sizes).fit(X, amounts)
    assert_same_numbers(run(reg, X), reg, X)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_targets_in_different_units(dtype, loss, X, amounts, run):
    X = X.astype(dtype)
    y = np.column_stack([amounts, 1e-9 * amounts[::-1], 1e9 * amounts**2])
    reg = make_regressor(loss=loss).fit(X, y)
    assert_same_numbers(run(reg, X), reg, X)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_targets_far_from_zero(dtype, X, amounts, run):
    X = X.astype(dtype)
    y = 1e5 * amounts + 1.7e9
    reg = make_regressor().fit(X, y)
    outputs = run(reg, X)
    assert_same_numbers(outputs, reg, X, {"float32": 1e-3, "float64": 1e-11}[dtype])
    if dtype == "float32":
        # The output is the prediction, rounded to float32 once: this one, or for the
        # rounding of the network in between a neighbor.
        expected = reg.predict(X).astype(np.float32)
        error = np.abs(outputs["variable"][:, 0] - expected)
        assert (error <= np.spacing(expected)).all()


def test_exponentials_beyond_single_precision(X, run):
    # exp overflows in float32 where the product is a moderate number.
    reg = make_regressor((), loss="poisson", numerical_encoding="none")
    X = X[:, :1]
    reg.fit(X, np.exp(X[:, 0] / 4))
    reg.coefs_[0][:] = 100.0
    reg._network.targets.scale[:] = 1e-30
    rows = np.array([[0.0], [0.5], [0.9]], np.float32)
    expected = reg.predict(rows)
    assert expected[-1] > 1e8
    (values,) = run(reg, rows).values()
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("loss", ["huber", "poisson"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_regressor_with_gaps_and_codes(dtype, loss, X, amounts, run):
    X, _ = with_codes(X, 5)
    X_train = with_gaps(X, [0, 1]).astype(dtype)
    amounts = np.resize(amounts, len(X)) + (X[:, 1] > 0)
    reg = make_regressor(loss=loss, categorical_features=[1, 4])
    reg.fit(X_train, amounts)
    rows = with_gaps(X, [0, 1, 2, 4]).astype(dtype)
    rows[:50, 1] = 7  # Not a code
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    assert_same_numbers(run(reg, rows), reg, rows, tolerance)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_regressor_of_inputs_that_are_not_floats(dtype, X, amounts, run):
    X = np.maximum(X, 0).astype(dtype)
    reg = make_regressor().fit(X, amounts)
    outputs = run(reg, X)
    assert outputs["variable"].dtype == np.float32
    assert_same_numbers(outputs, reg, X)


@pytest.mark.parametrize("target_opset", [9, 13, 21])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_opsets_of_a_regressor(dtype, target_opset, X, amounts, run):
    X = X.astype(dtype)
    reg = make_regressor(loss="poisson").fit(X, amounts)
    outputs = run(reg, X, target_opset=target_opset)
    assert_same_numbers(outputs, reg, X)


def test_output_of_a_regressor_is_declared_with_its_shape(X, amounts, convert):
    reg = make_regressor().fit(X, np.column_stack([amounts, amounts]))
    (output,) = convert(reg, X[:1]).graph.output
    shape = [dim.dim_value or None for dim in output.type.tensor_type.shape.dim]
    assert shape == [None, 2]


def test_stream_of_numbers(X, amounts, run):
    reg = RMSpropMLPRegressor((8,), random_state=0)
    for rows in np.array_split(np.arange(len(X)), 10):
        reg.partial_fit(X[rows], amounts[rows])
    assert_same_numbers(run(reg, X), reg, X)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize(
    "meta_estimator",
    [
        make_pipeline(StandardScaler(), make_regressor(loss="quantile", quantile=0.9)),
        GridSearchCV(
            make_pipeline(StandardScaler(), make_regressor()),
            {"rmspropmlpregressor__loss": ["squared_error", "huber"]},
            cv=2,
        ),
        VotingRegressor([("net", make_regressor()), ("linear", LinearRegression())]),
        StackingRegressor(
            [("net", make_regressor()), ("linear", LinearRegression())],
            final_estimator=make_regressor(),
            cv=2,
        ),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_meta_estimators_of_a_regressor(meta_estimator, dtype, X, amounts, run):
    X = X.astype(dtype)
    meta_estimator.fit(X, amounts)
    outputs = run(meta_estimator, X)
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    assert_same_numbers(outputs, meta_estimator, X, tolerance)


def test_parameters_of_a_regressor_set_after_fit_change_nothing(X, amounts, run):
    reg = make_regressor(loss="poisson").fit(X, amounts)
    reg.set_params(loss="squared_error", hidden_layer_sizes=(3, 3))
    assert_same_numbers(run(reg, X), reg, X)


# Class labels and skl2onnx's options.


@pytest.mark.parametrize("name", CLASSES)
def test_labels(name, X, codes, run):
    classes = np.asarray(CLASSES[name])
    clf = make_classifier().fit(X, classes[codes])
    outputs = run(clf, X, zipmap=False, output_class_labels=True)
    assert list(outputs["class_labels"]) == list(classes)
    assert_same_predictions(outputs, clf, X, 1e-13)
    dtype = object if classes.dtype.kind in "UO" else np.int64
    assert outputs["label"].dtype == outputs["class_labels"].dtype == dtype


@pytest.mark.parametrize("name", CLASSES)
def test_zipmap(name, X, codes, run):
    X = X.astype(np.float32)
    clf = make_classifier().fit(X, np.asarray(CLASSES[name])[codes])
    outputs = run(clf, X)
    probabilities = outputs["output_probability"]
    assert all(list(row) == list(CLASSES[name]) for row in probabilities)
    outputs = {
        "label": outputs["output_label"],
        "probabilities": [list(row.values()) for row in probabilities],
    }
    assert_same_predictions(outputs, clf, X)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize(
    ("name", "columns"),
    [("int", ["i3", "i5", "i8"]), ("str", ["sa", "sbc", "sé"])],
)
def test_zipmap_columns(name, columns, dtype, X, codes, run):
    X = X.astype(dtype)
    clf = make_classifier().fit(X, np.asarray(CLASSES[name])[codes])
    outputs = run(clf, X, zipmap="columns")
    assert list(outputs) == ["output_label", *columns]
    assert all(outputs[column].dtype == dtype for column in columns)
    outputs = {
        "label": outputs["output_label"],
        "probabilities": np.column_stack([outputs[column] for column in columns]),
    }
    assert_same_predictions(outputs, clf, X)


@pytest.mark.parametrize("name", ["large", "float64", "str"])
def test_nocl_numbers_the_classes(name, X, codes, run):
    clf = make_classifier().fit(X, np.asarray(CLASSES[name])[codes])
    best = clf.predict_proba(X).argmax(axis=1)
    outputs = run(clf, X, nocl=True)
    np.testing.assert_array_equal(outputs["output_label"], best)
    assert list(outputs["output_probability"][0]) == [0, 1, 2]
    outputs = run(clf, X, zipmap=False, nocl=True, output_class_labels=True)
    np.testing.assert_array_equal(outputs["label"], best)
    np.testing.assert_array_equal(outputs["class_labels"], [0, 1, 2])


def test_bool_labels(X, codes, run):
    clf = make_classifier().fit(X, codes > 0)
    outputs = run(clf, X)
    np.testing.assert_array_equal(outputs["output_label"], clf.predict(X))
    assert list(outputs["output_probability"][0]) == [0, 1]
    outputs = run(clf, X, zipmap=False, output_class_labels=True)
    np.testing.assert_array_equal(outputs["class_labels"], [0, 1])


@pytest.mark.parametrize("n_labels", [2, 3])
def test_multilabel_outputs(n_labels, X, run):
    y = (X[:, :n_labels] > 0).astype(int)
    clf = make_classifier().fit(X, y)
    by_label = run(clf, X)
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(by_label["output_label"], clf.predict(X))
    for row, probabilities in zip(
        by_label["output_probability"], expected, strict=True
    ):
        assert row == pytest.approx(dict(enumerate(probabilities)), abs=1e-6)
    columns = run(clf, X, zipmap="columns")
    np.testing.assert_array_equal(columns["output_label"], clf.predict(X))
    np.testing.assert_allclose(columns["i1"], expected[:, 1], rtol=0, atol=1e-13)


def test_outputs_are_declared_with_their_shapes(X, targets, convert):
    def shapes(y):
        clf = make_classifier().fit(X, y)
        options = {"zipmap": False, "output_class_labels": True}
        graph = convert(clf, X[:1], options=options).graph
        return {
            output.name: [
                dim.dim_value or None for dim in output.type.tensor_type.shape.dim
            ]
            for output in graph.output
        }

    assert shapes(targets["multiclass"]) == {
        "label": [None],
        "probabilities": [None, 3],
        "class_labels": [3],
    }
    assert shapes(targets["multilabel"]) == {
        "label": [None, 2],
        "probabilities": [None, 2],
        "class_labels": [2],
    }


# As part of other estimators.


def test_pipeline_with_default_options(X, codes, run):
    pipeline = make_pipeline(StandardScaler(), make_classifier()).fit(X, codes)
    outputs = run(pipeline, X)
    np.testing.assert_array_equal(outputs["output_label"], pipeline.predict(X))
    # ONNX's dictionaries hold float32, whatever the input.
    probabilities = [list(row.values()) for row in outputs["output_probability"]]
    np.testing.assert_allclose(
        probabilities, pipeline.predict_proba(X), rtol=0, atol=1e-6
    )


def test_options_of_a_pipeline(X, codes, run):
    pipeline = make_pipeline(StandardScaler(), make_classifier()).fit(X, codes)
    outputs = run(pipeline, X, zipmap=False, output_class_labels=True)
    assert list(outputs) == ["label", "probabilities", "class_labels"]
    assert_same_predictions(outputs, pipeline, X, 1e-12)


def test_columns_of_different_kinds(X, codes, run):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"size": X[:, 0].astype(np.float32), "colour": np.array(["r", "g", "b"])[codes]}
    )
    encode = make_column_transformer(
        (StandardScaler(), ["size"]), (OneHotEncoder(), ["colour"])
    )
    pipeline = make_pipeline(encode, make_classifier()).fit(frame, codes)
    outputs = run(pipeline, frame, zipmap=False)
    assert_same_predictions(outputs, pipeline, frame)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize(
    "meta_estimator",
    [
        GridSearchCV(
            make_pipeline(StandardScaler(), make_classifier()),
            {"rmspropmlpclassifier__beta": [0.9, 0.99]},
            cv=2,
        ),
        CalibratedClassifierCV(make_classifier(), cv=2),
        CalibratedClassifierCV(make_ensemble(n_folds=2), cv=2),
        StackingClassifier(
            [
                ("net", make_pipeline(StandardScaler(), make_classifier())),
                ("linear", LogisticRegression(solver="newton-cg")),
            ],
            final_estimator=make_classifier(),
            cv=2,
        ),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_meta_estimators(meta_estimator, dtype, X, codes, run):
    X = X.astype(dtype)
    meta_estimator.fit(X, codes)
    outputs = run(meta_estimator, X, zipmap=False)
    assert_same_predictions(outputs, meta_estimator, X)


# Errors, and the module itself.


def test_labels_that_onnx_cannot_hold(X, codes, run):
    classes = np.array([0, 1, 2**63], np.uint64)
    clf = make_classifier().fit(X, classes[codes])
    for zipmap in (True, False, "columns"):
        with pytest.raises(ValueError, match=r"64-bit integers.*nocl=True"):
            run(clf, X, zipmap=zipmap)
    outputs = run(clf, X, zipmap=False, nocl=True)
    np.testing.assert_array_equal(classes[outputs["label"]], clf.predict(X))


def test_class_labels_and_zipmap_exclude_each_other(X, codes, convert):
    clf = make_classifier().fit(X, codes)
    with pytest.raises(ValueError, match="output_class_labels needs zipmap=False"):
        convert(clf, X[:1], options={"output_class_labels": True})


@pytest.mark.parametrize("options", [None, {"zipmap": False}, {"zipmap": "columns"}])
@pytest.mark.parametrize("make", [make_classifier, make_ensemble])
def test_unfitted(make, options, X, convert):
    clf = make()
    with pytest.raises(NotFittedError, match=type(clf).__name__):
        convert(clf, X[:1], options=options)


def test_unfitted_regressor(X, convert):
    with pytest.raises(NotFittedError, match="RMSpropMLPRegressor"):
        convert(make_regressor(), X[:1])


def test_strings_as_input(X, codes, convert):
    clf = make_classifier().fit(X, codes)
    # The type of error depends on skl2onnx's version.
    with pytest.raises(Exception, match="wrong type"):
        convert(clf, np.array([["a"] * 6]))


def test_an_input_for_every_column(X, codes, convert):
    # What skl2onnx makes of a frame; the layers need one array of all features.
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    clf = make_classifier().fit(frame, codes)
    with pytest.raises(RuntimeError, match=r"at most 1 input.*got 6"):
        convert(clf, frame[:1])


def test_importing_again(X, codes, run):
    clf = make_classifier().fit(X, codes)
    importlib.reload(sys.modules["sk_rmsprop.onnx"])
    assert_same_predictions(run(clf, X, zipmap=False), clf, X, 1e-13)


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    monkeypatch.delitem(sys.modules, "sk_rmsprop.onnx", raising=False)
    with pytest.raises(ImportError, match=r"requires skl2onnx.*sk-rmsprop\[onnx\]"):
        importlib.import_module("sk_rmsprop.onnx")
