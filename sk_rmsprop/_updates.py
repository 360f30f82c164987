"""The formula of RMSprop, bound to the arrays that it updates.

`Update` steps all of its parameters, or those of a stack of networks, of which each has
a row and an optimizer. `RowUpdate` steps some rows of a matrix, and makes up for the
steps that a row has missed when it is next needed.
"""

import sys
from math import isfinite, log, prod

import numpy as np

# The update makes about ten passes over its arrays. In blocks of this many elements
# every pass after the first finds them in cache. Blocks of a quarter of that took 10
# to 20 % longer on a processor with 512 KiB of L2 cache, due to the number of calls.
BLOCK_SIZE = 65536

# The averages decay geometrically where gradients vanish. Before they become subnormal,
# which makes every operation on them several times slower, they are set to zero: below
# `tiny * FLUSH_MARGIN` at every step at which they could have decayed by the margin.
# Its root is negligible against any usual epsilon.
FLUSH_MARGIN = 1e6


class Formula:
    """The formula of an optimizer, for arrays of one dtype.

    Parameters
    ----------
    optimizers : list of RMSprop
        One, or one for each member of a stack, with the same flags.
    dtype : dtype
    """

    def __init__(self, optimizers, dtype):
        self.optimizers = optimizers
        self.bias_correction = optimizers[0].bias_correction
        self.epsilon_in_sqrt = optimizers[0].epsilon_in_sqrt
        self.nesterov = optimizers[0].nesterov
        self.options = {
            name: common([getattr(optimizer, name) for optimizer in optimizers])
            for name in ("beta", "epsilon", "momentum", "weight_decay")
        }
        self.decays = bool(np.any(self.options["weight_decay"]))
        # Scalars as 0-d arrays of the working dtype: with a Python float a call on a
        # small array takes twice as long. Where members differ, columns.
        beta, epsilon = self.options["beta"], self.options["epsilon"]
        self.beta = np.array(beta, dtype)
        self.rest = np.array(1 - beta, dtype)
        # An epsilon that rounds to zero would give 0 / 0.
        self.epsilon = np.array(np.maximum(epsilon, np.finfo(dtype).tiny), dtype)
        self.momentum = np.array(self.options["momentum"], dtype)
        shape = () if len(optimizers) == 1 else (len(optimizers), 1)
        self.learning_rate = np.empty(shape, dtype)
        self.momentum_learning_rate = np.empty(shape, dtype)
        self.kept = np.empty(shape, dtype)
        self.correction = np.empty(shape, dtype)
        self.flush_interval = _flush_interval(
            *(decay for one in optimizers for decay in (one.beta, one.momentum))
        )
        self.flush_threshold = np.finfo(dtype).tiny * FLUSH_MARGIN

    def begin_step(self, learning_rate):
        """Count a step and set what it has in common for all parameters.

        `learning_rate` is a number, or a column with that of each member.
        """
        options = self.options
        for optimizer in self.optimizers:
            optimizer.n_steps_ += 1
        self.learning_rate[...] = learning_rate
        if self.nesterov:
            self.momentum_learning_rate[...] = learning_rate * options["momentum"]
        if self.decays:
            self.kept[...] = 1 - learning_rate * options["weight_decay"]
        if self.bias_correction:
            n_steps = common([optimizer.n_steps_ for optimizer in self.optimizers])
            self.correction[...] = 1 - options["beta"] ** n_steps

    @property
    def flushes_now(self):
        """Whether tiny averages are to be set to zero after this step."""
        return self.optimizers[0].n_steps_ % self.flush_interval == 0

    def step(self, decayed, params, gradient, square_average, mean, velocity, scratch):
        """Step one block of each array; `decayed` has weight decay."""
        if decayed is not None:
            np.multiply(decayed, self.kept, decayed)
        # v <- beta * v + (1 - beta) * g**2
        np.multiply(gradient, gradient, scratch)
        np.multiply(scratch, self.rest, scratch)
        np.multiply(square_average, self.beta, square_average)
        np.add(square_average, scratch, square_average)
        variance = square_average
        if mean is not None:
            variance = self._centered_variance(gradient, square_average, mean, scratch)
        if self.bias_correction:
            variance = np.divide(variance, self.correction, scratch)
        # step <- g / (sqrt(v) + epsilon)
        if self.epsilon_in_sqrt:
            np.add(variance, self.epsilon, scratch)
            np.sqrt(scratch, scratch)
        else:
            np.sqrt(variance, scratch)
            np.add(scratch, self.epsilon, scratch)
        step = np.divide(gradient, scratch, scratch)
        if velocity is None:
            np.multiply(step, self.learning_rate, step)
            np.subtract(params, step, params)
        else:
            self._momentum_step(params, step, velocity)

    def _centered_variance(self, gradient, square_average, mean, scratch):
        """Update m; return v - m**2, clamped at 0, in `scratch`.

        With bias correction both averages are to be divided by c, and
        v/c - (m/c)**2 = (v - m**2/c) / c: this is the bracket.
        """
        # m <- beta * m + (1 - beta) * g
        np.multiply(gradient, self.rest, scratch)
        np.multiply(mean, self.beta, mean)
        np.add(mean, scratch, mean)
        np.multiply(mean, mean, scratch)
        if self.bias_correction:
            np.divide(scratch, self.correction, scratch)
        np.subtract(square_average, scratch, scratch)
        return np.maximum(scratch, 0, out=scratch)

    def _momentum_step(self, params, step, velocity):
        # u <- momentum * u + step;  w <- w - learning_rate * u
        np.multiply(velocity, self.momentum, velocity)
        np.add(velocity, step, velocity)
        if self.nesterov:
            # w <- w - learning_rate * (step + momentum * u)
            np.multiply(step, self.learning_rate, step)
            np.subtract(params, step, params)
            np.multiply(velocity, self.momentum_learning_rate, step)
        else:
            np.multiply(velocity, self.learning_rate, step)
        np.subtract(params, step, params)

    def flush(self, averages, scratch):
        """Set what is tiny in some averages to zero."""
        for average in averages:
            if average is not None:
                np.abs(average, out=scratch)
                np.greater(scratch, self.flush_threshold, out=scratch)
                np.multiply(average, scratch, average)


