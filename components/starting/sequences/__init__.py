"""A first pipeline for rows that hold a sequence of numbers."""
