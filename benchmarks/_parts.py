"""The parts of the comparison, in the order of the report.

`PARTS` is the only list of them. A part is a module of this package with

- ``measure(settings)``: returns the measurements as JSON-serializable data, or raises
  `Skipped`;
- ``tables(data)``: returns them as a list of `benchmarks._report.Table`;
- ``draw(data)``: returns them as a Matplotlib figure, or None.

This module does not import the parts, because that would load NumPy.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """One row of the table."""

    title: str
    by_default: bool = True


PARTS = {
    "steps": Part("Training steps"),
    "as_called": Part("Training steps as users call them"),
    "threads": Part("BLAS threads"),
    "scaling": Part("Scaling with the size of data and network"),
    "predict": Part("Prediction"),
    "partial_fit": Part("Training on a few samples"),
    "grid_search": Part("Grid search"),
    "memory": Part("Memory usage"),
    "accuracy": Part("Time to a target accuracy"),
    "text": Part("Text"),
    "import_time": Part("Import time"),
    "out_of_core": Part("Data larger than memory", by_default=False),
}


class Skipped(Exception):
    """Raised if a part cannot run here; the message gives the reason."""
