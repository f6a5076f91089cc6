"""Statistics of every column, made of partial results that merge."""
