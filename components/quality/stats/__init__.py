"""Pieces of statistics that add up: partial results of parts of the data merge into those of the whole."""
