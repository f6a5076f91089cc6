"""The tests: each learns once from clean rows and compares with every file that arrives."""
