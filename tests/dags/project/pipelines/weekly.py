"""The toy, in one task, on the rows of each week."""

from dataclasses import replace
from pathlib import Path

from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.pipelines.core.registry import load

DATA = Path(__file__).parents[1] / "data" / "weeks.csv"
ALL = Task(group="all")
TOY = load("toy").configured({"checked.source.path": str(DATA)})

WEEKLY = replace(TOY, name="weekly", operations=Operations(tasks={step.name: ALL for step in TOY.steps}, window=True))
