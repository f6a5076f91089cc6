"""Searching for better settings: what is tried, by whom, what came of it."""
