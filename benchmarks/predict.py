"""predict_proba on 1, 100 and 100,000 samples."""

from benchmarks._short_calls import draw_calls, measure_calls, tables_of_calls

N_ROWS = (1, 100, 100_000)
QUICK_N_ROWS = (1, 100, 1000)


def measure(settings):
    """Return the records for all numbers of samples, dtypes and libraries."""
    n_rows = QUICK_N_ROWS if settings.quick else N_ROWS
    return measure_calls(settings, n_rows, _call)


def _call(classifier, X, y):
    return lambda: classifier.predict_proba(X)


def tables(data):
    """Return the times and ratios."""
    return tables_of_calls(data, "predict_proba")


def draw(data):
    """Plot the times as bars."""
    return draw_calls(data, "predict_proba")
