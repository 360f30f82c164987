"""Conversion of classifiers, ensembles and regressors to ONNX.

Importing this module registers the converters with skl2onnx, for the estimators alone
and inside pipelines and whatever else skl2onnx converts::

    import sk_rmsprop.onnx
    from skl2onnx import to_onnx

    model = to_onnx(pipeline, X[:1])

It needs skl2onnx: ``pip install "sk-rmsprop[onnx]"``.

The graph of an ensemble has the encoding of each base classifier once and then its
networks side by side. Those of the same fold are pooled, and the output is the mean of
the pools' probabilities. The graph of a regressor ends with the scale of the targets.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_rmsprop._activations import LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE
from sk_rmsprop._categories import MAX_CATEGORIES
from sk_rmsprop._classifier import RMSpropMLPClassifier
from sk_rmsprop._encoding import Encoder
from sk_rmsprop._ensemble import RMSpropMLPEnsembleClassifier
from sk_rmsprop._numbers import CLIP, CLIP_INPUT
from sk_rmsprop._regressor import RMSpropMLPRegressor

try:
    from onnx.helper import np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype
    from onnx.numpy_helper import from_array
    from skl2onnx import get_model_alias, update_registered_converter
    from skl2onnx._parse import _apply_zipmap
    from skl2onnx.common import data_types
    from skl2onnx.common.utils import (
        check_input_and_output_numbers,
        check_input_and_output_types,
    )
    from skl2onnx.common.utils_classifier import get_label_classes
except ImportError as error:
    raise ImportError(
        "sk_rmsprop.onnx requires skl2onnx. You can install it with "
        '`pip install "sk-rmsprop[onnx]"`.'
    ) from error

__all__ = []

# skl2onnx's types of input, but for strings.
INPUT_TYPES = [
    data_types.BooleanTensorType,
    data_types.DoubleTensorType,
    data_types.FloatTensorType,
    data_types.Int8TensorType,
    data_types.Int32TensorType,
    data_types.Int64TensorType,
    data_types.UInt8TensorType,
]


class _Graph:
    """The ONNX graph that a conversion adds to; what it adds computes in one dtype.

    Values are referred to by their names.

    Parameters
    ----------
    scope, container
        What skl2onnx passes to a converter: they give out names and take nodes.
    dtype : numpy.dtype
        float32 or float64.
    """

    def __init__(self, scope, container, dtype):
        self.scope = scope
        self.container = container
        self.dtype = dtype

    @property
    def is_double(self):
        return self.dtype == np.float64

    def node(self, op_type, *inputs, output=None, **attributes):
        """Add a node; return its output, whose name may be given."""
        output = output or self.scope.get_unique_variable_name(op_type.lower())
        self.container.add_node(
            op_type,
            list(inputs),
            [output],
            name=self.scope.get_unique_operator_name(op_type),
            **attributes,
        )
        return output

    def constant(self, value, dtype=None):
        """Add a constant, of the graph's dtype unless another is given; return it."""
        array = np.asarray(value, dtype or self.dtype)
        name = self.scope.get_unique_variable_name("constant")
        if array.dtype == object:
            content = [text.encode() for text in array]
        else:
            # For plain numbers skl2onnx needs microseconds each.
            content = from_array(array)
        tensor_type = np_dtype_to_tensor_dtype(array.dtype)
        self.container.add_initializer(name, tensor_type, array.shape, content)
        return name

    def cast(self, value, source, target, output=None):
        """Add a cast between two dtypes; return its output."""
        if source == target:
            return self.node("Identity", value, output=output)
        to = np_dtype_to_tensor_dtype(np.dtype(target))
        return self.node("Cast", value, output=output, to=to)

    def columns(self, value, indices):
        """Add the choice of some columns; return them."""
        return self.node("Gather", value, self.constant(indices, np.int64), axis=1)

    def is_equal(self, value, constant):
        """Add a comparison of float64 numbers, where NaN equals nothing."""
        if self.container.target_opset >= 11:
            return self.node("Equal", value, constant)
        # Before, Equal took no floats. The difference of two numbers is 0 or larger.
        distance = self.node("Abs", self.node("Sub", value, constant))
        smallest = self.constant(np.finfo(np.float64).tiny, np.float64)
        return self.node("Less", distance, smallest)


