"""Rows for the tables of test_failures.py, from tests that go, and what else is left.

All bad X, y, weights, classes, validation data and parameters are then refused in
test_failures alone, but for `predict` (test_inputs). The messages below are those that
the tests to go have asserted: take them over where yours says less.
"""

import numpy as np
import pandas as pd
import pytest

from tests.cases import WEIGHT, X_VAL, Y_MULTILABEL, Y_VAL, X, y
from tests.helpers import small

VALIDATION = {"X_val": X_VAL, "y_val": Y_VAL}

BAD_DATA = {
    "X -inf": ({"X": np.where(X[3, 0] == X, -np.inf, X)}, "X contains infinity"),
    "y missing": ({"y": None}, "requires y"),
    "y short": ({"y": y[1:]}, "inconsistent numbers of samples"),
    "y multioutput": ({"y": np.c_[y, y]}, "multioutput y is not supported"),
    "sample_weight zero": (
        {"sample_weight": 0 * WEIGHT},
        "sample_weight is zero for every row",
    ),
    "sample_weight negative": (
        {"sample_weight": WEIGHT - 1e-9},
        "Negative values.*sample_weight",
    ),
    "sample_weight strings": (
        {"sample_weight": ["heavy"] * 65},
        "could not convert string",
    ),
    # sample_weight nan and inf: "sample_weight contains NaN", "... infinity"
}

# For warm fits and partial_fit.
# X with a column less: "4 features.*expecting 5 features"
BAD_WHEN_CONTINUING = {
    # partial_fit
    "y with an unknown label": (
        {"y": y + 1},
        r"not among the classes \[0 1 2\]: \[3\]",
    ),
    "y of strings": ({"y": y.astype(str)}, "not among the classes"),
    "y with a fraction": (
        {"y": np.where(y == 2, 0.5, y)},
        r"not among the classes \[0 1 2\]: \[0.5\]",
    ),
    "y of mixed labels": (
        {"y": np.array([0, "a", None, 1, *y[4:]], dtype=object)},
        "y has labels",
    ),
    "y multilabel": ({"y": Y_MULTILABEL}, "kind of y"),
    "more classes": ({"classes": [0, 1, 2, 3]}, "the same"),
    "fewer classes": ({"classes": [0, 1]}, "the same"),
    # warm fit
    "y without a class": ({"y": np.where(y == 2, 1, y)}, "the same"),
    "y with other classes": ({"y": y + 1}, "the same"),
}
# To a multilabel model: y = Y_MULTILABEL[:, :2] "2 columns, but there are 3 labels"
# (with the numbers of that y), y = class labels "kind of y"; and to an unfitted one,
# classes=[0, 1] for three columns: "3 columns, but there are 2 labels",
# classes=["z", "a", "b"]: "numbers of its columns".

# First and later partial_fit
BAD_CLASSES = {
    "2-D": [[0, 1, 2]],
    "a fraction more": [0, 0.5, 1, 2],
    "with None": [0, 1, 2, None],
    "a set": {0, 1, 2},
}
# The first partial_fit without classes: "classes must be passed on the first call".
# Its y with a label too many: r"not among the classes \[0 1\]: \[2\]".

BAD_VALIDATION = {
    "X_val alone": ({"X_val": X_VAL}, "X_val and y_val must be given together"),
    "y_val alone": ({"y_val": Y_VAL}, "X_val and y_val must be given together"),
    "weight alone": (
        {"sample_weight_val": np.ones(40)},
        "sample_weight_val needs X_val",
    ),
    "unknown label": (
        VALIDATION | {"y_val": Y_VAL + 1},
        r"y_val has labels that are not among the classes.*\[3\]",
    ),
    "strings": (
        VALIDATION | {"y_val": Y_VAL.astype(str)},
        "y_val has labels that are not among the classes",
    ),
    "empty": ({"X_val": X_VAL[:0], "y_val": Y_VAL[:0]}, "0 sample"),
    "features": (VALIDATION | {"X_val": X_VAL[:, 1:]}, "4 features"),
    "negative weight": (
        VALIDATION | {"sample_weight_val": -np.ones(40)},
        "Negative values in data passed to sample_weight_val",
    ),
    "zero weight": (
        VALIDATION | {"sample_weight_val": np.zeros(40)},
        "sample_weight_val is zero for every row",
    ),
    "weight's length": (
        VALIDATION | {"sample_weight_val": np.ones(39)},
        "sample_weight",
    ),
}
# y_val of another kind than y, y = Y_MULTILABEL and y_val = one column of labels, 1-D,
# or 2-D with its DataConversionWarning: "y_val".
# A frame for X and X_val with another column name: "feature names should match".

# Bad parameters: a class_weight that is negative, NaN or infinite has the message
# "class_weight must be finite and not negative"; all of them 0, alone or in a product
# with sample_weight: "together are zero for every row"; only those of the rows of
# validation data: "zero for every validation row". Any class_weight with a multilabel
# y, in fit and in partial_fit: "class_weight is not supported for multilabel".
# partial_fit and "balanced": r'class_weight="balanced".*partial_fit'; and
# early_stopping: "early_stopping=True".
# Covered where `everything` is compared: that a failed call advances no random state,
# that a scorer which raises, returns no number or has a wrong signature
# (lambda estimator, X: 1.0) changes nothing.
# Early stopping that can't split: "early_stopping cannot hold out", and the remedies
# "more rows", "X_val", "early_stopping=False" (that each helps: test_validation).


@pytest.mark.parametrize("weight", [np.zeros(60), -np.ones(60)])
def test_a_failed_fit_forgets_the_data_it_was_given(data, frame, weight):
    # It fails after X has been validated.
    X, codes = data
    clf = small().fit(frame, codes)
    before = vars(clf).copy()
    other = pd.DataFrame(X[:, :3], columns=list("xyz"))
    with pytest.raises(ValueError, match="sample_weight"):
        clf.fit(other, codes, sample_weight=weight)
    assert vars(clf) == before
