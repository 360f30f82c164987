"""The style of the plots."""

from math import floor, log10

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks._peers import FLOOR
from benchmarks._report import number
from benchmarks._timing import OURS

# A color-blind friendly palette (M. Okabe and K. Ito, 2008).
COLORS = {
    OURS: "#D55E00",
    "scikit-learn": "#0072B2",
    "torch": "#009E73",
    "skorch": "#CC79A7",
    "keras-jax": "#E69F00",
    FLOOR: "#222222",
}


# As a fraction of the distance between two groups of bars.
GROUP_WIDTH = 0.84


def new_figure(n_rows, n_columns, width, height):
    """Return a figure and a flat list of its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel().tolist()
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", alpha=0.3)
        ax.set_axisbelow(True)
    return figure, axes


def color(library):
    """Return the color of a library; gray if it has none of its own."""
    return COLORS.get(library, "#999999")


def log_scale(ax, values):
    """Make the y-axis logarithmic, starting at a power of ten, with plain numbers."""
    ax.set_yscale("log")
    ax.set_ylim(10 ** floor(log10(0.8 * min(values))), 4 * max(values))
    ax.yaxis.set_major_formatter(lambda tick, _: f"{tick:,.10g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def grouped_bars(ax, records, group, value, *, rotation=0):
    """Draw a group of bars, one per library, for each value of the entry `group`.

    `value` is a function of a record; the bars are labeled with their values.
    """
    groups = list(dict.fromkeys(record[group] for record in records))
    names = list(dict.fromkeys(record["library"] for record in records))
    width = GROUP_WIDTH / len(names)
    for i, name in enumerate(names):
        chosen = [record for record in records if record["library"] == name]
        offset = (i - (len(names) - 1) / 2) * width
        bars = ax.bar(
            [groups.index(record[group]) + offset for record in chosen],
            [value(record) for record in chosen],
            width * 0.92,
            color=color(name),
            label=name,
        )
        texts = [number(value(record)) for record in chosen]
        ax.bar_label(bars, texts, fontsize=8, padding=2, rotation=rotation)
    ax.set_xticks(range(len(groups)), [str(name) for name in groups])


def group_marks(ax, values, label):
    """Draw a horizontal line across each group at the given values."""
    centers = range(len(values))
    left = [center - GROUP_WIDTH / 2 - 0.04 for center in centers]
    right = [center + GROUP_WIDTH / 2 + 0.04 for center in centers]
    ax.hlines(values, left, right, color=color(label), linewidth=2, label=label)


def legend_below(figure, ax, n_columns=None):
    """Add a single legend for all axes below the figure, by default in one row."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=n_columns or len(names),
        columnspacing=1.2,
        handletextpad=0.4,
        frameon=False,
    )
