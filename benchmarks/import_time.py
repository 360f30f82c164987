"""Import time of our package compared with that of scikit-learn's network."""

import subprocess
import sys
from statistics import median

from benchmarks._report import Table, number
from benchmarks._timing import OURS, interleaved

SKLEARN = "sklearn.neural_network"
CODE = """
{before}
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def measure(settings):
    """Return the import times in seconds, each in a new process."""
    runs = {
        OURS: lambda: _import_seconds(OURS),
        SKLEARN: lambda: _import_seconds(SKLEARN),
        f"{OURS} after {SKLEARN}": lambda: _import_seconds(OURS, f"import {SKLEARN}"),
    }
    return {"seconds": interleaved(runs, settings.n_repeats)}


def _import_seconds(module, before=""):
    command = [sys.executable, "-c", CODE.format(before=before, module=module)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output)


def tables(data):
    """Return the times, and the paired difference of the two packages."""
    measured = data["seconds"]
    rows = [[name, number(1e3 * median(values))] for name, values in measured.items()]
    pairs = zip(measured[OURS], measured[SKLEARN], strict=True)
    extra = median([ours - sklearns for ours, sklearns in pairs])
    rows.append([f"{OURS} minus {SKLEARN}", number(1e3 * extra)])
    note = (
        "Medians, each import in a new process; the last row is the median of the "
        "differences within rounds."
    )
    return [Table("Import time in milliseconds", ["import", "ms"], rows, note)]


def draw(data):
    """Return None: so few numbers need no plot."""
