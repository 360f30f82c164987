"""
===========
Quick start
===========

A network reads handwritten digits: train it, look at how its cost fell,
measure its accuracy on digits that it has not seen, save it, load it back, predict.
"""

# %%
# The data
# --------
# 1,797 images of 8 x 8 grey pixels come with scikit-learn. A quarter of them is set
# aside for the test.

import sys
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Training
# --------
# The defaults bring the features to a similar scale, which every neural network needs,
# and choose the number of epochs by that of the rows; during them the learning rate
# falls along a cosine. A pipeline with a scaler of your own works like any other.

model = RMSpropMLPClassifier(random_state=0)
model.fit(X_train, y_train)

cost = np.array(model.cost_history_)
n_epochs = model.n_iter_
print(f"{len(X_train)} digits, {n_epochs} epochs")
for epoch in sorted({1, 2, 5, 10, 20, n_epochs}):
    print(f"  epoch {epoch:3}   mean cost {cost[epoch - 1]:.5f}")
print(f"accuracy on {len(X_test)} other digits: {model.score(X_test, y_test):.3f}")

# %%
# Saving and loading
# ------------------
# The file holds the network and the optimiser's state: the loaded model
# predicts the same, and could be trained further as if it had never been saved.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.joblib"
    joblib.dump(model, path)
    print(f"saved in {path.stat().st_size / 1024:.0f} KiB")
    loaded = joblib.load(path)

predicted = loaded.predict(X_test)
print("the loaded model reads", *predicted[:10], "where it says", *y_test[:10])

# %%
# The picture
# -----------
# The course of the cost; a dozen digits that the model reads right, and below them
# six that it misreads.

BLUE, VERMILION = "#0072B2", "#D55E00"
N_COLUMNS = 6

is_right = predicted == y_test
right_rows = np.flatnonzero(is_right)[: 2 * N_COLUMNS]
wrong_rows = np.flatnonzero(~is_right)[:N_COLUMNS]

fig = plt.figure(figsize=(10, 4.2), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.25], wspace=0.04)

ax = left.subplots()
ax.plot(range(1, n_epochs + 1), cost, color=BLUE, linewidth=2)
ax.set(yscale="log", xlabel="epoch", ylabel="mean cost", title="Training")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)

right.suptitle(f"{is_right.sum()} of {len(y_test)} test digits are read right")
axes = right.subplots(3, N_COLUMNS).ravel()
for ax in axes:
    ax.axis("off")
for ax, row in zip(axes, [*right_rows, *wrong_rows], strict=False):
    ax.imshow(X_test[row].reshape(8, 8), cmap="gray_r")
    if is_right[row]:
        ax.set_title(predicted[row], color=BLUE)
    else:
        ax.set_title(f"{predicted[row]}, is {y_test[row]}", color=VERMILION)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
