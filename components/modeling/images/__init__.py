"""Architectures for images: bases that were trained before, their files, and how pictures are changed in training."""
