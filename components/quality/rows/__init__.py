"""Rows of a split, whatever file they lie in: read in batches, the rules on single rows, what is set aside."""
