"""Boxes in images: annotation files of three kinds, and scenes that are drawn."""