# Each activation adds the nodes that turn z into f(z) and returns the latter. For
# float64, onnxruntime has no LeakyRelu, Elu, Selu and Erf.


def _identity(graph, z):
    return z


def _relu(graph, z):
    return graph.node("Relu", z)


def _leaky_relu(graph, z):
    if graph.is_double:
        return graph.node("Max", z, graph.node("Mul", z, graph.constant(LEAKY_SLOPE)))
    return graph.node("LeakyRelu", z, alpha=LEAKY_SLOPE)


def _elu(graph, z):
    if graph.is_double:
        return graph.node("Add", graph.node("Relu", z), _negative_elu(graph, z))
    return graph.node("Elu", z, alpha=1.0)


def _selu(graph, z):
    if graph.is_double:
        positive = graph.node("Mul", graph.node("Relu", z), graph.constant(SELU_SCALE))
        factor = graph.constant(SELU_SCALE * SELU_ALPHA)
        negative = graph.node("Mul", _negative_elu(graph, z), factor)
        return graph.node("Add", positive, negative)
    return graph.node("Selu", z, alpha=SELU_ALPHA, gamma=SELU_SCALE)


def _negative_elu(graph, z):
    # exp(min(z, 0)) - 1
    exponential = graph.node("Exp", graph.node("Min", z, graph.constant(0)))
    return graph.node("Sub", exponential, graph.constant(1))


def _gelu(graph, z):
    # z * (1 + erf(z / sqrt(2))) / 2, in the order that onnxruntime recognizes and runs
    # as a single operator.
    scaled = graph.node("Div", z, graph.constant(np.sqrt(2)))
    if graph.is_double:
        # No other operator gives erf: this one value is as exact as float32.
        erf = graph.node("Erf", graph.cast(scaled, np.float64, np.float32))
        erf = graph.cast(erf, np.float32, np.float64)
    else:
        erf = graph.node("Erf", scaled)
    doubled = graph.node("Mul", z, graph.node("Add", erf, graph.constant(1)))
    return graph.node("Mul", doubled, graph.constant(0.5))


def _silu(graph, z):
    if graph.is_double:
        # Some versions of onnxruntime replace z * Sigmoid(z) by an operator that exists
        # for float32 only.
        exponential = graph.node("Exp", graph.node("Neg", z))
        return graph.node("Div", z, graph.node("Add", exponential, graph.constant(1)))
    return graph.node("Mul", z, graph.node("Sigmoid", z))


def _tanh(graph, z):
    return graph.node("Tanh", z)


def _logistic(graph, z):
    return graph.node("Sigmoid", z)


# By the names of `ACTIVATIONS`.
ONNX_ACTIVATIONS = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "tanh": _tanh,
    "logistic": _logistic,
    "identity": _identity,
}


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare the outputs of a classifier: skl2onnx's parser."""
    _check_model(model)
    _onnx_classes(scope, model)  # Raises its error before skl2onnx meets the classes.
    options = scope.get_options(model, {"zipmap": True})
    zipmap, class_labels = options["zipmap"], options.get("output_class_labels", False)
    if zipmap and class_labels:
        raise ValueError("The option output_class_labels needs zipmap=False.")
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    probability_type = data_types.guess_tensor_type(inputs[0].type)
    if zipmap is True:  # The operator ZipMap takes nothing else.
        probability_type = data_types.FloatTensorType()
    declared = [
        ("label", data_types.Int64TensorType()),
        ("probabilities", probability_type),
        ("class_labels", data_types.Int64TensorType()),
    ]
    for name, output_type in declared if class_labels else declared[:2]:
        operator.outputs.append(scope.declare_local_variable(name, output_type))
    if zipmap:
        return _apply_zipmap(zipmap, scope, model, probability_type, operator.outputs)
    return operator.outputs


