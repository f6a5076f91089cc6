"""Contracts from data and from other tools' files: infer, diff, evolve, import, export."""
