"""Grid search with 45 fits on the digits data set, with one process and with two."""

import os
import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from benchmarks._peers import CLASSIFIERS, libraries
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._timing import OURS, compare, interleaved, seconds

LEARNING_RATES = [0.0003, 0.001, 0.003]
DECAYS = [0.9, 0.99, 0.999]
GRIDS = {
    OURS: {"learning_rate": LEARNING_RATES, "beta": DECAYS},
    "scikit-learn": {"learning_rate_init": LEARNING_RATES, "beta_2": DECAYS},
}
N_FOLDS = 5
N_EPOCHS = 50
N_JOBS = (1, 2)


def measure(settings):
    """Return the records for both values of `n_jobs` and all libraries."""
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    if settings.quick:
        X, y = X[:100], y[:100]
    n_epochs = 2 if settings.quick else N_EPOCHS
    records = []
    for n_jobs in N_JOBS:
        runs = {
            name: lambda name=name, n_jobs=n_jobs: _seconds(
                name, X, y, n_epochs, n_jobs
            )
            for name in names
        }
        with _without_convergence_warnings():
            compared = compare(interleaved(runs, settings.n_repeats))
        records += [{"n_jobs": n_jobs, **record} for record in compared]
    n_fits = N_FOLDS * len(LEARNING_RATES) * len(DECAYS)
    return {"records": records, "n_fits": n_fits, "n_epochs": n_epochs}


@contextmanager
def _without_convergence_warnings():
    """Silence the warnings of fits with so few epochs, in other processes too."""
    before = os.environ.get("PYTHONWARNINGS", "")
    os.environ["PYTHONWARNINGS"] = f"{before},ignore::UserWarning".lstrip(",")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    finally:
        os.environ["PYTHONWARNINGS"] = before


def _seconds(name, X, y, n_epochs, n_jobs):
    search = GridSearchCV(
        CLASSIFIERS[name]((100,), max_iter=n_epochs),
        GRIDS[name],
        cv=N_FOLDS,
        n_jobs=n_jobs,
        refit=False,
    )
    return seconds(lambda: search.fit(X, y))


def tables(data):
    """Return the times and ratios."""
    records = data["records"]
    times = pivot(records, "n_jobs", "library", lambda r: number(r["median_seconds"]))
    peers = [record for record in records if record["library"] != OURS]
    ratios = pivot(peers, "n_jobs", "library", with_quartiles)
    fits = f"{data['n_fits']} fits of {data['n_epochs']} epochs"
    return [
        Table(f"Seconds for {fits}", *times),
        Table(f"Time relative to {OURS}", *ratios),
    ]


def draw(data):
    """Plot the times as bars."""
    from benchmarks._plots import grouped_bars, legend_below, new_figure

    figure, (ax,) = new_figure(1, 1, 5.5, 3.6)
    grouped_bars(ax, data["records"], "n_jobs", lambda r: r["median_seconds"])
    ax.set(xlabel="n_jobs", ylabel=f"seconds for {data['n_fits']} fits")
    legend_below(figure, ax)
    return figure
