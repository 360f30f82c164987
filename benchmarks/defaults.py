"""The study behind the defaults of the classifiers.

It compares named configurations with scikit-learn's classifiers on real data: a folder
of data sets or OpenML data set IDs, and scikit-learn's own small data sets::

    python -m benchmarks.defaults --data FOLDER
    python -m benchmarks.defaults --openml 31 1590

where every ``NAME.npz`` in the folder holds ``X`` and ``y``, or ``X_train``,
``y_train``, ``X_test`` and ``y_test``. Training parts of several sizes are drawn from
each set, with several seeds. Results are kept in a file of JSON lines, so that a study
resumes where it was interrupted and a new configuration costs only its own fits;
``--report`` writes tables and plots from that file without fitting anything.
"""

import argparse
import hashlib
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import _defaults_report
from benchmarks._data_sets import load_sets, parts
from benchmarks._defaults_report import DEFAULT, ENSEMBLE
from sk_rmsprop import RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier

# Names, classes and parameters.
BASELINES = {
    "MLPClassifier": (MLPClassifier, {}),
    "MLPClassifier, early stopping": (MLPClassifier, {"early_stopping": True}),
    "HistGradientBoosting": (HistGradientBoostingClassifier, {}),
    "RandomForest": (RandomForestClassifier, {}),
    "LogisticRegression": (LogisticRegression, {"max_iter": 1000}),
}

# Changes to the default, one at a time.
ABLATIONS = {
    "hidden_layer_sizes 100": {"hidden_layer_sizes": 100},
    "hidden_layer_sizes 512": {"hidden_layer_sizes": 512},
    "hidden_layer_sizes (128, 128)": {"hidden_layer_sizes": (128, 128)},
    "activation silu": {"activation": "silu"},
    "activation tanh": {"activation": "tanh"},
    "numerical_encoding none": {"numerical_encoding": "none"},
    "numerical_encoding standard": {"numerical_encoding": "standard"},
    "numerical_encoding robust": {"numerical_encoding": "robust"},
    "numerical_encoding piecewise": {"numerical_encoding": "piecewise"},
    "dtype float64": {"dtype": "float64"},
    "learning_rate 0.0025": {"learning_rate": 0.0025},
    "learning_rate 0.01": {"learning_rate": 0.01},
    "constant": {"learning_rate_schedule": "constant"},
    "linear": {"learning_rate_schedule": "linear"},
    "one_cycle (with a warm-up)": {"learning_rate_schedule": "one_cycle"},
    "beta 0.95": {"beta": 0.95},
    "beta 0.99": {"beta": 0.99},
    "momentum 0.9": {"momentum": 0.9, "learning_rate": 0.0005},
    "alpha 0": {"alpha": 0.0},
    "alpha 0.003": {"alpha": 0.003},
    "weight_decay 0": {"weight_decay": 0.0},
    "weight_decay 0.03": {"weight_decay": 0.03},
    "weight_decay 0.3": {"weight_decay": 0.3},
    "label_smoothing 0.05": {"label_smoothing": 0.05},
    "max_grad_norm 1": {"max_grad_norm": 1.0},
    "batch_size 16": {"batch_size": 16},
    "batch_size 128": {"batch_size": 128},
    "max_iter 10": {"max_iter": 10},
    "max_iter 30": {"max_iter": 30},
    "max_iter 100": {"max_iter": 100},
    "dropout 0.2": {"dropout": 0.2},
    "early_stopping": {"early_stopping": True},
}
# What more training time can gain. They are no defaults, because with dropout a sample
# of weight 2 is not the same as two samples.
RECIPES = {
    "recipe: (256, 256) with dropout": {
        "hidden_layer_sizes": (256, 256),
        "dropout": 0.25,
        "learning_rate": 0.002,
        "alpha": 0.0,
        "weight_decay": 0.1,
        "max_iter": 80,
    },
    "recipe: 512 with dropout": {
        "hidden_layer_sizes": 512,
        "dropout": 0.5,
        "alpha": 0.0,
        "weight_decay": 0.1,
        "max_iter": 80,
    },
    "recipe: (256, 128), silu, dropout": {
        "hidden_layer_sizes": (256, 128),
        "activation": "silu",
        "dropout": 0.25,
        "learning_rate": 0.002,
        "alpha": 0.0,
        "weight_decay": 0.1,
        "max_iter": 80,
    },
}


