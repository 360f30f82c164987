"""
==================================================
Successive halving: dropping weak candidates early
==================================================

Most combinations of a grid already perform poorly after a few epochs.
``HalvingGridSearchCV`` trains all of them for a few epochs, the best third for three
times as many, and so on: its resource is ``max_iter``.
"""

# %%
# The search
# ----------
# There are 48 candidates, of which two reach the last iteration. The learning-rate
# schedule scales with the resource: each candidate goes through the whole schedule
# within its epochs, so a short run is a scaled-down version of a long one. An
# exhaustive grid search would train all 48 candidates for 54 epochs.

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, train_test_split

from sk_rmsprop import RMSpropMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

search = HalvingGridSearchCV(
    RMSpropMLPClassifier((64,), random_state=0),
    {
        "learning_rate": np.geomspace(1e-4, 0.1, 6),
        "beta": [0.5, 0.9, 0.99, 0.999],
        "activation": ["relu", "silu"],
    },
    resource="max_iter",
    min_resources=2,
    max_resources=54,
    factor=3,
    cv=3,
    n_jobs=2,
    random_state=0,
)
start = time.perf_counter()
search.fit(X_train, y_train)
seconds = time.perf_counter() - start

n_epochs = np.dot(search.n_candidates_, search.n_resources_)
all_epochs = search.n_candidates_[0] * search.n_resources_[-1]
for n_candidates, max_iter in zip(
    search.n_candidates_, search.n_resources_, strict=True
):
    print(f"{n_candidates:3} candidates for {max_iter:2} epochs")
print(f"{n_epochs} epochs per fold instead of {all_epochs}, {seconds:.1f} s")
for name, value in search.best_params_.items():
    print(f"best {name}: {value if isinstance(value, str) else format(value, '.2g')}")
print(f"test accuracy: {search.score(X_test, y_test):.3f}")

# %%
# The iterations
# --------------
# Each line is a candidate, from the first iteration to the last one it took part in.
# The color shows its learning rate: with the smallest ones the network learns too
# little in two epochs, with the largest one the steps are too coarse, and nearly all of
# these candidates are dropped first. The differences between the last few candidates
# are no larger than those between two splits of the data.

results = search.cv_results_
tried = {}
for params, iteration, score in zip(
    results["params"], results["iter"], results["mean_test_score"], strict=True
):
    key = tuple(params[name] for name in ("learning_rate", "beta", "activation"))
    tried.setdefault(key, []).append((search.n_resources_[iteration], 1 - score))

learning_rates = sorted({learning_rate for learning_rate, *_ in tried})
colors = dict(
    zip(learning_rates, plt.colormaps["viridis"](np.linspace(0, 0.9, 6)), strict=True)
)

fig, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for key, course in tried.items():
    epochs, errors = zip(*course, strict=True)
    in_last = len(course) == search.n_iterations_
    ax.plot(
        epochs,
        errors,
        color=colors[key[0]],
        marker="o",
        markersize=6 if in_last else 4,
        linewidth=2.5 if in_last else 1,
        alpha=1 if in_last else 0.7,
    )
for learning_rate in learning_rates:
    ax.plot([], [], "o-", color=colors[learning_rate], label=f"{learning_rate:.2g}")
ax.legend(title="learning_rate", frameon=False, loc="upper right")
ax.set_xscale("log", base=3)
ax.set(xticks=search.n_resources_, xticklabels=search.n_resources_)
ax.set(yscale="log", xlabel="epochs (max_iter)", ylabel="cross-validation error")
ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
ax.yaxis.set_minor_formatter("")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
