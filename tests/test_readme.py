"""The README's code runs, without warnings, and prints what its comments say."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def readme():
    return README.read_text(encoding="utf-8")


def _run_python_blocks(text):
    """Run the blocks one after the other in one namespace; return what they print."""
    namespace = {}
    printed = io.StringIO()
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        # Tracebacks then show the README's line numbers.
        lines_before = text.count("\n", 0, block.start(1))
        code = compile("\n" * lines_before + block.group(1), README, "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
    return printed.getvalue().splitlines()


def test_code_runs_and_prints_what_its_comments_say(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stated = re.findall(r"^print\(.*\)  # (.+)$", readme, re.MULTILINE)
    assert len(stated) == readme.count("\nprint(")
    printed = [float(line) for line in _run_python_blocks(readme)]
    # Machines round differently, and training enlarges that.
    assert printed == pytest.approx([float(number) for number in stated], rel=0.05)


def test_links_lead_to_files_and_headings_that_exist(readme):
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert targets
    headings = re.findall(r"^#+ ([\w -]+)$", readme, re.MULTILINE)
    anchors = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    missing = [
        target
        for target in targets
        if target not in anchors and not (README.parent / target).exists()
    ]
    assert missing == []
