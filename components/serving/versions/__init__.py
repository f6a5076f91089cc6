"""Which models and versions are served, and what is loaded and unloaded for that."""
