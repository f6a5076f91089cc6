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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from kilnworks.components.quality.expectations.pattern_expectation import register
from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.errors import ConfigError

LATE = ("altair", "scipy.stats")
"""Packages that only few expectations and charts use."""


def load_gx(*, spark: bool = False) -> ModuleType:
    """The package ``great_expectations``.

    Args:
        spark: whether the Spark engine will be used; decided at the first import in a process.

    Raises:
        ConfigError: Spark is wanted where the package was loaded without it.
    """
    loaded = sys.modules.get("great_expectations")
    if loaded is not None:
        if spark and isinstance(sys.modules["great_expectations.compatibility.pyspark"].pyspark, _missing_spark()):
            raise ConfigError(
                "Great Expectations was loaded in this process without Spark",
                "a process in which Spark is the first engine",
                "use engines.spark_process.judge_on_spark, which starts one",
            )
        return loaded
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _without_pyspark(leave=spark), _late(LATE), without_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import great_expectations.expectations
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("great_expectations")]:
        logging.getLogger(name).setLevel(logging.ERROR)
    register()
    return gx


def _missing_spark() -> type:
    """What stands for PySpark where it was left out."""
    from great_expectations.compatibility.not_imported import NotImported

    return NotImported


def pandas_engine(frame: Any) -> Any:
    """An execution engine that holds one pandas frame.

    Batches of a data source would do the same and hash every frame with MD5, which costs more than the checks.
    """
    load_gx()
    from great_expectations.execution_engine import PandasExecutionEngine

    return PandasExecutionEngine(batch_data_dict={"rows": frame})


def evaluate(engine: Any, configurations: Sequence[Any], result_format: Mapping[str, Any]) -> list[Any]:
    """Results of expectations on the data of an engine, in their order; a check that crashed says so in its result."""
    from great_expectations.validator.validator import Validator

    if not configurations:
        return []
    validator = Validator(execution_engine=engine)
    validator.metrics_calculator.show_progress_bars = False
    found = validator.graph_validate(
        configurations=[deepcopy(one) for one in configurations],
        runtime_configuration={"result_format": dict(result_format)},
    )
    by_rule = {one.expectation_config.meta["rule"]: one for one in found}
    return [by_rule[one.meta["rule"]] for one in configurations]


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


class _LateModule(ModuleType):
    """A module whose code runs when an attribute is first used.

    Unlike those of ``importlib.util.LazyLoader`` it stays asleep when only looked at: ``inspect`` asks every loaded
    module for its ``__file__``.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)
        loader = self.__dict__.pop("_late_loader")
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader.exec_module(self)
        return getattr(self, name)


class _LateLoader(Loader):
    """Makes a module from its spec and leaves the execution to the module."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing; the module runs itself when it is first used."""
        spec = module.__spec__
        assert spec is not None
        spec.loader = module.__loader__ = self._loader
        module.__dict__["_late_loader"] = self._loader


class _LateFinder:
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


@contextmanager
def _late(names: Sequence[str]) -> Iterator[None]:
    """Defer the execution of modules that are imported meanwhile and not loaded yet."""
    finder = _LateFinder([name for name in names if name not in sys.modules])
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
