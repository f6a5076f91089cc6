"""A first look at boxes in images."""
