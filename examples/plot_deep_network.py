"""
===================================================
A deep network that gradient descent does not train
===================================================

In a deep network of saturating units the gradients of the first layers are a thousand
times smaller than those of the last. Plain gradient descent has one rate for all of
them. RMSprop divides every gradient by its own size, so that all layers learn.
"""

# %%
# One network, two ways down
# --------------------------
# Eight hidden layers of sigmoid units. Both trainings are of the same class: with an
# ``epsilon`` far larger than any gradient, RMSprop divides all of them by the same
# number, which is plain gradient descent with the rate ``learning_rate / epsilon``. So
# the start weights and the batches are equal, and nothing differs but the division.

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier

HUGE = 1e6

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def network(learning_rate, epsilon=1e-8, max_iter=60):
    """Return the network, with this way of descending."""
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


rates = [0.1, 0.3, 1.0, 3.0, 10.0]
descents = {
    f"gradient descent, rate {rate:g}": network(rate * HUGE, HUGE) for rate in rates
}
descents["RMSprop, rate 0.002"] = network(0.002)
for name, classifier in descents.items():
    classifier.fit(X_train / 16, y_train)
    accuracy = classifier.score(X_test / 16, y_test)
    print(f"{name:28} accuracy on the test set {accuracy:.3f}")

# %%
# How far each layer moves
# ------------------------
# Two epochs at a tiny rate tell how much longer the steps of the last layer are than
# those of the first. Relative to the layer's own weights they differ by a factor of
# ten thousand and more in gradient descent, and hardly with RMSprop.


def relative_steps(learning_rate, epsilon):
    """Return how far an epoch moves the weights of each layer, relative to them."""
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
steps = {
    "gradient descent": relative_steps(tiny * HUGE, HUGE),
    "RMSprop": relative_steps(tiny, 1e-8),
}
for name, lengths in steps.items():
    ratio = lengths.max() / lengths.min()
    print(
        f"{name}: the layer that moves most moves {ratio:.2g} times as far as the least"
    )

# %%
# The picture
# -----------
# At every rate gradient descent ends at the cost of one who knows how frequent the
# classes are and nothing of the rows, the logarithm of ten: a rate that is large enough
# for the first layers is too large for the last.

VERMILION = "#D55E00"
blues = plt.colormaps["viridis"](np.linspace(0, 0.6, len(rates)))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for (name, classifier), colour in zip(
    descents.items(), [*blues, VERMILION], strict=True
):
    left.plot(classifier.cost_history_, color=colour, label=name, linewidth=1.8)
left.set(xlabel="epoch", ylabel="mean cost", ylim=(0, 5))
left.legend(frameon=False, fontsize="small")
layers = np.arange(1, len(steps["RMSprop"]) + 1)
for (name, lengths), colour in zip(steps.items(), ("0.4", VERMILION), strict=True):
    right.plot(layers, lengths / lengths.max(), "o-", color=colour, label=name)
right.set(yscale="log", xlabel="layer", ylabel="length of its steps, relative")
right.legend(frameon=False)
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
