"""Whether groups of rows are served alike: gaps between them, with intervals, and thresholds by group."""
