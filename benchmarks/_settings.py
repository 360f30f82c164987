"""The settings that result from the options of the command."""

from dataclasses import dataclass
from pathlib import Path

# The names of the libraries, with the packages that each requires.
PEERS = {
    "scikit-learn": ("sklearn",),
    "torch": ("torch",),
    "skorch": ("torch", "skorch"),
    "keras-jax": ("keras", "jax"),
}


@dataclass(frozen=True)
class Settings:
    """Settings of the measurements.

    Attributes
    ----------
    quick : bool
        Whether sizes are tiny.
    n_repeats : int
        Number of timed runs.
    peers : tuple of str
        Keys of `PEERS`: the libraries to compare with, if installed.
    data_folder : Path or None
        Folder with Fashion-MNIST and 20 newsgroups.
    openml : bool
        Whether to download them, Fashion-MNIST from OpenML.
    file_gib : float or None
        Size of the file that is larger than memory; None is the default of the part.
    scratch : Path or None
        Folder for that file; None is the system's temporary folder.
    """

    quick: bool
    n_repeats: int
    peers: tuple
    data_folder: Path | None = None
    openml: bool = False
    file_gib: float | None = None
    scratch: Path | None = None
