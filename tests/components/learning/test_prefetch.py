"""Items made ahead: in order, with their errors, and no thread left behind."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.learning.prefetch import Prefetch
from tests.waiting import until


@given(st.lists(st.integers()), st.integers(1, 4))
def test_the_items_in_their_order(items: list[int], count: int) -> None:
    with Prefetch(items, count) as ahead:
        assert list(ahead) == items


def test_an_error_comes_where_the_item_would_have_come() -> None:
    def items():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    with Prefetch(items()) as ahead:
        assert [next(ahead), next(ahead)] == [1, 2]
        with pytest.raises(OSError, match="the disk is gone"):
            next(ahead)


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_leaving_early_ends_the_thread(taken: int) -> None:
    made = []

    def items():
        for number in range(1000):
            made.append(number)
            yield number

    with Prefetch(items(), 3) as ahead:
        for _ in range(taken):
            next(ahead)
        assert until(lambda: len(made) >= taken + 3)
    assert taken <= len(made) <= taken + 4
    assert "prefetch" not in {t.name for t in threading.enumerate()}
