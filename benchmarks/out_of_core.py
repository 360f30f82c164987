"""Training on a memory-mapped file several times larger than the memory allowed.

The limit is on the memory of the process itself (RLIMIT_DATA): the pages of the file
that the system keeps at hand are not counted, it can take them back at any time.
"""

import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks._parts import Skipped
from benchmarks._peers import CLASSIFIERS, libraries, without_convergence_warnings
from benchmarks._processes import call_in_new_process, status_bytes
from benchmarks._report import Table, number
from benchmarks._timing import OURS

N_FEATURES = 512
N_CLASSES = 10
DEFAULT_GIB = 4
QUICK_GIB = 1 / 16

# Beside what a process has once it has imported the library and fitted a few rows, it
# may take this part of the size of the file.
ALLOWED_PART = 1 / 16

# Rows written at once, and rows of a piece for partial_fit.
N_WRITTEN = 8192
N_PIECE = 20_000

WAYS = {
    "fit": lambda classifier, X, y: classifier.set_params(max_iter=1).fit(X, y),
    "partial_fit in pieces": lambda classifier, X, y: _fit_pieces(classifier, X, y),
    # Shows that the limit holds.
    "copy of X": lambda classifier, X, y: np.array(X),
}


def measure(settings):
    """Return how each way ended, how long it took and what it was allowed."""
    if sys.platform != "linux":
        raise Skipped("limits the memory by RLIMIT_DATA, which needs Linux.")
    default = QUICK_GIB if settings.quick else DEFAULT_GIB
    gib = default if settings.file_gib is None else settings.file_gib
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    with tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        file_bytes = call_in_new_process(_write_file, folder, gib)
        records = [
            {
                "library": name,
                "way": way,
                **call_in_new_process(_train, folder, name, way, file_bytes),
            }
            for way in WAYS
            for name in names
            if name == OURS or way != "copy of X"
        ]
    return {"records": records, "file_bytes": file_bytes}


def _write_file(folder, gib):
    """Write about `gib` GiB of rows and their labels; return the size in bytes."""
    n_rows = round(gib * 2**30 / (4 * N_FEATURES))
    X = np.lib.format.open_memmap(
        Path(folder, "X.npy"), "w+", np.float32, (n_rows, N_FEATURES)
    )
    rng = np.random.default_rng(0)
    direction = rng.standard_normal((N_FEATURES, N_CLASSES), np.float32)
    y = np.empty(n_rows, np.int64)
    for start in range(0, n_rows, N_WRITTEN):
        rows = slice(start, start + N_WRITTEN)
        X[rows] = rng.standard_normal(X[rows].shape, np.float32)
        y[rows] = (X[rows] @ direction).argmax(axis=1)
    X.flush()
    np.save(Path(folder, "y.npy"), y)
    return os.path.getsize(Path(folder, "X.npy"))


def _train(folder, name, way, file_bytes):
    """Train in this process, under the limit."""
    X = np.load(Path(folder, "X.npy"), mmap_mode="r")
    y = np.load(Path(folder, "y.npy"))
    classifier = CLASSIFIERS[name]((100,))
    classifier.partial_fit(X[:1000], y[:1000], classes=np.arange(N_CLASSES))
    limit = _limit_memory(int(ALLOWED_PART * file_bytes))
    start = perf_counter()
    try:
        with without_convergence_warnings():
            WAYS[way](classifier, X, y)
        ended = "finished"
    except MemoryError:
        ended = "out of memory"
    return {"ended": ended, "seconds": perf_counter() - start, "limit_bytes": limit}


def _limit_memory(more):
    """Allow this process `more` bytes than it has; return how many that are in all."""
    import resource

    limit = status_bytes(Path("/proc/self/status").read_text(), "VmData") + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return limit


def _fit_pieces(classifier, X, y):
    for start in range(0, len(X), N_PIECE):
        rows = slice(start, start + N_PIECE)
        classifier.partial_fit(X[rows], y[rows])


def tables(data):
    """Return how each way ended."""
    rows = [
        [
            f"{record['library']}: {record['way']}",
            record["ended"],
            number(record["seconds"])
            if record["ended"] == "finished"
            else number(None),
            number(record["limit_bytes"] / 2**20),
            number(data["file_bytes"] / record["limit_bytes"]),
        ]
        for record in data["records"]
    ]
    header = ["one epoch by", "ended", "seconds", "limit in MiB", "file by limit"]
    note = (
        "The limit is on all memory of the process but the mapped file: what it has "
        f"after importing and fitting a few rows, and {ALLOWED_PART:.2%} of the file. "
        "The copy of the file shows that the limit holds."
    )
    size = number(data["file_bytes"] / 2**20)
    return [Table(f"A file of {size} MiB under a memory limit", header, rows, note)]


def draw(data):
    """Return None: the table says it all."""
