"""What hands out batches of training rows."""
