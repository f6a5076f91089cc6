"""Counts of values, against those of all rows at once."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.sketches.counts import ValueCounts

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=20)


def texts(values):
    return pl.Series(values, dtype=pl.String)


@pytest.mark.slow
@given(st.lists(TEXTS, max_size=5))
def test_batches_count_as_all_rows_do(batches):
    found = ValueCounts()
    for batch in batches:
        found = found.added(texts(batch))
    every = [value for batch in batches for value in batch]
    counted = Counter(filter(None, every))
    assert list(found.levels.items()) == sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    assert (found.rows, found.missing) == (counted.total(), len(every) - counted.total())
    assert not found.approximate


def test_the_most_frequent_come_first():
    counts = ValueCounts()
    for batch in (["b", "a", None, ""], ["a", "c", "c", "b"], ["a"]):
        counts = counts.added(texts(batch))
    assert counts.most_frequent(1, 10) == ["a", "b", "c"]
    assert counts.most_frequent(2, 10) == ["a", "b", "c"]
    assert counts.most_frequent(3, 10) == ["a"]
    assert counts.most_frequent(1, 2) == ["a", "b"]
    assert ValueCounts().most_frequent(1, 10) == []


def test_whole_numbers():
    counts = ValueCounts().added(pl.Series([3, 1, 3, None])).added(pl.Series([1, 3]))
    assert counts.levels == {3: 3, 1: 2} and counts.missing == 1


@pytest.mark.parametrize("kept", [50, 100])
def test_too_many_different_values_keep_the_frequent_ones_in_bounded_memory(kept):
    counts = ValueCounts(most=100, kept=kept)
    for start in range(0, 5000, 50):
        counts = counts.added(texts([f"rare{i}" for i in range(start, start + 50)] + ["often", "often", "also"]))
        assert counts.table is not None and counts.table.height <= 100
    assert counts.approximate
    assert counts.most_frequent(2, 10)[:2] == ["often", "also"]
    assert counts.levels["often"] == 200
    assert counts.rows == 100 * 53, "every row is counted, by its value or together with others"


def test_what_is_counted_together_adds_up():
    bounded = ValueCounts(most=2, kept=2)
    counts = bounded.of(texts(["a", "a", "b", "b", "c", None]))
    both = counts.merged(counts)
    assert (counts.levels, counts.other, counts.missing) == ({"a": 2, "b": 2}, 1, 1)
    assert (both.levels, both.other, both.missing) == ({"a": 4, "b": 4}, 2, 2)
