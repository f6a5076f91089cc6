"""Drift: how far one set of rows has moved from another, one statistic a file; ``compare`` puts them together."""
