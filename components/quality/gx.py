"""Great Expectations, imported quietly and without what it does not need here.

``great_expectations`` imports PySpark, Altair and SciPy's statistics on its own import, together more than half of
its start-up time. Spark is left out (its absence is a case that the library provides for), the others are loaded when
first used. Analytics are off and the log is quiet.
"""

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LAZY = ("altair", "scipy.stats")
"""Packages that only few expectations and charts use."""


def load_gx(*, spark: bool = False) -> ModuleType:
    """The package ``great_expectations``.

    Args:
        spark: whether the Spark engine will be used; counts at the first import in a process.
    """
    loaded = sys.modules.get("great_expectations")
    if loaded is not None:
        return loaded
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _without_pyspark(leave=spark), _lazily(LAZY), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import great_expectations.expectations
    for name in ("great_expectations", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return gx


@contextmanager
def _without_pyspark(leave: bool) -> Iterator[None]:
    """Make ``import pyspark`` fail meanwhile, unless it is loaded already or is to be left."""
    if leave or "pyspark" in sys.modules:
        yield
        return
    sys.modules["pyspark"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pyspark"]


class _LazyFinder:
    """Finds the named modules and has them executed at the first use of an attribute."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self._names:
            return None
        self._names.discard(name)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextmanager
def _lazily(names: Sequence[str]) -> Iterator[None]:
    """Defer the execution of modules that are imported meanwhile and not loaded yet."""
    finder = _LazyFinder([name for name in names if name not in sys.modules])
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(finder)  # type: ignore[arg-type]
