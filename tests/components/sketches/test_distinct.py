"""Numbers of different values against counting them."""

import polars as pl
import pytest

from kilnworks.components.sketches.distinct import HyperLogLog


@pytest.mark.parametrize("count", [0, 1, 100, 10_000, 300_000])
def test_hyperloglog(count):
    hashes = pl.Series(range(count), dtype=pl.Int64).hash().to_numpy()
    one, two = HyperLogLog(), HyperLogLog()
    one.add(hashes[: 2 * count // 3])
    two.add(hashes[count // 3 :])
    one.merge(two)
    assert abs(one.count - count) <= 0.025 * count
