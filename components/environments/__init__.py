"""Environments of reinforcement learning: what is observed, what can be done, and episodes that are played in them."""
