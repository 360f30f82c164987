"""
=======================================
Calibrated probabilities of an ensemble
=======================================

A network that is trained on a few hundred samples of overlapping classes is
overconfident: its probabilities are too close to 0 and 1. So is an ensemble, but
it can measure by how much, because each of its networks has left out some of the
samples. This example compares probabilities before and after this calibration with the
frequencies that are observed.
"""

# %%
# Data with known probabilities
# -----------------------------
# Some features have a smooth effect on the probability of the second class, others a
# sharp one. Five of the ten features have no effect. Since the data are simulated, the
# true probabilities are known.

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, log_loss

from sk_rmsprop import RMSpropMLPClassifier, RMSpropMLPEnsembleClassifier


def draw(n_samples, rng):
    """Return features, the classes and their true probabilities."""
    X = rng.normal(size=(n_samples, 10))
    smooth = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    sharp = 2 * (X[:, 3] > 0.5) - 2 * (X[:, 4] > 0.5)
    probability = expit(smooth + sharp)
    return X, (rng.random(n_samples) < probability).astype(int), probability


rng = np.random.default_rng(1)
X_train, y_train, _ = draw(800, rng)
X_test, y_test, best = draw(10_000, rng)

network = RMSpropMLPClassifier(random_state=0).fit(X_train, y_train)
ensemble = RMSpropMLPEnsembleClassifier(random_state=0).fit(X_train, y_train)
print("temperature:", round(ensemble.temperature_, 3))
print("weights:", ensemble.pool_weights_.round(3))

# %%
# Before and after calibration
# ----------------------------
# ``estimators_`` has one list of networks for each of the two base classifiers, with
# one network for each fold. Their raw outputs are added with weights, fold by fold; the
# prediction is the mean of the probabilities over the folds. For two classes, only the
# difference between the raw outputs counts, and this is the difference between the
# log-probabilities.

difference = np.array(
    [
        [member.predict_log_proba(X_test) @ [-1, 1] for member in members]
        for members in ensemble.estimators_
    ]
)


def pooled(weights):
    """Return the probabilities of the test samples with these weights."""
    return expit(np.tensordot(weights, difference, 1)).mean(axis=0)


# %%
# Before calibration, both base classifiers have the same weight, and the temperature
# is 1. After it, the weights are ``pool_weights_``, divided by ``temperature_``, and
# the predictions are those of ``predict_proba``.

before = np.array([0.5, 0.5])
after = ensemble.pool_weights_ / ensemble.temperature_
np.testing.assert_allclose(pooled(after), ensemble.predict_proba(X_test)[:, 1])

probability = {
    "one network": network.predict_proba(X_test)[:, 1],
    "ensemble before calibration": pooled(before),
    "ensemble": pooled(after),
}
losses = {name: log_loss(y_test, p) for name, p in probability.items()}
print("                                 accuracy   log-loss (test set)")
for name, p in {**probability, "best possible": best}.items():
    accuracy = accuracy_score(y_test, p > 0.5)
    print(f"  {name:30} {accuracy:8.3f} {log_loss(y_test, p):10.3f}")
print("log-loss of the samples left out:", round(ensemble.oof_log_loss_, 3))

# %%
# The reliability diagram
# -----------------------
# The test samples are sorted by their predicted probability and divided into ten groups
# of equal size. In each group, the share of the second class should be equal to the
# mean of the predicted probabilities. For the single network it is not: of the samples
# for which it is almost certain, more than a tenth belong to the other class. Averaging
# alone does not change that, but calibration does. The histogram shows how: the
# calibrated ensemble predicts fewer probabilities near 0 and 1. What remains is a
# little underconfidence: the temperature is determined with one network of each base
# classifier, and the mean over the folds is more accurate than these.
#
# The right-hand side shows the log-loss of the test samples for all pairs of weights,
# with a cross where it is lowest. The ensemble does not know these samples: its weights
# (blue) minimize the log-loss of training samples, each predicted by the networks that
# have left it out.

BLUE, VERMILION, GRAY = "#0072B2", "#D55E00", "#999999"

fig = plt.figure(figsize=(10, 5.2), layout="constrained")
axes = fig.subplot_mosaic(
    [["reliability", "weights"], ["histogram", "weights"]], height_ratios=[3, 1]
)
ax, histogram = axes["reliability"], axes["histogram"]
ax.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
for (name, p), color in zip(probability.items(), (GRAY, VERMILION, BLUE), strict=True):
    observed, predicted = calibration_curve(y_test, p, n_bins=10, strategy="quantile")
    label = f"{losses[name]:.3f}  {name}"
    ax.plot(predicted, observed, "o-", color=color, markersize=4, label=label)
    histogram.hist(p, np.linspace(0, 1, 41), histtype="step", color=color)
ax.legend(
    title="log-loss", alignment="left", frameon=False, fontsize=9, loc="upper left"
)
ax.set(title="reliability", ylabel="share of the second class", xticklabels=[])
histogram.set(xlabel="predicted probability", ylabel="test samples")
for axis in (ax, histogram):
    axis.set_xlim(-0.02, 1.02)
    axis.spines[["top", "right"]].set_visible(False)

first, second = np.linspace(0, 1.05, 36), np.linspace(0, 0.75, 26)
loss = np.array([[log_loss(y_test, pooled([w, v])) for w in first] for v in second])
row, column = np.unravel_index(loss.argmin(), loss.shape)
ax = axes["weights"]
levels = np.linspace(loss.min(), loss.max(), 25)
filled = ax.contourf(first, second, loss, levels, cmap="Blues", vmax=levels[-1] + 0.1)
ax.contour(first, second, loss, levels[1::2], colors="white", linewidths=0.6)
fig.colorbar(filled, ticks=np.arange(0.5, 0.8, 0.02), format="%.2f")
ax.axline((0, 1), (1, 0), color="black", linewidth=0.8, linestyle="--")
ax.text(0.62, 0.4, "temperature 1")
for name, weights, marker, color in (
    ("lowest", (first[column], second[row]), "+", "black"),
    ("before calibration", before, "o", VERMILION),
    ("after calibration", after, "o", BLUE),
):
    ax.plot(*weights, marker, color=color)
    ax.text(*weights, f"{name}  ", color=color, ha="right", va="center")
ax.set(title="log-loss of the test samples", xlim=(0, 1.05), ylim=(0, 0.75))
ax.set(xlabel="weight of the first base classifier", ylabel="weight of the second one")

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
