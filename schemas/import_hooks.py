"""The one place that reaches into Python's imports: what a large library need not load, and what happens around it.

Importing TensorFlow or Great Expectations takes seconds of every command. ``bench.imports`` prints what each of these
three buys, and decision 218 says which are kept. Nothing else in the house touches ``sys.meta_path`` for a library, or
makes one absent (a test reads the sources). Modules of a project are another matter: ``pipelines.core.project``.
"""

import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Make ``import NAME`` and that of its parts fail while the block runs, also where it is loaded already."""
    loaded = {n: module for n, module in sys.modules.items() if n.partition(".")[0] == name}
    for one in loaded:
        del sys.modules[one]
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(loaded)


@contextmanager
def late(names: Sequence[str]) -> Iterator[None]:
    """Put the execution of modules off that are imported in the block and not loaded yet, until an attribute is used.

    Unlike those of ``importlib.util.LazyLoader`` they stay asleep when only looked at: ``inspect`` asks every loaded
    module for its ``__file__``.
    """
    finder = _LateFinder([name for name in names if name not in sys.modules])
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def around_first_imports(names: Sequence[str], block: Callable[[str], AbstractContextManager[None]]) -> None:
    """Enter ``block(NAME)`` whenever one of the named packages is executed first; once for the whole process."""
    if not set(names) <= set(sys.modules) and not any(isinstance(f, _AroundFinder) for f in sys.meta_path):
        sys.meta_path.insert(0, _AroundFinder(names, block))


class _LateModule(ModuleType):
    """A module whose code runs when an attribute is first used; other threads wait for it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)
        with self.__dict__["_late_lock"]:
            loader = self.__dict__.pop("_late_loader", None)
            if loader is not None:
                loader.exec_module(self)
                if type(self) is _LateModule:  # code may give its module a class of its own
                    self.__class__ = ModuleType  # type: ignore[assignment]
        return ModuleType.__getattribute__(self, name)


class _LateLoader(importlib.abc.Loader):
    """Makes a module from its spec and leaves the execution to the module."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing; the module runs itself when it is first used."""
        spec = module.__spec__
        assert spec is not None
        spec.loader = module.__loader__ = self._loader
        module.__dict__.update(_late_loader=self._loader, _late_lock=threading.RLock())


class _LateFinder(importlib.abc.MetaPathFinder):
    """Finds the named modules and puts their execution off."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec with a loader that waits; a name is found so once, then as usual."""
        if name not in self._names:
            return None
        self._names.discard(name)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


class _AroundFinder(importlib.abc.MetaPathFinder):
    """Finds the named packages, with a loader that executes them inside of a block."""

    def __init__(self, names: Sequence[str], block: Callable[[str], AbstractContextManager[None]]) -> None:
        self._names, self._block = frozenset(names), block

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The wrapped spec of a named package, None for everything else."""
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _AroundLoader(spec.loader, self._block)
        return spec


class _AroundLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, block: Callable[[str], AbstractContextManager[None]]) -> None:
        self._loader, self._block = loader, block

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the real loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the real loader does, inside of the block."""
        with self._block(module.__name__):
            self._loader.exec_module(module)

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)
