"""Compare configurations of RMSpropMLPClassifier with scikit-learn's classifiers.

The study behind the estimator's defaults. It needs a folder of data sets::

    python benchmarks/defaults.py --data FOLDER --results FOLDER

where every ``NAME.npz`` holds ``X`` and ``y``, or ``X_train``, ``y_train``, ``X_test``
and ``y_test``; or data set numbers of OpenML (``--openml 31 1590``). scikit-learn's own
small sets come on top. Training parts of several sizes are drawn from each set, with
several seeds; results are cached in the results folder, so that a study goes on where
it was interrupted and a new configuration costs only its own fits.
"""

import argparse
import hashlib
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import RMSpropMLPClassifier

SMALL_SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}

# Test parts are cut to this many rows: more would cost time and tell nothing new.
MAX_TEST_ROWS = 20_000

BASELINES = {
    "MLPClassifier": (MLPClassifier, {}),
    "MLPClassifier, early stopping": (MLPClassifier, {"early_stopping": True}),
    "HistGradientBoosting": (HistGradientBoostingClassifier, {}),
    "LogisticRegression": (LogisticRegression, {"max_iter": 1000}),
}

CONFIGURATIONS = {"default": {}}


def load_npz(path):
    """Return the training and test part of a file, or all of it and None."""
    with np.load(path, allow_pickle=False) as file:
        if "X_train" in file:
            train = _rows(file["X_train"]), file["y_train"]
            return train, (_rows(file["X_test"]), file["y_test"])
        return (_rows(file["X"]), file["y"]), None


def _rows(X):
    return X.reshape(len(X), -1).astype(np.float32)


def load_sets(folder, openml):
    """Return a dict of functions that load a data set each, by name."""
    sets = {name: _small_set(load) for name, load in SMALL_SETS.items()}
    for path in sorted(Path(folder).glob("*.npz")) if folder else []:
        with np.load(path, allow_pickle=False) as file:
            if "X" in file or "X_train" in file:  # Sparse sets are not part of it.
                sets[path.stem] = lambda path=path: load_npz(path)
    for number in openml:
        sets[f"openml_{number}"] = lambda number=number: _openml_set(number)
    return sets


def _small_set(load):
    def load_small_set():
        X, y = load(return_X_y=True)
        return (X.astype(np.float32), y), None

    return load_small_set


def _openml_set(number):
    X, y = fetch_openml(data_id=number, return_X_y=True, as_frame=False)
    return (_rows(X), y), None


def parts(train, test, n_rows, seed):
    """Return X_train, y_train, X_test, y_test with at most `n_rows` training rows."""
    if test is None:
        X, X_test, y, y_test = train_test_split(
            *train, test_size=0.3, stratify=train[1], random_state=seed
        )
    else:
        (X, y), (X_test, y_test) = train, test
    if len(y) > n_rows:
        X, _, y, _ = train_test_split(
            X, y, train_size=n_rows, stratify=y, random_state=seed
        )
    if len(y_test) > MAX_TEST_ROWS:
        _, X_test, _, y_test = train_test_split(
            X_test, y_test, test_size=MAX_TEST_ROWS, random_state=seed
        )
    return X, y, X_test, y_test


def make_model(name, parameters, seed, raw):
    """Return the classifier of a configuration, behind a StandardScaler unless raw."""
    if name in BASELINES:
        cls, parameters = BASELINES[name]
    else:
        cls = RMSpropMLPClassifier
    model = cls(**parameters, random_state=seed)
    return model if raw else make_pipeline(StandardScaler(), model)


def measure(model, X, y, X_test, y_test):
    """Fit a model; return its accuracy, log-loss and the seconds that `fit` took."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        probabilities = np.asarray(model.predict_proba(X_test), np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = model.classes_[probabilities.argmax(axis=1)]
    return {
        "accuracy": float(np.mean(labels == y_test)),
        "log_loss": float(log_loss(y_test, probabilities, labels=model.classes_)),
        "seconds": seconds,
    }


class Cache:
    """Results by key in a file of JSON lines, appended to as they come."""

    def __init__(self, path):
        self.path = path
        self.results = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = json.loads(line)
                self.results[record["key"]] = record

    def get(self, **case):
        """Return the result of a case, or None."""
        return self.results.get(_key(case))

    def put(self, result, **case):
        """Store the result of a case."""
        record = {"key": _key(case), **case, **result}
        self.results[record["key"]] = record
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        return record


def _key(case):
    text = json.dumps(case, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(sets, sizes, seeds, configurations, raw, cache):
    """Return the results of all cases, computing those that are not in the cache."""
    results = []
    for set_name, load in sets.items():
        data, previous = None, None
        for n_rows in sizes:
            for seed in range(seeds):
                for name, parameters in configurations.items():
                    case = {
                        "set": set_name,
                        "n_rows": n_rows,
                        "seed": seed,
                        "raw": raw,
                        "configuration": name,
                        "parameters": parameters,
                    }
                    result = cache.get(**case)
                    if result is None:
                        data = data or load()
                        if previous != (n_rows, seed):
                            split = parts(*data, n_rows, seed)
                            previous = n_rows, seed
                        model = make_model(name, parameters, seed, raw)
                        result = cache.put(measure(model, *split), **case)
                    results.append(result)
        print(f"{set_name} done", flush=True)
    return results


def main():
    """Run the study that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of .npz files")
    parser.add_argument("--openml", type=int, nargs="*", default=[])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=[150, 1000, 6000])
    parser.add_argument("--sets", nargs="*", help="only these")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--raw", action="store_true", help="without StandardScaler")
    parser.add_argument("--configurations", type=Path, help="JSON: name to parameters")
    parser.add_argument("--baselines", nargs="*", default=list(BASELINES))
    args = parser.parse_args()
    configurations = {name: {} for name in args.baselines}
    configurations |= (
        json.loads(args.configurations.read_text())
        if args.configurations
        else CONFIGURATIONS
    )
    sets = load_sets(args.data, args.openml)
    if args.sets:
        sets = {name: load for name, load in sets.items() if name in args.sets}
    args.results.mkdir(parents=True, exist_ok=True)
    cache = Cache(args.results / "results.jsonl")
    run(sets, args.sizes, args.seeds, configurations, args.raw, cache)


if __name__ == "__main__":
    main()
