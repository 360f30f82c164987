"""
==============
What beta does
==============

RMSprop divides every gradient by a running root mean square of those before it.
``beta`` says how slowly that average forgets: it looks back over about
``1 / (1 - beta)`` batches.
"""

# %%
# One parameter and its gradients
# -------------------------------
# The gradients of one parameter in 400 batches: noise, which for a hundred batches is
# ten times as large. The optimiser can be used alone, on any array.

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_rmsprop import RMSprop

N_BATCHES, STORM = 400, slice(150, 250)
BETAS = [0.5, 0.9, 0.99]

rng = np.random.default_rng(0)
gradients = rng.standard_normal(N_BATCHES)
gradients[STORM] *= 10


def follow(beta):
    """Return the root mean square after every batch, and the lengths of the steps."""
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
# The average starts at 0, so that the first step is ``1 / sqrt(1 - beta)`` times the
# learning rate, whatever the gradient, and no later one can be longer. When the
# gradients grow, a long memory lets the first of them make long steps; when they
# shrink again, the steps stay short until it has forgotten the large ones.

first, last = STORM.start, STORM.stop
print("mean step by learning rate      first   calm  storm begins  calm again")
for beta, (_, steps) in followed.items():
    parts = steps[20:first], steps[first : first + 5], steps[last : last + 50]
    calm, begins, again = (part.mean() for part in parts)
    print(
        f"  beta={beta:<24g} {steps[0]:6.2f} {calm:6.2f} {begins:13.2f} {again:11.2f}"
    )

# %%
# The picture
# -----------
# Above, what the gradients are divided by; below, what is left of them: steps of about
# one learning rate, in the storm as in the calm. With ``beta=0.5`` the average follows
# every single gradient, so that the steps differ little in length: their sign is all
# that counts. With ``beta=0.99`` they keep their proportions, and take long to get used
# to another size.

COLOURS = dict(zip(BETAS, ["#009E73", "#0072B2", "#D55E00"], strict=True))
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
    top.plot(batches, root_mean_square, color=COLOURS[beta], label=f"beta={beta:g}")
top.set(yscale="log", ylim=(0.03, 200), ylabel="root of the mean square")
top.legend(ncols=4, frameon=False, loc="upper left")
for ax, (beta, (_, steps)) in zip(lower, followed.items(), strict=True):
    ax.vlines(batches, 0, steps, color=COLOURS[beta], linewidth=1)
    ax.axhline(1, color="0.5", linewidth=1, linestyle="--")
    ax.set(ylim=(0, 4), ylabel=f"beta={beta:g}")
lower[0].set_title("length of the steps, in learning rates (the longest are cut off)")
lower[-1].set(xlabel="batch", xlim=(0, N_BATCHES))
for ax in (top, *lower):
    ax.axvspan(first, last, color="#F0E442", alpha=0.2, linewidth=0)
    ax.spines[["top", "right"]].set_visible(False)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
