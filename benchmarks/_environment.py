"""The environment of the measurements: the header of the report."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "sk-rmsprop",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "torch",
    "skorch",
    "keras",
    "jax",
)

# In a separate process, SciPy's BLAS is not loaded; it computes no products here.
NUMPY_BLAS = (
    "import json, numpy, threadpoolctl; "
    "print(json.dumps(threadpoolctl.threadpool_info()))"
)

# Entries that may differ between parts measured under the same conditions.
VOLATILE = ("date", "load average")


def describe():
    """Return the header as a dict of strings."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {_n_processors()} cores",
        "BLAS": _blas(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "versions": ", ".join(_versions()),
        "load average": _load_average(),
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return next(names, platform.machine())


def _n_processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count()


def _blas():
    """Return the name, version, kernels and threads of the BLAS used by NumPy."""
    command = [sys.executable, "-c", NUMPY_BLAS]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    libraries = [
        f"{library['internal_api']} {library['version']}, "
        f"{library.get('architecture', 'unnamed')} kernels, "
        f"threads: {library['num_threads']}"
        for library in json.loads(output)
        if library["user_api"] == "blas"
    ]
    return "; ".join(libraries) or "unknown"


def _versions():
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _load_average():
    try:
        return f"{os.getloadavg()[0]:.2f}"
    except (AttributeError, OSError):
        return "unknown"
