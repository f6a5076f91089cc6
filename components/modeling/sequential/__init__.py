"""Networks for a sequence of numbers in each row."""
