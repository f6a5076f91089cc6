"""Whether groups of rows are served alike: gaps between them of everything a task measures, and a gate on them."""
