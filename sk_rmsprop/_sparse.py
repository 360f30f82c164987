"""Sparse mini-batches: centered without becoming dense, and cut to their columns."""

import numpy as np
from scipy.sparse import csr_array


class CenteredRows:
    """A sparse matrix less the centers of some columns, never made as an array.

    Parameters
    ----------
    X : CSR array
    columns : ndarray of int
    center : ndarray of shape (n_columns,)
        What is subtracted from these columns.
    """

    def __init__(self, X, columns, center):
        self.X = X
        self.columns = columns
        self.center = center

    @property
    def shape(self):
        """Shape of the matrix."""
        return self.X.shape

    def __matmul__(self, coef):
        product = self.X @ coef
        product -= self.center @ coef[self.columns]
        return product

    @property
    def T(self):
        """The transpose, likewise."""
        return _TransposedCenteredRows(self)


class _TransposedCenteredRows:
    def __init__(self, rows):
        self.rows = rows

    def __matmul__(self, delta):
        product = self.rows.X.T @ delta
        center = np.outer(self.rows.center, delta.sum(axis=0))
        product[self.rows.columns] -= center
        return product


class ColumnsPresent:
    """Cuts sparse batches to the columns that they have.

    Parameters
    ----------
    n_columns : int
        Of the whole matrix.
    """

    def __init__(self, n_columns):
        # For each column a place in the batch at hand, valid where it is present.
        self.places = np.empty(n_columns, np.int32)

    def __call__(self, X):
        """Return the columns that have values or a center, and `X` with these alone."""
        if isinstance(X, CenteredRows):
            columns, indices = self._present(np.concatenate([X.X.indices, X.columns]))
            n_values = len(X.X.indices)
            centered = CenteredRows(
                _with_columns(X.X, indices[:n_values], len(columns)),
                indices[n_values:],
                X.center,
            )
            return columns, centered
        columns, indices = self._present(X.indices)
        return columns, _with_columns(X, indices, len(columns))

    def _present(self, indices):
        """Return the different indices, and the place of each one among these."""
        numbers = np.arange(len(indices), dtype=np.int32)
        self.places[indices] = numbers
        # Of equal indices the last one has its own number there.
        columns = indices[self.places[indices] == numbers]
        self.places[columns] = numbers[: len(columns)]
        return columns, self.places[indices]


def _with_columns(X, indices, n_columns):
    """Return CSR rows with other column indices."""
    indptr = X.indptr.astype(np.int32, copy=False)
    return csr_array((X.data, indices, indptr), shape=(X.shape[0], n_columns))
