"""Training on a memory-mapped file several times larger than the memory limit.

The limit (RLIMIT_DATA) applies to the private memory of the process: pages of the
mapped file do not count, because the system can drop them at any time.
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

# A process may use this fraction of the file size, in addition to what it uses after
# importing the library and fitting a few samples.
ALLOWED_PART = 1 / 16

# Number of samples written at once, and in a chunk for partial_fit.
N_WRITTEN = 8192
CHUNK_SIZE = 20_000

WAYS = {
    "fit": lambda classifier, X, y: classifier.set_params(max_iter=1).fit(X, y),
    "partial_fit in chunks": lambda classifier, X, y: _fit_chunks(classifier, X, y),
    # Shows that the limit is enforced.
    "copy of X": lambda classifier, X, y: np.array(X),
}


def measure(settings):
    """Return the outcome, the time and the memory limit of each way of training."""
    if sys.platform != "linux":
        raise Skipped("RLIMIT_DATA, which limits the memory, requires Linux.")
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
    """Write about `gib` GiB of samples and their labels; return the size in bytes."""
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
    """Train in this process, under the memory limit."""
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
    """Allow this process `more` bytes than it uses now; return the limit in bytes."""
    import resource

    limit = status_bytes(Path("/proc/self/status").read_text(), "VmData") + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return limit


def _fit_chunks(classifier, X, y):
    for start in range(0, len(X), CHUNK_SIZE):
        rows = slice(start, start + CHUNK_SIZE)
        classifier.partial_fit(X[rows], y[rows])


def tables(data):
    """Return the outcome of each way of training."""
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
    header = ["one epoch with", "outcome", "seconds", "limit in MiB", "file / limit"]
    note = (
        "The limit applies to all memory of the process except the mapped file: what "
        "it uses after importing the library and fitting a few samples, plus "
        f"{ALLOWED_PART:.2%} of the file size. The copy shows that the limit is "
        "enforced."
    )
    size = number(data["file_bytes"] / 2**20)
    return [
        Table(
            f"Training on a file of {size} MiB under a memory limit", header, rows, note
        )
    ]


def draw(data):
    """Return None: the table needs no plot."""
