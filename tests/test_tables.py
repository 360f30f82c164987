"""Data frames of all libraries, and arrays of objects: read by what is in them.

How their columns are encoded is in test_encoding, that frames which are refused change
nothing in test_failures, and that training on them can be cut up in cases.
"""

import datetime
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score

from sk_rmsprop import RMSpropMLPClassifier
from tests import helpers
from tests.cases import (
    CASES,
    FRAME,
    by_joblib,
    by_pickle,
    by_skops,
    everything,
    trained,
    y,
)
from tests.helpers import assert_same_model, ensemble

small = partial(helpers.small, numerical_encoding="auto")

# --- One table in many forms ----------------------------------------------------------

rng = np.random.default_rng(0)
N = 60
Y = np.arange(N) % 3
PRICE = np.where(rng.random(N) < 0.1, np.nan, np.round(rng.normal(50, 9, N), 2))
COUNT = rng.integers(0, 200, N)
FLAG = np.array([True, False, None], object)[rng.integers(0, 3, N)]
# More of "red" than of "blue" and of "green": the order of the levels does not matter.
COLORS = np.repeat(np.array(["red", "blue", "green", None], object), [25, 18, 12, 5])
COLORS = rng.permutation(COLORS)
COLUMNS = {"price": PRICE, "count": COUNT, "flag": FLAG, "color": COLORS}
LEVELS = ["green", "red", "blue"]


def pandas(**columns):
    return pd.DataFrame(COLUMNS | columns)


def polars(**dtypes):
    columns = {name: values.tolist() for name, values in COLUMNS.items()}
    columns["price"] = [None if np.isnan(price) else price for price in PRICE]
    return pl.DataFrame(columns).cast(dtypes)


def with_missing(value):
    return np.where(COLORS == None, value, COLORS)  # noqa: E711


FORMS = {
    "NaN in objects": lambda: pandas(color=with_missing(np.nan)),
    "NA in objects": lambda: pandas(color=with_missing(pd.NA)),
    "string": lambda: pandas().astype({"color": "string"}),
    "category": lambda: pandas().astype({"color": "category"}),
    "ordered category": lambda: pandas(
        color=pd.Categorical(COLORS, [*LEVELS, "unused"], ordered=True)
    ),
    "nullable": lambda: pandas().convert_dtypes(dtype_backend="numpy_nullable"),
    "nullable floats": lambda: pandas(
        price=pd.array(PRICE, "Float64"), flag=pd.array(FLAG, "Float64")
    ),
    "sparse columns": lambda: pandas(
        price=pd.arrays.SparseArray(PRICE), count=pd.arrays.SparseArray(COUNT)
    ),
    "narrow numbers": lambda: pandas(count=COUNT.astype(np.uint8)),
    "row labels": lambda: pandas().set_axis(rng.permutation(N)),
    "pyarrow": lambda: (
        pytest.importorskip("pyarrow")
        and pandas().convert_dtypes(dtype_backend="pyarrow")
    ),
    "polars": polars,
    "polars Categorical": lambda: polars(color=pl.Categorical),
    "polars Enum": lambda: polars(color=pl.Enum(LEVELS)),
    "polars Decimal": lambda: polars(price=pl.Decimal(9, 2), count=pl.UInt8),
    "polars Object": lambda: pl.DataFrame(COLUMNS),
    "polars chunks": lambda: pl.concat([polars()[:7], polars()[7:]], rechunk=False),
}
OF_OBJECTS = {
    "array of objects": lambda: pandas().to_numpy(),
    "lists": lambda: pandas().to_numpy().tolist(),
    "frame of objects": lambda: pandas().astype(object),
}

every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def names_without_bins(clf):
    names = clf.encoding_.get_feature_names_out().tolist()
    return [name for name in names if "_bin" not in name]


