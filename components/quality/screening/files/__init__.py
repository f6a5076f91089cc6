"""A file of rows as it arrived: its text, its rows, and files that are too large to hold."""
