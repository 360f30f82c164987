"""
============================================
Imbalanced classes: when one of them is rare
============================================

With thirty rows of one class for every row of the other, a network that never names
the rare one is right nearly always. ``class_weight="balanced"`` makes both classes
count the same; moving the threshold does it after training.
"""

# %%
# Three classifiers
# -----------------
# The classes overlap. The second classifier weighs each row by the rarity of its class.
# The third is trained without weights, so that its probabilities are those of the
# data, and takes another threshold than one half: the one that gives the best balanced
# accuracy in cross-validation.

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from sk_rmsprop import RMSpropMLPClassifier

N_COMMON, N_RARE = 6000, 200


def draw(rng):
    """Return points in a ring, the common class, and some in and about its middle."""
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
    "as it is": RMSpropMLPClassifier(random_state=0),
    'class_weight="balanced"': RMSpropMLPClassifier(
        class_weight="balanced", random_state=0
    ),
    "threshold moved": TunedThresholdClassifierCV(
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
# The price
# ---------
# Recall is the share of a class that is found. The first network finds the rare class
# only where it is the more frequent one. The other two find most of it, and pay with
# false alarms among the common one. Which is better depends on what a miss and an alarm
# cost: with a dict as ``class_weight`` you can say so.

COLOURS = ["#0072B2", "#D55E00"]

fig, axes = plt.subplots(
    1, 4, figsize=(13, 3.6), layout="constrained", width_ratios=[1, 1, 1, 0.8]
)
for ax, (name, model) in zip(axes, models.items(), strict=False):
    DecisionBoundaryDisplay.from_estimator(
        model, X, response_method="predict", ax=ax, eps=0, cmap="RdBu_r", alpha=0.35
    )
    for label, colour, size in zip((0, 1), COLOURS, (3, 14), strict=True):
        ax.scatter(*X_test[y_test == label].T, s=size, color=colour, linewidths=0)
    ax.set(title=name, xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")

bars = axes[-1]
for label, (colour, of_class) in enumerate(
    zip(COLOURS, ("common", "rare"), strict=True)
):
    heights = [recall[label] for recall in recalls.values()]
    offset = 0.4 * label - 0.2
    bars.bar(np.arange(3) + offset, heights, 0.38, color=colour, label=of_class)
bars.set(title="recall", ylim=(0, 1.25), yticks=[0, 0.5, 1], xticks=range(3))
bars.set_xticklabels(["as it is", "balanced", "threshold"])
bars.legend(frameon=False, loc="upper center", ncols=2)
bars.spines[["top", "right"]].set_visible(False)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