@every_form
def test_the_form_of_a_table_does_not_matter(form):
    table = form()
    clf, reference = small().fit(table, Y), small().fit(pandas(), Y)
    assert_same_model(clf, reference)
    names = [*("price", "count", "flag"), "missingindicator_price"]
    names += ["missingindicator_flag", "color_red", "color_blue", "color_green"]
    assert names_without_bins(clf) == [*names, "color_missing"]
    inputs = reference.encoding_.transform(pandas())
    np.testing.assert_array_equal(clf.encoding_.transform(table), inputs)
    # Each model reads each other form, in predictions and in later training.
    expected = reference.predict_proba(pandas())
    for model, other in ((clf, pandas()), (reference, table), (clf, table)):
        np.testing.assert_array_equal(model.predict_proba(other), expected)
    np.testing.assert_array_equal(clf.predict_proba(table[:1]), expected[:1])
    assert_same_model(clf.partial_fit(table, Y), reference.partial_fit(pandas(), Y))


@every_form
@pytest.mark.usefixtures("folds_of_few")
def test_the_form_of_a_table_does_not_matter_to_an_ensemble(form):
    table, bases = form(), [small(max_iter=3, early_stopping=s) for s in (True, False)]
    clf, reference = ensemble(*bases).fit(table, Y), ensemble(*bases).fit(pandas(), Y)
    assert_same_model(clf, reference)
    expected = reference.predict_proba(pandas())
    for model, other in ((clf, pandas()), (reference, table), (clf, table)):
        np.testing.assert_array_equal(model.predict_proba(other), expected)


@pytest.mark.parametrize("form", OF_OBJECTS.values(), ids=OF_OBJECTS)
def test_arrays_of_objects(form):
    table, reference = form(), small().fit(pandas(), Y)
    clf = small(categorical_features=[3]).fit(table, Y)
    assert_same_model(clf, reference)
    expected = reference.predict_proba(pandas())
    np.testing.assert_array_equal(clf.predict_proba(table), expected)
    if not isinstance(table, pd.DataFrame):
        with pytest.raises(
            ValueError, match=r"'(red|blue|green)' in column 3.*categor"
        ):
            small().fit(table, Y)


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (pd.Categorical([3, 1, 3, 2] * 15), ["3", "1", "2"]),
        (pd.Categorical([True, False, True, None] * 15), ["True", "False", "missing"]),
        (pd.cut([1, 5, 2, 9] * 15, [0, 3, 10]), ["(0, 3]", "(3, 10]"]),
        (pd.Categorical([2.5, 1.0, 2.5, 1.5] * 15), ["2.5", "1.0", "1.5"]),
        (pd.Categorical([None] * 60), ["missing"]),
    ],
    ids=["ints", "booleans", "intervals", "floats", "nothing"],
)
def test_categories_of_other_types(levels, names):
    frame = pd.DataFrame({"x": np.arange(60), "kind": levels})
    clf = small().fit(frame, Y)
    assert names_without_bins(clf) == ["x", *(f"kind_{name}" for name in names)]
    if "missing" not in names:  # The same values without the dtype
        plain = frame.assign(kind=frame["kind"].astype(object))
        expected = clf.predict_proba(frame)
        np.testing.assert_array_equal(clf.predict_proba(plain), expected)


def test_columns_that_are_missing_throughout():
    clf = small().fit(polars().with_columns(price=None), Y)
    names = clf.encoding_.get_feature_names_out()
    assert {"price", "missingindicator_price"} < set(names)
    # Nothing has been learned of its numbers.
    gone, large = (polars().with_columns(price=pl.lit(p)) for p in (0.0, 1e9))
    np.testing.assert_array_equal(clf.predict_proba(large), clf.predict_proba(gone))
    # Objects may be strings, which are unknown categories then.
    clf = small().fit(pandas(price=None), Y)
    names = clf.encoding_.get_feature_names_out().tolist()
    known = clf.encoding_.transform(pandas(price=None))[:, names.index("price_missing")]
    other = clf.encoding_.transform(pandas(price="dear"))
    assert known.all()
    assert not other[:, names.index("price_missing")].any()


def test_missing_values_in_lists():
    X = [[1.0, None], [np.nan, 2.0], [pd.NA, 3.0]] * 20
    clean = np.array([[1.0, np.nan], [np.nan, 2.0], [np.nan, 3.0]] * 20)
    masked = np.ma.MaskedArray(np.nan_to_num(clean, nan=7.0), np.isnan(clean))
    for other in (X, masked):
        assert_same_model(small().fit(other, Y), small().fit(clean, Y))


