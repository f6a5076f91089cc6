"""A trained model that answers NaN: refused, unless low precision or a number beyond float32 excuses the row."""

import numpy as np
import pytest

from kilnworks.components.exporting.skew import LARGEST, _refuse_not_finite, beyond_float32
from kilnworks.schemas.errors import SkewDetected

WANTED = {"class": np.array([b"a", b"b", b"a"], object), "score": np.array([0.5, np.nan, np.inf], np.float32)}


def test_the_first_row_without_a_number_is_named() -> None:
    with pytest.raises(SkewDetected, match="output 'score', row 1: the trained model answers nan"):
        _refuse_not_finite(WANTED, None)
    with pytest.raises(SkewDetected, match="row 2"):
        _refuse_not_finite(WANTED, np.array([False, True, False]))


def test_rows_that_are_excused_pass() -> None:
    _refuse_not_finite(WANTED, np.array([False, True, True]))
    _refuse_not_finite({"score": np.array([1.0])}, None)
    with pytest.raises(SkewDetected, match="row 1"):
        _refuse_not_finite(WANTED, np.array([True, False, True]))


def test_only_numbers_whose_square_overflows_excuse() -> None:
    with np.errstate(over="ignore"):
        assert np.isfinite(np.float32(LARGEST * 0.99) ** 2) and np.isinf(np.float32(LARGEST * 1.01) ** 2)
    raw = {
        "x": np.array([1.0, np.nan, -3e38, 1e18], np.float32),
        "name": np.array(["a", "b", "c", "d"], object),
        "path": np.array([[0, 0], [0, 0], [0, 0], [0, 2e19]], np.float32),
    }
    assert beyond_float32(raw).tolist() == [False, False, True, True]
