"""
=======================================
Early stopping and the training history
=======================================

A network that trains for too long learns the noise of its training rows by heart. With
``early_stopping=True`` some rows are held out, training ends when they are no longer
predicted better, and the model is the one at its best epoch.
"""

# %%
# Two trainings
# -------------
# One label in five is wrong. The first network trains for 150 epochs at a constant
# rate, and only takes note of what a validation set says; the second one acts on it.
# ``X_val`` and ``y_val`` are those rows; without them, the classifier holds out a tenth
# of the training rows by itself.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_rmsprop import RMSpropMLPClassifier, TrainingHistoryDisplay

X, y = make_classification(
    6000, n_features=20, n_informative=10, flip_y=0.4, random_state=0
)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, train_size=1500, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(
    X_rest, y_rest, stratify=y_rest, random_state=0
)

params = {
    "learning_rate_schedule": "constant",
    "learning_rate": 0.001,
    "alpha": 0.0,
    "max_iter": 150,
    "random_state": 0,
}
validation = {"X_val": X_val, "y_val": y_val}
# The first of them is not meant to converge.
warnings.simplefilter("ignore", ConvergenceWarning)
models = {
    "trained on": RMSpropMLPClassifier(n_iter_no_change=np.inf, **params).fit(
        X_train, y_train, **validation
    ),
    "stopped early": RMSpropMLPClassifier(early_stopping=True, **params).fit(
        X_train, y_train, **validation
    ),
    "defaults, on all rows": RMSpropMLPClassifier(random_state=0).fit(X_rest, y_rest),
}
print("                         epochs   accuracy   log-loss on the test set")
for name, model in models.items():
    accuracy = model.score(X_test, y_test)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"  {name:22} {model.n_iter_:6} {accuracy:10.3f} {loss:10.3f}")

# %%
# The history
# -----------
# ``history_`` has a record of every epoch, ready for a data frame;
# ``TrainingHistoryDisplay`` draws it. On the left the cost of the training rows goes on
# falling while the loss of the validation rows rises: the network gets ever surer of
# what is noise. On the right training ended ten epochs after the best one, which is
# marked and kept. The defaults use no validation rows and learn from all of them:
# their rate falls, and a penalty keeps the weights small. On labels as noisy as these
# they are as accurate, but surer than they should be, as their log-loss tells.

fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax, name in zip(axes, ("trained on", "stopped early"), strict=True):
    TrainingHistoryDisplay.from_estimator(models[name], ax=ax)
    ax.set_title(name.capitalize())
    ax.grid(alpha=0.3)

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
