"""partial_fit on 1 and 32 samples."""

from benchmarks._short_calls import draw_calls, measure_calls, tables_of_calls

N_ROWS = (1, 32)


def measure(settings):
    """Return the records for all numbers of samples, dtypes and libraries."""
    return measure_calls(settings, N_ROWS, _call)


def _call(classifier, X, y):
    return lambda: classifier.partial_fit(X, y)


def tables(data):
    """Return the times and ratios."""
    return tables_of_calls(data, "partial_fit")


def draw(data):
    """Plot the times as bars."""
    return draw_calls(data, "partial_fit")
