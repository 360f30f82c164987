"""Tables and plots for the study of the defaults, from its records alone."""

from collections import defaultdict
from importlib.util import find_spec
from statistics import mean, stdev

from benchmarks._report import Table, markdown, number

PAGE = "defaults.md"
DEFAULT = "default"
ENSEMBLE = "ensemble"
# Compared by data set.
PAIRS = [
    (DEFAULT, "MLPClassifier"),
    (ENSEMBLE, DEFAULT),
    (ENSEMBLE, "HistGradientBoosting"),
]
SCORES = ("accuracy", "log_loss", "seconds")

# The models that are ranked and plotted, with their markers; all others are variants of
# the default.
MARKS = {
    DEFAULT: ("*", "#D55E00"),
    ENSEMBLE: ("P", "#882255"),
    "MLPClassifier": ("o", "#0072B2"),
    "MLPClassifier, early stopping": ("s", "#56B4E9"),
    "HistGradientBoosting": ("^", "#009E73"),
    "RandomForest": ("v", "#E69F00"),
    "LogisticRegression": ("D", "#CC79A7"),
}
COMPARED = tuple(MARKS)
LABELS = {
    DEFAULT: "RMSpropMLPClassifier",
    ENSEMBLE: "RMSpropMLPEnsembleClassifier",
}


def write(folder, records):
    """Write the page and its plot, and return the path of the page."""
    records = list(records)
    scaled = [record for record in records if record["data"] == "scaled"]
    on_all_sets = _on_all_sets(scaled)
    tables = [*_by_size(scaled)]
    for name, reference in PAIRS:
        tables += _by_set(scaled, name, reference)
    tables += [_ablation(scaled, base) for base in (DEFAULT, ENSEMBLE)]
    tables.append(_raw(records))
    lines = ["# Comparison of the defaults", "", *markdown(_comparison(on_all_sets))]
    if find_spec("matplotlib"):
        draw(on_all_sets).savefig(folder / "defaults.png", dpi=150)
        lines += ["![Accuracy and log-loss against time](defaults.png)", ""]
    for table in filter(None, tables):
        lines += markdown(table)
    path = folder / PAGE
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _on_all_sets(records):
    """Return the records of the sample sizes that were measured on all data sets."""
    sets_of_size = defaultdict(set)
    for record in records:
        sets_of_size[record["n_rows"]].add(record["set"])
    largest = max(map(len, sets_of_size.values()))
    return [r for r in records if len(sets_of_size[r["n_rows"]]) == largest]


def _cells(records):
    """Return the scores by configuration and case, a tuple (set, n_rows, seed)."""
    cells = defaultdict(dict)
    for record in records:
        case = record["set"], record["n_rows"], record["seed"]
        cells[record["configuration"]][case] = record
    return cells


def _common(cells, names):
    """Return the cases that all of these configurations have in common."""
    return sorted(set.intersection(*(set(cells[name]) for name in names)))


def _means(cells, name, cases):
    return [mean(cells[name][case][score] for case in cases) for score in SCORES]


def _mean_ranks(cells, names, cases, score, sign):
    """Return the mean rank of each configuration, where 1 is the best."""
    ranks = dict.fromkeys(names, 0.0)
    for case in cases:
        values = {name: sign * cells[name][case][score] for name in names}
        for name, value in values.items():
            better = sum(other < value for other in values.values())
            equal = sum(other == value for other in values.values())
            ranks[name] += (better + (equal + 1) / 2) / len(cases)
    return ranks


def _compared(cells):
    return [name for name in COMPARED if name in cells]


def _comparison(records, title=None):
    sizes = [f"{size:,}" for size in sorted({record["n_rows"] for record in records})]
    title = title or f"All data sets, at most {', '.join(sizes)} training samples"
    cells = _cells(records)
    names = _compared(cells)
    cases = _common(cells, names)
    accuracy_ranks = _mean_ranks(cells, names, cases, "accuracy", -1)
    loss_ranks = _mean_ranks(cells, names, cases, "log_loss", 1)
    rows = []
    for name in names:
        accuracy, loss, seconds = _means(cells, name, cases)
        rows.append(
            [name, f"{accuracy:.4f}", f"{loss:.4f}", number(seconds)]
            + [f"{ranks[name]:.2f}" for ranks in (accuracy_ranks, loss_ranks)]
        )
    header = ["", "accuracy", "log-loss", "seconds"]
    header += ["rank by accuracy", "rank by log-loss"]
    seeds = {case[2] for case in cases}
    sets = {case[0] for case in cases}
    note = f"Means over {len(sets)} data sets; seeds per data set: {len(seeds)}."
    return Table(title, header, rows, note=note)


