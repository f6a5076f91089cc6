"""How large a number may be in each form that the pipeline gives it, and limits written so that they read back."""

import math

EXACT = 2**53
"""Up to here float64 tells all whole numbers apart."""
EXACT_IN_FLOAT32 = 2**24
"""The same of float32, in which models compute."""
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
"""The whole numbers of dtype ``int``."""
FLOAT32_MAX = 3.4028234663852886e38
"""The largest number that a model, which computes in float32, can take."""


FLOAT32_TINY = 1.1754943508222875e-38
"""The smallest number above 0 that is not rounded to 0 on the way."""
LARGEST_SPREAD = 1e30
"""Largest standard deviation of a number to be predicted, and one over the smallest: beyond, gradients become 0."""
FINITE = "a finite number of at most 3.4e+38"
"""The rule that every number keeps, in words: what a model can take and a mean can be made of."""


def fits_int64(value: float) -> bool:
    """Whether a whole number is one of dtype ``int``."""
    return INT64_MIN <= value <= INT64_MAX


def as_limit(value: float) -> float:
    """A limit as a contract holds it: an int where float64 would round it, else a float.

    Raises:
        ValueError: it is not finite.
    """
    if isinstance(value, int) and abs(value) > EXACT and fits_int64(value):
        return value
    try:
        limit = float(value)
    except OverflowError:
        limit = math.inf
    if not math.isfinite(limit):
        raise ValueError("must be a finite number; leave a limit out where there is none")
    return limit


def plain(value: float) -> str:
    """A number with all its digits, whole ones without a fraction; reads back as the same number.

    >>> plain(9007199254740993), plain(120.0), plain(0.1), plain(1e300)
    ('9007199254740993', '120', '0.1', '1e+300')
    """
    if isinstance(value, int) or (math.isfinite(value) and value % 1 == 0 and abs(value) <= EXACT):
        return str(int(value))
    return repr(float(value))
