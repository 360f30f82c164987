"""
===========================================
Learning from a stream of hashed documents
===========================================

``HashingVectorizer`` turns texts into sparse features without a vocabulary: it hashes
each word to one of many columns. Nothing has to be known of the texts beforehand, so
they can be learned from as they arrive, and never have to be in memory together.
"""

# %%
# The stream
# ----------
# The documents are the paragraphs in the docstrings of SciPy, which is installed along
# with scikit-learn, in random order; the classes are the subpackages they come from.

import importlib
import inspect
import re
import sys
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from sk_rmsprop import RMSpropMLPClassifier

SUBPACKAGES = [
    "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse",
    "spatial", "special", "stats",
]  # fmt: skip


def paragraphs_of(subpackage):
    """Yield the paragraphs in the docstrings of a subpackage, without code."""
    module = importlib.import_module(f"scipy.{subpackage}")
    for name in module.__all__:
        text = inspect.getdoc(getattr(module, name)) or ""
        for paragraph in text.split("\n\n"):
            if len(paragraph.split()) >= 8 and ">>>" not in paragraph:
                yield re.sub(r"[^a-zA-Z]+", " ", paragraph).lower()


# Some names are deprecated and raise a warning.
warnings.simplefilter("ignore", DeprecationWarning)
documents = sorted(
    {(text, label) for label in SUBPACKAGES for text in paragraphs_of(label)}
)
order = np.random.default_rng(0).permutation(len(documents))
texts, labels = zip(*(documents[i] for i in order), strict=True)
CHUNK_SIZE = 100
chunks = [
    slice(start, start + CHUNK_SIZE) for start in range(0, len(texts), CHUNK_SIZE)
]
print(f"{len(texts)} documents in {len(chunks)} chunks")

# %%
# Test, then train
# ----------------
# Each chunk is predicted first, which gives the accuracy, and then trained on, once.
# The network updates only the weights of the words that occur: with 2**18 columns these
# are some 50,000 of 13 million.


def follow(model, n_features=2**18):
    """Return the number of right predictions and the time to train, for every chunk."""
    vectorizer = HashingVectorizer(n_features=n_features)
    right, seconds = [], []
    for number, chunk in enumerate(chunks):
        X, y = vectorizer.transform(texts[chunk]), labels[chunk]
        if number > 0:
            right.append(np.mean(model.predict(X) == np.array(y)))
        start = time.perf_counter()
        model.partial_fit(X, y, classes=SUBPACKAGES)
        seconds.append(time.perf_counter() - start)
    return np.array(right), np.array(seconds)


def network():
    """Return the classifier: in a stream, its learning rate is constant.

    A chunk of 100 documents is worth more than three updates.
    """
    return RMSpropMLPClassifier((50,), batch_size=10, weight_decay=0, random_state=0)


models = {
    "RMSpropMLPClassifier": network(),
    'SGDClassifier(loss="log_loss")': SGDClassifier(loss="log_loss", random_state=0),
}
results = {name: follow(model) for name, model in models.items()}
for name, (right, _) in results.items():
    print(f"{name}: {right[-20:].mean():.3f} in the last 2,000 documents")

# %%
# What the columns cost
# ---------------------
# The number of columns decides how many words share one. With 256 times as many,
# updates of all weights would take 256 times as long. The updates here take the time of
# the words; what remains are statistics of the columns, a few numbers each, and the
# memory for the weights.

sizes = 2 ** np.arange(10, 19, 2)
times = [1000 * np.median(follow(network(), size)[1][1:]) for size in sizes]
print(
    f"{times[0]:.0f} ms a chunk with {sizes[0]} columns, {times[-1]:.0f} ms with 2**18"
)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
WINDOW = 10
for (name, (accuracy, _)), color, offset in zip(
    results.items(), ["#0072B2", "#D55E00"], [20, -20], strict=True
):
    smooth = np.convolve(accuracy, np.ones(WINDOW) / WINDOW, mode="valid")
    seen = CHUNK_SIZE * (np.arange(len(smooth)) + WINDOW)
    left.plot(seen, smooth, color=color)
    left.annotate(
        name, (seen[-1], smooth[-1]), (0, offset), textcoords="offset points",
        ha="right", va="center", color=color,
    )  # fmt: skip
left.set(
    xlabel="documents seen",
    ylabel=f"accuracy on the next {WINDOW * CHUNK_SIZE:,}",
    ylim=(0, 1),
    title="Predicted before they are learned",
)
right.plot(sizes, times, "o-", color="#0072B2")
right.set(
    xscale="log",
    xlabel="columns of HashingVectorizer",
    ylabel=f"ms per chunk of {CHUNK_SIZE} documents",
    ylim=(0, None),
    title="Time to train",
)
right.set_xticks(sizes, [f"$2^{{{int(np.log2(size))}}}$" for size in sizes])
right.minorticks_off()
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

# When run as a script, the first argument is the file to save the figure to.
if len(sys.argv) > 1:
    fig.savefig(sys.argv[1], dpi=150)
    print("figure saved to", sys.argv[1])
plt.show()
