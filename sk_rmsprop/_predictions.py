"""Predictions of class labels and their probabilities, and their score."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_consistent_length

from sk_rmsprop._labels import as_labels, check_labels, equal_labels
from sk_rmsprop._losses import Loss

MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix


class ClassPredictor(ClassifierMixin):
    """What all classifiers do with the probabilities that they predict.

    The other base of a classifier has the methods that are annotated here:
    ``_fitted_loss()`` returns the row of the loss or raises a NotFittedError,
    ``_probabilities(X)`` and ``_log_probabilities(X)`` return one row per sample, and
    ``_probability_blocks(X)`` yields probabilities in blocks of rows.
    """

    classes_: NDArray[Any]
    _fitted_loss: Callable[[], Loss]
    _probabilities: Callable[[Any], NDArray[np.floating]]
    _log_probabilities: Callable[[Any], NDArray[np.floating]]
    _probability_blocks: Callable[[Any], Iterator[NDArray[np.floating]]]

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each sample; for multilabel `y`, 1 where the
            probability of a label exceeds 0.5, else 0.
        """
        loss = self._fitted_loss()
        # Not from all probabilities at once: of many classes they fill the memory.
        blocks = self._probability_blocks(X)
        return np.concatenate([loss.decode(block, self.classes_) for block in blocks])

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the accuracy of the predictions, for labels of any type.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels. Unknown ones count as errors; of multilabel `y`, all labels of
            a sample have to be right.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            The weighted share of samples that are predicted correctly.
        """
        predicted = self.predict(X)
        _, y = check_labels(as_labels(y, "y"), "y")
        check_consistent_length(predicted, y)
        is_right = equal_labels(predicted, y)
        return accuracy_score(
            np.ones(len(is_right), bool), is_right, sample_weight=sample_weight
        )

    def predict_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probability of each class, in the order of `classes_`; for multilabel
            `y`, of each label. float32 if `X` and the training data are.
        """
        return self._probabilities(X)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict logarithms of class probabilities.

        They are computed from the raw outputs, so that they are finite even where the
        probability is too small for a float.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Natural logarithms of what `predict_proba` returns.
        """
        return self._log_probabilities(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
