"""Tests of the package's structure: imports, private names, lengths of functions."""

import ast
import re
import sys
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import sk_rmsprop

ROOT = Path(__file__).parents[1]

SOURCES = {
    path.stem: path.read_text("utf-8")
    for path in Path(sk_rmsprop.__file__).parent.rglob("*.py")
}


def module_list():
    """Return the modules in the order of CONTRIBUTING.md's list."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    _, _, text = text.partition("<!-- start of the module list -->")
    table, _, _ = text.partition("<!-- end of the module list -->")
    first_cells = re.findall(r"^\|([^|]*)\|", table, flags=re.MULTILINE)
    return [name for cell in first_cells for name in re.findall(r"`(\w+)\.py`", cell)]


# Each module may import from those before it only.
ORDER = module_list()

STANDARD = sys.stdlib_module_names
REQUIRED = {"joblib", "numpy", "scipy", "sklearn", "sk_rmsprop"}
MAX_CODE_LINES = 40
MAX_FILE_LINES = 520
MAX_CLASS_LINES = 450
PUBLIC_ESTIMATORS = {"_classifier"}

# Private names that scikit-learn gives meaning to, inherited ones included.
SCIKIT_LEARN_ATTRIBUTES = {
    name
    for cls in (BaseEstimator, ClassifierMixin)
    for name in dir(cls)
    if name.startswith("_") and not name.endswith("__")
} | {
    "_parameter_constraints",
    "_skl_callbacks",
    "_init_callback_context",
    "_doc_link_module",
    "_doc_link_template",
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


def names_used(module):
    """Return the names of all attributes and variables, and the texts, of a module."""
    names = set()
    for node in ast.walk(ast.parse(SOURCES[module])):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, FUNCTION):
            names.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def packages(names):
    return {name.partition(".")[0] for name in names}


def is_private(name):
    parts = name.split(".")
    return any(part.startswith("_") and not part.endswith("__") for part in parts)


def definitions(module, kind):
    tree = ast.parse(SOURCES[module])
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


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


def test_every_module_is_in_the_list():
    assert set(SOURCES) == {"__init__", *ORDER}


@pytest.mark.parametrize("module", ORDER)
def test_imports_go_upwards(module):
    imported = [name for name in imports(module) if name.startswith("sk_rmsprop")]
    above = ORDER[: ORDER.index(module)]
    # What is imported is named by its own module: by way of the package it would come
    # from a module that may be further down.
    assert {name.partition(".")[2].partition(".")[0] for name in imported} <= set(above)


@pytest.mark.parametrize("module", sorted(set(SOURCES) - {"_scikit_learn"}))
def test_one_module_uses_private_names_of_scikit_learn(module):
    imported = {
        name
        for name in imports(module)
        if name.startswith("sklearn.") and is_private(name)
    }
    assert imported == set()
    assert names_used(module) & SCIKIT_LEARN_ATTRIBUTES == set()


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
        for function in definitions(module, FUNCTION)
        if n_code_lines(module, function) > MAX_CODE_LINES
        and not only_stores_parameters(function)
    }
    assert too_long == {}


@every_module
def test_files_and_classes_are_short(module):
    assert len(SOURCES[module].splitlines()) <= MAX_FILE_LINES
    if module in PUBLIC_ESTIMATORS:
        return
    for cls in definitions(module, ast.ClassDef):
        assert cls.end_lineno - cls.lineno < MAX_CLASS_LINES, cls.name
