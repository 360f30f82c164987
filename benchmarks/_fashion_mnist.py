"""Read Fashion-MNIST from a folder or from OpenML."""

import gzip
import struct
from pathlib import Path

import numpy as np

from benchmarks._parts import Skipped

IDX_FILES = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
OPENML_ID = 40996
N_TRAIN = 60_000


def fashion_mnist(settings):
    """Return X_train, y_train, X_test and y_test, with X as float32 in [0, 1]."""
    if settings.data_folder is not None:
        X_train, y_train, X_test, y_test = _from_folder(settings.data_folder)
    elif settings.openml:
        X_train, y_train, X_test, y_test = _from_openml()
    else:
        raise Skipped("needs Fashion-MNIST: pass --data FOLDER or --openml.")
    return _scaled(X_train), y_train, _scaled(X_test), y_test


def _scaled(X):
    return X.reshape(len(X), -1).astype(np.float32) / 255


def _from_folder(folder):
    npz = Path(folder, "fashion_mnist.npz")
    if npz.exists():
        with np.load(npz) as arrays:
            return [arrays[name] for name in IDX_FILES]
    return [_read_idx(folder, stem) for stem in IDX_FILES.values()]


def _read_idx(folder, stem):
    """Read a file in the format of the MNIST database, compressed or not."""
    path = Path(folder, stem)
    if path.exists():
        content = path.read_bytes()
    elif path.with_name(f"{stem}.gz").exists():
        content = gzip.decompress(path.with_name(f"{stem}.gz").read_bytes())
    else:
        raise Skipped(f"{folder} has neither fashion_mnist.npz nor {stem}[.gz].")
    n_dimensions = content[3]
    header = struct.Struct(f">4x{n_dimensions}I")
    shape = header.unpack_from(content)
    return np.frombuffer(content, np.uint8, offset=header.size).reshape(shape)


def _from_openml():
    from sklearn.datasets import fetch_openml

    X, y = fetch_openml(data_id=OPENML_ID, return_X_y=True, as_frame=False)
    y = y.astype(np.uint8)
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]
