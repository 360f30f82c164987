"""
===========
Quick start
===========

Train a network to recognize handwritten digits, inspect its training cost, measure its
accuracy on unseen digits, save it, load it again, and predict.
"""

# %%
# The data
# --------
# scikit-learn includes 1,797 grayscale images of 8 x 8 pixels. A quarter of them are
# held out as a test set.

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
# By default, the classifier brings the features to a similar scale, as every neural
# network requires, and chooses the number of epochs from the number of samples; the
# learning rate follows a cosine schedule. A pipeline with your own scaler works as
# well.

model = RMSpropMLPClassifier(random_state=0)
model.fit(X_train, y_train)

cost = np.array(model.cost_history_)
n_epochs = model.n_iter_
print(f"{len(X_train)} digits, {n_epochs} epochs")
for epoch in sorted({1, 2, 5, 10, 20, n_epochs}):
    print(f"  epoch {epoch:3}   mean cost {cost[epoch - 1]:.5f}")
print(f"accuracy on {len(X_test)} test digits: {model.score(X_test, y_test):.3f}")

# %%
# Saving and loading
# ------------------
# The file contains the network and the state of the optimizer: the loaded model makes
# the same predictions, and its training can be resumed as if it had never been saved.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.joblib"
    joblib.dump(model, path)
    print(f"size of the saved model: {path.stat().st_size / 1024:.0f} KiB")
    loaded = joblib.load(path)

predicted = loaded.predict(X_test)
print("predictions of the loaded model:", *predicted[:10])
print("true labels:                    ", *y_test[:10])

# %%
# Cost and predictions
# --------------------
# On the left, the cost of each epoch; on the right, a dozen correctly classified digits
# and, below them, six misclassified ones.

BLUE, VERMILION = "#0072B2", "#D55E00"
N_COLUMNS = 6

is_correct = predicted == y_test
correct_rows = np.flatnonzero(is_correct)[: 2 * N_COLUMNS]
incorrect_rows = np.flatnonzero(~is_correct)[:N_COLUMNS]

fig = plt.figure(figsize=(10, 4.2), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.25], wspace=0.04)

ax = left.subplots()
ax.plot(range(1, n_epochs + 1), cost, color=BLUE, linewidth=2)
ax.set(yscale="log", xlabel="epoch", ylabel="mean cost", title="Training")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)

right.suptitle(f"{is_correct.sum()} of {len(y_test)} test digits classified correctly")
axes = right.subplots(3, N_COLUMNS).ravel()
for ax in axes:
    ax.axis("off")
for ax, row in zip(axes, [*correct_rows, *incorrect_rows], strict=False):
    ax.imshow(X_test[row].reshape(8, 8), cmap="gray_r")
    if is_correct[row]:
        ax.set_title(predicted[row], color=BLUE)
    else:
        title = f"{predicted[row]} (true {y_test[row]})"
        ax.set_title(title, color=VERMILION, fontsize="medium")

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
