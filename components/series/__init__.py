"""Series: moments on a regular grid, and windows as views of it."""
