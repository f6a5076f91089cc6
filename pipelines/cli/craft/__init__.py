"""Commands of the craft: compare, diagnose, explain, compress."""
