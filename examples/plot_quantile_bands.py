"""
==============
Quantile bands
==============

How long will the trip take? The mean does not answer this for someone who has to catch
a train. Networks that are trained with the quantile loss predict how long it takes at
most, with a given probability. Together, several of them show how wide and how skewed
the distribution is, and how both depend on the features.
"""

# %%
# Durations that are uncertain at some hours
# ------------------------------------------
# In the rush hours, trips take longer, and their durations vary more. The distribution
# is skewed: some trips take far longer than usual, but none is far shorter. Since the
# data are simulated, the true quantiles are known.

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import gamma
from sklearn.metrics import mean_pinball_loss

from sk_rmsprop import RMSpropMLPRegressor

SHAPE = 1.5  # Of the gamma distribution of the delays


def distribution(hour):
    """Return the shortest duration at some hours, and the scale of the delays."""
    rush = np.exp(-(((hour - 8) / 1.3) ** 2)) + np.exp(-(((hour - 17) / 1.8) ** 2))
    return 20 + 6 * rush, 1.2 + 6 * rush


def draw(n_samples, rng):
    """Return hours of departure, and durations in minutes."""
    hour = rng.uniform(5, 22, n_samples)
    shortest, scale = distribution(hour)
    return hour[:, np.newaxis], shortest + scale * rng.gamma(SHAPE, size=n_samples)


rng = np.random.default_rng(0)
X_train, y_train = draw(3000, rng)
X_test, y_test = draw(20_000, rng)

# %%
# One network for each quantile
# -----------------------------
# ``loss="quantile"`` predicts the quantile of the level ``quantile``: the duration that
# is not exceeded with this probability. On new data, the share of the durations below
# the prediction should be this level. The mean is for comparison: its level depends on
# the distribution, and is above 0.5 here.

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

networks = {
    level: RMSpropMLPRegressor(loss="quantile", quantile=level, random_state=0).fit(
        X_train, y_train
    )
    for level in LEVELS
}
mean = RMSpropMLPRegressor(random_state=0).fit(X_train, y_train)

shortest, scale = distribution(X_test[:, 0])
predicted = {level: network.predict(X_test) for level, network in networks.items()}
print("               share below   pinball loss   best possible")
for level, durations in predicted.items():
    truth = shortest + scale * gamma.ppf(level, SHAPE)
    loss = mean_pinball_loss(y_test, durations, alpha=level)
    best = mean_pinball_loss(y_test, truth, alpha=level)
    below = np.mean(y_test < durations)
    print(f"  quantile {level:4} {below:9.3f} {loss:14.3f} {best:15.3f}")
mean_of_test = mean.predict(X_test)
print(f"  mean          {np.mean(y_test < mean_of_test):9.3f}")

# %%
# A band of constant width
# ------------------------
# The usual alternative is the mean and its residuals: from their quantiles follows a
# band of the same width at every hour. Both bands are meant to contain 90 % of the test
# samples.

residuals = y_train - mean.predict(X_train)
bands = {
    "quantiles 0.05 and 0.95": (predicted[0.05], predicted[0.95]),
    "mean and residuals": (
        mean_of_test + np.quantile(residuals, 0.05),
        mean_of_test + np.quantile(residuals, 0.95),
    ),
}
edges = np.linspace(5, 22, 35)
bins = np.digitize(X_test[:, 0], edges) - 1
coverage = {}
print("                              coverage   lowest   highest (by hour)")
for name, (low, high) in bands.items():
    inside = (low < y_test) & (y_test < high)
    coverage[name] = np.bincount(bins, inside) / np.bincount(bins)
    lowest, highest = coverage[name].min(), coverage[name].max()
    print(f"  {name:24} {inside.mean():10.3f} {lowest:9.3f} {highest:8.3f}")

# %%
# The bands follow the data
# -------------------------
# The networks find the wide distributions of the rush hours and the narrow ones in
# between. The dotted lines are the true quantiles. The mean is above the median: it is
# drawn up by the long delays.
#
# Both bands contain about nine tenths of all trips. But the band of constant width
# contains almost all of the trips at quiet hours, where it is far too wide, and too few
# in the rush hours, where it matters.

BLUE, VERMILION = "#0072B2", "#D55E00"

fig, (ax, share) = plt.subplots(
    2, sharex=True, figsize=(9, 7), height_ratios=[5, 2], layout="constrained"
)
hours = np.linspace(5, 22, 500)
shortest, scale = distribution(hours)
curves = [network.predict(hours[:, np.newaxis]) for network in networks.values()]
ax.plot(X_train[:, 0], y_train, ".", color="#888888", markersize=3, alpha=0.5)
for low, high, alpha in ((0, 4, 0.2), (1, 3, 0.4)):
    label = f"between the quantiles {LEVELS[low]} and {LEVELS[high]}"
    style = {"color": BLUE, "alpha": alpha, "linewidth": 0, "label": label}
    ax.fill_between(hours, curves[low], curves[high], **style)
ax.plot(hours, curves[2], color=BLUE, linewidth=2, label="quantile 0.5: the median")
ax.plot(hours, mean.predict(hours[:, np.newaxis]), "--", color=VERMILION, label="mean")
for level in LEVELS:
    truth = shortest + scale * gamma.ppf(level, SHAPE)
    label = "true quantiles" if level == 0.5 else None
    ax.plot(hours, truth, ":", color="black", linewidth=0.9, label=label)
ax.legend(loc="upper center", bbox_to_anchor=(0.44, 1), frameon=False)
ax.set(title="predictions", ylabel="duration in minutes", xlim=(5, 22), ylim=(15, 75))

for name, color in zip(bands, (BLUE, VERMILION), strict=True):
    style = {"color": color, "linewidth": 1.5, "label": name}
    share.stairs(coverage[name], edges, baseline=None, **style)
share.axhline(0.9, color="black", linewidth=0.9, linestyle=":")
share.legend(loc="lower center", bbox_to_anchor=(0.44, 0), frameon=False)
share.set(title="coverage of the two bands", xlabel="hour of departure")
share.set(ylabel="share of test trips", ylim=(0.5, 1.02))
share.set_yticks([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
for axis in (ax, share):
    axis.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
