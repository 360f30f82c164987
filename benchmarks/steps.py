"""Training steps of six networks: our time per step and that of other libraries."""

from benchmarks._peers import FLOOR, libraries, train_seconds
from benchmarks._processes import Workers
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._tasks import Task
from benchmarks._timing import OURS, compare, interleaved

# Named after the data sets whose sizes they have; the larger ones have fewer samples.
# The numbers of epochs are such that our runs take about 0.1 s or more.
SHAPES = {
    "iris-like": Task(150, (4, 10, 3), 32, n_epochs=400),
    "breast-cancer-like": Task(569, (30, 50, 2), 32, n_epochs=120),
    "digits-like": Task(1797, (64, 100, 10), 200, n_epochs=60),
    "covertype-like": Task(20_000, (54, 256, 128, 7), 512, n_epochs=5),
    "MNIST-like": Task(20_000, (784, 100, 10), 200, n_epochs=3),
    "MNIST-like, wide": Task(20_000, (784, 512, 256, 10), 256, n_epochs=3),
}

DTYPES = ("float32", "float64")


def measure(settings):
    """Return the records for all shapes, dtypes and libraries."""
    names = [*libraries(settings), FLOOR]
    records = []
    with Workers(names) as workers:
        for shape, task in SHAPES.items():
            for dtype in DTYPES:
                task = task._replace(dtype=dtype)
                print(f"  {shape}, {dtype}", flush=True)
                records += measure_shape(workers, names, shape, task, settings)
    return {"records": records}


def measure_shape(workers, names, shape, task, settings):
    """Return the records of all libraries for one task."""
    if settings.quick:
        n_samples = min(task.n_samples, task.batch_size + 8)
        task = task._replace(n_samples=n_samples, n_epochs=1)
    runs = {
        name: lambda name=name: workers.call(name, train_seconds, name, task)
        for name in names
    }
    return [
        {
            "dtype": task.dtype,
            "shape": f"{shape}; {task.label}",
            "n_samples": task.n_samples,
            "n_epochs": task.n_epochs,
            "n_steps": task.n_steps,
            **record,
            "us_per_step": 1e6 * record["median_seconds"] / task.n_steps,
        }
        for record in compare(interleaved(runs, settings.n_repeats))
    ]


def tables(data):
    """Return times, ratios and the share of matrix products for each dtype."""
    tables = []
    for dtype in DTYPES:
        records = [record for record in data["records"] if record["dtype"] == dtype]
        times = pivot(records, "shape", "library", lambda r: number(_us_per_step(r)))
        peers = [record for record in records if record["library"] not in (OURS, FLOOR)]
        ratios = pivot(peers, "shape", "library", with_quartiles)
        _add_floor_share(ratios, records)
        tables += [
            Table(f"Microseconds per training step, {dtype}", *times, note=TIMES_NOTE),
            Table(f"Time relative to {OURS}, {dtype}", *ratios, note=RATIOS_NOTE),
        ]
    return tables


TIMES_NOTE = (
    "Medians. A step consists of gathering the mini-batch, forward pass, backward "
    "pass, update and cost; the time is that of a complete fit, divided by its steps."
)
RATIOS_NOTE = (
    "Medians of the ratios within rounds, with quartiles in brackets. The share is the "
    f"time of the matrix products alone divided by that of {OURS}."
)


def _add_floor_share(ratios, records):
    header, rows = ratios
    header.append("share of matrix products")
    shares = {r["shape"]: r["ratio"] for r in records if r["library"] == FLOOR}
    for row in rows:
        row.append(f"{100 * shares[row[0]]:.0f} %")


def draw(data):
    """Plot the times per step as bars, with a line at the floor of each shape."""
    from benchmarks._plots import (
        group_marks,
        grouped_bars,
        legend_below,
        log_scale,
        new_figure,
    )

    figure, axes = new_figure(2, 1, 11, 9)
    for ax, dtype in zip(axes, DTYPES, strict=True):
        records = [
            {**record, "shape": record["shape"].replace("; ", "\n")}
            for record in data["records"]
            if record["dtype"] == dtype
        ]
        floors = [_us_per_step(r) for r in records if r["library"] == FLOOR]
        others = [record for record in records if record["library"] != FLOOR]
        grouped_bars(ax, others, "shape", _us_per_step, rotation=90)
        group_marks(ax, floors, FLOOR)
        ax.set(ylabel="µs per training step", title=dtype)
        log_scale(ax, [_us_per_step(record) for record in records])
    legend_below(figure, axes[-1])
    return figure


def _us_per_step(record):
    return record["us_per_step"]
