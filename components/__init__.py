import kilnworks  # noqa: F401  (in a clone: from now on the short names mean the same modules)
