"""Rows of checked examples cut anew: folds of a cross-validation, shares of a learning curve."""
