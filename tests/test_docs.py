"""The README and the documentation: their code runs, and they say what is true.

Every ```python block of ``README.md`` and ``docs/*.md`` is executed, in order within a
page. A ```text block right below one is what it prints; in the README, numbers in
comments are what it prints, about. A comment above a block,
``<!-- requires: scikit-learn >= 1.9, rich -->``, has it skipped where that is not
installed.
"""

import ast
import contextlib
import inspect
import io
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import sklearn
from packaging.requirements import Requirement

import sk_rmsprop
from sk_rmsprop import RMSprop, RMSpropMLPClassifier
from sk_rmsprop._activations import ACTIVATIONS
from sk_rmsprop._losses import LOSSES
from sk_rmsprop._schedules import SCHEDULES

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"

# Written by the build of the site, which checks the links to it.
GENERATED = ("auto_examples/",)

PAGES = [README] + [
    page for page in sorted(DOCS.glob("*.md")) if page.name not in GENERATED
]

BLOCK = re.compile(
    r"(?:^<!-- requires: (?P<requires>[^\n]*) -->\n)?"
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENTRY = re.compile(r"^\*{0,2}(\w+(?:, \w+)*) : (.+)$", re.MULTILINE)

PUBLIC_CLASSES = [
    value
    for name in sk_rmsprop.__all__
    if inspect.isclass(value := getattr(sk_rmsprop, name))
]


class Block(NamedTuple):
    """A piece of code in a page, its first line's number, and what it prints."""

    code: str
    line: int
    requires: list
    output: str | None


def read_blocks(text):
    """Return the ```python blocks of a page."""
    return [
        Block(
            match["code"],
            text.count("\n", 0, match.start("code")) + 1,
            [
                Requirement(part)
                for part in (match["requires"] or "").split(",")
                if part
            ],
            match["output"],
        )
        for match in BLOCK.finditer(text)
    ]


def is_installed(requirement):
    try:
        return requirement.specifier.contains(version(requirement.name), True)
    except PackageNotFoundError:
        return False


def run_block(block, page, namespace):
    # The newlines make tracebacks show the line numbers of the page.
    code = compile("\n" * (block.line - 1) + block.code, page.name, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    printed, place = printed.getvalue(), f"{page.name}, line {block.line}"
    if block.output is not None:
        assert printed == block.output, place
    if page == README:
        stated = re.findall(r"^print\(.*\)  # (.+)$", block.code, re.MULTILINE)
        assert len(stated) == block.code.count("print("), place
        # Machines round differently, and training enlarges that.
        expected = pytest.approx(list(map(float, stated)), rel=0.05)
        assert list(map(float, printed.splitlines())) == expected, place


@pytest.fixture
def no_windows(monkeypatch):
    """Draw into memory, and leave no figure open."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.usefixtures("no_windows")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": f"docs_{page.stem}"}
    with sklearn.config_context():
        for block in read_blocks(page.read_text(encoding="utf-8")):
            if all(map(is_installed, block.requires)):
                run_block(block, page, namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_code_of_page_is_overlooked(page):
    text = page.read_text(encoding="utf-8")
    blocks = read_blocks(text)
    assert len(blocks) == len(re.findall(r"(?:```|~~~) *\{?[\w-]*\}? *py", text))
    assert sum(bool(block.requires) for block in blocks) == text.count("\n<!--")
    for block in blocks:
        compile(block.code, page.name, "exec")
        assert max(map(len, block.code.splitlines())) <= 88


def slugs(text):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    for link in links:
        if "://" in link or link.startswith(GENERATED):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file() or (page == README and target.is_dir()), link
        assert not anchor or anchor in slugs(target.read_text(encoding="utf-8")), link


@pytest.fixture(scope="module")
def user_guide():
    return (DOCS / "user_guide.md").read_text(encoding="utf-8")


def defaults_of(function):
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }


def test_user_guide_has_an_entry_for_every_parameter_of_the_classifier(user_guide):
    entries = re.findall(r"^### `(\w+)`\n\nDefault `(.+?)`", user_guide, re.MULTILINE)
    documented = [(name, ast.literal_eval(default)) for name, default in entries]
    assert documented == list(defaults_of(RMSpropMLPClassifier).items())


def test_user_guide_lists_the_parameters_of_the_optimizer(user_guide):
    section = user_guide.partition("## RMSprop on its own")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", section, re.MULTILINE)
    documented = [(name, ast.literal_eval(default)) for name, default in rows]
    assert documented == list(defaults_of(RMSprop).items())


@pytest.mark.parametrize(
    ("parameter", "table"),
    [("activation", ACTIVATIONS), ("learning_rate_schedule", SCHEDULES)],
)
def test_user_guide_lists_the_values_of(user_guide, parameter, table):
    entry = user_guide.partition(f"### `{parameter}`")[2].partition("\n### ")[0]
    assert re.findall(r'^\| `"(\w+)"` \|', entry, re.MULTILINE) == list(table)


def test_user_guide_explains_the_losses(user_guide):
    section = user_guide.partition("## The network")[2].partition("\n## ")[0]
    assert re.findall(r"^- \*\*(\w+)\*\*", section, re.MULTILINE) == list(LOSSES)


def read_section(docstring, title):
    """Return the entries of a numpydoc section: name -> description of the type."""
    pattern = rf"^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)"
    section = re.search(pattern, inspect.cleandoc(docstring), re.MULTILINE | re.DOTALL)
    return {
        name: kind
        for names, kind in (ENTRY.findall(section[1]) if section else ())
        for name in names.split(", ")
    }


def documented_functions():
    """Return the public classes and those of their methods that list parameters."""
    methods = [
        getattr(cls, name)
        for cls in PUBLIC_CLASSES
        for name, value in vars(cls).items()
        if isinstance(value, FunctionType | classmethod) and not name.startswith("_")
    ]
    return [
        *PUBLIC_CLASSES,
        *(method for method in methods if read_section(method.__doc__, "Parameters")),
    ]


@pytest.mark.parametrize(
    "function", documented_functions(), ids=lambda function: function.__qualname__
)
def test_docstring_documents_the_parameters_of_the_signature(function):
    documented = {}
    for name, kind in read_section(function.__doc__, "Parameters").items():
        default = re.search(r"default=(.+)$", kind)
        documented[name] = (
            ast.literal_eval(default[1]) if default else inspect.Parameter.empty
        )
    assert list(documented.items()) == list(defaults_of(function).items())


@pytest.mark.parametrize("parameter", ["activation", "learning_rate_schedule"])
def test_docstring_lists_the_values_that_are_accepted(parameter):
    kind = read_section(RMSpropMLPClassifier.__doc__, "Parameters")[parameter]
    table = {"activation": ACTIVATIONS, "learning_rate_schedule": SCHEDULES}[parameter]
    assert re.findall(r'"(\w+)"', kind.partition("}")[0]) == list(table)


def fitted_classifier():
    X = pd.DataFrame({"a": np.linspace(-1, 1, 40), "b": np.tile([0.0, 1.0], 20)})
    clf = RMSpropMLPClassifier((3,), early_stopping=True, max_iter=2, random_state=0)
    return clf.fit(X, X["a"] > 0)


def stepped_optimizer():
    optimizer = RMSprop(momentum=0.5, centered=True)
    optimizer.step(np.ones(2), np.ones(2))
    return optimizer


@pytest.mark.parametrize("make", [fitted_classifier, stepped_optimizer])
def test_docstring_documents_the_fitted_attributes(make):
    fitted = make()
    public = {
        name
        for name in dir(fitted)
        if name.endswith("_") and not name.startswith("_") and hasattr(fitted, name)
    }
    assert set(read_section(type(fitted).__doc__, "Attributes")) == public
