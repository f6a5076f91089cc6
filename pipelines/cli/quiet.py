"""Keeping libraries' start-up notes off the screen, so that what is left to read matters.

TensorFlow's C++ writes a dozen lines to file descriptor 2 before any of its settings is read. The first import of
TensorFlow is therefore wrapped: what it writes is held back, and lines other than these notes are passed on.
"""

import importlib.abc
import importlib.machinery
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from schemas.logs import make_safe

NOTES = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|To enable the following instructions|[IWE]\d{4} .*"
    rb"(port\.cc|cudart_stub\.cc|cpu_feature_guard\.cc|cuda_platform\.cc|cuda_executor\.cc))"
)


def quiet_libraries() -> None:
    """Set levels, turn analytics off, and watch for the first import of TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)
    make_safe(logging.getLogger())
    if "tensorflow" not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow, with a loader that holds its notes back."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The wrapped spec of ``tensorflow``, None for everything else."""
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the real loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the real loader does, with the notes held back."""
        with _filtered_errors():
            self._loader.exec_module(module)
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
