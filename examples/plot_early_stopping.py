"""
=======================================
Early stopping and the training history
=======================================

A network that is trained for too long fits the noise in its training data. With
``early_stopping=True``, part of the data is held out as a validation set, training
stops when the predictions for it no longer improve, and the model keeps the weights of
the best epoch.
"""

# %%
# With and without early stopping
# -------------------------------
# One label in five is wrong. The first network is trained for 150 epochs with a
# constant learning rate and only monitors the loss on a validation set; the second one
# uses it for early stopping. The validation set is passed as ``X_val`` and ``y_val``;
# without it, early stopping holds out a tenth of the training data. The third network
# uses the default settings.

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
# The first network is not meant to converge.
warnings.simplefilter("ignore", ConvergenceWarning)
models = {
    "no early stopping": RMSpropMLPClassifier(n_iter_no_change=np.inf, **params).fit(
        X_train, y_train, **validation
    ),
    "early stopping": RMSpropMLPClassifier(early_stopping=True, **params).fit(
        X_train, y_train, **validation
    ),
    "defaults, all samples": RMSpropMLPClassifier(random_state=0).fit(X_rest, y_rest),
}
print("                         epochs   accuracy   log-loss (test set)")
for name, model in models.items():
    accuracy = model.score(X_test, y_test)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"  {name:22} {model.n_iter_:6} {accuracy:10.3f} {loss:10.3f}")
print("best epoch with early stopping:", models["early stopping"].best_epoch_)

# %%
# The history
# -----------
# ``history_`` has one record per epoch and can be turned into a data frame;
# ``TrainingHistoryDisplay`` plots it. On the left, the training cost keeps falling
# while the validation loss rises: the network becomes more and more confident about
# noise. On the right, training stopped ten epochs after the best one, ``best_epoch_``,
# which is marked and whose weights the model keeps. The default settings need no
# validation set and use all samples for training: the learning rate decays, and a
# penalty keeps the weights small. With labels as noisy as these, that model is as
# accurate but overconfident, as its log-loss shows.

fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax, name in zip(axes, ("no early stopping", "early stopping"), strict=True):
    TrainingHistoryDisplay.from_estimator(models[name], ax=ax)
    ax.set_title(name.capitalize())
    ax.grid(alpha=0.3)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
