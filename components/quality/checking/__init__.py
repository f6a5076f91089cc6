"""Judging a batch: what a clean file looked like (learned once) against a file that arrived (compared each time)."""
