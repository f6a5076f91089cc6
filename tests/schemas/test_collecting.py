"""The garbage collector rests for a block, and what it hides stays hidden."""

import gc

import pytest

from kilnworks.schemas.collecting import without_collection


@pytest.fixture(autouse=True)
def as_before():
    """The collector as it is in other tests."""
    assert gc.isenabled()
    yield
    gc.enable()
    gc.unfreeze()


def test_it_rests_and_works_again_also_after_an_error():
    with without_collection():
        assert not gc.isenabled()
        with without_collection(hide=True):
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), without_collection():
        _ = 1 / 0
    assert gc.isenabled()


def test_where_it_is_off_it_stays_off():
    gc.disable()
    with without_collection(hide=True):
        pass
    assert not gc.isenabled()


@pytest.mark.parametrize("hide", [False, True])
def test_objects_are_hidden_where_that_is_asked_for(hide):
    gc.unfreeze()
    with without_collection(hide=hide):
        held = [[i] for i in range(1000)]
    assert (gc.get_freeze_count() >= len(held)) is hide


def test_later_cycles_are_still_found():
    with without_collection(hide=True):
        pass
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
