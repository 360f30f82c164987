"""
===============================================================
Concept drift: learning from a stream that does not stand still
===============================================================

With ``partial_fit`` a model is fed in pieces, and never needs all of the data at once.
Here the data change while they come: four groups of points circle slowly round the
origin, and once in the stream each jumps to where its neighbour was.
"""

# %%
# The stream
# ----------
# Every piece has fresh points, so that nothing is seen twice. Because we made the
# groups ourselves we also know the best that any model could do: name the nearest
# centre.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSpropMLPClassifier

N_CLASSES, N_PIECES, JUMP, PIECE_SIZE = 4, 300, 180, 50


def centres_at(time):
    """Return where the groups' centres are: half a turn in all, and the jump."""
    turn = 0.5 * time / N_PIECES + (1 / N_CLASSES if time >= JUMP else 0)
    angle = 2 * np.pi * (np.arange(N_CLASSES) / N_CLASSES + turn)
    return 2 * np.column_stack([np.cos(angle), np.sin(angle)])


def draw(time, n_points, rng):
    """Return points of that time and the groups they belong to."""
    y = rng.integers(N_CLASSES, size=n_points)
    X = centres_at(time)[y] + 0.8 * rng.standard_normal((n_points, 2))
    return X, y


def nearest_centre(time, X):
    """Return the group whose centre is nearest, the best possible answer."""
    squared_distances = ((X[:, np.newaxis] - centres_at(time)) ** 2).sum(axis=2)
    return squared_distances.argmin(axis=1)


rng = np.random.default_rng(0)
X_start, y_start = draw(0, 1000, rng)
stream = [(time, *draw(time, PIECE_SIZE, rng)) for time in range(N_PIECES)]

# %%
# Test, then train
# ----------------
# All models start with the same 1,000 points. From then on each one first predicts
# every piece, which gives its accuracy, and only then is shown the answers.


def follow(learning_rate, beta, goes_on=True):
    """Return the accuracy on every piece, predicted before it is learned."""
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
        if goes_on:
            model.partial_fit(X, y)
    return np.array(accuracy)


accuracies = {
    "fitted once": follow(0.003, 0.9, goes_on=False),
    "goes on, learning_rate=0.003, beta=0.9": follow(0.003, 0.9),
    "goes on, learning_rate=0.01, beta=0.9": follow(0.01, 0.9),
    "goes on, learning_rate=0.01, beta=0.99": follow(0.01, 0.99),
    "best possible": np.array(
        [np.mean(nearest_centre(time, X) == y) for time, X, y in stream]
    ),
}

print("mean accuracy while the groups turn, and after the jump:")
for name, accuracy in accuracies.items():
    before, after = accuracy[:JUMP].mean(), accuracy[JUMP:].mean()
    print(f"  {name:40} {before:.3f}   {after:.3f}")

# %%
# The course of the accuracy
# --------------------------
# The model that was fitted once is lost as soon as the groups have moved on. With a
# learning rate of 0.003 the network can follow the turn, but after the jump it takes
# long to unlearn what it is sure of. With 0.01 it keeps up.
#
# The jump shows what ``beta`` does. RMSprop divides gradients by the root of their
# average square. With ``beta=0.9`` that average rises at once with the gradients,
# which are suddenly large, and the steps stay small. With ``beta=0.99`` it still
# remembers the calm before: the first steps are twice as large, and after ten pieces
# the model is as good as before.

COLOURS = ["#E69F00", "#56B4E9", "#CC79A7", "#444444"]
STYLES = {
    "fitted once": {"color": "#D55E00", "linestyle": "--"},
    "goes on, learning_rate=0.003, beta=0.9": {"color": "#888888", "linestyle": "-."},
    "goes on, learning_rate=0.01, beta=0.9": {"color": "#0072B2"},
    "goes on, learning_rate=0.01, beta=0.99": {"color": "#009E73"},
    "best possible": {"color": "black", "linestyle": ":"},
}
N_SMOOTHED = 5

fig = plt.figure(figsize=(9, 6.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.8])

snapshots = [0, JUMP - 1, JUMP, N_PIECES - 1]
axes = top.subplots(1, len(snapshots), sharex=True, sharey=True)
for ax, time in zip(axes, snapshots, strict=True):
    X, y = draw(time, 200, rng)
    for group, (colour, marker) in enumerate(zip(COLOURS, "os^D", strict=True)):
        ax.scatter(*X[y == group].T, s=10, color=colour, marker=marker, alpha=0.7)
    ax.set(title=f"piece {time}", aspect="equal", xticks=[], yticks=[])

ax = bottom.subplots()
for name, accuracy in accuracies.items():
    smooth = np.convolve(accuracy, np.full(N_SMOOTHED, 1 / N_SMOOTHED), "valid")
    ax.plot(range(N_SMOOTHED - 1, N_PIECES), smooth, label=name, **STYLES[name])
ax.axvline(JUMP, color="grey", linewidth=1)
ax.annotate("jump", (JUMP, 1.01), color="grey", ha="center", annotation_clip=False)
ax.set(
    xlim=(0, N_PIECES - 1),
    ylim=(0, 1),
    xlabel=f"piece (of {PIECE_SIZE} points)",
    ylabel=f"accuracy, mean of the last {N_SMOOTHED} pieces",
)
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
bottom.legend(loc="outside lower center", ncols=2, frameon=False)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
