"""Work in other processes, and how much memory a process has taken."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path


class Workers:
    """One process per name: its library alone, with the threads and caches it has.

    Only one of them works at a time.
    """

    def __init__(self, names):
        self.pools = {
            name: ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            for name in names
        }

    def call(self, name, function, *args):
        """Return what a function, found by its module's name, returns there."""
        return self.pools[name].submit(function, *args).result()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for pool in self.pools.values():
            pool.shutdown()


def call_in_new_process(function, *args):
    """Return what a function returns in a process that does nothing else."""
    with Workers(["new"]) as workers:
        return workers.call("new", function, *args)


def peak_memory():
    """Return the high-water mark of this process's resident memory, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return _peak_of_getrusage()
    return status_bytes(status, "VmHWM")


def status_bytes(status, name):
    """Return one entry of the text of /proc/self/status, in bytes."""
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines[name].removesuffix("kB")) * 1024


def _peak_of_getrusage():
    # On Linux this would start from the mark of the process that started this one.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