# --- Which columns are categorical ----------------------------------------------------

NUMBERS = np.column_stack([COUNT % 3, COUNT % 5, PRICE])


@pytest.mark.parametrize(
    "named",
    [
        *([1, 0], (0, 1, 1), np.array([0, 1]), range(2)),
        *([True, True, False], pd.Series([True, True, False])),
        *(["a", "b"], np.array(["b", "a"], object), pd.Index(["a", "b"])),
    ],
    ids=repr,
)
def test_ways_to_name_columns(named):
    frame = pd.DataFrame(NUMBERS, columns=list("abc"))
    clf = small(categorical_features=named).fit(frame, Y)
    names = names_without_bins(clf)
    assert names[:2] == ["c", "missingindicator_c"]
    assert {name[:2] for name in names[2:]} == {"a_", "b_"}
    assert len(names) == 2 + 3 + 5
    if not isinstance(np.asarray(named)[0], str):
        other = small(categorical_features=named).fit(NUMBERS, Y)
        assert_same_model(clf, other)
        assert other.encoding_.get_feature_names_out()[0] == "x2"


@pytest.mark.parametrize("named", [None, [], [False] * 3])
def test_no_column_is_categorical(named):
    clf = small(categorical_features=named).fit(NUMBERS, Y)
    assert_same_model(clf, small().fit(NUMBERS, Y))
    with pytest.raises(ValueError, match=r"convert string to float.*'color'"):
        small(categorical_features=[False] * 4 if named else named).fit(pandas(), Y)


@pytest.mark.parametrize(
    ("named", "match"),
    [
        ([3], "indices that are not from 0 to 2"),
        ([-1], "indices that are not from 0 to 2"),
        ([True, False], "mask of 2 columns, but X has 3"),
        (["a", "z"], r"names \['z'\], but X has \['a', 'b', 'c'\]"),
        ([["a"]], "1-D array"),
        ([0.5], "1-D array"),
        ({0}, "1-D array"),
    ],
    ids=repr,
)
def test_columns_that_are_not_there(named, match):
    frame = pd.DataFrame(NUMBERS, columns=list("abc"))
    clf = small(categorical_features=named)
    before = everything(clf)
    for call in (clf.fit, partial(clf.partial_fit, classes=[0, 1, 2])):
        with pytest.raises(ValueError, match=f"categorical_features.*{match}"):
            call(frame, Y)
        assert everything(clf) == before
    with pytest.raises(ValueError, match="X has no column names"):
        small(categorical_features=["a"]).fit(NUMBERS, Y)


def test_categories_need_dense_input():
    X = CASES["csr"].X
    with pytest.raises(ValueError, match="categorical_features need dense"):
        small(categorical_features=[0]).fit(X, y)
    clf = small(categorical_features=[0]).fit(np.rint(X.toarray()), y)
    with pytest.raises(ValueError, match="categorical_features need dense"):
        clf.predict(X)


# --- Other tables than in training ----------------------------------------------------


@pytest.fixture
def clf():
    return small().fit(pandas(), Y)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame[frame.columns[::-1]], "must be in the same order"),
        (lambda frame: frame.drop(columns="flag"), "yet now missing"),
        (lambda frame: frame.assign(more=1), "unseen at fit time"),
        (lambda frame: frame.to_numpy(float, na_value=0), "no columns of strings"),
        (lambda frame: frame.assign(count="many"), "float.*'many' in column 'count'"),
        (lambda frame: frame.assign(price=-np.inf), "X contains infinity"),
        (lambda frame: frame.assign(price=1 + 2j), "complex.*column 'price'"),
        (lambda frame: frame.assign(count=pd.Timestamp(0)), "dates.*column 'count'"),
        (lambda frame: frame[:0], "0 sample"),
    ],
)
def test_tables_that_do_not_fit_the_model(clf, change, match):
    frame = pandas(color=np.repeat([1, 2], 30)) if "strings" in match else pandas()
    for call in (clf.predict_proba, partial(clf.partial_fit, y=Y)):
        before = everything(clf)
        with pytest.raises((ValueError, TypeError), match=f"(?s){match}"):
            call(change(frame))
        assert everything(clf) == before