class Update:
    """The step of all of some parameters, with all views made before.

    Parameters
    ----------
    formula : Formula
    params, gradient : ndarray of shape (n_params,) or (n_members, n_params)
    averages : list of ndarray or None
        The square average, the gradient average and the velocity.
    n_decayed : int
        Weight decay applies to this many leading parameters.
    """

    def __init__(self, formula, params, gradient, averages, n_decayed):
        self.formula = formula
        self.arrays = [params, *(array for array in averages if array is not None)]
        self.blocks = _blocks(params, gradient, averages, n_decayed)
        self.backup = None
        self.saved_n_steps = None

    def __call__(self, learning_rate):
        """Take one step."""
        self.formula.begin_step(learning_rate)
        self.apply()

    def apply(self):
        """Change the parameters and averages by the step that has begun."""
        formula = self.formula
        for block in self.blocks:
            formula.step(*block)
        if formula.flushes_now:
            for _, _, _, *averages, scratch in self.blocks:
                formula.flush(averages, scratch)

    def save(self):
        """Remember all that steps change, for `restore`."""
        if self.backup is None:
            self.backup = _Copies(self.arrays)
        self.backup.renew()
        self.saved_n_steps = [one.n_steps_ for one in self.formula.optimizers]

    def restore(self):
        """Go back to what was saved."""
        self.backup.restore()
        pairs = zip(self.formula.optimizers, self.saved_n_steps, strict=True)
        for optimizer, n_steps in pairs:
            optimizer.n_steps_ = n_steps

    def unchecked(self):
        """Return arrays that may have become infinite or NaN.

        Each item has parameters and their averages.
        """
        return [self.arrays]


