"""What an evaluation says of codes, and pictures side by side."""
