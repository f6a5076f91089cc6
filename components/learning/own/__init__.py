"""A user's own model, loss, metrics, callbacks, optimizer and batches in a training."""