def _calculate_shapes(operator):
    """Set types and shapes of the outputs: skl2onnx's shape calculator."""
    check_input_and_output_numbers(operator, 1, [2, 3])
    check_input_and_output_types(operator, good_input_types=INPUT_TYPES)
    model = operator.raw_operator
    n_rows = operator.inputs[0].get_first_dimension()
    classes = _onnx_classes(operator.scope_inst, model)
    label_type = data_types.Int64TensorType
    if classes.dtype == object:
        label_type = data_types.StringTensorType
    label, probabilities, *class_labels = operator.outputs
    shape = [n_rows, len(classes)]
    label.set_type(label_type(shape if _is_multilabel(model) else [n_rows]))
    probabilities.type.shape = shape
    for variable in class_labels:
        variable.set_type(label_type([len(classes)]))


def _convert(scope, operator, container):
    """Add the nodes of a classifier: skl2onnx's converter."""
    model = operator.raw_operator
    graph = _make_graph(scope, operator, container)
    linked = _add_probabilities(graph, model, operator.inputs[0])
    label, probabilities, *class_labels = operator.outputs
    classes = _onnx_classes(scope, model)
    classes = graph.constant(classes, classes.dtype)
    if _is_multilabel(model):
        positive = graph.node("Greater", linked, graph.constant(0.5))
        graph.cast(positive, np.bool_, np.int64, output=label.full_name)
    else:
        best = graph.node("ArgMax", linked, axis=1, keepdims=0)
        graph.node("Gather", classes, best, axis=0, output=label.full_name)
    output_dtype = _dtype(probabilities)
    graph.cast(linked, graph.dtype, output_dtype, output=probabilities.full_name)
    for variable in class_labels:
        graph.node("Identity", classes, output=variable.full_name)


def _parse_regressor(scope, model, inputs, custom_parsers=None):
    """Declare the output of a regressor: skl2onnx's parser."""
    _check_model(model)
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    output_type = data_types.guess_tensor_type(inputs[0].type)
    operator.outputs.append(scope.declare_local_variable("variable", output_type))
    return operator.outputs


def _calculate_regressor_shape(operator):
    """Set the shape of the output: skl2onnx's shape calculator."""
    check_input_and_output_numbers(operator, 1, 1)
    check_input_and_output_types(operator, good_input_types=INPUT_TYPES)
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type.shape = [n_rows, operator.raw_operator.n_outputs_]


def _convert_regressor(scope, operator, container):
    """Add the nodes of a regressor: skl2onnx's converter."""
    model = operator.raw_operator
    graph = _make_graph(scope, operator, container)
    [[raw]] = _add_networks(graph, model, operator.inputs[0])
    # As in `predict`: only the result is rounded to the type of the output.
    values = graph.cast(raw, graph.dtype, np.float64)
    if model.out_activation_ == "exp":
        values = graph.node("Exp", values)
    targets = model._network.targets
    values = graph.node("Mul", values, graph.constant(targets.scale, np.float64))
    values = graph.node("Add", values, graph.constant(targets.center, np.float64))
    output = operator.outputs[0]
    graph.cast(values, np.float64, _dtype(output), output=output.full_name)


def _make_graph(scope, operator, container):
    """Return a graph that computes in the precision of the input."""
    is_double = _dtype(operator.inputs[0]) == np.float64
    return _Graph(scope, container, np.dtype(np.float64 if is_double else np.float32))


