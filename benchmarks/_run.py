"""Run the parts one after another."""

import importlib
import time
import traceback

from benchmarks import _environment, _report
from benchmarks._parts import Skipped


def measure(names, settings, folder):
    """Measure the parts and write their JSON files; return the names of failed parts.

    If one part fails, the others still run.
    """
    failed = []
    for name in names:
        print(f"{name} ...", flush=True)
        start = time.perf_counter()
        try:
            _report.save(folder, name, _measure(name, settings))
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return failed


def _measure(name, settings):
    result = {
        "part": name,
        "quick": settings.quick,
        "n_repeats": settings.n_repeats,
        "environment": _environment.describe(),
    }
    try:
        result["data"] = importlib.import_module(f"benchmarks.{name}").measure(settings)
    except Skipped as reason:
        print(f"Skipped: {reason}")
        result["skipped"] = str(reason)
    return result


def report(folder):
    """Write the page and plots from the JSON files, and return the path of the page."""
    return _report.write(folder)
