"""
===================================================
A deep network that gradient descent fails to train
===================================================

In a deep network of saturating units, the gradients of the first layers are a thousand
times smaller than those of the last. Plain gradient descent has a single learning rate
for all of them. RMSprop divides each gradient by its own magnitude, so all layers
learn.
"""

# %%
# One network, two optimizers
# ---------------------------
# The network has eight hidden layers of sigmoid units. The same class serves for both
# optimizers: with an ``epsilon`` far larger than any gradient, RMSprop divides all
# gradients by the same number, which is plain gradient descent with a learning rate of
# ``learning_rate / epsilon``. The initial weights and the mini-batches are therefore
# identical, and the normalization of the gradients is the only difference.

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier

HUGE = 1e6

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def network(learning_rate, epsilon=1e-8, max_iter=80):
    """Return the untrained network with the given optimizer settings."""
    return RMSpropMLPClassifier(
        (64,) * 8,
        activation="logistic",
        learning_rate=learning_rate,
        epsilon=epsilon,
        alpha=0.0,
        weight_decay=0.0,
        max_iter=max_iter,
        n_iter_no_change=np.inf,
        random_state=0,
    )


learning_rates = [0.1, 0.3, 1.0, 3.0, 10.0]
classifiers = {
    f"gradient descent, learning rate {learning_rate:g}": network(
        learning_rate * HUGE, HUGE
    )
    for learning_rate in learning_rates
}
classifiers["RMSprop, learning rate 0.003"] = network(0.003)
for name, classifier in classifiers.items():
    classifier.fit(X_train / 16, y_train)
    accuracy = classifier.score(X_test / 16, y_test)
    print(f"{name:36} test accuracy {accuracy:.3f}")

# %%
# How far each layer moves
# ------------------------
# Two epochs with a tiny learning rate show how much larger the updates of the last
# layer are than those of the first. Relative to the layer's own weights, they differ by
# a factor of more than ten thousand with gradient descent, and hardly with RMSprop.


def relative_updates(learning_rate, epsilon):
    """Return the relative change of the weights of each layer in one epoch."""
    classifier = network(learning_rate, epsilon, max_iter=2)
    before = classifier.partial_fit(X_train / 16, y_train, classes=range(10)).coefs_
    before = [coef.copy() for coef in before]
    after = classifier.partial_fit(X_train / 16, y_train).coefs_
    return np.array(
        [
            np.linalg.norm(a - b) / np.linalg.norm(b)
            for a, b in zip(after, before, strict=True)
        ]
    )


tiny = 1e-5
updates = {
    "gradient descent": relative_updates(tiny * HUGE, HUGE),
    "RMSprop": relative_updates(tiny, 1e-8),
}
for name, sizes in updates.items():
    ratio = sizes.max() / sizes.min()
    print(f"{name}: ratio of the largest to the smallest layer update {ratio:.2g}")

# %%
# Learning curves and update sizes
# --------------------------------
# With every learning rate, gradient descent ends at a cost of ``log(10)``, that of a
# model that knows the class frequencies but ignores the features: a learning rate that
# is large enough for the first layers is too large for the last.

VERMILION = "#D55E00"
blues = plt.colormaps["viridis"](np.linspace(0, 0.6, len(learning_rates)))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for (name, classifier), color in zip(
    classifiers.items(), [*blues, VERMILION], strict=True
):
    left.plot(classifier.cost_history_, color=color, label=name, linewidth=1.8)
left.set(xlabel="epoch", ylabel="mean cost", ylim=(0, 5))
left.legend(frameon=False, fontsize="small")
layers = np.arange(1, len(updates["RMSprop"]) + 1)
for (name, sizes), color in zip(updates.items(), ("0.4", VERMILION), strict=True):
    right.plot(layers, sizes / sizes.max(), "o-", color=color, label=name)
right.set(yscale="log", xlabel="layer", ylabel="update size, relative to the largest")
right.legend(frameon=False)
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
