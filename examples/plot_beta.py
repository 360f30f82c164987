"""
==================
The effect of beta
==================

RMSprop divides each gradient by the root of a moving average of squared gradients.
``beta`` is the decay rate of that average: its memory is about ``1 / (1 - beta)``
mini-batches long.
"""

# %%
# One parameter and its gradients
# -------------------------------
# We simulate the gradients of a single parameter over 400 mini-batches: Gaussian noise
# that is ten times larger during a burst of 100 mini-batches. The optimizer can be used
# on its own, on any array.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSprop

N_BATCHES, BURST = 400, slice(150, 250)
BETAS = [0.5, 0.9, 0.99]

rng = np.random.default_rng(0)
gradients = rng.standard_normal(N_BATCHES)
gradients[BURST] *= 10


def follow(beta):
    """Return the root mean square and the step size after each mini-batch."""
    optimizer = RMSprop(learning_rate=1.0, beta=beta)
    w = np.zeros(1)
    root_mean_squares, steps = [], []
    for gradient in gradients:
        before = w.copy()
        optimizer.step(w, np.array([gradient]))
        root_mean_squares.append(np.sqrt(optimizer.square_average_[0]))
        steps.append(abs(w - before)[0])
    return np.array(root_mean_squares), np.array(steps)


followed = {beta: follow(beta) for beta in BETAS}

# %%
# The average starts at 0, so the first step is ``1 / sqrt(1 - beta)`` times the
# learning rate, whatever the gradient, and no later step can be larger. When the
# gradients grow, a long memory lets the first few steps be large; when they shrink
# again, the steps remain small until the large gradients have been forgotten.

first, last = BURST.start, BURST.stop
print("mean step / learning rate        first before  burst starts  burst over")
for beta, (_, steps) in followed.items():
    parts = steps[20:first], steps[first : first + 5], steps[last : last + 50]
    before, starts, over = (part.mean() for part in parts)
    print(
        f"  beta={beta:<24g} {steps[0]:6.2f} {before:6.2f} {starts:13.2f} {over:11.2f}"
    )

# %%
# Gradients and steps
# -------------------
# The top panel shows the gradients and what they are divided by. The panels below show
# the resulting steps, which measure about one learning rate, during the burst as well
# as outside it. With ``beta=0.5`` the average follows every single gradient, so the
# steps vary little in size, and little more than the sign of the gradient matters. With
# ``beta=0.99`` the relative sizes of the gradients are preserved, but adapting to a new
# scale takes a long time.

COLORS = dict(zip(BETAS, ["#009E73", "#0072B2", "#D55E00"], strict=True))
batches = np.arange(N_BATCHES)

fig, (top, *lower) = plt.subplots(
    1 + len(BETAS),
    1,
    figsize=(9, 8),
    sharex=True,
    layout="constrained",
    height_ratios=[2.2] + [1] * len(BETAS),
)
top.plot(batches, abs(gradients), ".", color="0.7", markersize=4, label="|gradient|")
for beta, (root_mean_square, _) in followed.items():
    top.plot(batches, root_mean_square, color=COLORS[beta], label=f"beta={beta:g}")
top.set(yscale="log", ylim=(0.03, 200), ylabel="root mean square")
top.legend(ncols=4, frameon=False, loc="upper left")
for ax, (beta, (_, steps)) in zip(lower, followed.items(), strict=True):
    ax.vlines(batches, 0, steps, color=COLORS[beta], linewidth=1)
    ax.axhline(1, color="0.5", linewidth=1, linestyle="--")
    ax.set(ylim=(0, 4), ylabel=f"beta={beta:g}")
lower[0].set_title("step size / learning rate (largest values clipped)")
lower[-1].set(xlabel="mini-batch", xlim=(0, N_BATCHES))
for ax in (top, *lower):
    ax.axvspan(first, last, color="#F0E442", alpha=0.2, linewidth=0)
    ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
