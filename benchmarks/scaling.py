"""Cost as a function of n_samples, n_features, width, depth and batch size."""

import numpy as np

from benchmarks._peers import CLASSIFIERS, libraries, train_seconds
from benchmarks._processes import Workers
from benchmarks._report import Table, number
from benchmarks._tasks import Task
from benchmarks._timing import OURS, compare, interleaved

BASE = Task(4096, (64, 128, 128, 10), 256, n_epochs=1)

# The number of epochs is chosen such that a timed run of ours takes about this long.
RUN_SECONDS = 0.15


def _with_n_samples(size):
    return BASE._replace(n_samples=size)


def _with_n_features(size):
    return BASE._replace(layer_sizes=(size, *BASE.layer_sizes[1:]))


def _with_width(size):
    n_features, *hidden, n_classes = BASE.layer_sizes
    return BASE._replace(layer_sizes=(n_features, *[size] * len(hidden), n_classes))


def _with_depth(size):
    n_features, width, *_, n_classes = BASE.layer_sizes
    return BASE._replace(layer_sizes=(n_features, *[width] * size, n_classes))


def _with_batch_size(size):
    return BASE._replace(batch_size=size)


# For each axis: a function from a size to its task, the sizes, and the unit of cost.
AXES = {
    "n_samples": (_with_n_samples, [1000, 4000, 16000, 64000, 256000], "epoch"),
    "n_features": (_with_n_features, [8, 32, 128, 512, 2048, 8192], "step"),
    "width": (_with_width, [16, 32, 64, 128, 256, 512, 1024], "step"),
    "depth": (_with_depth, [1, 2, 4, 8, 16, 32], "step"),
    "batch_size": (_with_batch_size, [8, 32, 128, 512, 2048], "step"),
}

# A quick run uses only this many sizes, and this many samples on the other axes.
N_QUICK_SIZES = 3
N_QUICK_SAMPLES = 64


def measure(settings):
    """Return the records for all axes, sizes and libraries."""
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    records = []
    with Workers(names) as workers:
        for axis, (task_of, sizes, per) in AXES.items():
            for size in sizes[:N_QUICK_SIZES] if settings.quick else sizes:
                task = task_of(size)
                if settings.quick and axis != "n_samples":
                    task = task._replace(n_samples=N_QUICK_SAMPLES)
                measured = _measure(workers, names, task, settings)
                records += [
                    {"axis": axis, "size": size, "per": per, **m} for m in measured
                ]
            print(f"  {axis}", flush=True)
    return {"records": records}


def _measure(workers, names, task, settings):
    if not settings.quick:
        task = _long_enough(workers, task)
    runs = {
        name: lambda name=name: workers.call(name, train_seconds, name, task)
        for name in names
    }
    n_steps = len(task.batch_sizes)
    return [
        {
            **record,
            "n_epochs": task.n_epochs,
            "us_per_epoch": 1e6 * record["median_seconds"] / task.n_epochs,
            "us_per_step": 1e6 * record["median_seconds"] / task.n_epochs / n_steps,
        }
        for record in compare(interleaved(runs, settings.n_repeats))
    ]


def _long_enough(workers, task):
    seconds = min(workers.call(OURS, train_seconds, OURS, task) for _ in range(3))
    return task._replace(n_epochs=max(1, round(RUN_SECONDS / seconds)))


def _curves(data):
    """Return {axis: {library: (sizes, costs in microseconds)}}."""
    curves = {}
    for record in data["records"]:
        curve = curves.setdefault(record["axis"], {}).setdefault(
            record["library"], ([], [])
        )
        curve[0].append(record["size"])
        curve[1].append(record[f"us_per_{record['per']}"])
    return curves


def exponent(sizes, costs):
    """Return the log-log slope of the costs over the larger half of the sizes.

    For smaller sizes, the overhead of the calls dominates.
    """
    half = len(sizes) // 2
    slope, _ = np.polyfit(np.log(sizes[half:]), np.log(costs[half:]), 1)
    return float(slope)


def tables(data):
    """Return one table per axis, and one with the exponents of all."""
    curves = _curves(data)
    names = list(next(iter(curves.values())))
    exponents = [
        [axis, *(number(exponent(*by_library[name])) for name in names)]
        for axis, by_library in curves.items()
    ]
    tables = [Table("Fitted exponents", ["axis", *names], exponents, EXPONENTS_NOTE)]
    for axis, by_library in curves.items():
        sizes = by_library[OURS][0]
        rows = [
            [str(size), *(number(by_library[name][1][i]) for name in names)]
            for i, size in enumerate(sizes)
        ]
        title = f"Microseconds per {AXES[axis][2]} by {axis}"
        tables.append(Table(title, [axis, *names], rows))
    return tables


EXPONENTS_NOTE = (
    "The cost grows as this power of the size, fitted to the larger half of the sizes. "
    f"All else is as for the network {BASE.label} with {BASE.n_samples} samples in "
    f"{BASE.dtype}; width is that of both hidden layers, depth their number."
)


def draw(data):
    """Plot the costs on log-log axes, with the fitted lines."""
    from benchmarks._plots import color, log_scale, new_figure

    figure, axes = new_figure(2, 3, 13, 7)
    for ax, (axis, by_library) in zip(axes, _curves(data).items(), strict=False):
        for name, (sizes, costs) in by_library.items():
            slope = exponent(sizes, costs)
            ax.plot(
                sizes,
                costs,
                "o-",
                color=color(name),
                label=f"{name}: exponent {slope:.2f}",
            )
            _draw_fit(ax, sizes, costs, slope)
        ax.set(xscale="log", xlabel=axis, ylabel=f"µs per {AXES[axis][2]}")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.minorticks_off()
        log_scale(ax, [cost for _, costs in by_library.values() for cost in costs])
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    for ax in axes[len(AXES) :]:
        ax.set_axis_off()
    return figure


def _draw_fit(ax, sizes, costs, slope):
    """Plot the fitted line through the mean of its points."""
    half = len(sizes) // 2
    x = np.array(sizes[half:], dtype=float)
    level = np.exp(np.mean(np.log(costs[half:]) - slope * np.log(x)))
    ax.plot(x, level * x**slope, "--", color="black", linewidth=1)
