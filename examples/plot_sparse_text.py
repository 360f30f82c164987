"""
========================================
Text classification with sparse features
========================================

When texts are represented by their words, there is one feature per word, and nearly all
of the values are zero. The classifier accepts such sparse matrices and never converts
them to dense arrays.
"""

# %%
# Which SciPy subpackage is it?
# -----------------------------
# The texts are the docstrings of SciPy, which is installed along with scikit-learn; the
# classes are the subpackages they come from. Lines with code or parameter names are
# removed, so that the classifier has to rely on the prose.

import importlib
import inspect
import re
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sk_rmsprop import RMSpropMLPClassifier

SUBPACKAGES = [
    "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse",
    "spatial", "special", "stats",
]  # fmt: skip


def texts_of(subpackage):
    """Yield the docstrings of a subpackage's public names, without code."""
    module = importlib.import_module(f"scipy.{subpackage}")
    for name in module.__all__:
        text = inspect.getdoc(getattr(module, name)) or ""
        lines = [
            line for line in text.splitlines() if not re.search(r">>>| : |\(", line)
        ]
        if len(lines) >= 10:
            yield "\n".join(lines)


# Some names are deprecated and raise a warning.
warnings.simplefilter("ignore", DeprecationWarning)
texts, labels = [], []
for subpackage in SUBPACKAGES:
    found = sorted(set(texts_of(subpackage)))
    texts += found
    labels += [subpackage] * len(found)
texts_train, texts_test, y_train, y_test = train_test_split(
    texts, labels, stratify=labels, test_size=0.3, random_state=0
)

# %%
# Training
# --------
# Sparse features are not standardized by default: that would give rare words the same
# weight as frequent ones. They are multiplied by a factor: on a small scale, it takes
# longer to overfit to rare words. Training updates only the weights of words that a
# mini-batch has.

vectorizer = TfidfVectorizer(
    min_df=3, token_pattern=r"[a-zA-Z]{3,}", stop_words="english"
)
model = make_pipeline(vectorizer, RMSpropMLPClassifier((100,), random_state=0))
model.fit(texts_train, y_train)

X_train = vectorizer.transform(texts_train)
accuracy = model.score(texts_test, y_test)
share = X_train.nnz / np.prod(X_train.shape)
print(f"{len(texts_train)} texts, {X_train.shape[1]} words, {share:.1%} nonzero values")
print(f"accuracy on {len(texts_test)} test texts: {accuracy:.3f}")

# %%
# The most indicative words
# -------------------------
# What does the network predict for a text that consists of a single word? For each
# class, the plot shows the words with the highest predicted probabilities.

words = vectorizer.get_feature_names_out()
frequent = np.flatnonzero((X_train > 0).sum(axis=0) >= 10)
probability = model.predict_proba(words[frequent])

N_COLUMNS, N_WORDS = 5, 7
n_rows = -(-len(SUBPACKAGES) // N_COLUMNS)
fig, axes = plt.subplots(
    n_rows, N_COLUMNS, figsize=(12, 5), sharex=True, layout="constrained"
)
for ax, subpackage, column in zip(
    axes.flat, model.classes_, probability.T, strict=True
):
    top = np.argsort(column)[-N_WORDS:]
    ax.barh(words[frequent][top], column[top], color="#0072B2", alpha=0.8)
    ax.set(title=subpackage, xlim=(0, 1), xticks=[0, 0.5, 1])
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
fig.supxlabel("predicted probability of the class for this word alone")

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
