"""Categories as inputs of the network: one-hot, most frequent first."""

from dataclasses import dataclass, replace

import numpy as np

# A categorical column has this many inputs at most, and one more for all rarer ones.
MAX_CATEGORIES = 255

# Up to here integers are looked up in a table of their inputs.
MAX_CODES = 2**16


@dataclass(frozen=True)
class Categories:
    """The inputs of a categorical column.

    Attributes
    ----------
    column : int
    values : ndarray of shape (n_values,)
        The numbers that stand for the categories, sorted.
    inputs : ndarray of shape (n_values,)
        The input of each.
    missing_input : int
        The input of missing values; -1 if there is none.
    absent : ndarray of int
        Inputs whose category does not occur in the training data.
    """

    column: int
    values: np.ndarray
    inputs: np.ndarray
    missing_input: int
    absent: np.ndarray

    @classmethod
    def of(cls, values, weight, column, n_levels, first_input):
        """Return the categories of a column of the training data.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Numbers, NaN for missing.
        weight : ndarray of shape (n_samples,)
        column : int
        n_levels : int or None
            Number of levels that the column can have, if they are all known.
        first_input : int
            The first input of the column.
        """
        missing = np.isnan(values)
        found, index = np.unique(values[~missing], return_inverse=True)
        total = np.bincount(index, weight[~missing], minlength=len(found))
        if n_levels is not None:
            known = np.arange(n_levels, dtype=np.float64)
            known_total = np.zeros(n_levels)
            known_total[found.astype(int)] = total
            found, total = known, known_total
        order = np.argsort(-total, kind="stable")
        rank = np.empty(len(found), int)
        rank[order] = np.arange(len(found))
        inputs = first_input + np.minimum(rank, MAX_CATEGORIES)
        n_inputs = min(len(found), MAX_CATEGORIES + 1)
        weight_of_input = np.bincount(
            inputs - first_input, weights=total, minlength=n_inputs
        )
        absent = first_input + np.flatnonzero(weight_of_input == 0)
        has_missing = weight[missing].any()
        missing_input = first_input + n_inputs if has_missing else -1
        return cls(column, found, inputs, missing_input, absent)

    @property
    def n_occurring(self):
        """Number of values in the training data."""
        return len(self.values) - len(self.absent)

    def copy(self):
        """Return a copy with plain arrays of its own."""
        return replace(
            self,
            values=np.array(self.values),
            inputs=np.array(self.inputs),
            absent=np.array(self.absent),
        )

    @property
    def n_inputs(self):
        """Number of inputs."""
        n_values = min(len(self.values), MAX_CATEGORIES + 1)
        return n_values + (self.missing_input >= 0)

    @property
    def input_of_code(self):
        """The input of each code, -1 for none; None if the values are no codes."""
        values = self.values
        codes = values.astype(np.intp)
        if len(values) and not (
            values[0] >= 0 and values[-1] < MAX_CODES and np.array_equal(codes, values)
        ):
            return None
        table = np.full(codes[-1] + 1 if len(codes) else 0, -1)
        table[codes] = self.inputs
        return table

    def inputs_of(self, column):
        """Return the input of each value of a column, -1 for none."""
        position = np.searchsorted(self.values, column)
        position[position == len(self.values)] = 0
        inputs = np.where(self.values[position] == column, self.inputs[position], -1)
        if column.dtype.kind == "f":
            inputs[np.isnan(column)] = self.missing_input
        return inputs

    def names(self, name, levels):
        """Return the names of the inputs."""
        labels = {}
        for value, number in zip(self.values, self.inputs, strict=True):
            level = _number_name(value) if levels is None else levels[int(value)]
            is_shared = number in labels
            labels[number] = f"{name}_{'infrequent' if is_shared else level}"
        if self.missing_input >= 0:
            labels[self.missing_input] = f"{name}_missing"
        return [labels[number] for number in sorted(labels)]


def _number_name(value):
    return str(int(value)) if float(value).is_integer() else repr(float(value))


class OneHot:
    """Writes the categories of all categorical columns at once.

    Parameters
    ----------
    categories : list of Categories
    """

    def __init__(self, categories):
        tables = [(each, each.input_of_code) for each in categories]
        self.others = [each for each, table in tables if table is None]
        coded = [(each, table) for each, table in tables if table is not None]
        self.columns = np.array([each.column for each, _ in coded], np.intp)
        self.n_codes = np.array([len(table) for _, table in coded], np.intp)
        # After the codes of a column stand its missing values and what is unknown.
        ends = [np.append(table, [each.missing_input, -1]) for each, table in coded]
        self.table = np.concatenate([np.empty(0, np.intp), *ends]).astype(np.intp)
        self.first = np.cumsum(self.n_codes + 2) - (self.n_codes + 2)

    def write(self, X, out):
        """Write a 1 for each category into C-ordered `out`, which holds zeros there."""
        inputs = [self._inputs_of_coded(X)]
        inputs += [each.inputs_of(X[:, each.column])[:, None] for each in self.others]
        inputs = np.concatenate(inputs, axis=1)
        position = inputs + (np.arange(len(out)) * out.shape[1])[:, np.newaxis]
        out.reshape(-1)[position[inputs >= 0]] = 1

    def _inputs_of_coded(self, X):
        values = X.take(self.columns, axis=1)
        is_code = (values >= 0) & (values < self.n_codes)
        codes = np.where(is_code, values, 0).astype(np.intp)
        codes = np.where(is_code & (codes == values), codes, self.n_codes + 1)
        if values.dtype.kind == "f":
            codes = np.where(np.isnan(values), self.n_codes, codes)
        return self.table.take(codes + self.first)
