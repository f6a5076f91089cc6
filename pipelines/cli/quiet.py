"""Keeping libraries' start-up notes off the screen, so that what is left to read matters.

TensorFlow's C++ writes a dozen lines to file descriptor 2 before any of its settings is read. The first import of
TensorFlow is therefore wrapped: what it writes is held back, and lines other than these notes are passed on. The
garbage collector rests while large libraries are imported, and in a process of our own never looks at them again.
What Keras imports for its galleries and for scikit-learn is loaded when it is first used.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.import_hooks import around_first_imports, late
from kilnworks.schemas.logs import make_safe, notes_held_back

NOTES = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|To enable the following instructions|[IWE]\d{4} .*"
    rb"(port\.cc|cudart_stub\.cc|cpu_feature_guard\.cc|cuda_platform\.cc|cuda_executor\.cc))"
)


LARGE = ("tensorflow", "keras", "great_expectations")
"""Libraries whose imports make so many objects that collecting garbage meanwhile costs a tenth of a short run."""
LATE = ("matplotlib.pyplot", "keras.wrappers")
"""Packages that Keras imports and only few programs use; the second one imports scikit-learn."""


def quiet_libraries(*, own_process: bool = True) -> None:
    """Set levels, turn analytics off, and watch for the first imports of the large libraries.

    Args:
        own_process: whether the process is ours alone; in somebody else's the objects that are there stay within sight
            of the garbage collector.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)
    make_safe(logging.getLogger())
    around_first_imports(LARGE, partial(_importing, hide=own_process))


@contextmanager
def _importing(name: str, hide: bool) -> Iterator[None]:
    """Around the execution of a large library: no collections, ``LATE`` put off, and TensorFlow's notes held back."""
    first = name == "tensorflow"
    with (
        without_collection(hide=hide),
        late(LATE) if name == "keras" else nullcontext(),
        notes_held_back(NOTES) if first else nullcontext(),
    ):
        yield
    if first:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
