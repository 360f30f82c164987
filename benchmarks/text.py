"""Sparse text: accuracy and time of classifiers, and the cost of unused features."""

from functools import partial
from statistics import median

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier

from benchmarks._peers import without_convergence_warnings
from benchmarks._report import Table, number, pivot, with_quartiles
from benchmarks._text_data import N_CLASSES, NAME, random_texts, texts
from benchmarks._timing import compare, interleaved, seconds, seconds_per_call
from sk_rmsprop import RMSpropMLPClassifier

# All others are compared with the first.
OUR_CLASSIFIERS = (
    RMSpropMLPClassifier(),
    RMSpropMLPClassifier((100,), batch_size=32, max_iter=1),
)
SKLEARN_CLASSIFIERS = (
    MLPClassifier((100,), max_iter=10),
    SGDClassifier(loss="log_loss"),
    LogisticRegression(),
)

# Numbers of samples and features of the random texts, and the words in each of them.
SIZES = ((10_000, 20_000), (10_000, 200_000), (1000, 2**18))
QUICK_SIZES = ((200, 6000), (200, 20_000), (100, 2**14))
N_WORDS = 50

# Minimum duration of a loop of calls.
LOOP_SECONDS = 0.05


def measure(settings):
    """Return the records for all classifiers, and for all sizes of random texts."""
    name, *data = texts(settings)
    return {
        "name": name,
        "shapes": [X.shape for X in data[::2]],
        "classifiers": _compare_classifiers(settings, data),
        "sizes": _measure_sizes(settings),
    }


def _compare_classifiers(settings, data):
    with_peers = "scikit-learn" in settings.peers
    classifiers = OUR_CLASSIFIERS + (SKLEARN_CLASSIFIERS if with_peers else ())
    tests = {str(classifier): [] for classifier in classifiers}
    runs = {
        name: partial(_train, classifier, data, tests[name])
        for name, classifier in zip(tests, classifiers, strict=True)
    }
    with without_convergence_warnings():
        measured = interleaved(runs, settings.n_repeats)
    return [
        # The first test is that of the warm-up round.
        {**record, "tests": tests[record["library"]][1:]}
        for record in compare(measured, str(OUR_CLASSIFIERS[0]))
    ]


def _train(classifier, data, tests):
    """Train with a new seed, append the test's result, and return the training time."""
    X_train, y_train, X_test, y_test = data
    classifier = clone(classifier).set_params(random_state=len(tests))
    training = seconds(lambda: classifier.fit(X_train, y_train))
    prediction = seconds(lambda: classifier.predict(X_test))
    tests.append({"seconds": prediction, "accuracy": classifier.score(X_test, y_test)})
    return training


def _measure_sizes(settings):
    at_least = 0.001 if settings.quick else LOOP_SECONDS
    runs = {}
    for shape in QUICK_SIZES if settings.quick else SIZES:
        X, y = random_texts(*shape, N_WORDS)
        one_epoch = RMSpropMLPClassifier((100,), batch_size=32, max_iter=1)
        stream = RMSpropMLPClassifier((100,), batch_size=32)
        stream.partial_fit(X, y, classes=range(N_CLASSES))
        for method in (one_epoch.fit, stream.partial_fit):
            run = seconds_per_call(partial(method, X, y), at_least)
            runs["{:,} x {:,}".format(*shape), method.__name__] = run
    return [
        {"samples x features": shape, "method": method, "seconds": measured}
        for (shape, method), measured in interleaved(runs, settings.n_repeats).items()
    ]


def tables(data):
    """Return accuracies and times of the classifiers, and times by size."""
    header = ["classifier", "accuracy", "seconds to train", "relative", "ms to predict"]
    rows = [
        [
            record["library"],
            f"{median(test['accuracy'] for test in record['tests']):.3f}",
            number(record["median_seconds"]),
            with_quartiles(record),
            number(1e3 * median(test["seconds"] for test in record["tests"])),
        ]
        for record in data["classifiers"]
    ]
    (n_train, n_words), (n_test, _) = data["shapes"]
    note = (
        f"TF-IDF of {n_words:,} words in float32; {n_train:,} training and {n_test:,} "
        "test samples. Medians, each round with another seed; the relative time is the "
        "median of the ratios within rounds, with quartiles in brackets."
    )
    if data["name"] != NAME:
        note += " The texts are random words: only the times are like those of texts."
    by_size = pivot(data["sizes"], "samples x features", "method", _milliseconds)
    return [
        Table(f"Test accuracy and time, {data['name']}", header, rows, note),
        Table(f"Milliseconds per epoch, {N_WORDS} words per sample", *by_size, NOTE),
    ]


def _milliseconds(record):
    return number(1e3 * median(record["seconds"]))


NOTE = (
    "Random words; one hidden layer of 100 units, mini-batches of 32. `fit` also "
    "initializes the weights of all features; `partial_fit` continues training."
)


def draw(data):
    """Return None: the tables need no plot."""
