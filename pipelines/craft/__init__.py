"""Craft around a training: the same pipeline on other cuts of its rows, and what came of it."""
