"""What "auto" means: rules found by the study in benchmarks/defaults.py.

They count samples and ignore weights, so that weight 2 and two copies can differ; but
up to 300 samples the epochs and the penalty are constant, and up to 64 samples are one
batch.

Text and hashed features have rules of their own: each feature occurs in few samples.
RMSprop changes a weight by about the learning rate in each update in which its feature
occurs, however few these are, so that the network overfits to rare ones in a few
epochs. Of 20 newsgroups with TF-IDF, 300 texts are learned best in 40 epochs, 1,000 in
20, 3,000 in 5 to 10 and all 11,314 in 3 to 5; hashed tables of 1,000 rows in 10.
"""

import math

# Ensembles of fewer samples are not cross-fitted.
MIN_SAMPLES_FOR_FOLDS = 64


def auto_batch_size(n_samples, n_inputs, *, rare):
    """Return the mini-batch size: 32, and more for many samples or many inputs.

    It is then a thousandth of the samples or an eighth of the inputs, rounded up to a
    power of two, and at most 256. An update passes through all weights, however small
    its batch is: with many inputs small batches would spend their time on that.

    With rare features it does not, and the size is twice the root of the number of
    samples, rounded to a power of two, from 32 to 256.
    """
    if n_samples <= 64:
        return n_samples
    if rare:
        return min(max(32, 2 ** round(math.log2(2 * math.sqrt(n_samples)))), 256)
    wanted = max(n_samples / 1000, n_inputs / 8)
    return min(max(32, 2 ** math.ceil(math.log2(wanted))), 256)


def auto_max_iter(n_samples, *, rare):
    """Return the number of epochs that visit 30,000 samples, from 20 to 100.

    With rare features they visit 10,000 samples, in 3 to 40 epochs.
    """
    if rare:
        return min(max(3, math.ceil(10_000 / n_samples)), 40)
    return min(max(20, math.ceil(30_000 / n_samples)), 100)


def auto_alpha(n_samples, *, of_numbers):
    """Return the L2 penalty: that of a prior worth a few samples, within a limit.

    For numbers it is half as strong: a compromise. On small tables of little noise a
    tenth of that would be better, on very noisy ones twice as much.
    """
    if of_numbers:
        return min(1.5 / n_samples, 0.005)
    return min(3 / n_samples, 0.01)


def auto_weight_decay(n_samples, *, rare):
    """Return the weight decay: at most 0.1, and less for more samples.

    It takes effect in every update, of which there are more with more samples. In a
    stream, where `n_samples` is None, it is 0.03. With rare features, where every epoch
    would have to pass through all weights, it is 0, which makes no difference: compared
    with 0.03, -0.0003 in accuracy and 0.0002 in log-loss over text and hashed tables.
    """
    if rare:
        return 0.0
    return 0.03 if n_samples is None else min(0.1, 600 / n_samples)


def auto_estimators(n_samples, n_features, n_classes):
    """Return the parameters of the base classifiers of an ensemble.

    The first one is smooth: strongly penalized, on numbers as they are. The second one
    is sharp: two layers on the piecewise-linear encoding. Small networks trained on
    mini-batches of 64 samples are as good as wider ones on 32, in less time.
    """
    common = {
        "learning_rate": 0.01,
        "weight_decay": min(0.03, auto_weight_decay(n_samples, rare=False)),
        "batch_size": max(64, auto_batch_size(n_samples, n_features, rare=False)),
    }
    if n_samples >= MIN_SAMPLES_FOR_FOLDS:
        # A sample of weight 2 can't be two samples, which may be in different folds:
        # the precision that this would take is not needed.
        common["dtype"] = "float32"
    alpha = min(max(3, 30 / n_classes) / n_samples, 0.05)
    smooth = {"hidden_layer_sizes": (64,), "numerical_encoding": "robust"}
    sharp = {"hidden_layer_sizes": (64, 64), "numerical_encoding": "piecewise"}
    return [{**common, **smooth, "alpha": alpha}, {**common, **sharp}]


def auto_sparse_factor(n_samples, n_features, *, rare):
    """Return the factor of sparse features: 45 by the default number of updates.

    It is less than 1 and at least 0.05: on a smaller scale the weights of features
    that most samples do not have are learned more slowly. With rare features it
    is None: the one that gives samples a norm of 1, as TF-IDF has it.
    """
    if rare:
        return None
    batch_size = auto_batch_size(n_samples, n_features, rare=False)
    n_updates = auto_max_iter(n_samples, rare=False) * math.ceil(n_samples / batch_size)
    return max(0.05, 45 / n_updates)


def updates_rows(values_per_batch, n_inputs, *, moves_all):
    """Return whether only weights of the inputs that a batch has are updated.

    An option that moves the weights of absent inputs, too, forbids it. A batch with as
    many values as there are inputs has most of them: nothing would be saved.
    """
    return bool(values_per_batch < n_inputs and not moves_all)
