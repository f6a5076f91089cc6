"""Statistics of columns as partial results that merge: of a batch, then of two batches, then of a split."""
