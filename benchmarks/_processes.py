"""Work in other processes, and the memory usage of a process."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path


class Workers:
    """One process per name, so that each library has its own threads and caches.

    Only one of them works at a time.
    """

    def __init__(self, names):
        self.pools = {
            name: ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            for name in names
        }

    def call(self, name, function, *args):
        """Run a function, imported by name, in that process and return its result."""
        return self.pools[name].submit(function, *args).result()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for pool in self.pools.values():
            pool.shutdown()


def call_in_new_process(function, *args):
    """Run a function in a process that does nothing else and return its result."""
    with Workers(["new"]) as workers:
        return workers.call("new", function, *args)


def peak_memory():
    """Return the peak resident memory of this process in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return _peak_of_getrusage()
    return status_bytes(status, "VmHWM")


def status_bytes(status, name):
    """Return an entry of the text of /proc/self/status in bytes."""
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines[name].removesuffix("kB")) * 1024


def _peak_of_getrusage():
    # On Linux this would start at the peak of the parent process.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
