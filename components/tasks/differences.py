"""How far two arrays of answers are apart, row by row."""

import numpy as np

Array = np.ndarray


def of_numbers(got: Array, wanted: Array) -> Array:
    """By row [rows] the largest difference of any value of ``got`` and ``wanted``, both [rows, ...].

    Infinite where only one side is finite or shapes differ. Absolute up to 1 and relative above. NaN on both sides, or
    the same infinity, is no difference.
    """
    if got.shape != wanted.shape:
        return np.full(max(len(wanted), 1), np.inf)
    wide = wanted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - wide) / np.maximum(1.0, np.abs(wide))
    same = (got == wide) | (np.isnan(got) & np.isnan(wide))
    difference = np.where(np.isfinite(difference), difference, np.inf)
    return np.where(same, 0.0, difference).reshape(len(wanted), -1).max(axis=1)


def of_texts(got: Array, wanted: Array) -> Array:
    """By row [rows] 0 where every value of ``got`` and ``wanted``, both [rows, ...], is the same, else infinite."""
    if got.shape != wanted.shape:
        return np.full(max(len(wanted), 1), np.inf)
    return np.where((got == wanted).reshape(len(wanted), -1).all(axis=1), 0.0, np.inf)
