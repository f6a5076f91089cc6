"""The source that a module stands on: where modules lie, what they import, versions of libraries. Imports nothing."""
