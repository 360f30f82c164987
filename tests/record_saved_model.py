"""Write a trained classifier as this release saves it, and what is known of it.

    python tests/record_saved_model.py

writes ``tests/data/classifier-VERSION.joblib`` and ``.npz`` beside it. Run it once, for
every release, with the release's own code: a test has every later one load these files,
predict what they say, and train on to the weights that they say.
"""

from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris

import sk_rmsprop
from sk_rmsprop import RMSpropMLPClassifier

FOLDER = Path(__file__).parent / "data"


def main():
    """Train on iris, save, and continue for three epochs with the saved model."""
    X, y = load_iris(return_X_y=True)
    X[::7, 2] = np.nan
    X[:, 3] = np.rint(X[:, 3])
    # Every kind of array that the state can have, and a schedule under way.
    clf = RMSpropMLPClassifier(
        (5, 4),
        categorical_features=[3],
        learning_rate=0.003,
        learning_rate_schedule="linear",
        alpha=0.001,
        batch_size=32,
        momentum=0.5,
        centered=True,
        epsilon=1e-3,
        max_iter=12,
        random_state=0,
    )
    for _ in range(5):
        clf.partial_fit(X, y, classes=[0, 1, 2])
    path = FOLDER / f"classifier-{sk_rmsprop.__version__}.joblib"
    joblib.dump(clf, path, compress=3)
    known = {"X": X, "probabilities": clf.predict_proba(X), "costs": clf.cost_history_}
    for _ in range(3):
        clf.partial_fit(X, y)
    known["later_probabilities"] = clf.predict_proba(X)
    known["later_learning_rates"] = [record["learning_rate"] for record in clf.history_]
    np.savez_compressed(path.with_suffix(".npz"), **known)
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
