"""partial_fit of one row and of 32."""

from benchmarks._short_calls import draw_calls, measure_calls, tables_of_calls

N_ROWS = (1, 32)


def measure(settings):
    """Return the records of all numbers of rows, dtypes and libraries."""
    return measure_calls(settings, N_ROWS, _call)


def _call(classifier, X, y):
    return lambda: classifier.partial_fit(X, y)


def tables(data):
    """Return the times and ratios."""
    return tables_of_calls(data, "partial_fit")


def draw(data):
    """Return bars of the times."""
    return draw_calls(data, "partial_fit")