def _check_model(model):
    """Raise if a model is not fitted, or has categories that are not numeric codes."""
    check_is_fitted(model)
    table = _groups(model)[0][0].encoding_.table
    if table.levels:
        columns = ", ".join(table.describe(j) for j in table.levels)
        raise ValueError(
            f"ONNX conversion needs numeric inputs, but the categories of {columns} "
            "are not numeric codes. Encode them in a preceding step of a pipeline, "
            "for example with an OrdinalEncoder in a ColumnTransformer, and pass the "
            "indices of the encoded columns as categorical_features."
        )


def _add_networks(graph, model, X):
    """Add the networks of a model; return their raw outputs, as `_groups` does them."""
    groups = []
    for members in _groups(model):
        inputs = _add_encoding(graph, members[0].encoding_, X.full_name, _dtype(X))
        groups.append([_add_layers(graph, member, inputs) for member in members])
    return groups


def _add_probabilities(graph, model, X):
    """Add a classifier from the features on; return its probabilities."""
    groups = _add_networks(graph, model, X)
    is_multilabel = _is_multilabel(model)
    if isinstance(model, RMSpropMLPClassifier):
        return _add_link(graph, groups[0][0], is_multilabel)
    pools = _add_pools(graph, model.pool_weights_ / model.temperature_, groups)
    linked = [_add_link(graph, raw, is_multilabel) for raw in pools]
    # Not Mean, which onnxruntime does not have for float64.
    total = graph.node("Sum", *linked)
    return graph.node("Div", total, graph.constant(len(linked)))


def _add_pools(graph, weights, groups):
    """Add the weighted sums of the groups' raw outputs; return that of each fold."""
    weighted = []
    for weight, members in zip(weights, groups, strict=True):
        factor = graph.constant(weight)
        weighted.append([graph.node("Mul", raw, factor) for raw in members])
    return [graph.node("Sum", *raw) for raw in zip(*weighted, strict=True)]


def _add_link(graph, raw, is_multilabel):
    """Add what turns raw outputs into probabilities; return these."""
    if is_multilabel:
        return graph.node("Sigmoid", raw)
    return graph.node("Softmax", raw, axis=1)


def _add_encoding(graph, encoding, X, input_dtype):
    """Add an encoding of the features; return the inputs of its networks."""
    parts = []
    if len(encoding.numeric):
        parts += _add_numbers(graph, encoding, X, input_dtype)
    if encoding.categories:
        # Codes are compared in the dtype in which they are known.
        codes = graph.cast(X, input_dtype, np.float64)
        for categories in encoding.categories:
            parts += _add_categories(graph, categories, codes)
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _add_numbers(graph, encoding, X, input_dtype):
    """Add the encoding of numbers; return them, and indicators of missing ones."""
    # Means and factors are not folded into the layer, where float32 could not hold its
    # large numbers.
    encoder = Encoder(encoding, input_dtype, graph.dtype)
    work_dtype = encoder.work_dtype
    if encoding.categories:
        X = graph.columns(X, encoding.numeric)
    X = numbers = graph.cast(X, input_dtype, work_dtype)
    if encoding.scaled:
        numbers = _add_scales(graph, numbers, encoder.mean, encoder.factor, work_dtype)
    numbers = graph.cast(numbers, work_dtype, graph.dtype)
    is_missing = graph.node("IsNaN", numbers)
    if encoding.clipped is not None:
        clipped = _add_smooth_clip(graph, numbers)
        numbers = _add_scales(graph, clipped, *encoder.clipped, graph.dtype)
    parts = [graph.node("Where", is_missing, graph.constant(0), numbers)]
    if encoding.bins is not None:
        parts.append(_add_bins(graph, encoding.bins, X, work_dtype))
    if len(encoding.gaps):
        gaps = graph.columns(is_missing, encoding.gaps)
        parts.append(graph.cast(gaps, np.bool_, graph.dtype))
    return parts


def _add_scales(graph, numbers, mean, factor, dtype):
    """Add the subtraction of a mean and a factor; return the product."""
    centered = graph.node("Sub", numbers, graph.constant(mean, dtype))
    return graph.node("Mul", centered, graph.constant(factor, dtype))


