"""Tasks that make rows instead of answering to them."""
