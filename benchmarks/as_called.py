"""Training steps on float64 data as users call them: each library decides the dtype."""

from math import ceil

from benchmarks import steps
from benchmarks._peers import libraries
from benchmarks._processes import Workers
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._timing import OURS

# Our classifier trains in float64 up to 1,000 samples, and in float32 above.
MIN_SAMPLES = 2000


def tasks():
    """Return the tasks of the steps, with float64 data and about as many steps."""
    return {shape: _as_called(task) for shape, task in steps.SHAPES.items()}


def _as_called(task):
    n_samples = max(task.n_samples, MIN_SAMPLES)
    n_epochs = ceil(task.n_epochs * task.n_samples / n_samples)
    return task._replace(n_samples=n_samples, n_epochs=n_epochs, dtype=None)


def measure(settings):
    """Return the records for all shapes and libraries."""
    names = libraries(settings)
    records = []
    with Workers(names) as workers:
        for shape, task in tasks().items():
            print(f"  {shape}", flush=True)
            records += steps.measure_shape(workers, names, shape, task, settings)
    return {"records": records}


def tables(data):
    """Return the ratios, with our times."""
    ours, peers = [], []
    for record in data["records"]:
        (ours if record["library"] == OURS else peers).append(record)
    header, rows = pivot(peers, "shape", "library", with_quartiles)
    header.append(f"µs per step of {OURS}")
    for row, record in zip(rows, ours, strict=False):
        row.append(number(record["us_per_step"]))
    return [Table(f"Time relative to {OURS}, float64 data", header, rows, note=NOTE)]


NOTE = (
    "Medians of the ratios within rounds, with quartiles in brackets. Each library has "
    "its own default for the dtype: scikit-learn trains in float64, the others in "
    f"float32. {OURS} and Keras cast the data themselves; for PyTorch and skorch, the "
    "time includes the cast that users have to write."
)


def draw(data):
    """Return None: the table needs no plot."""
