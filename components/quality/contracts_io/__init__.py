"""Contracts compared, changed, and carried to and from the formats of other tools."""
