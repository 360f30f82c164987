"""scikit-learn's callbacks (``sklearn.callback``, from 1.9 on), where they exist.

On older versions `CallbackSupportMixin` adds nothing to the estimator, and
`FitCallbacks` never finds a callback to call.
"""

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin before version 1.9."""


class FitCallbacks:
    """The callbacks of one `fit`: a root task with one subtask per epoch.

    Parameters
    ----------
    estimator : estimator
        Its callbacks hear of the tasks.
    max_epochs : int
        The most epochs that there can be.
    X, y : array-like
        The training data, as the user gave them.
    sample_weight : array-like or None
        Likewise.
    """

    def __init__(self, estimator, max_epochs, X, y, sample_weight):
        self.active = bool(getattr(estimator, "_skl_callbacks", None))
        if not self.active:
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.task = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.fit_context = estimator._init_callback_context(max_subtasks=max_epochs)
        self.fit_context.call_on_fit_task_begin(**self.task)

    def begin_epoch(self):
        """Tell the callbacks that an epoch begins."""
        if self.active:
            self.epoch_context = self.fit_context.subcontext(task_name="epoch")
            self.epoch_context.call_on_fit_task_begin(**self.task)

    def end_epoch(self, fitted_attributes):
        """Tell the callbacks that an epoch has ended; return whether one wants to stop.

        Parameters
        ----------
        fitted_attributes : callable
            Returns the attributes with which a copy of the estimator is fitted.
        """
        return self.active and self.epoch_context.call_on_fit_task_end(
            **self.task, reconstruction_attributes=fitted_attributes
        )

    def end_fit(self, fitted_attributes):
        """Tell the callbacks that the fit has ended."""
        if self.active:
            self.fit_context.call_on_fit_task_end(
                **self.task, reconstruction_attributes=fitted_attributes
            )
