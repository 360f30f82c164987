"""
=======================================
Grid search over beta and learning_rate
=======================================

RMSprop has two hyperparameters of its own: ``learning_rate``, the size of its steps,
and ``beta``, the decay rate of the moving average of squared gradients that scales
them. As for any scikit-learn estimator, ``GridSearchCV`` evaluates their combinations.
"""

# %%
# The search
# ----------
# The classifier is the last step of a pipeline, so its parameters are prefixed with the
# name of that step. After only three epochs the combinations differ clearly; after
# twenty, most of them are as good as the best. There are 30 combinations, each fitted
# on three folds, on two CPU cores.

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
print(f"cross-validation accuracy: {search.best_score_:.3f}")
print(f"test accuracy: {search.score(X_test, y_test):.3f}")

# %%
# The scores
# ----------
# The best combinations form a diagonal ridge. The moving average of squared gradients
# starts at 0, and the longer its memory, the more slowly it builds up. Until then the
# steps are too large, so the larger ``beta`` is, the smaller the best learning rate.
# Along the ridge the scores differ by less than 0.01, about as much as those of a
# single combination on the three folds: which cell comes out best is a matter of
# chance.

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
ax.set_title("Cross-validation accuracy (best combination framed)")
fig.colorbar(image, extend="min")

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
