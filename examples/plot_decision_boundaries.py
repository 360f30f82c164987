"""
===================
Decision boundaries
===================

The hidden layers determine which decision boundaries a network can represent, the
penalty how closely the boundary follows individual points. scikit-learn's
``DecisionBoundaryDisplay`` plots it.
"""

# %%
# Three data sets, four networks
# ------------------------------
# Without a hidden layer, the network is softmax regression; on standardized features,
# its decision boundary is a straight line. Hidden units can bend it, and so can the
# piecewise-linear encoding of the features, which the others use. The fourth network is
# as large as the third, but its weights are not penalized, and it is trained for three
# times as many epochs.

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import make_circles, make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier


def make_spirals(n_samples, rng):
    """Return points on two intertwined spirals."""
    y = rng.integers(2, size=n_samples)
    turn = np.sqrt(rng.random(n_samples)) * 3 * np.pi
    angle = turn + np.pi * y
    X = turn[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + 0.5 * rng.standard_normal(X.shape), y


problems = {
    "moons": make_moons(400, noise=0.3, random_state=0),
    "circles": make_circles(400, noise=0.15, factor=0.5, random_state=0),
    "spirals": make_spirals(400, np.random.default_rng(0)),
}
networks = {
    "no hidden layer": RMSpropMLPClassifier(
        (), numerical_encoding="standard", random_state=0
    ),
    "5 units": RMSpropMLPClassifier((5,), random_state=0),
    "defaults: 256 units": RMSpropMLPClassifier(random_state=0),
    "no penalty, 300 epochs": RMSpropMLPClassifier(
        alpha=0.0,
        weight_decay=0.0,
        max_iter=300,
        n_iter_no_change=np.inf,
        random_state=0,
    ),
}

# %%
# The decision boundaries
# -----------------------
# The colors show the predicted probabilities of the two classes, the numbers the
# accuracy on the test set, which is half of the data. Where the classes overlap, the
# fourth network is more confident than the data justify, and slightly less accurate. On
# the spirals, which hardly overlap, it is right to be, and the default network is less
# confident than it could be.

COLORS = ["#0072B2", "#D55E00"]

fig, axes = plt.subplots(
    len(problems), len(networks), figsize=(11, 8), layout="constrained"
)
for (problem, (X, y)), row in zip(problems.items(), axes, strict=True):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    for (name, network), ax in zip(networks.items(), row, strict=True):
        network.fit(X_train, y_train)
        accuracy = network.score(X_test, y_test)
        print(f"{problem:8} {name:22} {accuracy:.3f}")
        DecisionBoundaryDisplay.from_estimator(
            network,
            X,
            response_method="predict_proba",
            ax=ax,
            eps=0.3,
            cmap="RdBu_r",
            alpha=0.8,
        )
        ax.scatter(
            *X_train.T,
            c=y_train,
            cmap=ListedColormap(COLORS),
            s=9,
            edgecolors="white",
            linewidths=0.4,
        )
        ax.text(
            0.97,
            0.03,
            f"{accuracy:.2f}",
            transform=ax.transAxes,
            ha="right",
            weight="bold",
        )
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
for ax, name in zip(axes[0], networks, strict=True):
    ax.set_title(name)
for ax, problem in zip(axes[:, 0], problems, strict=True):
    ax.set_ylabel(problem)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
