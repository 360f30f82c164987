"""Training time until Fashion-MNIST is classified with a target accuracy."""

from statistics import median

import numpy as np

from benchmarks._fashion_mnist import fashion_mnist
from benchmarks._peers import CLASSIFIERS, libraries
from benchmarks._report import Table, number
from benchmarks._timing import OURS, seconds

TARGET = 0.88
MAX_EPOCHS = 60


def measure(settings):
    """Return a record for each seed and library."""
    X_train, y_train, X_test, y_test = fashion_mnist(settings)
    if settings.quick:
        X_train, y_train = X_train[:400], y_train[:400]
        X_test, y_test = X_test[:200], y_test[:200]
    data = X_train, y_train, X_test, y_test
    names = [name for name in libraries(settings) if name in CLASSIFIERS]
    max_epochs = 3 if settings.quick else MAX_EPOCHS
    records = []
    for seed in range(settings.n_repeats):
        for name in names if seed % 2 == 0 else reversed(names):
            records.append(_train(name, seed, data, max_epochs))
    return {"records": records, "target": TARGET, "max_epochs": max_epochs}


def _train(name, seed, data, max_epochs):
    """Train epoch by epoch until the target is reached; only training is timed."""
    X_train, y_train, X_test, y_test = data
    classifier = CLASSIFIERS[name]((100,)).set_params(random_state=seed)
    classes = np.unique(y_train)
    elapsed, accuracies = [], []
    while len(elapsed) < max_epochs and max(accuracies, default=0) < TARGET:
        epoch = seconds(
            lambda: classifier.partial_fit(X_train, y_train, classes=classes)
        )
        elapsed.append(sum(elapsed[-1:]) + epoch)
        accuracies.append(classifier.score(X_test, y_test))
    return {
        "library": name,
        "seed": seed,
        "seconds": elapsed,
        "accuracies": accuracies,
        "reached": accuracies[-1] >= TARGET,
    }


def tables(data):
    """Return the time, epochs and number of successful runs of each library."""
    rows = []
    for name in dict.fromkeys(record["library"] for record in data["records"]):
        records = [record for record in data["records"] if record["library"] == name]
        reached = [record for record in records if record["reached"]]
        runs = [f"{len(reached)} of {len(records)}"]
        if reached:
            seconds = [record["seconds"][-1] for record in reached]
            epochs = [len(record["seconds"]) for record in reached]
            span = f"{number(min(seconds))} to {number(max(seconds))}"
            cells = [number(median(seconds)), span, number(median(epochs))]
        else:
            cells = [number(None)] * 3
        rows.append([name, *cells, *runs])
    header = ["library", "seconds", "range", "epochs", "runs that reached the target"]
    note = (
        "Medians over the seeds whose runs reached the target within "
        f"{data['max_epochs']} epochs. One hidden layer of 100 units, mini-batches of "
        "200; pixels divided by 255. Scoring is not timed."
    )
    title = f"Training time to a test accuracy of {data['target']}"
    return [Table(title, header, rows, note)]


def draw(data):
    """Plot the accuracy of each run against its training time."""
    from benchmarks._plots import color, new_figure

    figure, (ax,) = new_figure(1, 1, 6.5, 4)
    labeled = set()
    for record in data["records"]:
        name = record["library"]
        ax.plot(
            record["seconds"],
            record["accuracies"],
            color=color(name),
            linewidth=2 if name == OURS else 1.5,
            alpha=0.7,
            label=None if name in labeled else name,
        )
        labeled.add(name)
    ax.axhline(data["target"], color="black", linewidth=1, linestyle="--")
    ax.set(xlabel="training time in seconds", ylabel="test accuracy", xlim=(0, None))
    ax.set_title("Fashion-MNIST, one line per seed")
    ax.legend(frameon=False, loc="lower right")
    return figure
