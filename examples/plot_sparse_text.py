"""
===========================================
Sparse text: many features, few in each row
===========================================

A text as a row of a table has a column for every word, nearly all of them zero. The
classifier takes such sparse matrices as they are, and never makes them dense.
"""

# %%
# Which part of SciPy is it?
# --------------------------
# The texts are the docstrings of SciPy, which is installed with scikit-learn; the
# classes are the subpackages that they come from. Code and the lines with parameters'
# names are left out, so that the words have to tell.

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
    """Return the docstrings of what a subpackage exports, without code and names."""
    module = importlib.import_module(f"scipy.{subpackage}")
    for name in module.__all__:
        text = inspect.getdoc(getattr(module, name)) or ""
        lines = [
            line for line in text.splitlines() if not re.search(r">>>| : |\(", line)
        ]
        if len(lines) >= 10:
            yield "\n".join(lines)


# Some names only warn that they have moved.
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
# Sparse data are not standardised by default: dividing each column by its standard
# deviation would give rare words the weight of frequent ones.

vectorizer = TfidfVectorizer(
    min_df=3, token_pattern=r"[a-zA-Z]{3,}", stop_words="english"
)
model = make_pipeline(vectorizer, RMSpropMLPClassifier((100,), random_state=0))
model.fit(texts_train, y_train)

X_train = vectorizer.transform(texts_train)
accuracy = model.score(texts_test, y_test)
share = X_train.nnz / np.prod(X_train.shape)
print(
    f"{len(texts_train)} texts, {X_train.shape[1]} words, {share:.1%} of them not zero"
)
print(f"accuracy on {len(texts_test)} other texts: {accuracy:.3f}")

# %%
# The words
# ---------
# What does the network make of a text that is a single word? For every class these are
# the words that it is surest of, with their probabilities.

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
    surest = np.argsort(column)[-N_WORDS:]
    ax.barh(words[frequent][surest], column[surest], color="#0072B2", alpha=0.8)
    ax.set(title=subpackage, xlim=(0, 1), xticks=[0, 0.5, 1])
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
fig.supxlabel("probability of the class, given this word alone")

# Run as a script, this takes the name of a file to keep the picture in.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("the picture is in", sys.argv[1])
plt.show()
