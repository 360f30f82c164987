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


def _table(output, columns):
    """Return the indented rows that end in as many numbers: name -> numbers."""
    numbers = r" +(-?[\d.]+(?:e[+-]\d+)?)" * columns
    rows = re.findall(rf"^  (\S.*?){numbers}$", output, re.MULTILINE)
    return {name: tuple(map(float, values)) for name, *values in rows}


def test_every_example_has_a_test():
    # A new example needs its own: that a script ends says little.
    tested = {name[5:] for name in globals() if name.startswith("test_plot_")}
    assert tested == {path.stem for path in EXAMPLES.glob("*.py")}


def test_plot_quickstart(run_example):
    output, picture = run_example("plot_quickstart")
    cost = [float(number) for number in re.findall(r"mean cost ([\d.]+)", output)]
    assert len(cost) > 3
    assert cost == sorted(cost, reverse=True)
    assert float(re.search(r"test digits: ([\d.]+)", output)[1]) > 0.95
    lines = r"loaded model: ([\d ]+)\ntrue labels: +([\d ]+)\n"
    predicted, true = re.search(lines, output).groups()
    agreeing = [a == b for a, b in zip(predicted.split(), true.split(), strict=True)]
    assert len(agreeing) == 10
    assert sum(agreeing) >= 8
    # Correctly classified digits have a blue number, the others a vermilion one.
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_grid_search(run_example):
    output, picture = run_example("plot_grid_search")
    assert float(re.search(r"cross-validation accuracy: ([\d.]+)", output)[1]) > 0.95
    assert float(re.search(r"test accuracy: ([\d.]+)", output)[1]) > 0.95
    # The frame of the best cell.
    assert (213, 94, 0) in _colours(picture)


def test_plot_streaming(run_example):
    output, picture = run_example("plot_streaming")
    accuracy = _table(output, 2)
    best = accuracy.pop("best possible")
    fitted_once = accuracy.pop("fitted once")
    assert len(accuracy) == 3
    for before, after in accuracy.values():
        assert fitted_once[0] + 0.2 < before < best[0]
        assert fitted_once[1] + 0.05 < after < best[1]
    # What the text says of beta.
    quick = accuracy["updated, learning_rate=0.01, beta=0.99"]
    slow = accuracy["updated, learning_rate=0.01, beta=0.9"]
    assert quick[1] > slow[1] + 0.01
    assert (213, 94, 0) in _colours(picture)


