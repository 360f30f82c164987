"""The defaults of RMSpropMLPRegressor, compared on data frames.

The tables are CSV files in a folder, or OpenML data sets::

    python -m benchmarks.regression --data FOLDER
    python -m benchmarks.regression --openml 44956 531

In a file ``NAME.csv`` or ``NAME.csv.gz`` the last column is the target, and columns of
text are categories. ``NAME.json`` beside it may say so: ``{"target": "price",
"categories": ["color"]}``. Every regressor gets the same rows: 70 % of a table, at most
6,000, with several seeds. MLPRegressor needs an imputer, an encoder and scalers.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import fetch_openml
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks._report import Table, markdown, number
from sk_rmsprop import RMSpropMLPRegressor

MAX_SAMPLES = 6000


def mlp_regressor(seed):
    """Return MLPRegressor behind the usual preprocessing."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_exclude="number")),
    )
    model = make_pipeline(columns, MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


MODELS = {
    "RMSpropMLPRegressor": lambda seed: RMSpropMLPRegressor(random_state=seed),
    "MLPRegressor": mlp_regressor,
    "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(
        categorical_features="from_dtype", random_state=seed
    ),
}


def load_tables(folder, openml):
    """Return a dict from names to functions that return a frame and its target."""
    paths = sorted(Path(folder).glob("*.csv*")) if folder else []
    tables = {
        path.name.partition(".")[0]: lambda path=path: _read(path) for path in paths
    }
    for data_id in openml:
        tables[f"openml_{data_id}"] = lambda data_id=data_id: fetch_openml(
            data_id=data_id, return_X_y=True, as_frame=True
        )
    return tables


def _name(path):
    return path.name.partition(".")[0]


def _read(path):
    about = path.with_name(f"{_name(path)}.json")
    info = json.loads(about.read_text("utf-8")) if about.exists() else {}
    categories = info.get("categories", [])
    text = dict.fromkeys(categories, str)  # Levels stay strings, "1" too.
    X = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    y = X.pop(info.get("target", X.columns[-1]))
    others = X.select_dtypes(exclude="number").columns
    return X.astype(dict.fromkeys(others, "category")), y


def measure(model, X, y, X_test, y_test):
    """Fit a model; return its error in deviations of the test targets, and seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        error = root_mean_squared_error(y_test, model.predict(X_test))
    return error / np.std(y_test), seconds


def run(tables, n_seeds):
    """Return the mean error and time by table and model."""
    results = {}
    for name, load in tables.items():
        X, y = load()
        y = y.to_numpy(np.float64)
        scores = {model: [] for model in MODELS}
        for seed in range(n_seeds):
            X_train, X_test, y_train, y_test = train_test_split(
                X, y, test_size=0.3, random_state=seed
            )
            split = X_train[:MAX_SAMPLES], y_train[:MAX_SAMPLES], X_test, y_test
            for model, make in MODELS.items():
                scores[model].append(measure(make(seed), *split))
        results[name] = {
            model: tuple(map(mean, zip(*values, strict=True)))
            for model, values in scores.items()
        }
        print(f"  {name}", flush=True)
    return results


def table_of(results, n_seeds):
    """Return the results as a table."""
    rows = [
        [name]
        + [f"{of_set[model][0]:.4f}" for model in MODELS]
        + [number(of_set[model][1]) for model in MODELS]
        for name, of_set in results.items()
    ]
    header = ["table", *MODELS, *(f"{model}, seconds" for model in MODELS)]
    note = (
        "Root mean squared errors divided by the standard deviation of the test "
        f"targets; at most {MAX_SAMPLES:,} training samples, {n_seeds} seeds."
    )
    return Table("Regression", header, rows, note=note)


def main(argv=None):
    """Run the comparison given by the command line, and write its table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regression", description=__doc__.splitlines()[0]
    )
    results = Path(__file__).parent / "results"
    parser.add_argument("--data", type=Path, help="folder with CSV files")
    parser.add_argument("--openml", type=int, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=results)
    options = parser.parse_args(argv)
    tables = load_tables(options.data, options.openml)
    table = table_of(run(tables, options.seeds), options.seeds)
    options.output.mkdir(parents=True, exist_ok=True)
    page = options.output / "regression.md"
    page.write_text("\n".join(markdown(table)).rstrip() + "\n", encoding="utf-8")
    print(f"Written: {page}")


if __name__ == "__main__":
    main()
