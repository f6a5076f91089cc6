"""Weights in less room: which of a model are worth it, and whole numbers in their place."""
