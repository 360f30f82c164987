"""
===================================
RMSprop in a ravine, drawn as paths
===================================

A cost that is steep along one parameter and shallow along another is a ravine. Plain
gradient descent has one rate for both directions. RMSprop divides every direction by
the size of its own gradients, and so goes as fast along the ravine as down its wall, as
long as the ravine runs along a parameter.
"""

# %%
# Two ravines
# -----------
# A quadratic cost, thirty times steeper across than along; and the same one turned by
# 45 degrees, so that each parameter has a part of both directions.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSprop

STEEPNESS = 30.0
N_STEPS = 60
START = np.array([-2.0, 0.8])

along_a_parameter = np.diag([1.0, STEEPNESS])
rotation = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
ravines = {
    "along a parameter": (along_a_parameter, START),
    "across both": (
        rotation @ along_a_parameter @ rotation.T,
        rotation @ START,
    ),
}

# %%
# Three descents
# --------------
# Above a rate of 2 / 30 the steep direction of plain gradient descent diverges. At nine
# tenths of that it jumps from wall to wall; at a third it goes straight to the bottom
# and then creeps along it. The rate of RMSprop is a length: it falls to zero, so that
# the path ends in the minimum and not beside it.


def plain_steps(rate):
    """Return a function that makes a step of plain gradient descent."""

    def step(w, gradient, _):
        w -= rate * gradient

    return step


def rmsprop_steps(rate):
    """Return a function that makes a step of RMSprop, with a rate that falls."""
    optimizer = RMSprop()

    def step(w, gradient, i):
        optimizer.step(w, gradient, rate * (1 - i / N_STEPS))

    return step


def descend(hessian, start, step):
    """Return the path of a descent, of shape (N_STEPS + 1, 2)."""
    w = start.copy()
    path = [start]
    for i in range(N_STEPS):
        step(w, hessian @ w, i)
        path.append(w.copy())
    return np.array(path)


largest_rate = 2 / STEEPNESS
methods = {
    "plain, high rate": lambda: plain_steps(0.9 * largest_rate),
    "plain, low rate": lambda: plain_steps(largest_rate / 3),
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
    print(f"ravine {ravine}: cost after {N_STEPS} steps")
    for name, path in paths[ravine].items():
        print(f"  {name:16} {costs(hessian, path[-1]):.1e}")

# %%
# The paths
# ---------
# In the ravine along a parameter RMSprop makes steps of one length in both directions:
# it gets down the wall and on to the minimum without jumping or creeping. In the ravine
# that runs across both, the two gradients are of one size and there is nothing to
# balance. RMSprop works parameter by parameter: it creeps there, and is behind plain
# descent at its high rate.

COLOURS = dict(zip(methods, ["#E69F00", "#0072B2", "#D55E00"], strict=True))
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
        style = {"color": COLOURS[name], "marker": MARKERS[name], "markersize": 3.5}
        left.plot(*path.T, linewidth=1.2, **style)
        right.plot(costs(hessian, path), label=name, markevery=10, **style)
    left.plot(0, 0, "k+", markersize=12)
    left.set(title=f"A ravine {ravine}", xlabel="$w_1$", ylabel="$w_2$")
    left.set(aspect="equal", xlim=x[0, [0, -1]], ylim=y[[0, -1], 0])
    right.set(yscale="log", xlabel="step", ylabel="cost", ylim=(1e-10, 30))
    right.grid(alpha=0.3)
    right.spines[["top", "right"]].set_visible(False)
axes[0, 1].legend(frameon=False)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
