"""Interleaved timing: everything that is compared runs in turn, several times."""

from statistics import median, quantiles
from time import perf_counter

# The library that all others are compared with.
OURS = "sk_rmsprop"


def seconds(run):
    """Return the duration of a call of `run` in seconds."""
    start = perf_counter()
    run()
    return perf_counter() - start


def seconds_per_call(run, at_least):
    """Return a function that times a loop of calls of at least `at_least` seconds.

    Like `seconds`, it measures once per call, but returns the mean over the loop.
    """

    def mean_seconds(n_calls):
        def calls():
            for _ in range(n_calls):
                run()

        return seconds(calls) / n_calls

    n_calls = 1
    while n_calls * mean_seconds(n_calls) < at_least:
        n_calls *= 2
    return lambda: mean_seconds(n_calls)


def interleaved(runs, n_repeats):
    """Measure all `runs` in turn, `n_repeats` times, after a warm-up round.

    Every other round runs in reverse order, so that a drift in the speed of the machine
    favors none of them.

    Parameters
    ----------
    runs : dict of callable
        Each one measures once and returns seconds.
    n_repeats : int

    Returns
    -------
    dict of list of float
        The measurements of each in seconds.
    """
    for run in runs.values():
        run()
    measured = {name: [] for name in runs}
    for i in range(n_repeats):
        for name in list(runs) if i % 2 == 0 else reversed(runs):
            measured[name].append(runs[name]())
    return measured


def compare(measured, reference=OURS):
    """Return a record for each entry of the result of `interleaved`.

    "ratio" is the median over rounds of its time divided by that of the `reference` in
    the same round; "ratio_quartiles" are the quartiles of these ratios.
    """
    records = []
    for name, values in measured.items():
        ratios = [a / b for a, b in zip(values, measured[reference], strict=True)]
        records.append(
            {
                "library": name,
                "seconds": values,
                "median_seconds": median(values),
                "ratio": median(ratios),
                "ratio_quartiles": _quartiles(ratios),
                "ratio_of_medians": median(values) / median(measured[reference]),
            }
        )
    return records


def _quartiles(values):
    if len(values) == 1:
        return [*values, *values]
    lower, _, upper = quantiles(values, method="inclusive")
    return [lower, upper]
