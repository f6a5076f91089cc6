"""The cyclic garbage collector rests while large libraries are imported.

An import makes hundreds of thousands of objects that stay. The collector walks them again and again while they are
made, and once more with everything that a run makes afterwards.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection(*, hide: bool = False) -> Iterator[None]:
    """Switch the collector off for the block; nothing is changed where it is off already.

    Args:
        hide: afterwards leave all objects that are there out of later collections (``gc.freeze``). For a process of
            our own alone: what of them becomes a cycle without an owner is never freed.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        if hide:
            gc.freeze()
    finally:
        gc.enable()
