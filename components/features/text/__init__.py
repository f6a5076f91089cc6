"""Texts to be read: one layer that makes numbers of them, run by training and by the server alike."""
