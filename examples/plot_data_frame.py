"""
===============================================
A data frame with missing values and categories
===============================================

Most tables are not matrices of numbers: they have categorical columns, numbers on
different scales, and missing values. The classifier is fitted to such a data frame as
it is. This example compares it with the preprocessing that neural networks usually
require, and with gradient boosting.
"""

# %%
# Apartments to let
# -----------------
# The table lists apartments; the question is which of them are rented within a week.
# What matters is how the rent per square meter compares with what is usual in the
# district, so numbers have to be combined with a category. The deposit is missing where
# none is required, which tenants like. The year of construction is often unknown, above
# all for old buildings. Since the data are simulated, the true probabilities are known.

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sk_rmsprop import RMSpropMLPClassifier

# Usual rent per square meter, and share of the apartments.
DISTRICTS = {
    "Harbor": (26, 0.08),
    "Old Town": (23, 0.18),
    "Park": (20, 0.14),
    "University": (18, 0.2),
    "Station": (15, 0.22),
    "Airport": (12, 0.18),
}
HEATING = ["district", "electric", "gas", "oil"]


def probability_of(frame):
    """Return the true probabilities of being rented within a week."""
    usual = frame["district"].map({name: rent for name, (rent, _) in DISTRICTS.items()})
    logit = -8 * np.log(frame["rent"] / frame["size"] / usual)
    logit += frame["deposit"].isna() - 0.7 * (frame["heating"] == "oil")
    logit += 1.2 * (frame["pets"] & (frame["rooms"] >= 3))
    logit += 0.8 * (frame["built"].fillna(1930) > 2000)
    return 1 / (1 + np.exp(0.5 - logit))


def draw(n_samples, rng):
    """Return apartments, and whether they are rented within a week."""
    rents, shares = np.array(list(DISTRICTS.values())).T
    district = rng.choice(len(DISTRICTS), n_samples, p=shares)
    size = np.round(rng.lognormal(4.1, 0.4, n_samples), 1)
    rent = size * rents[district] * rng.lognormal(0, 0.2, n_samples)
    built = rng.integers(1890, 2026, n_samples).astype(float)
    built[rng.random(n_samples) < np.where(built < 1950, 0.6, 0.1)] = np.nan
    heating = rng.choice(np.array(HEATING, object), n_samples, p=[0.3, 0.1, 0.45, 0.15])
    heating[rng.random(n_samples) < 0.1] = None
    frame = pd.DataFrame(
        {
            "district": np.array(list(DISTRICTS))[district],
            "size": size,
            "rooms": np.clip(np.round(size / 28), 1, 6).astype(int),
            "rent": rent.round(),
            "deposit": np.where(rng.random(n_samples) < 0.3, np.nan, 3 * rent.round()),
            "built": built,
            "heating": heating,
            "pets": rng.random(n_samples) < 0.4,
        }
    )
    return frame, rng.random(n_samples) < probability_of(frame)


frame, y = draw(12_000, np.random.default_rng(0))
print(frame.head(), "\n")
frame_train, frame_test, y_train, y_test = train_test_split(
    frame, y, train_size=4000, stratify=y, random_state=0
)

# %%
# The network
# -----------
# Fitting it takes one line. (The others measure the time.)

network = RMSpropMLPClassifier(random_state=0)
start = time.perf_counter()
with threadpool_limits(1):
    network.fit(frame_train, y_train)
seconds = {"data frame as it is": time.perf_counter() - start}

# %%
# Numbers are standardized, missing ones are replaced by the mean and marked, and each
# category becomes an input of the network:

print(*network.encoding_.get_feature_names_out(), sep=", ")

# %%
# The alternatives
# ----------------
# The usual preprocessing imputes and scales the numbers, encodes the categories, and is
# told which columns are which. ``HistGradientBoostingClassifier`` handles missing
# values itself, and categories in columns with a categorical dtype. Each model is
# fitted in a single thread.

is_categorical = make_column_selector(dtype_exclude=["number", "bool"])
preprocessing = make_column_transformer(
    (
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
        make_column_selector(dtype_include=["number", "bool"]),
    ),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), is_categorical),
)
as_categories = dict.fromkeys(is_categorical(frame), "category")
alternatives = {
    "behind a ColumnTransformer": (
        make_pipeline(preprocessing, RMSpropMLPClassifier(random_state=0)),
        frame_train,
        frame_test,
    ),
    "HistGradientBoosting": (
        HistGradientBoostingClassifier(
            categorical_features="from_dtype", random_state=0
        ),
        frame_train.astype(as_categories),
        frame_test.astype(as_categories),
    ),
}
probability = {"data frame as it is": network.predict_proba(frame_test)[:, 1]}
for name, (model, train, test) in alternatives.items():
    start = time.perf_counter()
    with threadpool_limits(1):
        model.fit(train, y_train)
    seconds[name] = time.perf_counter() - start
    probability[name] = model.predict_proba(test)[:, 1]
probability["best possible"] = probability_of(frame_test)

losses = {}
print("                             accuracy   log-loss   seconds")
for name, p in probability.items():
    accuracy, losses[name] = np.mean((p > 0.5) == y_test), log_loss(y_test, p)
    time_of_fit = f"{seconds[name]:9.2f}" if name in seconds else ""
    print(f"  {name:26} {accuracy:8.3f} {losses[name]:10.3f} {time_of_fit}")

# %%
# What the network has learned
# ----------------------------
# The network without any preprocessing is as good as with it. (It is ahead of boosting
# because the true probabilities change smoothly, which is not so in every table.)
#
# Left: by how much the log-loss of each model exceeds that of the true probabilities.
# Middle: predictions for an apartment whose rent varies, in three districts. The
# network has learned from the data what rent is usual in a district: its curves (solid)
# follow the true probabilities (dashed). Right: how much each input changes the hidden
# units, from ``coefs_`` and the standard deviations of the inputs; the weights of the
# first layer refer to the encoded inputs.

BLUE, VERMILION, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#999999"

fig, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")

names = list(seconds)
excess = [losses[name] - losses["best possible"] for name in names]
axes[0].barh(names, excess, color=[BLUE, GRAY, GRAY])
for i, name in enumerate(names):
    text = f" {excess[i]:.3f},\n fitted in {seconds[name]:.1f} s"
    axes[0].text(excess[i], i, text, va="center")
axes[0].set(title="log-loss above the best possible", xlim=(0, 1.5 * max(excess)))
axes[0].set_yticks(range(3), ["data frame\nas it is", "ColumnTransformer", "boosting"])
axes[0].invert_yaxis()

rent = np.linspace(500, 2200, 200)
apartment = pd.DataFrame({"size": 60.0, "rooms": 2, "rent": rent, "deposit": 3 * rent})
apartment = apartment.assign(built=1970.0, heating="gas", pets=False)
for district, color in zip(
    ("Airport", "University", "Harbor"), (GREEN, BLUE, VERMILION), strict=True
):
    sample = apartment.assign(district=district)[frame.columns]
    axes[1].plot(rent, network.predict_proba(sample)[:, 1], color, label=district)
    axes[1].plot(rent, probability_of(sample), color, linestyle="--", linewidth=1)
axes[1].set(title="rented within a week", xlabel="rent of 60 m²", ylabel="probability")
axes[1].legend(frameon=False)

inputs = network.encoding_.transform(frame_train)
importance = np.linalg.norm(network.coefs_[0], axis=1) * inputs.std(axis=0)
order = np.argsort(importance)[-12:]
axes[2].barh(
    network.encoding_.get_feature_names_out()[order], importance[order], color=BLUE
)
axes[2].set(title="the twelve most important inputs", xticks=[])
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
