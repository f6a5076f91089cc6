"""A policy judged by play."""
