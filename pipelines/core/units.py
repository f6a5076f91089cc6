"""Which steps share a process: the units of work that an orchestrator starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.pipelines.core.step import Step
from kilnworks.schemas.errors import UnknownName, WiringError


@dataclass(frozen=True)
class Unit:
    """Steps that run one after the other in one process; mostly one.

    Attributes:
        name: the step's name, or that of the group.
        steps: in an order in which they can run.
        task: settings in force for all of them.
    """

    name: str
    steps: tuple[Step, ...]
    task: Task

    @property
    def retries(self) -> int:
        """How often a retry may be tried: as often as the steps allow that may be tried again at all."""
        return max(step.retries for step in self.steps)

    def upstream(self) -> tuple[str, ...]:
        """Names of the steps outside that must finish first."""
        mine = {step.name for step in self.steps}
        return tuple(dict.fromkeys(up for step in self.steps for up in step.upstream() if up not in mine))


def units(pipeline: str, steps: Sequence[Step], operations: Operations) -> tuple[Unit, ...]:
    """Cut ordered steps into units, in an order in which these can run.

    Raises:
        UnknownName: a setting for a step that does not exist.
        WiringError: a group that others stand in the middle of, of one name with a step, or of several minds.
    """
    names = [step.name for step in steps]
    for named in operations.tasks:
        if named not in names:
            raise UnknownName(f"step of {pipeline}", named, names)
    members: dict[str, list[Step]] = {}
    for step in steps:
        members.setdefault(operations.task(step.name).group or step.name, []).append(step)
    found = {
        name: Unit(name, tuple(group), _shared(pipeline, name, group, operations)) for name, group in members.items()
    }
    unit_of = {step.name: unit.name for unit in found.values() for step in unit.steps}
    return tuple(found[name] for name in _ordered(pipeline, found, unit_of))


def _shared(pipeline: str, name: str, group: list[Step], operations: Operations) -> Task:
    """The settings that the steps of a group have in common."""
    tasks = [operations.task(step.name) for step in group]
    if tasks[0].group is None:
        if len(group) > 1:
            raise WiringError(f"{pipeline}: group {name!r} is called like a step", "another name", "rename the group")
        return tasks[0]
    for step, task in zip(group, tasks, strict=True):
        if step.name == name:
            raise WiringError(f"{pipeline}: group {name!r} is called like a step", "another name", "rename the group")
        if task.approval is not None and step is not group[0]:
            raise WiringError(
                f"{pipeline}: step {step.name!r} of group {name!r} waits for approval",
                "approval of the first step of a group only",
                "take it out of the group",
            )
        if replace(task, approval=None, stage=None) != replace(tasks[0], approval=None, stage=None):
            raise WiringError(
                f"{pipeline}: the steps of group {name!r} have different pools, times or places",
                "one process, so one pool, timeout and place",
                "give all of them the same Task, or take one out of the group",
            )
    return tasks[0]


def _ordered(pipeline: str, found: dict[str, Unit], unit_of: dict[str, str]) -> list[str]:
    try:
        return list(
            TopologicalSorter({u.name: [unit_of[s] for s in u.upstream()] for u in found.values()}).static_order()
        )
    except CycleError as error:
        raise WiringError(
            f"{pipeline}: a group cannot run in one go: {' -> '.join(error.args[1])}",
            "groups of consecutive steps",
            "take the step out that waits for another one outside of the group",
        ) from None
