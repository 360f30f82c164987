"""What type checkers say of code that uses the package: mypy reads it, nobody runs it.

An error that is not found is one too, by mypy's `warn_unused_ignores`.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from sk_rmsprop import (
    RMSprop,
    RMSpropMLPClassifier,
    RMSpropMLPRegressor,
    TrainingHistoryDisplay,
)

X = np.zeros((4, 2), np.float32)
y = ["a", "b", "a", "b"]

clf = RMSpropMLPClassifier([10, 5], learning_rate=0.01, max_iter="auto", alpha=0)
assert_type(clf.fit(X, y), RMSpropMLPClassifier)
assert_type(clf.fit(X.tolist(), y, X_val=X, y_val=y), RMSpropMLPClassifier)
assert_type(clf.partial_fit(X, y, classes=["a", "b"]), RMSpropMLPClassifier)
assert_type(clf.predict(X), NDArray[Any])
assert_type(clf.predict_proba(X), NDArray[np.floating])
assert_type(clf.coefs_, list[NDArray[np.floating]])
assert_type(clf.history_, list[dict[str, float]])
assert_type(clf.best_loss_, float | None)
assert_type(clf.validation_scores_, list[float] | None)

RMSpropMLPClassifier(max_iter="never")  # type: ignore[arg-type]
RMSpropMLPClassifier(activation=None)  # type: ignore[arg-type]
RMSpropMLPClassifier(learning_rate_init=0.01)  # type: ignore[call-arg]
clf.fit(X, y, None, X)  # type: ignore[call-arg]

reg = RMSpropMLPRegressor(10, loss="quantile", quantile=0.9, max_grad_norm=1)
assert_type(reg.fit(X, [1, 2.5, 3, 4], X_val=X, y_val=X[:, 0]), RMSpropMLPRegressor)
assert_type(reg.partial_fit(X, X), RMSpropMLPRegressor)
assert_type(reg.predict(X), NDArray[np.float64])
assert_type(reg.best_validation_score_, float | None)

RMSpropMLPRegressor(quantile="median")  # type: ignore[arg-type]
RMSpropMLPRegressor(class_weight="balanced")  # type: ignore[call-arg]
reg.partial_fit(X, X, classes=[0, 1])  # type: ignore[call-arg]

optimizer = RMSprop(0.01, momentum=0.9)
assert_type(optimizer.step(np.ones(3), np.ones(3)), None)
optimizer.step([1.0], [1.0])  # type: ignore[arg-type]
assert_type(clf.optimizer_, RMSprop)

assert_type(TrainingHistoryDisplay.from_estimator(clf), TrainingHistoryDisplay)