def _add_smooth_clip(graph, z):
    """Add `clip_smoothly`; return its result."""
    z = _add_limits(graph, z, -CLIP_INPUT, CLIP_INPUT, graph.dtype)
    square = graph.node("Mul", graph.node("Mul", z, z), graph.constant(1 / CLIP**2))
    size = graph.node("Sqrt", graph.node("Add", square, graph.constant(1)))
    return graph.node("Div", z, size)


def _add_bins(graph, bins, X, dtype):
    """Add the piecewise-linear encoding of numbers; return its inputs."""
    numbers = graph.columns(X, bins.columns)
    rising = _add_scales(graph, numbers, bins.left, bins.factor, dtype)
    values = _add_limits(graph, rising, 0.0, bins.scale, dtype)
    centered = graph.node("Sub", values, graph.constant(bins.mean, dtype))
    is_missing = graph.node("IsNaN", numbers)
    centered = graph.cast(centered, dtype, graph.dtype)
    return graph.node("Where", is_missing, graph.constant(0), centered)


def _add_limits(graph, values, low, high, dtype):
    # Not every version has Clip of float64.
    above = graph.node("Max", values, graph.constant(low, dtype))
    return graph.node("Min", above, graph.constant(high, dtype))


def _add_categories(graph, categories, codes):
    """Add the encoding of a categorical column; return its inputs."""
    column = graph.columns(codes, [categories.column])
    values = categories.values[np.argsort(categories.inputs, kind="stable")]
    frequent, rare = values[:MAX_CATEGORIES], values[MAX_CATEGORIES:]
    parts = []
    for some in (frequent, rare):
        if len(some):
            equal = graph.is_equal(column, graph.constant(some, np.float64))
            parts.append(graph.cast(equal, np.bool_, graph.dtype))
    if len(rare):
        shared = graph.constant(np.ones((len(rare), 1)))
        parts[-1] = graph.node("MatMul", parts[-1], shared)
    if categories.missing_input >= 0:
        is_missing = graph.node("IsNaN", column)
        parts.append(graph.cast(is_missing, np.bool_, graph.dtype))
    return parts


def _add_layers(graph, model, a):
    """Add the layers of a network; return its raw outputs."""
    # Not model.activation, which set_params may have changed since.
    activation = ONNX_ACTIVATIONS[model._network.activation]
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for i, (coef, intercept) in enumerate(layers):
        z = graph.node("Gemm", a, graph.constant(coef), graph.constant(intercept))
        is_output = i == model.n_layers_ - 2
        a = z if is_output else activation(graph, z)
    return a


def _onnx_classes(scope, model):
    """Return the class labels as ONNX can hold them, as int64 or as str objects.

    With the option nocl they are numbered.
    """
    classes = get_label_classes(scope, model)
    if classes.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            integers = classes.astype(np.int64)
        if np.array_equal(integers, classes):
            return integers
    elif all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    raise ValueError(
        f"ONNX has class labels that are strings or 64-bit integers, not {classes}. "
        "The option nocl=True numbers the classes instead."
    )


def _dtype(variable):
    return tensor_dtype_to_np_dtype(data_types.guess_proto_type(variable.type))


def _groups(model):
    """Return the networks of a model, as lists of those that share an encoding."""
    is_ensemble = isinstance(model, RMSpropMLPEnsembleClassifier)
    return model.estimators_ if is_ensemble else [[model]]


def _is_multilabel(model):
    return _groups(model)[0][0].out_activation_ == "logistic"


for classifier in (RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier):
    update_registered_converter(
        classifier,
        f"SkRMSprop{classifier.__name__}",
        _calculate_shapes,
        _convert,
        parser=_parse,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
        },
    )

update_registered_converter(
    RMSpropMLPRegressor,
    "SkRMSpropMLPRegressor",
    _calculate_regressor_shape,
    _convert_regressor,
    parser=_parse_regressor,
)
