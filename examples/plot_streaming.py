"""
==============================================
Concept drift: learning from a changing stream
==============================================

With ``partial_fit``, a model is trained on one chunk of data at a time and never needs
all of the data at once. Here the distribution changes over time: four clusters of
points slowly rotate around the origin, and at one point in the stream each of them
jumps to the position of its neighbor.
"""

# %%
# The stream
# ----------
# Each chunk consists of new points, so no sample is seen twice. As we generate the
# clusters ourselves, we also know the best possible model: it predicts the cluster with
# the nearest center.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSpropMLPClassifier

N_CLASSES, N_CHUNKS, JUMP, CHUNK_SIZE = 4, 300, 180, 50


def centers_at(time):
    """Return the centers of the clusters: half a turn in total, plus the jump."""
    turn = 0.5 * time / N_CHUNKS + (1 / N_CLASSES if time >= JUMP else 0)
    angle = 2 * np.pi * (np.arange(N_CLASSES) / N_CLASSES + turn)
    return 2 * np.column_stack([np.cos(angle), np.sin(angle)])


def draw(time, n_points, rng):
    """Return points drawn at a given time and the clusters they belong to."""
    y = rng.integers(N_CLASSES, size=n_points)
    X = centers_at(time)[y] + 0.8 * rng.standard_normal((n_points, 2))
    return X, y


def nearest_center(time, X):
    """Return the cluster with the nearest center, the best possible prediction."""
    squared_distances = ((X[:, np.newaxis] - centers_at(time)) ** 2).sum(axis=2)
    return squared_distances.argmin(axis=1)


rng = np.random.default_rng(0)
X_start, y_start = draw(0, 1000, rng)
stream = [(time, *draw(time, CHUNK_SIZE, rng)) for time in range(N_CHUNKS)]

# %%
# Test, then train
# ----------------
# All models are first fitted to the same 1,000 points. From then on, each model
# predicts every chunk, which gives its accuracy, before it is trained on that chunk.


def follow(learning_rate, beta, update=True):
    """Return the accuracy on each chunk, predicted before training on it."""
    model = RMSpropMLPClassifier(
        (50,),
        learning_rate=learning_rate,
        learning_rate_schedule="constant",
        beta=beta,
        max_iter=200,
        tol=1e-3,
        random_state=0,
    )
    model.fit(X_start, y_start)
    accuracy = []
    for _, X, y in stream:
        accuracy.append(np.mean(model.predict(X) == y))
        if update:
            model.partial_fit(X, y)
    return np.array(accuracy)


accuracies = {
    "fitted once": follow(0.003, 0.9, update=False),
    "updated, learning_rate=0.003, beta=0.9": follow(0.003, 0.9),
    "updated, learning_rate=0.01, beta=0.9": follow(0.01, 0.9),
    "updated, learning_rate=0.01, beta=0.99": follow(0.01, 0.99),
    "best possible": np.array(
        [np.mean(nearest_center(time, X) == y) for time, X, y in stream]
    ),
}

print("mean accuracy before and after the jump:")
for name, accuracy in accuracies.items():
    before, after = accuracy[:JUMP].mean(), accuracy[JUMP:].mean()
    print(f"  {name:40} {before:.3f}   {after:.3f}")

# %%
# Accuracy over time
# ------------------
# The model that was fitted once fails as soon as the clusters have moved on. With a
# learning rate of 0.003, the network can follow the rotation, but after the jump it
# takes a long time to unlearn what it was confident about. With 0.01 it keeps up.
#
# The jump shows the effect of ``beta``. RMSprop divides gradients by the root of the
# moving average of their squares. With ``beta=0.9`` that average rises immediately with
# the suddenly large gradients, and the steps stay small. With ``beta=0.99`` it still
# reflects the small gradients before the jump: the first steps are twice as large, and
# after ten chunks the model is as good as before.

COLORS = ["#E69F00", "#56B4E9", "#CC79A7", "#444444"]
STYLES = {
    "fitted once": {"color": "#D55E00", "linestyle": "--"},
    "updated, learning_rate=0.003, beta=0.9": {"color": "#888888", "linestyle": "-."},
    "updated, learning_rate=0.01, beta=0.9": {"color": "#0072B2"},
    "updated, learning_rate=0.01, beta=0.99": {"color": "#009E73"},
    "best possible": {"color": "black", "linestyle": ":"},
}
N_SMOOTHED = 5

fig = plt.figure(figsize=(9, 6.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.8])

snapshots = [0, JUMP - 1, JUMP, N_CHUNKS - 1]
axes = top.subplots(1, len(snapshots), sharex=True, sharey=True)
for ax, time in zip(axes, snapshots, strict=True):
    X, y = draw(time, 200, rng)
    for cluster, (color, marker) in enumerate(zip(COLORS, "os^D", strict=True)):
        ax.scatter(*X[y == cluster].T, s=10, color=color, marker=marker, alpha=0.7)
    ax.set(title=f"chunk {time}", aspect="equal", xticks=[], yticks=[])

ax = bottom.subplots()
for name, accuracy in accuracies.items():
    smooth = np.convolve(accuracy, np.full(N_SMOOTHED, 1 / N_SMOOTHED), "valid")
    ax.plot(range(N_SMOOTHED - 1, N_CHUNKS), smooth, label=name, **STYLES[name])
ax.axvline(JUMP, color="gray", linewidth=1)
ax.annotate("jump", (JUMP, 1.01), color="gray", ha="center", annotation_clip=False)
ax.set(
    xlim=(0, N_CHUNKS - 1),
    ylim=(0, 1),
    xlabel=f"chunk (of {CHUNK_SIZE} points)",
    ylabel=f"accuracy (mean of the last {N_SMOOTHED} chunks)",
)
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
bottom.legend(loc="outside lower center", ncols=2, frameon=False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
