"""Texts as TF-IDF: 20 newsgroups from a folder or downloaded, or synthetic ones."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.datasets import fetch_20newsgroups_vectorized
from sklearn.feature_extraction.text import TfidfTransformer

NAME = "20 newsgroups"
FILE = "newsgroups20.npz"
SYNTHETIC = "synthetic texts"

N_CLASSES = 20
N_WORDS = 30_000
N_TRAIN = 11_000
N_TEST = 7_500

# How much the frequency of a word varies between classes: about as hard as real texts.
SPREAD = 0.7


def texts(settings):
    """Return a name, X_train, y_train, X_test and y_test, with X as CSR float32."""
    folder = settings.data_folder
    if folder is not None and Path(folder, FILE).exists():
        name, train, test = NAME, *_from_folder(Path(folder, FILE))
    elif settings.openml:
        name, train, test = NAME, *map(_downloaded, ("train", "test"))
    else:
        name, train, test = SYNTHETIC, *_synthetic()
    if settings.quick:
        # Not the first samples: the file may be sorted by class.
        train, test = [part[::25] for part in train], [part[::25] for part in test]
    tfidf = TfidfTransformer().fit(train[0])
    return name, tfidf.transform(train[0]), train[1], tfidf.transform(test[0]), test[1]


def _from_folder(path):
    with np.load(path) as arrays:
        return [
            (
                csr_matrix(
                    (
                        arrays[f"X_{part}_data"].astype(np.float32),
                        arrays[f"X_{part}_indices"],
                        arrays[f"X_{part}_indptr"],
                    ),
                    shape=arrays[f"X_{part}_shape"],
                ),
                arrays[f"y_{part}"],
            )
            for part in ("train", "test")
        ]


def _downloaded(subset):
    # Headers name the newsgroup, and quotes repeat other texts.
    X, y = fetch_20newsgroups_vectorized(
        subset=subset,
        remove=("headers", "footers", "quotes"),
        normalize=False,
        return_X_y=True,
    )
    return X.astype(np.float32), y


def _synthetic():
    """Return counts of words with Zipf's frequencies, which depend on the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=N_TRAIN + N_TEST)
    lengths = np.ceil(rng.lognormal(3.5, 1, len(y))).astype(int)
    classes = np.repeat(y, lengths)
    words = np.empty(len(classes), int)
    for k in range(N_CLASSES):
        frequencies = rng.lognormal(0, SPREAD, N_WORDS) / np.arange(10, N_WORDS + 10)
        words[classes == k] = rng.choice(
            N_WORDS, np.sum(classes == k), p=frequencies / frequencies.sum()
        )
    X = _word_counts(words, lengths, N_WORDS)
    return (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])


def random_texts(n_samples, n_words, length):
    """Return the counts of random words in texts of one length, and random classes."""
    rng = np.random.default_rng(0)
    words = rng.integers(n_words, size=n_samples * length)
    X = _word_counts(words, np.full(n_samples, length), n_words)
    return X, rng.integers(N_CLASSES, size=n_samples)


def _word_counts(words, lengths, n_words):
    """Return the counts of words per text, given the words of all texts in a row."""
    ends = np.append(0, np.cumsum(lengths))
    counts = np.ones(len(words), np.float32)
    X = csr_matrix((counts, words, ends), shape=(len(lengths), n_words))
    X.sum_duplicates()
    return X
