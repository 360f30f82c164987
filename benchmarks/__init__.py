"""What training and prediction cost, measured side by side with other libraries."""
