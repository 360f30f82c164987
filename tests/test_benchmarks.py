"""The benchmarks run and report what they measured; tiny sizes, no timing asserted."""

import gzip
import importlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.naive_bayes import MultinomialNB

ROOT = Path(__file__).parents[1]

N_REPEATS = 1

# What cannot run on other systems.
SKIPPED = set() if sys.platform == "linux" else {"out_of_core"}

WITHOUT_PLOT = {"as_called", "import_time", "out_of_core", "text", "threads"}


@pytest.fixture(scope="module")
def module():
    """Return the function that imports a module of the benchmarks by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield lambda name: importlib.import_module(f"benchmarks.{name}")


def write_idx(path, array):
    """Write an array of bytes in the format of the MNIST database."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(header + array.tobytes())


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory):
    """A folder with images like those of Fashion-MNIST, half of them compressed."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for stem, n_images, suffix in [("train", 30, ".gz"), ("t10k", 20, "")]:
        images = rng.integers(256, size=(n_images, 4, 3), dtype=np.uint8)
        write_idx(folder / f"{stem}-images-idx3-ubyte{suffix}", images)
        labels = (np.arange(n_images) % 10).astype(np.uint8)
        write_idx(folder / f"{stem}-labels-idx1-ubyte{suffix}", labels)
    return folder


@pytest.fixture
def settings(module, image_folder):
    return module("_settings").Settings(
        quick=True,
        n_repeats=N_REPEATS,
        peers=("scikit-learn",),
        data_folder=image_folder,
        file_gib=0.001,
    )


@pytest.fixture
def in_this_process(module, monkeypatch):
    """Run in this process what the parts otherwise run in many, which takes long."""

    def call(function, *args):
        return function(*args)

    monkeypatch.setattr(
        module("_processes").Workers, "call", lambda self, name, *args: call(*args)
    )
    for name in ("memory", "out_of_core"):
        monkeypatch.setattr(module(name), "call_in_new_process", call)
    monkeypatch.setattr(module("out_of_core"), "_limit_memory", lambda more: 10**9)
    monkeypatch.setattr(module("grid_search"), "N_JOBS", (1,))
    shapes = module("steps").SHAPES
    threads = module("threads")
    monkeypatch.setattr(threads, "TASKS", threads.TASKS[:2])
    monkeypatch.setattr(module("steps"), "SHAPES", {"iris-like": shapes["iris-like"]})
    monkeypatch.setattr(module("_text_data"), "N_WORDS", 2000)
    monkeypatch.setattr(module("import_time"), "OURS", "csv")
    monkeypatch.setattr(module("import_time"), "SKLEARN", "json")


@pytest.mark.usefixtures("in_this_process")
def test_every_part_is_measured_and_reported(module, settings, tmp_path):
    parts = module("_parts").PARTS
    run = module("_run")
    assert run.measure(parts, settings, tmp_path) == []
    page = run.report(tmp_path).read_text(encoding="utf-8")
    for name, part in parts.items():
        result = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert result["quick"]
        assert result["n_repeats"] == N_REPEATS
        assert ("skipped" in result) == (name in SKIPPED)
        assert page.count(f"## {part.title}\n") == 1
        plot = tmp_path / f"{name}.png"
        assert plot.exists() == (name not in WITHOUT_PLOT)
        assert (f"]({name}.png)" in page) == plot.exists()
        if plot.exists():
            assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("in_this_process")
def test_a_failing_part_is_named_and_the_others_still_run(
    module, settings, tmp_path, monkeypatch
):
    def fail(settings):
        raise RuntimeError

    monkeypatch.setattr(module("predict"), "measure", fail)
    failed = module("_run").measure(["predict", "import_time"], settings, tmp_path)
    assert failed == ["predict"]
    assert [path.name for path in tmp_path.iterdir()] == ["import_time.json"]


@pytest.fixture(scope="module")
def forced_kernels(tmp_path_factory):
    """The result of the command where the environment forces slow kernels."""
    folder = tmp_path_factory.mktemp("results")
    forced = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "2"}
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only=steps"]
        + ["--peers=scikit-learn", "--repeats=1", "--threads=1", f"--output={folder}"],
        cwd=ROOT,
        env={**os.environ, **forced},
        check=True,
        capture_output=True,
    )
    return json.loads((folder / "steps.json").read_text(encoding="utf-8"))


def test_command_unsets_forced_kernels_and_sets_threads(
    module, forced_kernels, monkeypatch
):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    for name in module("__main__").THREAD_COUNTS:
        monkeypatch.setenv(name, "1")
    expected = module("_environment").describe()
    assert forced_kernels["environment"]["BLAS"] == expected["BLAS"]


def test_every_shape_is_timed_with_every_library(module, forced_kernels):
    records = forced_kernels["data"]["records"]
    timed = [(r["shape"].split(";")[0], r["dtype"], r["library"]) for r in records]
    assert timed == [
        (shape, dtype, library)
        for shape in module("steps").SHAPES
        for dtype in ("float32", "float64")
        for library in ("sk_rmsprop", "scikit-learn", "matrix products alone")
    ]
    for record in records:
        assert len(record["seconds"]) == 1
        total = record["n_steps"] * record["us_per_step"]
        assert total == pytest.approx(1e6 * record["seconds"][0])
        assert record["library"] != "sk_rmsprop" or record["ratio"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "steps,naps"], "'naps' is not one of steps, "),
        (["--peers", "abacus"], "'abacus' is not one of scikit-learn, "),
        (["--repeats", "0"], "0 is not positive"),
    ],
)
def test_command_refuses_what_it_does_not_know(module, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        module("__main__").main(arguments)
    assert message in capsys.readouterr().err


def test_data_larger_than_memory_has_to_be_asked_for(module):
    options = module("__main__").parser().parse_args([])
    assert "steps" in options.only
    assert "out_of_core" not in options.only


@pytest.mark.parametrize("library", ["sk_rmsprop", "scikit-learn"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:.*converged")
def test_estimators_train_as_the_task_says(module, library, dtype, monkeypatch):
    # So large that the cost rises, which would end a run that could stop early.
    monkeypatch.setattr(module("_peers"), "LEARNING_RATE", 0.5)
    # More rows than our classifier trains on in float64 unless told to.
    task = module("_tasks").Task(1050, (4, 6, 5, 3), 500, n_epochs=60, dtype=dtype)
    fitted = module("_peers").BUILDERS[library](task)()
    assert fitted.n_iter_ == task.n_epochs
    assert fitted.t_ == task.n_epochs * task.n_samples
    assert [coef.shape for coef in fitted.coefs_] == [(4, 6), (6, 5), (5, 3)]
    assert {coef.dtype for coef in fitted.coefs_} == {np.dtype(dtype)}


@pytest.mark.parametrize("library", ["torch", "skorch", "keras-jax"])
def test_other_libraries_train_where_installed(module, library, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for package in module("_settings").PEERS[library]:
        pytest.importorskip(package)
    task = module("_tasks").Task(50, (4, 6, 3), 20, n_epochs=2)
    assert module("_peers").train_seconds(library, task) > 0


@pytest.mark.parametrize(
    ("library", "dtype"),
    [("sk_rmsprop", "float32"), ("scikit-learn", "float64")],
)
@pytest.mark.filterwarnings("ignore:.*converged")
def test_estimators_decide_the_dtype_as_called(module, library, dtype, monkeypatch):
    sizes = (4, 6, 3)
    shapes = {"small": module("_tasks").Task(150, sizes, 32, n_epochs=40)}
    monkeypatch.setattr(module("steps"), "SHAPES", shapes)
    task = module("as_called").tasks()["small"]
    assert (task.n_samples, task.n_epochs) == (2000, 3)
    assert module("_tasks").make_data(task)[0].dtype == np.float64
    fitted = module("_peers").BUILDERS[library](task)()
    assert {coef.dtype for coef in fitted.coefs_} == {np.dtype(dtype)}


@pytest.mark.parametrize("library", ["torch", "skorch", "keras-jax"])
def test_other_libraries_train_in_float32_as_called(module, library, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for package in module("_settings").PEERS[library]:
        pytest.importorskip(package)
    task = module("_tasks").Task(50, (4, 6, 3), 20, n_epochs=1, dtype=None)
    trained = module("_peers").BUILDERS[library](task)()
    network = {"skorch": "module_", "keras-jax": "model"}.get(library)
    network = getattr(trained, network) if network else trained
    weights = network.weights if library == "keras-jax" else network.parameters()
    assert {str(w.dtype).removeprefix("torch.") for w in weights} == {"float32"}


def test_task_counts_its_steps(module):
    task = module("_tasks").Task(50, (4, 6, 3), 20, n_epochs=3)
    assert task.batch_sizes == [20, 20, 10]
    assert task.n_steps == 9
    assert task._replace(n_samples=40).batch_sizes == [20, 20]


def test_floor_makes_the_products_of_a_step(module):
    task = module("_tasks").Task(9, (4, 6, 5, 3), 9, n_epochs=1)
    products = module("_peers")._products(task, 9)
    shapes = [(a.shape, b.shape) for a, b, _ in products]
    forward = [((9, 4), (4, 6)), ((9, 6), (6, 5)), ((9, 5), (5, 3))]
    weight_gradients = [((4, 9), (9, 6)), ((6, 9), (9, 5)), ((5, 9), (9, 3))]
    deltas = [((9, 5), (5, 6)), ((9, 3), (3, 5))]
    assert shapes[:3] == forward
    assert sorted(shapes[3:]) == sorted(weight_gradients + deltas)
    for a, b, out in products:
        a.dot(b, out)  # Raises where `out` does not suit.


def test_comparison_takes_medians_within_rounds(module):
    measured = {"sk_rmsprop": [1.0, 2.0, 4.0], "other": [3.0, 2.0, 8.0]}
    ours, other = module("_timing").compare(measured)
    assert (ours["median_seconds"], ours["ratio"]) == (2.0, 1.0)
    # The ratios are 3, 1 and 2.
    assert (other["median_seconds"], other["ratio"]) == (3.0, 2.0)
    assert other["ratio_quartiles"] == [1.5, 2.5]
    assert other["ratio_of_medians"] == 1.5


def test_rounds_alternate_their_direction(module):
    calls = []
    runs = {name: lambda name=name: calls.append(name) or len(calls) for name in "abc"}
    measured = module("_timing").interleaved(runs, 3)
    assert "".join(calls) == "abc" + "abc" + "cba" + "abc"
    assert measured == {"a": [4, 9, 10], "b": [5, 8, 11], "c": [6, 7, 12]}


def test_exponent_is_that_of_the_larger_sizes(module):
    sizes = [1, 2, 4, 8]
    assert module("scaling").exponent(sizes, [7, 7, 48, 192]) == pytest.approx(2)


def test_images_are_read_alike_from_both_formats(
    module, settings, image_folder, tmp_path
):
    read = module("_fashion_mnist").fashion_mnist
    X_train, y_train, X_test, y_test = read(settings)
    assert (X_train.shape, X_test.shape) == ((30, 12), (20, 12))
    assert X_train.dtype == np.float32
    assert 0.9 < X_train.max() <= 1
    np.testing.assert_array_equal(y_test, np.arange(20) % 10)
    images = (255 * X_train).round().reshape(30, 4, 3).astype(np.uint8)
    np.savez(
        tmp_path / "fashion_mnist.npz",
        X_train=images,
        y_train=y_train,
        X_test=images[:1],
        y_test=y_train[:1],
    )
    settings = module("_settings").Settings(True, 1, (), data_folder=tmp_path)
    np.testing.assert_array_equal(read(settings)[0], X_train)
    np.testing.assert_array_equal(read(settings)[1], y_train)


@pytest.mark.parametrize("folder", [None, Path("nowhere")])
def test_accuracy_is_skipped_without_its_data(module, folder):
    settings = module("_settings").Settings(True, 1, (), data_folder=folder)
    with pytest.raises(module("_parts").Skipped, match=r"fashion_mnist\.npz|--data"):
        module("accuracy").measure(settings)


# Counts of two words in two texts to learn from and a third one. As TF-IDF, the second
# word, which half of the texts have, weighs 1 + log(3 / 2) times as much as the first.
COUNTS = {"train": [[2, 0], [1, 1]], "test": [[0, 3]]}
WEIGHT = 1 + np.log(1.5)
TFIDF = [[1, 0], np.array([1, WEIGHT]) / np.hypot(1, WEIGHT)], [[0, 1]]


def read_texts(module, **options):
    name, X_train, y_train, X_test, y_test = module("_text_data").texts(
        module("_settings").Settings(False, 1, (), **options)
    )
    assert {(X.format, X.dtype.name) for X in (X_train, X_test)} == {("csr", "float32")}
    return name, (X_train, X_test), (y_train, y_test)


def assert_known_texts(name, X, y):
    assert name == "20 newsgroups"
    for part, expected in zip(X, TFIDF, strict=True):
        np.testing.assert_allclose(part.toarray(), expected, rtol=1e-6)
    assert [part.tolist() for part in y] == [[0, 1], [1]]


def test_texts_are_read_from_a_folder(module, tmp_path):
    arrays = {"y_train": [0, 1], "y_test": [1]}
    for part, counts in COUNTS.items():
        X = csr_matrix(np.array(counts, np.uint8))
        for entry in ("data", "indices", "indptr", "shape"):
            arrays[f"X_{part}_{entry}"] = getattr(X, entry)
    np.savez(tmp_path / "newsgroups20.npz", **arrays)
    assert_known_texts(*read_texts(module, data_folder=tmp_path))


def test_texts_are_downloaded_on_request(module, image_folder, monkeypatch):
    def fetch(*, subset, remove, normalize, return_X_y):
        assert (remove[0], normalize, return_X_y) == ("headers", False, True)
        X = csr_matrix(np.array(COUNTS[subset], np.int16))
        return X, np.array([0, 1] if subset == "train" else [1])

    monkeypatch.setattr(module("_text_data"), "fetch_20newsgroups_vectorized", fetch)
    options = {"data_folder": image_folder, "openml": True}
    assert_known_texts(*read_texts(module, **options))


def test_synthetic_texts_are_like_texts(module, image_folder):
    name, X, y = read_texts(module, data_folder=image_folder)
    _, again, _ = read_texts(module)
    assert name == "synthetic texts"
    assert (X[0] != again[0]).nnz == 0
    # Few words are frequent and most are rare.
    frequencies = np.sort(X[0].getnnz(axis=0))[::-1]
    assert frequencies[10] > 20 * frequencies[1000] > 0
    assert np.median(frequencies) < 10
    # They can be told apart, but not all of them.
    assert 0.5 < MultinomialNB(alpha=0.1).fit(X[0], y[0]).score(X[1], y[1]) < 0.9


def test_classifiers_of_texts_are_timed_and_tested(module, monkeypatch):
    monkeypatch.setattr(module("_text_data"), "N_WORDS", 2000)
    text = module("text")
    monkeypatch.setattr(text, "QUICK_SIZES", ((50, 300), (50, 900)))
    data = text.measure(module("_settings").Settings(True, 3, ()))
    names = [record["library"] for record in data["classifiers"]]
    assert names == [str(classifier) for classifier in text.OUR_CLASSIFIERS]
    for record in data["classifiers"]:
        accuracies = [test["accuracy"] for test in record["tests"]]
        assert len(accuracies) == len(record["seconds"]) == 3
        assert len(set(accuracies)) > 1  # Every round has another seed.
    accuracy, size = text.tables(data)
    assert [float(row[1]) for row in accuracy.rows] == [
        pytest.approx(np.median([t["accuracy"] for t in r["tests"]]), abs=5e-4)
        for r in data["classifiers"]
    ]
    assert [row[0] for row in size.rows] == ["50 x 300", "50 x 900"]
    assert size.header[1:] == ["fit", "partial_fit"]
    assert accuracy.title.endswith("synthetic texts")
    assert "random words" in accuracy.note
    real = text.tables({**data, "name": "20 newsgroups"})[0]
    assert "random words" not in real.note


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.123, "0.12"), (9.87, "9.87"), (12.34, "12.3"), (4321.0, "4,321")],  # noqa: RUF001
)
def test_numbers_have_about_three_digits(module, value, text):
    assert module("_report").number(value) == text


def test_peak_memory_is_that_of_the_process_alone():
    code = (
        "from benchmarks._processes import peak_memory\n"
        "before = peak_memory()\n"
        "used = bytearray(b'1') * 50_000_000\n"
        "print(before, peak_memory() - before)"
    )
    used_here = np.ones(12_500_000)  # 100 MB, which the new process must not inherit
    command = [sys.executable, "-c", code]
    output = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    before, more = map(int, output.split())
    assert 1e6 < before < used_here.nbytes
    assert 49e6 < more < 60e6


# --- The study of the defaults --------------------------------------------------------


@pytest.fixture(scope="module")
def study(module, tmp_path_factory):
    """Run the study on two tiny sets, and return it as a function of its options."""
    folder = tmp_path_factory.mktemp("study")
    X = np.arange(180.0).reshape(90, 2)
    np.savez(folder / "own.npz", X=X, y=X[:, 0] > 90)
    np.savez(folder / "sparse.npz", X_data=X, y=X[:, 0])
    np.savez(
        folder / "parted.npz",
        X_train=X.reshape(90, 2, 1),
        y_train=np.arange(90) % 2,
        X_test=X,
        y_test=np.arange(90) % 2,
    )

    def run(*options):
        output = folder / "results"
        module("defaults").main(
            [f"--data={folder}", f"--output={output}", "--seeds=1", "--sizes", "40"]
            + ["--sets", "iris", "own", "parted", *options]
        )
        lines = (output / "defaults.jsonl").read_text(encoding="utf-8").splitlines()
        page = (output / "defaults.md").read_text(encoding="utf-8")
        return [json.loads(line) for line in lines], page

    return run


def test_study_reports_what_it_measured(study):
    records, page = study()
    assert len(records) == 3 * 7
    default = [r for r in records if r["configuration"] == "default"]
    accuracy = np.mean([record["accuracy"] for record in default])
    assert f"| default | {accuracy:.4f} |" in page
    # Ranks of seven classifiers: 28 in all.
    rows = [line.split(" | ") for line in page.splitlines() if line.count("|") == 7]
    ranks = [float(row[4]) for row in rows[2:9]]
    assert sum(ranks) == pytest.approx(28, abs=0.03)
    assert "The default compared with MLPClassifier, at most 40 training" in page
    assert "The ensemble compared with HistGradientBoosting" in page


def test_study_resumes_where_it_stopped(study):
    before, _ = study()
    again, _ = study()
    assert again == before
    more, page = study("--configurations", "default", "alpha 0", "beta 0.99")
    assert more[: len(before)] == before
    assert len(more) == len(before) + 3 * 2
    assert "| alpha 0 |" in page
    raw, page = study("--raw", "--configurations", "default")
    assert len(raw) == len(more) + 3
    assert "Without a scaler" in page


@pytest.mark.parametrize("raw", [False, True])
def test_study_fits_every_configuration(module, raw):
    defaults = module("defaults")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 3)), np.arange(80) % 2
    for name in [*defaults.BASELINES, *defaults.OURS]:
        model = defaults.make_model(name, 0, "raw" if raw else "scaled")
        model.set_params(
            **{key: 2 for key in model.get_params() if key.endswith("max_iter")}
        )
        result = defaults.measure(model, X, y, X, y)
        assert 0 <= result["accuracy"] <= 1
        assert result["log_loss"] > 0


# --- Regression -----------------------------------------------------------------------


def test_regression_compares_what_it_measured(module, tmp_path):
    rng = np.random.default_rng(0)
    size = rng.random(120)
    kind = np.where(rng.random(120) < 0.5, "a", "b")
    frame = pd.DataFrame({"size": size, "kind": kind, "code": [1, 2] * 60})
    frame["price"] = 5 * size + (kind == "a")
    frame.loc[3, "size"] = np.nan
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame[["price", "code", "size", "kind"]].to_csv(
        tmp_path / "named.csv.gz", index=False
    )
    about = {"target": "price", "categories": ["kind", "code"]}
    (tmp_path / "named.json").write_text(json.dumps(about), "utf-8")
    module("regression").main(
        [f"--data={tmp_path}", f"--output={tmp_path / 'results'}", "--seeds=1"]
    )
    page = (tmp_path / "results" / "regression.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[2:]] == ["| named", "| plain"]
    # The target is a function of the columns: far better than their mean, 1.
    assert all(float(row[1]) < 0.3 for row in rows[2:])
