"""Calls of a method of a fitted classifier, timed in loops."""

import numpy as np

from benchmarks._peers import CLASSIFIERS, libraries
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._tasks import Task, make_data
from benchmarks._timing import OURS, compare, interleaved, seconds_per_call

# The network of all classifiers.
LAYER_SIZES = (64, 100, 10)

DTYPES = ("float32", "float64")

# With more of them, sk_rmsprop would choose float32 for float64 data.
N_TRAINING_ROWS = 1000

# Minimum duration of a loop of calls.
LOOP_SECONDS = 0.05


def measure_calls(settings, numbers_of_rows, make_call):
    """Return the records for all numbers of samples, dtypes and libraries.

    ``make_call(classifier, X, y)`` returns the call to be timed.
    """
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    at_least = 0.001 if settings.quick else LOOP_SECONDS
    records = []
    for dtype in DTYPES:
        for n_rows in numbers_of_rows:
            n_samples = max(n_rows, N_TRAINING_ROWS)
            X, y = make_data(Task(n_samples, LAYER_SIZES, 200, 1, dtype))
            runs = {}
            for name in names:
                training = X[:N_TRAINING_ROWS], y[:N_TRAINING_ROWS]
                classifier = _fitted(name, *training)
                call = make_call(classifier, X[:n_rows], y[:n_rows])
                runs[name] = seconds_per_call(call, at_least)
            compared = compare(interleaved(runs, settings.n_repeats))
            records += [{"dtype": dtype, "n_rows": n_rows, **r} for r in compared]
    return {"records": records}


def _fitted(name, X, y):
    classifier = CLASSIFIERS[name](LAYER_SIZES[1:-1])
    return classifier.partial_fit(X, y, classes=np.arange(LAYER_SIZES[-1]))


def tables_of_calls(data, method):
    """Return the times and ratios for each dtype."""
    tables = []
    for dtype in DTYPES:
        records = [record for record in data["records"] if record["dtype"] == dtype]
        header, rows = pivot(
            records, "n_rows", "library", lambda r: number(1e6 * r["median_seconds"])
        )
        peers = [record for record in records if record["library"] != OURS]
        ratio_header, ratios = pivot(peers, "n_rows", "library", with_quartiles)
        header[0] = "n_samples"
        header += [f"{name} / {OURS}" for name in ratio_header[1:]]
        rows = [a + b[1:] for a, b in zip(rows, ratios, strict=True)] if peers else rows
        tables.append(
            Table(f"Microseconds per call of {method}, {dtype}", header, rows, NOTE)
        )
    return tables


NOTE = (
    f"Network {'-'.join(map(str, LAYER_SIZES))}. Median times; a ratio is the "
    "median of the ratios within rounds, with quartiles in brackets."
)


def draw_calls(data, method):
    """Plot the times as bars, one panel per dtype."""
    from benchmarks._plots import grouped_bars, legend_below, log_scale, new_figure

    figure, axes = new_figure(1, len(DTYPES), 9, 3.6)
    for ax, dtype in zip(axes, DTYPES, strict=True):
        records = [record for record in data["records"] if record["dtype"] == dtype]
        grouped_bars(ax, records, "n_rows", lambda r: 1e6 * r["median_seconds"])
        ax.set(xlabel="samples", ylabel=f"µs per call of {method}", title=dtype)
        log_scale(ax, [1e6 * record["median_seconds"] for record in records])
    legend_below(figure, axes[-1])
    return figure
