"""What the command's options come to."""

from dataclasses import dataclass
from pathlib import Path

# The names of the libraries, and the packages that each needs.
PEERS = {
    "scikit-learn": ("sklearn",),
    "torch": ("torch",),
    "skorch": ("torch", "skorch"),
    "keras-jax": ("keras", "jax"),
}


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes
    ----------
    quick : bool
        Whether sizes are tiny.
    n_repeats : int
        Timed runs of everything.
    peers : tuple of str
        Keys of `PEERS`: whom to compare with, where installed.
    data_folder : Path or None
        Where Fashion-MNIST may be.
    openml : bool
        Whether to get it from OpenML.
    file_gib : float or None
        Size of the file that is larger than the memory; None is the part's default.
    scratch : Path or None
        Folder for that file; None is the system's temporary one.
    """

    quick: bool
    n_repeats: int
    peers: tuple
    data_folder: Path | None = None
    openml: bool = False
    file_gib: float | None = None
    scratch: Path | None = None