# Changes to the ensemble, one at a time.
ENSEMBLES = {
    ENSEMBLE: {},
    "ensemble, 2 folds": {"n_folds": 2},
    "ensemble, 8 folds": {"n_folds": 8},
    "ensemble of default networks": {"estimators": [RMSpropMLPClassifier()]},
    "ensemble of (64, 64), piecewise": {
        "estimators": [
            RMSpropMLPClassifier((64, 64), numerical_encoding="piecewise"),
        ]
    },
}

# Class and parameters of each configuration, by name.
OURS = {
    name: (RMSpropMLPClassifier, changed)
    for name, changed in {DEFAULT: {}, **ABLATIONS, **RECIPES}.items()
} | {
    name: (RMSpropMLPEnsembleClassifier, changed) for name, changed in ENSEMBLES.items()
}

RAW = "raw"
SCALED = "scaled"


def make_model(name, seed, data):
    """Return the classifier of that name, after a StandardScaler unless raw."""
    make, params = {**BASELINES, **OURS}[name]
    model = make(**params, random_state=seed)
    return make_pipeline(StandardScaler(), model) if data == SCALED else model


def measure(model, X, y, X_test, y_test):
    """Fit a model and return its accuracy, log-loss and fit time in seconds."""
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
    """Results by case in a JSON Lines file, appended as they are computed."""

    def __init__(self, path):
        self.path = path
        self.results = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                self.results[record["key"]] = record

    def get(self, **case):
        """Return the result of a case, or None."""
        return self.results.get(_key(case))

    def put(self, result, **case):
        """Store the result of a case, and return its record."""
        record = {"key": _key(case), **case, **result}
        self.results[record["key"]] = record
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return record


def _key(case):
    text = json.dumps(case, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _case(set_name, n_rows, seed, data, name):
    """Return the identification of a result, including all parameters."""
    make, params = {**BASELINES, **OURS}[name]
    return {
        "set": set_name,
        "n_rows": n_rows,
        "seed": seed,
        "data": data,
        "configuration": name,
        "parameters": {k: str(v) for k, v in make(**params).get_params().items()},
    }


def run(sets, names, options, cache):
    """Measure all cases that are not in the cache, and return all records."""
    records = []
    for set_name, load in sets.items():
        loaded = None
        for n_rows in options.sizes:
            for seed in range(options.seeds):
                cases = [
                    _case(set_name, n_rows, seed, options.columns, name)
                    for name in names
                ]
                if any(cache.get(**case) is None for case in cases):
                    loaded = loaded or load()
                    split = parts(*loaded, n_rows, seed)
                for case in cases:
                    record = cache.get(**case)
                    if record is None:
                        model = make_model(case["configuration"], seed, options.columns)
                        record = cache.put(measure(model, *split), **case)
                    records.append(record)
        print(f"  {set_name}", flush=True)
    return records


def main(argv=None):
    """Run the study given by the command line, and write its tables and plots."""
    options = parser().parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    cache = Cache(options.output / "defaults.jsonl")
    if not options.report:
        sets = load_sets(options.data, options.openml)
        if options.sets:
            sets = {name: sets[name] for name in options.sets}
        run(sets, options.configurations, options, cache)
    order = [*BASELINES, *OURS]
    records = [r for r in cache.results.values() if r["configuration"] in order]
    records.sort(key=lambda record: order.index(record["configuration"]))
    print(f"Written: {_defaults_report.write(options.output, records)}")


def parser():
    """Return the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.defaults", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", type=Path, help="folder with .npz files")
    parser.add_argument("--openml", type=int, nargs="*", default=[])
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results"
    )
    parser.add_argument("--sizes", type=int, nargs="*", default=[150, 1000, 6000])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", help="run only on these data sets")
    parser.add_argument(
        "--configurations",
        nargs="*",
        default=[*BASELINES, DEFAULT, ENSEMBLE],
        choices=[*BASELINES, *OURS],
        metavar="NAME",
        help=f"configurations, out of {', '.join([*BASELINES, *OURS])}",
    )
    parser.add_argument(
        "--all", action="store_const", const=[*BASELINES, *OURS], dest="configurations"
    )
    parser.add_argument(
        "--raw",
        action="store_const",
        const=RAW,
        default=SCALED,
        dest="columns",
        help="use unscaled features, without a StandardScaler",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write the tables and plots without fitting",
    )
    return parser


if __name__ == "__main__":
    main()
