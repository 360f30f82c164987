"""Tests of the package's shape: who imports what, and how long functions are."""

import ast
import sys
from pathlib import Path

import pytest

import sk_rmsprop

# Each module may import from those before it only.
ORDER = [
    "_activations",
    "_losses",
    "_schedules",
    "_rmsprop",
    "_network",
    "_training",
    "_callbacks",
    "_standardization",
    "_classifier",
    "_display",
    "onnx",
]
NUMERICS = ORDER[: ORDER.index("_callbacks")]

STANDARD = sys.stdlib_module_names
REQUIRED = {"joblib", "numpy", "scipy", "sklearn", "sk_rmsprop"}
MAX_CODE_LINES = 40

SOURCES = {
    path.stem: path.read_text("utf-8")
    for path in Path(sk_rmsprop.__file__).parent.rglob("*.py")
}

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

every_module = pytest.mark.parametrize("module", sorted(SOURCES))


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes(tree, *, inside_functions):
    """Yield all nodes below one that run; those inside functions too, or not."""
    for node in ast.iter_child_nodes(tree):
        skipped = isinstance(node, FUNCTION) and not inside_functions
        if not (skipped or is_for_type_checkers(node)):
            yield node
            yield from nodes(node, inside_functions=inside_functions)


def imports(module, *, inside_functions=True):
    """Return the full names of what a module imports, such as "numpy.linalg.norm"."""
    names = []
    tree = ast.parse(SOURCES[module])
    for node in nodes(tree, inside_functions=inside_functions):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def packages(names):
    return {name.partition(".")[0] for name in names}


def is_private(name):
    parts = name.split(".")
    return any(part.startswith("_") and not part.endswith("__") for part in parts)


def functions(module):
    tree = ast.parse(SOURCES[module])
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]


def without_docstring(function):
    return function.body[ast.get_docstring(function) is not None :]


def n_code_lines(module, function):
    """Return the number of lines without docstring, comments and empty lines."""
    lines = SOURCES[module].splitlines()
    body = without_docstring(function)
    signature = lines[function.lineno - 1 : function.body[0].lineno - 1]
    code = signature + lines[body[0].lineno - 1 : function.end_lineno] if body else []
    return sum(line.strip() != "" and line.strip()[0] != "#" for line in code)


def only_stores_parameters(function):
    """Return whether all statements are of the form ``self.name = name``."""
    stored = [
        f"self.{argument.arg} = {argument.arg}"
        for argument in [*function.args.args, *function.args.kwonlyargs]
    ]
    return all(ast.unparse(node) in stored for node in without_docstring(function))


def test_every_module_has_its_place():
    assert set(NUMERICS) < set(SOURCES) <= {"__init__", *ORDER}


@pytest.mark.parametrize("module", sorted(set(SOURCES) - {"__init__"}))
def test_imports_go_upwards(module):
    imported = [name for name in imports(module) if name.startswith("sk_rmsprop")]
    above = ORDER[: ORDER.index(module)]
    # What is imported is named by its own module: by way of the package it would come
    # from a module that may be further down.
    assert {name.partition(".")[2].partition(".")[0] for name in imported} <= set(above)


@every_module
def test_one_module_knows_the_internals_of_scikit_learn(module):
    internals = [
        name
        for name in imports(module)
        if name.startswith("sklearn.") and is_private(name)
    ]
    assert internals == [] or module == "_classifier"


@pytest.mark.parametrize("module", NUMERICS)
def test_numerics_know_nothing_of_scikit_learn(module):
    assert packages(imports(module)) - STANDARD <= {"numpy", "scipy", "sk_rmsprop"}


def test_callbacks_know_only_the_callbacks_of_scikit_learn():
    from_sklearn = [name for name in imports("_callbacks") if "sklearn" in name]
    assert from_sklearn
    assert all(name.startswith("sklearn.callback.") for name in from_sklearn)


@every_module
def test_matplotlib_is_imported_only_where_it_draws(module):
    assert "matplotlib" not in packages(imports(module, inside_functions=False))


@pytest.mark.parametrize("module", sorted(set(SOURCES) - {"onnx"}))
def test_importing_needs_the_required_packages_only(module):
    needed = packages(imports(module, inside_functions=False))
    assert needed - STANDARD <= REQUIRED


@every_module
def test_functions_are_short(module):
    too_long = {
        function.name: n_code_lines(module, function)
        for function in functions(module)
        if n_code_lines(module, function) > MAX_CODE_LINES
        and not only_stores_parameters(function)
    }
    assert too_long == {}