def test_plot_ravine(run_example):
    output, picture = run_example("plot_ravine")
    aligned, rotated = (_table(part, 1) for part in output.split("rotated"))
    assert len(aligned) == len(rotated) == 3
    # RMSprop is far ahead in the axis-aligned ravine, but not in the rotated one.
    (rmsprop,) = aligned.pop("RMSprop")
    assert all(rmsprop < cost / 100 for (cost,) in aligned.values())
    (rmsprop,) = rotated.pop("RMSprop")
    assert any(rmsprop > cost / 100 for (cost,) in rotated.values())
    assert {(230, 159, 0), (0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_beta(run_example):
    output, picture = run_example("plot_beta")
    rows = _table(output, 4)
    first = {name: numbers[0] for name, numbers in rows.items()}
    # 1 / sqrt(1 - beta)
    assert first == {"beta=0.5": 1.41, "beta=0.9": 3.16, "beta=0.99": 10.0}
    _, _, starts, over = zip(*rows.values(), strict=True)
    assert list(starts) == sorted(starts)
    assert list(over) == sorted(over, reverse=True)
    assert {(0, 158, 115), (0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_schedules(run_example):
    output, picture = run_example("plot_schedules")
    rows = _table(output, 3)
    assert len(rows) == 5
    cost = {name: numbers[0] for name, numbers in rows.items()}
    constant = cost.pop("constant")
    assert all(value < constant - 0.05 for value in cost.values())
    # So are the accuracy and the log-loss of the test set, of the best at least.
    _, accuracy, loss = rows.pop("constant")
    assert max(row[1] for row in rows.values()) > accuracy
    assert min(row[2] for row in rows.values()) < loss
    assert (213, 94, 0) in _colours(picture)


def test_plot_early_stopping(run_example):
    output, _ = run_example("plot_early_stopping")
    rows = _table(output, 3)
    assert rows["no early stopping"][0] == 150
    assert rows["early stopping"][0] < 100
    best_epoch = int(re.search(r"best epoch with early stopping: (\d+)", output)[1])
    assert 1 <= best_epoch <= rows["early stopping"][0]
    # Without early stopping the log-loss is the worst.
    loss = {name: numbers[2] for name, numbers in rows.items()}
    assert loss["no early stopping"] > max(loss["early stopping"], 0.3)
    assert loss["no early stopping"] > loss["defaults, all samples"]


def test_plot_decision_boundaries(run_example):
    output, picture = run_example("plot_decision_boundaries")
    rows = re.findall(r"^(\w+) +(\S.*?) +([\d.]+)$", output, re.MULTILINE)
    accuracy = {(problem, network): float(a) for problem, network, a in rows}
    assert len(accuracy) == 12
    default, free = "defaults: 256 units", "no penalty, 300 epochs"
    assert accuracy["circles", "no hidden layer"] < 0.65 < accuracy["circles", default]
    assert accuracy["moons", default] > accuracy["moons", "no hidden layer"]
    assert accuracy["spirals", free] > accuracy["spirals", default]
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_halving_search(run_example):
    output, _ = run_example("plot_halving_search")
    rounds = re.findall(r"^ *(\d+) candidates for +(\d+) epochs$", output, re.MULTILINE)
    assert rounds == [("48", "2"), ("16", "6"), ("6", "18"), ("2", "54")]
    assert "408 epochs per fold instead of 2592" in output
    assert float(re.search(r"test accuracy: ([\d.]+)", output)[1]) > 0.95


def test_plot_imbalanced(run_example):
    output, picture = run_example("plot_imbalanced")
    rows = _table(output, 4)
    plain = rows.pop("unweighted")
    assert len(rows) == 2
    for accuracy, common, rare, balanced in rows.values():
        assert accuracy < plain[0]
        assert common < plain[1]
        assert rare > plain[2] + 0.1
        assert balanced > plain[3] + 0.05
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_calibration(run_example):
    output, picture = run_example("plot_calibration")
    # Overconfidence is found, and both base classifiers contribute.
    assert float(re.search(r"temperature: ([\d.]+)", output)[1]) > 1.1
    weights = re.search(r"weights: \[([\d.]+) +([\d.]+)\]", output).groups()
    assert min(map(float, weights)) > 0.05
    loss = {name: numbers[1] for name, numbers in _table(output, 2).items()}
    before = min(loss["one network"], loss["ensemble before calibration"])
    assert loss["best possible"] < loss["ensemble"] < before - 0.01
    left_out = float(re.search(r"samples left out: ([\d.]+)", output)[1])
    assert abs(left_out - loss["ensemble"]) < 0.05
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_quantile_bands(run_example):
    output, picture = run_example("plot_quantile_bands")
    output, title, coverage = output.partition("coverage")
    quantiles, bands = _table(output, 3), _table(title + coverage, 3)
    assert len(quantiles) == 5
    for name, (below, loss, best) in quantiles.items():
        assert abs(below - float(name.split()[1])) < 0.04
        assert best < loss < 1.1 * best
    assert _table(output, 1)["mean"][0] > 0.55
    of_quantiles, of_residuals = bands.values()
    for overall, _, _ in bands.values():
        assert abs(overall - 0.9) < 0.03
    assert of_quantiles[1] > of_residuals[1] + 0.1
    assert of_quantiles[2] < of_residuals[2]
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_data_frame(run_example):
    output, picture = run_example("plot_data_frame")
    assert "missingindicator_deposit" in output
    assert "district_Harbor" in output
    rows = {
        name: tuple(map(float, numbers.split()))
        for name, numbers in re.findall(
            r"^  (\S.*?)  +(0\.\d+ +0\.\d+)", output, re.MULTILINE
        )
    }
    best = rows.pop("best possible")
    network = rows.pop("data frame as it is")
    assert len(rows) == 2
    assert network[0] < best[0]
    assert best[1] < network[1] < best[1] + 0.04
    # It is as good as behind the usual preprocessing.
    usual = rows["behind a ColumnTransformer"]
    assert network[0] > usual[0] - 0.01
    assert network[1] < usual[1] + 0.01
    assert {(0, 114, 178), (213, 94, 0), (0, 158, 115)} <= _colours(picture)


def test_plot_sparse_text(run_example):
    output, picture = run_example("plot_sparse_text")
    assert float(re.search(r"([\d.]+)% nonzero values", output)[1]) < 10
    # The most frequent of the ten classes makes up less than a third.
    assert float(re.search(r"test texts: ([\d.]+)", output)[1]) > 0.8
    assert (51, 142, 193) in _colours(picture)


def test_plot_streaming_text(run_example):
    output, picture = run_example("plot_streaming_text")
    network, linear = map(float, re.findall(r": ([\d.]+) in the last", output))
    # Chance is 0.1 to 0.3.
    assert network > max(0.7, linear - 0.03)
    assert {(0, 114, 178), (213, 94, 0)} <= _colours(picture)


def test_plot_deep_network(run_example):
    output, picture = run_example("plot_deep_network")
    accuracy = dict(
        re.findall(r"^(.*?) +test accuracy ([\d.]+)$", output, re.MULTILINE)
    )
    rmsprop = float(accuracy.pop("RMSprop, learning rate 0.003"))
    assert len(accuracy) == 5
    # It is 0.74 to 0.9, by the seed; 0.1 is chance.
    assert rmsprop > 0.6
    assert all(float(value) < 0.3 for value in accuracy.values())
    assert (213, 94, 0) in _colours(picture)