def _by_size(records):
    sizes = sorted({record["n_rows"] for record in records})
    for size in sizes:
        chosen = [record for record in records if record["n_rows"] == size]
        yield _comparison(chosen, f"At most {size:,} training samples")


def _by_set(records, name, reference):
    """Yield a comparison of two configurations by data set for each size."""
    cells = _cells(records)
    if name not in cells or reference not in cells:
        return
    cases = _common(cells, [name, reference])
    for size in sorted({case[1] for case in cases}):
        rows = []
        for set_name in sorted({case[0] for case in cases if case[1] == size}):
            chosen = [case for case in cases if case[:2] == (set_name, size)]
            ours, theirs = (_means(cells, n, chosen) for n in (name, reference))
            rows.append(
                [set_name, f"{ours[0]:.4f}", f"{100 * (ours[0] - theirs[0]):+.2f}"]
                + [f"{ours[1]:.3f}", f"{ours[1] - theirs[1]:+.3f}"]
                + [number(ours[2]), number(ours[2] / theirs[2])]
            )
        header = ["data set", "accuracy", "difference in points"]
        header += ["log-loss", "difference", "seconds", "relative time"]
        title = f"The {name}"
        title += f" compared with {reference}, at most {size:,} training samples"
        yield Table(title, header, rows)


def _ablation(records, base):
    """Return the effect of each change to a base, with two standard errors."""
    cells = _cells(records)
    variants = [
        name
        for name in cells
        if name not in COMPARED and name.startswith(ENSEMBLE) == (base == ENSEMBLE)
    ]
    if base not in cells or not variants:
        return None
    rows = []
    for name in variants:
        cases = _common(cells, [base, name])
        changes = [
            _change_by_seed(cells, base, name, cases, score) for score in SCORES[:2]
        ]
        slower = _means(cells, name, cases)[2] / _means(cells, base, cases)[2]
        points = [100 * change for change in changes[0]]
        rows.append(
            [name, _with_error(points, 2), _with_error(changes[1], 4), f"{slower:.2f}"]
        )
    header = ["change", "accuracy in points", "log-loss", "relative time"]
    note = f"Differences from the {base}, ± twice their standard error over seeds."
    return Table(f"One change of the {base} at a time", header, rows, note=note)


def _change_by_seed(cells, base, name, cases, score):
    """Return the mean difference from the base for each seed."""
    return [
        mean(
            cells[name][case][score] - cells[base][case][score]
            for case in cases
            if case[2] == seed
        )
        for seed in sorted({case[2] for case in cases})
    ]


def _with_error(values, digits):
    text = f"{mean(values):+.{digits}f}"
    if len(values) == 1:
        return text
    error = 2 * stdev(values) / len(values) ** 0.5
    return f"{text} ± {error:.{digits}f}"


def _raw(records):
    """Return the scores on unscaled features next to those on scaled ones."""
    by_data = {
        data: _cells(record for record in records if record["data"] == data)
        for data in ("scaled", "raw")
    }
    rows = []
    for name in _compared(by_data["raw"]):
        cases = _common({d: cells[name] for d, cells in by_data.items()}, by_data)
        scaled, raw = (_means(cells, name, cases) for cells in by_data.values())
        rows.append(
            [name, f"{scaled[0]:.4f}", f"{raw[0]:.4f}"]
            + [f"{scaled[1]:.4f}", f"{raw[1]:.4f}"]
        )
    header = ["", "accuracy, scaled", "unscaled", "log-loss, scaled", "unscaled"]
    return Table("Without a scaler", header, rows) if rows else None


def draw(records):
    """Plot accuracy and log-loss against fit time, one point per configuration."""
    from matplotlib.ticker import LogLocator, NullFormatter

    from benchmarks._plots import legend_below, new_figure

    figure, axes = new_figure(1, 2, 12, 4.8)
    cells = _cells(records)
    cases = _common(cells, _compared(cells))
    for ax, score in zip(axes, SCORES[:2], strict=True):
        for name in _compared(cells):
            values = dict(zip(SCORES, _means(cells, name, cases), strict=True))
            label = LABELS.get(name, name)
            marker, color = MARKS[name]
            ax.plot(
                values["seconds"],
                values[score],
                marker,
                color=color,
                markersize=11,
                label=label,
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.margins(x=0.15, y=0.15)
        ax.set(xlabel="mean fit time in seconds", ylabel=score.replace("_", "-"))
    legend_below(figure, axes[0], n_columns=4)
    return figure