def test_transform_needs_the_columns_of_training(clf):
    for other in (pandas().iloc[:, ::-1], polars().drop("flag")):
        with pytest.raises(ValueError, match=r"X has the columns .*'color'"):
            clf.encoding_.transform(other)


@pytest.mark.parametrize(
    "unknown", ["pink", 7, 2.5, True, pd.Timestamp("2024-01-01").date(), ("red",)]
)
def test_unknown_categories_are_zeros(clf, unknown):
    frame = pandas(color=[unknown] * 59 + [COLORS[-1]])
    if isinstance(unknown, datetime.date):
        frame["color"] = frame["color"].astype(str)
    inputs, expected = clf.encoding_.transform(frame), clf.encoding_.transform(pandas())
    first = 5 + clf.encoding_.n_bins
    assert not inputs[:59, first:].any()
    expected[:59, first:] = 0
    np.testing.assert_array_equal(inputs, expected)
    assert np.isfinite(clf.predict_proba(frame)).all()
    assert np.isfinite(clf.partial_fit(frame, Y).predict_proba(frame)).all()


def test_columns_without_names_are_counted(clf):
    # As everywhere in scikit-learn
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        predicted = clf.predict_proba(pandas().to_numpy())
    np.testing.assert_array_equal(predicted, clf.predict_proba(pandas()))
    clf = small(categorical_features=[3]).fit(pandas().to_numpy(), Y)
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 4 features"):
        clf.predict(pandas().to_numpy()[:, 1:])


# --- Tables that are refused ----------------------------------------------------------

DAYS = pd.date_range("2024-01-01", periods=60)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"age": range(60), "day": DAYS}),
        pd.DataFrame({"day": DAYS.tz_localize("UTC")}),
        pd.DataFrame({"day": DAYS - DAYS[0]}),
        pd.DataFrame({"day": DAYS.to_period("D")}),
        pd.DataFrame({"day": DAYS.date}),
        pd.DataFrame({"day": [None, *DAYS[1:].time]}),
        pl.DataFrame({"age": range(60), "day": DAYS.to_numpy()}),
        pl.DataFrame({"day": pl.Series(DAYS.to_numpy()).cast(pl.Date)}),
        pl.DataFrame({"day": DAYS.to_numpy() - DAYS.to_numpy()[0]}),
    ],
)
def test_dates_are_refused_by_the_name_of_their_column(table):
    with pytest.raises(ValueError, match=r"dates or durations.*column 'day'.*Convert"):
        small().fit(table, Y)


@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[s]"])
def test_arrays_of_dates_are_refused(kind):
    dates = np.arange(60)[:, np.newaxis].astype(kind)
    clf = small().fit(COUNT[:, np.newaxis], Y)
    for call in (clf.predict, partial(small().fit, y=Y)):
        for form in (dates, dates.astype(object)):
            with pytest.raises(ValueError, match="dates or durations"):
                call(form)


def test_frames_that_cannot_be_read_are_refused(clf):
    frame = pd.DataFrame(NUMBERS, columns=["a", "b", "b"])
    with pytest.raises(ValueError, match=r"(?s)same name: b|unique column names.*'b'"):
        small().fit(frame, Y)
    for call in (clf.predict, partial(small().fit, y=Y)):
        with pytest.raises(TypeError, match=r"pass X.collect\(\) instead"):
            call(polars().lazy())


# --- Many categories ------------------------------------------------------------------


