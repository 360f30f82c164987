"""What "auto" means: rules found by the study in benchmarks/defaults.py.

They count samples and ignore weights, so that weight 2 and two copies can differ; but
up to 300 samples the epochs and the penalty are constant, and up to 64 samples are one
batch.
"""

import math


def auto_batch_size(n_samples, n_inputs):
    """Return the mini-batch size: 32, and more for many samples or many inputs.

    It is then a thousandth of the samples or an eighth of the inputs, rounded up to a
    power of two, and at most 256. An update passes through all weights, however small
    its batch is: with many inputs small batches would spend their time on that.
    """
    if n_samples <= 64:
        return n_samples
    wanted = max(n_samples / 1000, n_inputs / 8)
    return min(max(32, 2 ** math.ceil(math.log2(wanted))), 256)


def auto_max_iter(n_samples):
    """Return the number of epochs that visit 30,000 samples, from 20 to 100."""
    return min(max(20, math.ceil(30_000 / n_samples)), 100)


def auto_alpha(n_samples):
    """Return the L2 penalty: that of a prior worth a few samples, at most 0.01."""
    return min(3 / n_samples, 0.01)


def auto_sparse_factor(n_samples, n_features):
    """Return the factor of sparse features: 45 by the default number of updates.

    It is at most 1 and at least 0.05. RMSprop changes a weight by about the learning
    rate in each update in which its feature occurs, whatever the feature's scale, so
    that rare features are learned by heart; on a smaller scale their weights take
    longer. Of 20 newsgroups with TF-IDF, 300, 1,000 and 3,000 texts are learned best
    with factors of 0.5 to 1, 0.5 to 1 and 0.2 to 0.5; all 11,314 with 0.05 (an accuracy
    of 0.748 against 0.720 with a factor of 1).
    """
    n_batches = math.ceil(n_samples / auto_batch_size(n_samples, n_features))
    n_updates = auto_max_iter(n_samples) * n_batches
    return min(max(0.05, 45 / n_updates), 1.0)


def updates_rows(values_per_batch, n_inputs, *, moves_all):
    """Return whether only weights of the inputs that a batch has are updated.

    An option that moves the weights of absent inputs, too, forbids it. A batch with as
    many values as there are inputs has most of them: nothing would be saved.
    """
    return bool(values_per_batch < n_inputs and not moves_all)
