"""
=======================
Learning-rate schedules
=======================

With a constant learning rate, RMSprop never settles: its steps remain about as long as
the learning rate. A schedule reduces the learning rate during training.
"""

# %%
# One network, five schedules
# ---------------------------
# The classes overlap, and some labels are wrong. Everything but the schedule is
# identical: the initial weights, the mini-batches and the maximum number of epochs.

import sys
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier

SCHEDULES = ["constant", "linear", "cosine", "one_cycle", "plateau"]

X, y = make_classification(
    6000, n_features=20, n_informative=8, n_classes=4, flip_y=0.05, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=3000, random_state=0
)

# "constant" and "plateau" have no planned end: they warn if they reach `max_iter`.
warnings.simplefilter("ignore", ConvergenceWarning)
models = {
    schedule: RMSpropMLPClassifier(
        (64,),
        learning_rate_schedule=schedule,
        learning_rate=0.01,
        max_iter=60,
        n_iter_no_change=5 if schedule == "plateau" else 60,
        tol=1e-3,
        random_state=0,
    ).fit(X_train, y_train)
    for schedule in SCHEDULES
}

print("                 final training cost   accuracy   log-loss (test set)")
for schedule, model in models.items():
    accuracy = model.score(X_test, y_test)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"  {schedule:12} {model.loss_:21.3f} {accuracy:10.3f} {loss:10.3f}")

# %%
# The effect of the schedules
# ---------------------------
# The cost fluctuates as long as the learning rate is high, and falls with it.
# ``"cosine"``, ``"linear"`` and ``"one_cycle"`` require the number of epochs to be
# known in advance; ``"plateau"`` waits until the cost stops falling, then divides the
# learning rate by five. A lower training cost is not necessarily better: the test set
# decides.

COLORS = dict(
    zip(SCHEDULES, ["#444444", "#56B4E9", "#D55E00", "#009E73", "#CC79A7"], strict=True)
)

fig, axes = plt.subplots(2, 1, figsize=(8, 7), sharex=True, layout="constrained")
for schedule, model in models.items():
    for ax, name in zip(axes, ("learning_rate", "loss"), strict=True):
        values = [record[name] for record in model.history_]
        epochs = range(1, len(values) + 1)
        ax.plot(epochs, values, color=COLORS[schedule], label=schedule, linewidth=1.8)
axes[0].set(yscale="log", ylabel="learning rate")
axes[0].legend(frameon=False, ncols=len(SCHEDULES), loc="lower left")
axes[1].set(xlabel="epoch", ylabel="mean cost")
for ax in axes:
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
