"""Keeping libraries' start-up notes off the screen, so that what is left to read matters.

TensorFlow's C++ writes a dozen lines to file descriptor 2 before any of its settings is read. The first import of
TensorFlow is therefore wrapped: what it writes is held back, and lines other than these notes are passed on. The
garbage collector rests while large libraries are imported, and in a process of our own never looks at them again.
"""

import importlib.abc
import importlib.machinery
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import ModuleType

from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.logs import make_safe

NOTES = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|To enable the following instructions|[IWE]\d{4} .*"
    rb"(port\.cc|cudart_stub\.cc|cpu_feature_guard\.cc|cuda_platform\.cc|cuda_executor\.cc))"
)


LARGE = ("tensorflow", "keras", "great_expectations")
"""Libraries whose imports make so many objects that collecting garbage meanwhile costs a tenth of a short run."""


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
    if not set(LARGE) <= set(sys.modules) and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder(own_process))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the large libraries, with a loader that lets the collector rest and holds TensorFlow's notes back."""

    def __init__(self, own_process: bool) -> None:
        self._own_process = own_process

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The wrapped spec of a large library, None for everything else."""
        if name not in LARGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._own_process)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, own_process: bool) -> None:
        self._loader = loader
        self._own_process = own_process

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the real loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the real loader does, without collections, and with TensorFlow's notes held back."""
        first = module.__name__ == "tensorflow"
        with without_collection(hide=self._own_process), _filtered_errors() if first else nullcontext():
            self._loader.exec_module(module)
        if first:
            logging.getLogger("tensorflow").setLevel(logging.ERROR)

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)


@contextmanager
def _filtered_errors() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; pass on all but the notes at the end."""
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not NOTES.match(line):
                    os.write(2, line)
