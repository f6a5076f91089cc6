"""Parts of a forecast."""
