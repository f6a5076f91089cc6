"""A run for one stretch of time: the interval as settings of the steps that take one."""

from typing import Any

from kilnworks.components.sources.window import as_window
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.schemas.errors import ConfigError

INTERVAL_VARIABLE = "KILNWORKS_INTERVAL"
FIELD = "window"


def interval_settings(pipeline: Pipeline, interval: str | None) -> dict[str, Any]:
    """``{"examples.window": {"start": ..., "end": ...}}`` for ``START/END``; nothing where there is no interval.

    Raises:
        ConfigError: the interval is not written as it should be, or no step of the pipeline takes a window.
    """
    if not interval:
        return {}
    window = as_window(interval).identity()
    found = {f"{s.name}.{FIELD}": window for s in pipeline.steps if FIELD in type(s.config).model_fields}
    if not found:
        raise ConfigError(
            f"an interval for {pipeline.name}, of which no step takes a window",
            "a step that reads a source with a time column",
            "leave the interval out",
        )
    return found
