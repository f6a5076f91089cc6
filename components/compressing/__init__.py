"""A trained model made smaller, and what that costs: size, latency and quality beside those of the one it was."""
