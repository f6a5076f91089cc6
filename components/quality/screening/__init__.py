"""Screening a file: what a clean one looked like (learned once) against one that arrived (compared each time)."""
