"""The cost of training and prediction, measured side by side with other libraries."""
