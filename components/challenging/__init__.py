"""A new model against the live one, on the same rows: measured, and decided by a rule."""
