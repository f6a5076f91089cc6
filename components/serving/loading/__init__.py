"""SavedModels: which graphs are let in, how they are loaded and run."""
