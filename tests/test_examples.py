"""The examples run as scripts where there is no display, and show what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

# Without a display, plt.show() says so on some systems.
NO_DISPLAY = "ignore:FigureCanvasAgg is non-interactive"


@pytest.fixture
def run_example(tmp_path):
    """Run an example in an empty folder; return its output and its picture."""

    def run_example(name):
        picture = tmp_path / "picture.png"
        command = [sys.executable, "-W", "error", "-W", NO_DISPLAY]
        finished = subprocess.run(
            [*command, EXAMPLES / f"{name}.py", picture],
            cwd=tmp_path,
            env={**os.environ, "MPLBACKEND": "Agg"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        assert list(tmp_path.iterdir()) == [picture], "the example left other files"
        return finished.stdout, matplotlib.image.imread(picture)

    return run_example


def _colours(picture):
    """Return all colours of the picture's pixels, as RGB triples of 0 to 255."""
    pixels = (picture[:, :, :3] * 255).round().astype(int)
    return set(map(tuple, pixels.reshape(-1, 3)))


def test_every_example_has_a_test():
    # A new example needs its own: that a script ends says little.
    tested = {name[5:] for name in globals() if name.startswith("test_plot_")}
    assert tested == {path.stem for path in EXAMPLES.glob("*.py")}


def test_plot_quickstart(run_example):
    output, picture = run_example("plot_quickstart")
    cost = [float(number) for number in re.findall(r"mean cost ([\d.]+)", output)]
    assert len(cost) > 3
    assert cost == sorted(cost, reverse=True)
    assert float(re.search(r"other digits: ([\d.]+)", output)[1]) > 0.95
    read, written = re.search(r"reads ([\d ]+) where it says ([\d ]+)", output).groups()
    agreeing = [a == b for a, b in zip(read.split(), written.split(), strict=True)]
    assert len(agreeing) == 10
    assert sum(agreeing) >= 8
    # Digits that are read right have a blue number, the others a vermilion one.
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_grid_search(run_example):
    output, picture = run_example("plot_grid_search")
    assert float(re.search(r"in cross-validation: ([\d.]+)", output)[1]) > 0.95
    assert float(re.search(r"on the test set: ([\d.]+)", output)[1]) > 0.95
    # The frame of the best cell.
    assert (213, 94, 0) in _colours(picture)


def test_plot_streaming(run_example):
    output, picture = run_example("plot_streaming")
    rows = re.findall(r"^  (\S.*?) +([\d.]+) +([\d.]+)$", output, re.MULTILINE)
    accuracy = {name: (float(before), float(after)) for name, before, after in rows}
    best = accuracy.pop("best possible")
    fitted_once = accuracy.pop("fitted once")
    assert len(accuracy) == 3
    for before, after in accuracy.values():
        assert fitted_once[0] + 0.2 < before < best[0]
        assert fitted_once[1] + 0.05 < after < best[1]
    # What the text says of beta.
    quick = accuracy["goes on, learning_rate=0.01, beta=0.99"]
    slow = accuracy["goes on, learning_rate=0.01, beta=0.9"]
    assert quick[1] > slow[1] + 0.02
    assert (213, 94, 0) in _colours(picture)
