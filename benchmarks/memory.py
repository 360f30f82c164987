"""Peak memory of `fit` and `predict_proba` in addition to that of the data."""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks._peers import CLASSIFIERS, libraries
from benchmarks._processes import call_in_new_process, peak_memory
from benchmarks._report import Table, number, pivot
from benchmarks._tasks import Task, make_data

TASK = Task(400_000, (100, 100, 2), 200, n_epochs=1)
QUICK_TASK = TASK._replace(n_samples=4000)

METHODS = ("fit", "predict_proba")

# No method is called: the process that the others are compared with.
NO_METHOD = "none"

# Number of samples that a classifier is fitted on before it predicts.
N_FITTED = 1000


def measure(settings):
    """Return the peak memory for all methods and libraries in bytes."""
    task = QUICK_TASK if settings.quick else TASK
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    with tempfile.TemporaryDirectory() as folder:
        call_in_new_process(_write_data, task, folder)
        peaks = {
            (method, name): [
                call_in_new_process(_peak, folder, name, method)
                for _ in range(settings.n_repeats)
            ]
            for name in names
            for method in (NO_METHOD, *METHODS)
        }
    records = [
        {
            "method": method,
            "library": name,
            "peaks": values,
            "bytes_above_data": median(values) - median(peaks[NO_METHOD, name]),
        }
        for (method, name), values in peaks.items()
        if method != NO_METHOD
    ]
    data_bytes = task.n_samples * task.layer_sizes[0] * np.dtype(task.dtype).itemsize
    return {"records": records, "data_bytes": data_bytes, "network": task.label}


def _write_data(task, folder):
    X, y = make_data(task)
    np.save(Path(folder, "X.npy"), X)
    np.save(Path(folder, "y.npy"), y)


def _peak(folder, name, method):
    """Return the peak memory of this process, which does nothing else."""
    X, y = np.load(Path(folder, "X.npy")), np.load(Path(folder, "y.npy"))
    classifier = CLASSIFIERS[name](TASK.hidden_layer_sizes)
    if method == "fit":
        # partial_fit on all samples is a fit of one epoch without a warning.
        classifier.partial_fit(X, y, classes=np.unique(y))
    elif method == "predict_proba":
        classifier.partial_fit(X[:N_FITTED], y[:N_FITTED], classes=[0, 1])
        classifier.predict_proba(X)
    return peak_memory()


def tables(data):
    """Return the peak memory in addition to the data."""
    header, rows = pivot(
        data["records"],
        "method",
        "library",
        lambda record: number(record["bytes_above_data"] / 2**20),
    )
    size = number(data["data_bytes"] / 2**20)
    note = (
        "Peak memory of a process that loads the data and calls the method, minus that "
        "of a process that only loads the data and imports the library; medians. "
        f"Network {data['network']}."
    )
    return [
        Table(
            f"Peak memory in MiB in addition to the {size} MiB of data",
            header,
            rows,
            note,
        )
    ]


def draw(data):
    """Plot the peak memory in addition to the data as bars."""
    from benchmarks._plots import grouped_bars, legend_below, new_figure

    figure, (ax,) = new_figure(1, 1, 5.5, 3.6)
    grouped_bars(ax, data["records"], "method", lambda r: r["bytes_above_data"] / 2**20)
    size = number(data["data_bytes"] / 2**20)
    ax.set(ylabel=f"peak memory in MiB, without the data ({size} MiB)")
    legend_below(figure, ax)
    return figure
