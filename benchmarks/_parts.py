"""The parts of the comparison, in the order of the report.

`PARTS` is the only list of them. A part is a module of this package with

- ``measure(settings)``: returns what was measured, as JSON can hold it, or raises
  `Skipped`;
- ``tables(data)``: returns that as a list of `benchmarks._report.Table`;
- ``draw(data)``: returns it as a Matplotlib figure, or None.

This module imports none of them: their imports would load NumPy.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """One row of the table."""

    title: str
    by_default: bool = True


PARTS = {
    "steps": Part("Training steps"),
    "threads": Part("Threads of the BLAS"),
    "scaling": Part("Cost against the sizes of data and network"),
    "predict": Part("Prediction"),
    "partial_fit": Part("Training on a few rows"),
    "grid_search": Part("Grid search"),
    "memory": Part("Memory beside the data"),
    "accuracy": Part("Time to an accuracy"),
    "import_time": Part("Import time"),
    "out_of_core": Part("Data larger than the memory", by_default=False),
}


class Skipped(Exception):
    """A part cannot run here; the message says why."""
