"""What validation rows tell once a model is trained: calibration, and the threshold of a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kilnworks.components.judging.operating.points import Fixed
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

DEFAULTS = {"operating_point": Fixed(), "calibration": "none"}


def asked(settings: FitSettings) -> list[str]:
    """The settings that are to be settled by validation rows, by name."""
    return [name for name, default in DEFAULTS.items() if getattr(settings, name) != default]


def refuse_settling(settings: FitSettings, task: type[Task], examples: Examples) -> None:
    """Raise ``ConfigError`` where the task has no such setting, or no validation rows tell it; before any training."""
    for name in asked(settings):
        value = getattr(settings, name)
        shown = value if isinstance(value, str) else value.kind
        if name not in task.settles:
            raise ConfigError(
                f"{name} {shown} for a {task.kind}",
                "a label with two classes, or with any number of them a row"
                if name == "operating_point"
                else "a label with classes, one of them a row",
                f"leave {name} out",
            )
        if isinstance(value, Fixed):
            continue
        if "val" not in examples.splits or not examples.rows("val"):
            raise ConfigError(
                f"{name} {shown}, and the examples have no rows in split 'val'",
                "a validation split",
                f"make one in the ingest step, or leave {name} out",
            )
        if settings.refit and name == "calibration":
            raise ConfigError(
                f"{name} {shown} with refit={settings.refit}: networks that learned from the validation rows are too "
                "sure of them, and the mean of several is less sure than the one that did not",
                "one of the two",
                f"leave refit out, or {name}",
            )


def settled(
    settings: FitSettings,
    task: Task,
    output: Callable[[str], np.ndarray | None],
    learned: Callable[[str], np.ndarray],
) -> tuple[Task, dict[str, Any]]:
    """The task with what the validation rows tell, and how it was found, for ``training.json``.

    ``output`` and ``learned`` of a split: what a model gives that has not learned from the validation rows, [rows, K],
    and the encoded labels, [rows, ...].
    """
    if not asked(settings):
        return task, {}
    given = output("val")
    return task.settled(settings, given, None if given is None else learned("val"))
