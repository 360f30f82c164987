"""
=========================================
A grid search over beta and learning_rate
=========================================

RMSprop has two options of its own: ``learning_rate``, the size of its steps, and
``beta``, the memory of the average of squared gradients that scales them. As for
any scikit-learn estimator, ``GridSearchCV`` tries out their combinations.
"""

# %%
# The search
# ----------
# The classifier stands behind a scaler, so that its parameters are addressed by the
# name of the pipeline's step. With only three epochs the differences show; with twenty
# most combinations of this grid are as good as the best. There are 30 of them, each
# fitted three times, on two processor cores.

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sk_rmsprop import RMSpropMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

model = Pipeline(
    [
        ("scaler", StandardScaler()),
        (
            "classifier",
            RMSpropMLPClassifier(
                learning_rate_schedule="cosine", max_iter=3, random_state=0
            ),
        ),
    ]
)
betas = [0.0, 0.5, 0.9, 0.99, 0.999]
learning_rates = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
search = GridSearchCV(
    model,
    {"classifier__beta": betas, "classifier__learning_rate": learning_rates},
    cv=3,
    n_jobs=2,
)

start = time.perf_counter()
search.fit(X_train, y_train)
print(f"{len(search.cv_results_['params'])} combinations", end=", ")
print(f"{time.perf_counter() - start:.1f} s")
for name, value in search.best_params_.items():
    print(f"best {name.removeprefix('classifier__')}: {value}")
print(f"accuracy in cross-validation: {search.best_score_:.3f}")
print(f"accuracy on the test set: {search.score(X_test, y_test):.3f}")

# %%
# The scores
# ----------
# The best combinations lie along a slanting ridge. The average of squared gradients
# starts at 0 and fills the more slowly the longer its memory is. Until it has filled,
# the steps are too large; so the larger ``beta`` is, the smaller a learning rate
# serves best. On the ridge the scores differ by less than 0.01, about as much as the
# three folds of one combination do: which of its cells comes out best is chance.

scores = search.cv_results_["mean_test_score"].reshape(len(betas), -1)
best_row, best_column = np.unravel_index(scores.argmax(), scores.shape)
LOWEST, DARK = 0.9, 0.94

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
image = ax.imshow(scores, cmap="cividis", vmin=LOWEST, vmax=scores.max(), aspect="auto")
for (row, column), score in np.ndenumerate(scores):
    ax.text(
        column,
        row,
        f"{score:.3f}",
        ha="center",
        va="center",
        color="white" if score < DARK else "black",
        weight="bold" if (row, column) == (best_row, best_column) else "normal",
    )
ax.add_patch(
    plt.Rectangle(
        (best_column - 0.5, best_row - 0.5),
        1,
        1,
        fill=False,
        edgecolor="#D55E00",
        linewidth=3,
    )
)
ax.set(
    xticks=range(len(learning_rates)),
    xticklabels=[f"{rate:g}" for rate in learning_rates],
    yticks=range(len(betas)),
    yticklabels=[f"{beta:g}" for beta in betas],
    xlabel="learning_rate",
    ylabel="beta",
)
ax.set_title("Accuracy in cross-validation, the best one framed")
fig.colorbar(image, extend="min")

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