class RowUpdate:
    """The step of some rows of a matrix, and of all of the other parameters.

    A row that has no gradient for some steps is left alone meanwhile: its square
    average would decay by beta in each of them, its weights by the weight decay. Powers
    of both make up for that when the row is next loaded.

    Parameters
    ----------
    formula : Formula
        Without momentum and not centered: these also move rows without a gradient.
    params : ndarray of shape (n_params,)
        The rows, then the other parameters.
    shape : tuple
        Number of rows, and their size.
    gradient : ndarray
        Of the other parameters.
    n_decayed : int
        Weight decay applies to this many leading parameters.
    """

    def __init__(self, formula, params, shape, gradient, n_decayed):
        self.formula = formula
        (optimizer,) = formula.optimizers
        self.optimizer = optimizer
        size = shape[0] * shape[1]
        average = flat_view(optimizer.square_average_)
        self.row_steps = optimizer.row_steps_
        self.weights = params[:size].reshape(shape)
        self.square_average = average[:size].reshape(shape)
        # Those of the steps that rows have missed; options may have changed since.
        self.beta, self.weight_decay = optimizer._row_decays
        self.decays = n_decayed > 0
        self.rest = Update(
            formula,
            params[size:],
            gradient,
            [average[size:], None, None],
            max(0, n_decayed - size),
        )
        self.buffer = np.empty(0, params.dtype)
        n_together = max(1, BLOCK_SIZE // max(1, shape[1]))
        self.average = np.empty((n_together, shape[1]), params.dtype)
        self.scratch = np.empty_like(self.average)
        self.rows = self.loaded = self.backup = None
        self.sum_of_squares = 0.0

    def load(self, rows):
        """Return the weights of some distinct rows as after all steps so far.

        The next step changes these rows.
        """
        shape = (len(rows), self.weights.shape[1])
        size = shape[0] * shape[1]
        if self.buffer.size < size:
            self.buffer = np.empty(size + size // 4, self.buffer.dtype)
        weights = self.buffer[:size].reshape(shape)
        self.weights.take(rows, axis=0, out=weights, mode="clip")
        if self.decays:
            self._decay(weights, self._missed(rows))
        self.rows, self.loaded = rows, weights
        return weights

    def __call__(self, learning_rate, gradient):
        """Take one step, with the gradient of the rows that were loaded."""
        optimizer = self.optimizer
        if self.decays and learning_rate != optimizer._row_learning_rate:
            self.catch_up()  # What the rows have missed was at the earlier rate.
        optimizer._row_learning_rate = learning_rate
        n_together = len(self.average)
        blocks = [
            slice(start, start + n_together)
            for start in range(0, len(self.rows), n_together)
        ]
        missed = self._missed(self.rows)
        self.formula.begin_step(learning_rate)
        self.rest.apply()
        for block in blocks:
            rows = self.rows[block]
            self._step_rows(rows, missed[block], self.loaded[block], gradient[block])

    def _step_rows(self, rows, missed, weights, gradient):
        """Step as many rows as the cache holds."""
        formula = self.formula
        average, scratch = self.average[: len(rows)], self.scratch[: len(rows)]
        if self.backup is not None and not self.decays:
            self._remember(rows)
        self.square_average.take(rows, axis=0, out=average, mode="clip")
        self._fade(average, missed)
        decayed = weights if self.decays else None
        formula.step(decayed, weights, gradient, average, None, None, scratch)
        if formula.flushes_now:
            formula.flush([average], scratch)
        for array in (weights.reshape(-1), average.reshape(-1)):
            self.sum_of_squares += float(array.dot(array))
        self.weights[rows] = weights
        self.square_average[rows] = average
        self.row_steps[rows] = self._now

    def catch_up(self):
        """Bring all rows up to date. With weight decay, `save` has kept all of them."""
        n_together = len(self.average)
        for start in range(0, len(self.weights), n_together):
            rows = slice(start, start + n_together)
            missed = self._missed(rows)
            if not missed.any():
                continue
            average = self.square_average[rows]
            self._fade(average, missed)
            self.formula.flush([average], self.scratch[: len(average)])
            if self.decays:
                self._decay(self.weights[rows], missed)
            self.row_steps[rows] = self._now

    @property
    def _now(self):
        # Differences modulo 2**32 are right for rows that have missed fewer steps.
        return np.uint32(self.optimizer.n_steps_ % 2**32)

    def _missed(self, rows):
        """Return the number of steps that rows have missed, as a column."""
        return (self._now - self.row_steps[rows])[:, np.newaxis]

    def _fade(self, average, missed):
        """Apply missed steps to square averages."""
        _multiply_by_power(average, self.beta, missed)

    def _decay(self, weights, missed):
        """Apply missed steps to weights."""
        kept = 1 - self.optimizer._row_learning_rate * self.weight_decay
        _multiply_by_power(weights, kept, missed)

    def save(self):
        """Remember what steps change, for `restore`: rows when they first do."""
        self.rest.save()
        if self.backup is None:
            backup = _Copies if self.decays else _ChangedRows
            self.backup = backup([self.weights, self.square_average, self.row_steps])
        self.sum_of_squares = 0.0
        self.backup.renew()

    def _remember(self, rows):
        """Keep rows as they are, unless that has been done since `save`."""
        # Modulo 2**32, rows that have been updated since then are ahead of it; others
        # are not if they have missed fewer than 2**31 steps.
        (saved_n_steps,) = self.rest.saved_n_steps
        saved_now = np.uint32(saved_n_steps % 2**32)
        fresh = rows[saved_now - self.row_steps[rows] < 2**31]
        if len(fresh):
            self.backup.add(fresh)

    def restore(self):
        """Go back to what was saved."""
        self.backup.restore()
        self.rest.restore()

    def unchecked(self):
        """Return arrays that may have become infinite or NaN."""
        parts = self.rest.unchecked()
        # Of the rows, each step looked at those that it changed.
        if not isfinite(self.sum_of_squares):
            parts.append([self.weights.reshape(-1), self.square_average.reshape(-1)])
        return parts


class _Copies:
    """A backup of whole arrays.

    Parameters
    ----------
    arrays : list of ndarray
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.copies = [np.empty_like(array) for array in arrays]

    def renew(self):
        """Make another backup."""
        for copy, array in zip(self.copies, self.arrays, strict=True):
            np.copyto(copy, array)

    def restore(self):
        """Write the backup back into the arrays."""
        for copy, array in zip(self.copies, self.arrays, strict=True):
            np.copyto(array, copy)


class _ChangedRows:
    """A backup of rows, as they are when they are added: in buffers of equal size.

    The next backup uses the same buffers: to get memory from the system takes longer
    than to fill it.
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.n_together = max(1, BLOCK_SIZE // max(1, arrays[0].shape[1]))
        self.buffers = []
        self.parts = []
        self.n_rows = 0

    def renew(self):
        """Begin another backup, without rows."""
        self.parts.clear()
        self.n_rows = 0

    def add(self, rows):
        """Add some rows."""
        while len(rows):
            index, start = divmod(self.n_rows, self.n_together)
            if index == len(self.buffers):
                shapes = [(self.n_together, *array.shape[1:]) for array in self.arrays]
                self.buffers.append(
                    [
                        np.empty(shape, array.dtype)
                        for shape, array in zip(shapes, self.arrays, strict=True)
                    ]
                )
            now, rows = np.split(rows, [self.n_together - start])
            copies = [
                buffer[start : start + len(now)] for buffer in self.buffers[index]
            ]
            for copy, array in zip(copies, self.arrays, strict=True):
                array.take(now, axis=0, out=copy, mode="clip")
            self.parts.append((now, copies))
            self.n_rows += len(now)

    def restore(self):
        """Write the backup back into the arrays."""
        for rows, copies in reversed(self.parts):
            for copy, array in zip(copies, self.arrays, strict=True):
                array[rows] = copy


def _multiply_by_power(array, factor, exponents):
    """Multiply in place by powers of a factor, as it is rounded in every step."""
    factor = float(array.dtype.type(factor))
    powers = factor ** exponents.astype(np.float64)
    np.multiply(array, powers.astype(array.dtype), array)


def _blocks(params, gradient, averages, n_decayed):
    """Return the arguments of `Formula.step` for all blocks of some arrays.

    A block of a stack has the same parameters of all members.
    """
    *members, n_params = params.shape
    size = max(1, BLOCK_SIZE // prod(members))
    scratch = np.empty((*members, min(size, n_params)), params.dtype)
    blocks = []
    for start in range(0, n_params, size):
        block = slice(start, start + size)
        decayed = params[..., start : min(start + size, n_decayed)]
        blocks.append(
            (
                decayed if decayed.size else None,
                params[..., block],
                gradient[..., block],
                *(
                    None if average is None else average[..., block]
                    for average in averages
                ),
                scratch[..., : n_params - start],
            )
        )
    return blocks


def common(values):
    """Return the number that all values are equal to, or a column of the values."""
    if all(value == values[0] for value in values):
        return values[0]
    return np.array(values)[:, np.newaxis]


def _flush_interval(*decays):
    """Return the number of steps in which no decay exceeds the flush margin."""
    intervals = [int(log(FLUSH_MARGIN) / -log(decay)) for decay in decays if decay > 0]
    return max(1, min(intervals, default=sys.maxsize))


def flat_view(array):
    """Return a 1-D view of a contiguous array, in the order of its memory."""
    return np.asarray(array).reshape(-1, order="A")
