"""A gap between groups of rows as a number with bounds, and the rates that are compared."""