def test_ten_thousand_categories():
    # The first is on half of the rows and decides.
    codes = np.r_[np.zeros(20_000, int), np.tile(np.arange(1, 10_000), 2)]
    frame = pd.DataFrame({"city": [f"city {code}" for code in codes]})
    clf = small(max_iter=2, batch_size=500).fit(frame, codes == 0)
    names = clf.encoding_.get_feature_names_out()
    assert names[[0, 255]].tolist() == ["city_city 0", "city_infrequent"]
    assert len(names) == 256
    assert clf.score(frame[::100], codes[::100] == 0) == 1.0


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_identifiers_are_told_about(method):
    frame = pandas(name=[f"user {i % 31}" for i in range(60)])
    clf = small()
    with pytest.warns(
        UserWarning, match="31 categories .*in column 'name'.*"
    ) as caught:
        getattr(clf, method)(frame, Y, **{} if method == "fit" else {"classes": Y})
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small().fit(frame[:20], Y[:20])  # Too few samples to say
        listed = pd.Categorical(["user 1", "user 2"] * 30, frame["name"].unique())
        small(max_iter="auto").partial_fit(pandas(name=listed), Y, classes=Y)
        small(warm_start=True).fit(pandas(name=frame["name"].str[:6]), Y)


# --- Around training ------------------------------------------------------------------


@pytest.mark.parametrize(
    "scoring", ["loss", "accuracy", "roc_auc_ovr", helpers.Scorer()]
)
@pytest.mark.parametrize("form", ["category", "polars Enum"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_validation_on_frames(scoring, form):
    table = FORMS[form]()
    held_out = {"X_val": table[40:], "y_val": Y[40:], "sample_weight_val": Y[40:] + 1}
    params = {"learning_rate_schedule": "constant", "max_iter": 9}
    clf = small(scoring=scoring, early_stopping=True, **params)
    clf.fit(table[:40], Y[:40], **held_out)
    reference = small(**params | {"max_iter": clf.best_epoch_}).fit(table[:40], Y[:40])
    assert_same_model(clf, reference)
    if scoring == "accuracy":
        weighted = accuracy_score(
            Y[40:], clf.predict(table[40:]), sample_weight=Y[40:] + 1
        )
        assert clf.best_validation_score_ == pytest.approx(weighted)
    # By a split of its own, too
    clf.fit(table, Y)
    assert clf.feature_names_in_.tolist() == list(COLUMNS)
    with pytest.raises(ValueError, match="feature names"):
        clf.fit(table, Y, X_val=table[["price"]], y_val=Y)


def test_validation_frame_may_have_gaps_and_unknown_categories():
    other = FRAME.assign(c=np.nan, count=pd.NA, sign="neither")
    clf = small().fit(FRAME, y, X_val=other, y_val=y)
    loss = -np.log(clf.predict_proba(other)[np.arange(65), y]).mean()
    assert clf.history_[-1]["validation_loss"] == pytest.approx(loss)


@pytest.mark.parametrize("copy", [by_pickle, by_joblib, by_skops])
def test_saved_models_read_the_same_tables(clf, copy, tmp_path):
    loaded = copy(clf, tmp_path)
    for form in ("category", "polars Categorical", "string"):
        table = FORMS[form]()
        expected = clf.predict_proba(table)
        np.testing.assert_array_equal(loaded.predict_proba(table), expected)
    assert trained(loaded.partial_fit(polars(), Y)) == trained(
        clf.partial_fit(polars(), Y)
    )


def test_the_whole_program():
    # A table as it comes; what decides are a category, a gap, and a number.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(10, 1, 600),
            "age": np.where(rng.random(600) < 0.3, np.nan, rng.normal(45, 15, 600)),
            "job": rng.choice(["none", "clerk", "cook"], 600),
        }
    )
    score = (
        (frame["income"] > np.exp(10)) + (frame["job"] == "cook") + frame["age"].isna()
    )
    labels = np.where(score > 1, "yes", "no")
    model = RMSpropMLPClassifier(random_state=0)
    assert cross_val_score(model, frame, labels, cv=3).mean() > 0.93


@pytest.mark.parametrize("first", [np.uint8, bool])
@pytest.mark.parametrize("as_frame", [pd.DataFrame, pl.DataFrame])
def test_frames_are_read_into_the_narrowest_array(as_frame, first):
    X = np.random.default_rng(0).integers(0, 9, (40_000, 100), dtype=np.uint8)
    frame = as_frame(
        {"a": X[:, 0].astype(first)} | {str(j): X[:, j] for j in range(99)}
    )
    tracemalloc.start()
    try:
        small(max_iter=1, batch_size=400).fit(frame, X[:, 0] > 4)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * X.nbytes
    finally:
        tracemalloc.stop()
