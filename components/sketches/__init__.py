"""What is known of a column in bounded memory and adds up: moments, weighted values, counts, different values."""
