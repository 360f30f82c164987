"""
===================
RMSprop in a ravine
===================

A cost that is steep in one direction and shallow in another forms a ravine. Plain
gradient descent has a single learning rate for both directions. RMSprop divides each
component of the gradient by its own magnitude, so it moves as fast along the ravine as
down its walls, provided that the ravine is aligned with a parameter axis.
"""

# %%
# Two ravines
# -----------
# The cost is quadratic, and thirty times steeper across the ravine than along it. The
# second ravine is the first one rotated by 45 degrees, so that each parameter
# contributes to both directions.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSprop

STEEPNESS = 30.0
N_STEPS = 60
START = np.array([-2.0, 0.8])

axis_aligned = np.diag([1.0, STEEPNESS])
rotation = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
ravines = {
    "axis-aligned": (axis_aligned, START),
    "rotated": (
        rotation @ axis_aligned @ rotation.T,
        rotation @ START,
    ),
}

# %%
# Three optimizers
# ----------------
# Plain gradient descent diverges in the steep direction if its learning rate exceeds
# 2 / 30. At nine tenths of that limit it jumps from wall to wall; at a third of it, it
# goes straight to the bottom and then creeps along it. The learning rate of RMSprop is
# the length of a step: it decays to zero, so that the path ends at the minimum rather
# than next to it.


def plain_steps(learning_rate):
    """Return a function that performs a step of plain gradient descent."""

    def step(w, gradient, _):
        w -= learning_rate * gradient

    return step


def rmsprop_steps(learning_rate):
    """Return a function that performs a step of RMSprop, with linear decay."""
    optimizer = RMSprop()

    def step(w, gradient, i):
        optimizer.step(w, gradient, learning_rate * (1 - i / N_STEPS))

    return step


def descend(hessian, start, step):
    """Return the path to the minimum, of shape (N_STEPS + 1, 2)."""
    w = start.copy()
    path = [start]
    for i in range(N_STEPS):
        step(w, hessian @ w, i)
        path.append(w.copy())
    return np.array(path)


max_learning_rate = 2 / STEEPNESS
methods = {
    "plain, high learning rate": lambda: plain_steps(0.9 * max_learning_rate),
    "plain, low learning rate": lambda: plain_steps(max_learning_rate / 3),
    "RMSprop": lambda: rmsprop_steps(0.12),
}
paths = {
    ravine: {
        name: descend(hessian, start, make_step())
        for name, make_step in methods.items()
    }
    for ravine, (hessian, start) in ravines.items()
}


def costs(hessian, w):
    """Return the cost at points of shape (..., 2)."""
    return 0.5 * np.einsum("...i,ij,...j", w, hessian, w)


for ravine, (hessian, _) in ravines.items():
    print(f"{ravine} ravine: cost after {N_STEPS} steps")
    for name, path in paths[ravine].items():
        print(f"  {name:26} {costs(hessian, path[-1]):.1e}")

# %%
# The paths
# ---------
# In the axis-aligned ravine, RMSprop takes steps of the same length in both directions:
# it descends the wall and moves on to the minimum without jumping or creeping. In the
# rotated ravine, both components of the gradient are of the same magnitude, and there
# is nothing to balance. RMSprop scales each parameter separately: here it creeps, and
# lags behind plain gradient descent with the high learning rate.

COLORS = dict(zip(methods, ["#E69F00", "#0072B2", "#D55E00"], strict=True))
MARKERS = dict(zip(methods, "s^o", strict=True))

x, y = np.meshgrid(np.linspace(-2.4, 0.7, 200), np.linspace(-1.9, 1.3, 200))
grid = np.stack([x, y], axis=-1)

fig, axes = plt.subplots(
    2, 2, figsize=(8.5, 7.5), layout="constrained", width_ratios=[4, 3]
)
for (ravine, (hessian, _)), (left, right) in zip(ravines.items(), axes, strict=True):
    left.contour(
        x, y, costs(hessian, grid), levels=np.geomspace(0.02, 60, 12), colors="0.8"
    )
    for name, path in paths[ravine].items():
        style = {"color": COLORS[name], "marker": MARKERS[name], "markersize": 3.5}
        left.plot(*path.T, linewidth=1.2, **style)
        right.plot(costs(hessian, path), label=name, markevery=10, **style)
    left.plot(0, 0, "k+", markersize=12)
    left.set(title=f"{ravine.capitalize()} ravine", xlabel="$w_1$", ylabel="$w_2$")
    left.set(aspect="equal", xlim=x[0, [0, -1]], ylim=y[[0, -1], 0])
    right.set(yscale="log", xlabel="step", ylabel="cost", ylim=(1e-10, 30))
    right.grid(alpha=0.3)
    right.spines[["top", "right"]].set_visible(False)
axes[0, 1].legend(frameon=False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
