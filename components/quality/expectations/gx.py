"""Great Expectations, imported quietly and without what it does not need here.

``great_expectations`` imports PySpark, Altair and SciPy's statistics on its own import, together more than half of
its start-up time. Spark is left out (its absence is a case that the library provides for), the others are loaded when
first used. Analytics are off and the log is quiet.
"""

import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from types import ModuleType
from typing import Any

from kilnworks.components.quality.expectations.pattern_expectation import register
from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.import_hooks import absent, late

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
    left_out = nullcontext() if spark else absent("pyspark")
    with left_out, late(LATE), without_collection(), warnings.catch_warnings():
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
