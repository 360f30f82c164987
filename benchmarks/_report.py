"""Write the results: a JSON file per part, one Markdown page, and the plots."""

import importlib
import json
from importlib.util import find_spec
from typing import NamedTuple

from benchmarks._environment import VOLATILE
from benchmarks._parts import PARTS

PAGE = "results.md"


class Table(NamedTuple):
    """A table of the page: a first column of names, then columns of numbers.

    Attributes
    ----------
    title : str
    header : list of str
    rows : list of list of str
    note : str
        Explanation of the numbers.
    """

    title: str
    header: list
    rows: list
    note: str = ""


def number(value):
    """Format a number with about three significant digits."""
    if value is None:
        return "–"  # noqa: RUF001 (a dash marks a missing value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2}f}"


def with_quartiles(record):
    """Format the ratio of a record, with its quartiles in brackets."""
    lower, upper = map(number, record["ratio_quartiles"])
    return f"{number(record['ratio'])} [{lower}, {upper}]"


def pivot(records, row, column, cell):
    """Return the header and rows of a table from records.

    `row` and `column` are names of entries of the records, `cell` is a function of a
    record; cells without a record contain a dash.
    """
    row_names = list(dict.fromkeys(record[row] for record in records))
    columns = list(dict.fromkeys(record[column] for record in records))
    cells = {(record[row], record[column]): cell(record) for record in records}
    rows = [
        [str(name), *(cells.get((name, c), number(None)) for c in columns)]
        for name in row_names
    ]
    return [row, *map(str, columns)], rows


def save(folder, name, result):
    """Write the JSON file of a part."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, allow_nan=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def load(folder):
    """Return the results of all parts that have a file, in the order of PARTS."""
    paths = {name: folder / f"{name}.json" for name in PARTS}
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in paths.items()
        if path.exists()
    }


def write(folder):
    """Write the page and plots from the JSON files, and return the path of the page."""
    results = load(folder)
    lines = ["# Benchmark results", ""]
    common = None
    for name, result in results.items():
        environment = result["environment"]
        stable = {k: v for k, v in environment.items() if k not in VOLATILE}
        if common is None:
            common = stable
            lines += [f"- {key}: {value}" for key, value in stable.items()] + [""]
        lines += [f"## {PARTS[name].title}", "", _conditions(result, common), ""]
        lines += _body(folder, name, result)
    path = folder / PAGE
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _conditions(result, common):
    """Return a line with the time and conditions of the measurement of a part."""
    environment = result["environment"]
    words = [f"Measured {environment['date']}", f"rounds: {result['n_repeats']}"]
    words += [f"load average before: {environment['load average']}"]
    words += [f"{k}: {v}" for k, v in environment.items() if common.get(k, v) != v]
    if result["quick"]:
        words.insert(0, "**Quick run, the numbers are meaningless**")
    return f"{'; '.join(words)}."


def _body(folder, name, result):
    if "skipped" in result:
        return [f"Skipped: {result['skipped']}", ""]
    part = importlib.import_module(f"benchmarks.{name}")
    lines = []
    for table in part.tables(result["data"]):
        lines += markdown(table)
    figure = part.draw(result["data"]) if find_spec("matplotlib") else None
    if figure is not None:
        figure.savefig(folder / f"{name}.png", dpi=150)
        lines += [f"![{PARTS[name].title}]({name}.png)", ""]
    return lines


def markdown(table):
    """Return the lines of a Markdown table."""
    lines = [f"### {table.title}", ""]
    lines += [_markdown_row(table.header)]
    lines += [_markdown_row(["---", *["---:"] * (len(table.header) - 1)])]
    lines += [_markdown_row(row) for row in table.rows]
    return [*lines, "", *([table.note, ""] if table.note else [])]


def _markdown_row(cells):
    return f"| {' | '.join(cells)} |"
