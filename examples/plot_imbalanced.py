"""
==================
Imbalanced classes
==================

With thirty samples of one class for each sample of the other, a network that never
predicts the rare class is almost always right. ``class_weight="balanced"`` gives both
classes the same total weight in training; tuning the decision threshold serves the same
purpose after training.
"""

# %%
# Three classifiers
# -----------------
# The classes overlap. The second classifier weights each sample inversely to the
# frequency of its class. The third is trained without weights, so its probabilities
# reflect the class frequencies in the data; instead of 0.5, it uses the threshold with
# the best balanced accuracy in cross-validation.

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from sk_rmsprop import RMSpropMLPClassifier

N_COMMON, N_RARE = 6000, 200


def draw(rng):
    """Return a ring of points, the common class, and a rare class near its center."""
    angle = rng.uniform(0, 2 * np.pi, N_COMMON)
    radius = rng.normal(2.2, 0.6, N_COMMON)
    common = radius[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    rare = rng.normal([0.6, 0.0], 0.75, (N_RARE, 2))
    return np.vstack([common, rare]), np.repeat([0, 1], [N_COMMON, N_RARE])


X, y = draw(np.random.default_rng(0))
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)

models = {
    "unweighted": RMSpropMLPClassifier(random_state=0),
    'class_weight="balanced"': RMSpropMLPClassifier(
        class_weight="balanced", random_state=0
    ),
    "tuned threshold": TunedThresholdClassifierCV(
        RMSpropMLPClassifier(random_state=0), scoring="balanced_accuracy", cv=3
    ),
}
print(27 * " " + "accuracy  recall: common   rare  balanced accuracy")
recalls = {}
for name, model in models.items():
    predicted = model.fit(X_train, y_train).predict(X_test)
    accuracy = np.mean(predicted == y_test)
    common, rare = recalls[name] = recall_score(y_test, predicted, average=None)
    balanced = balanced_accuracy_score(y_test, predicted)
    print(f"  {name:24} {accuracy:8.3f} {common:15.3f} {rare:6.3f} {balanced:9.3f}")

# %%
# The trade-off
# -------------
# Recall is the fraction of a class that is detected. The first network detects the rare
# class only where it outnumbers the common one. The other two detect most of it, at the
# price of false alarms in the common class. Which is better depends on the costs of a
# miss and of a false alarm; pass a dict as ``class_weight`` to reflect them.

COLORS = ["#0072B2", "#D55E00"]

fig, axes = plt.subplots(
    1, 4, figsize=(13, 3.6), layout="constrained", width_ratios=[1, 1, 1, 0.8]
)
for ax, (name, model) in zip(axes, models.items(), strict=False):
    DecisionBoundaryDisplay.from_estimator(
        model, X, response_method="predict", ax=ax, eps=0, cmap="RdBu_r", alpha=0.35
    )
    for label, color, size in zip((0, 1), COLORS, (3, 14), strict=True):
        ax.scatter(*X_test[y_test == label].T, s=size, color=color, linewidths=0)
    ax.set(title=name, xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")

bars = axes[-1]
for label, (color, of_class) in enumerate(zip(COLORS, ("common", "rare"), strict=True)):
    heights = [recall[label] for recall in recalls.values()]
    offset = 0.4 * label - 0.2
    bars.bar(np.arange(3) + offset, heights, 0.38, color=color, label=of_class)
bars.set(title="recall", ylim=(0, 1.25), yticks=[0, 0.5, 1], xticks=range(3))
bars.set_xticklabels(["unweighted", "balanced", "threshold"])
bars.legend(frameon=False, loc="upper center", ncols=2)
bars.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
