"""What a pipeline is: named steps, each fed by the results of others; frozen, and checked when it is made."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from kilnworks.pipelines.core.operations import Operations
from kilnworks.pipelines.core.step import Champion, Latest, Step
from kilnworks.pipelines.core.units import Unit, units
from kilnworks.schemas.errors import ConfigError, UnknownName, WiringError
from kilnworks.schemas.search import Search
from kilnworks.schemas.updates import replacements

__all__ = ["Champion", "Latest", "Pipeline", "Step"]


@dataclass(frozen=True)
class Pipeline:
    """Steps that fit together, in an order in which they can run; checked when made.

    Attributes:
        name: how people call it; letters, digits and ``_``.
        steps: in any order; kept in an order in which each comes after its inputs.
        description: one sentence for lists and for the Airflow UI.
        schedule: a cron text or preset of Airflow, None for runs by hand only.
        tags, owner: shown in the Airflow UI.
        operations: how an orchestrator runs the steps; changes nothing of what they make.
        search: what ``kilnworks tune`` tries; changes nothing of what the steps make.
    """

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    schedule: str | None = None
    tags: tuple[str, ...] = ()
    owner: str = "kilnworks"
    operations: Operations = field(default_factory=Operations)
    search: Search = field(default_factory=Search)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise WiringError(f"pipeline name {self.name!r}", "letters, digits and _", "rename the pipeline")
        self._check_names()
        for step in self.steps:
            self._check_step(step)
        try:
            order = tuple(TopologicalSorter({s.name: s.upstream() for s in self.steps}).static_order())
        except CycleError as error:
            raise WiringError(
                f"{self.name}: cycle {' -> '.join(error.args[1])}",
                "steps of which none waits for itself",
                "take one of these inputs away",
            ) from None
        object.__setattr__(self, "steps", tuple(self[name] for name in order))
        self.units()

    def _check_names(self) -> None:
        seen: set[str] = set()
        for step in self.steps:
            if step.name in seen:
                raise WiringError(f"{self.name}: two steps are called {step.name!r}", "each name once", "rename one")
            if not step.name.isidentifier():
                raise WiringError(f"{self.name}: step name {step.name!r}", "letters, digits and _", "rename it")
            seen.add(step.name)

    def _check_step(self, step: Step) -> None:
        signature = step.signature
        where = f"{self.name}.{step.name}"
        if not isinstance(step.config, signature.config):
            got, wanted = type(step.config).__name__, signature.config.__name__
            raise WiringError(f"{where}: config is {got}", f"{wanted}, or a class made from it", f"give {wanted}(...)")
        if signature.inputs.keys() != step.inputs.keys():
            wants, given = sorted(signature.inputs), sorted(step.inputs)
            raise WiringError(f"{where} is given {given}", f"inputs {wants} of {step.component}", "match the names")
        made = {s.name: s.signature.result for s in self.steps}
        for parameter, source in step.inputs.items():
            if not isinstance(source, str):
                continue
            if source not in made:
                near = difflib.get_close_matches(source, made, n=1, cutoff=0.5)
                fix = f"did you mean {near[0]!r}?" if near else "name a step of this pipeline"
                raise WiringError(f"{where}.{parameter}: no step {source!r}", f"one of {sorted(made)}", fix)
            if not issubclass(made[source], signature.inputs[parameter]):
                got, want = made[source].__name__, signature.inputs[parameter].__name__
                raise WiringError(f"{where}.{parameter}: {source!r} makes {got}", want, "feed it another step")

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise UnknownName(f"step of {self.name}", name, [s.name for s in self.steps])

    def outline(self, only: Collection[str] | None = None) -> list[dict[str, Any]]:
        """The steps as JSON-serializable values, for those who show a run before all of it has begun.

        ``only``: names of the steps that the run is to have; all by default.
        """
        return [
            {
                "name": step.name,
                "component": step.component,
                "inputs": {parameter: source for parameter, source in step.inputs.items() if isinstance(source, str)},
            }
            for step in self.steps
            if only is None or step.name in only
        ]

    def edges(self) -> dict[str, tuple[str, ...]]:
        """Step name -> names of the steps that it waits for."""
        return {s.name: s.upstream() for s in self.steps}

    def units(self) -> tuple[Unit, ...]:
        """The steps as an orchestrator starts them: those of one group together. Raises ``WiringError``."""
        return units(self.name, self.steps, self.operations)

    def configured(self, overrides: Mapping[str, Any]) -> "Pipeline":
        """A copy with config fields replaced: ``{"model.epochs": 3, "examples.source.path": "x.csv"}``.

        Raises:
            ConfigError: no such step or field (the message names the nearest), or a value out of range.
        """
        by_step: dict[str, dict[str, Any]] = {}
        for key, value in overrides.items():
            name, _, path = key.partition(".")
            if not path:
                raise ConfigError(f"setting {key!r}", "STEP.FIELD=VALUE, e.g. model.epochs=3", "add the field")
            by_step.setdefault(self[name].name, {})[path] = value
        steps = tuple(
            replace(s, config=s.config.updated(by_step[s.name])) if s.name in by_step else s for s in self.steps
        )
        return replace(self, steps=steps)

    def anchored(self, root: Path) -> "Pipeline":
        """A copy whose relative paths count from ``root``, whatever folder a process works in."""
        steps = tuple(replace(s, config=s.config.anchored(root)) for s in self.steps)
        retrain = self.operations.retrain
        policy = None if retrain is None else retrain.anchored(root)
        return replace(self, steps=steps, operations=replace(self.operations, retrain=policy))

    def replaced(self, configured: "Pipeline") -> list[str]:
        """In words, the configs that are of another class in a configured copy of this pipeline."""
        return [
            words
            for before, after in zip(self.steps, configured.steps, strict=True)
            for words in replacements(before.config, after.config, before.name)
        ]

    def between(self, first: str | None, last: str | None) -> frozenset[str]:
        """Names of the steps from ``first`` on (it and all that hangs on it) up to ``last`` (it and all it needs)."""
        names = {s.name for s in self.steps}
        if last is not None:
            names &= self._needs(self[last].name)
        if first is not None:
            names &= {s.name for s in self.steps if self[first].name in self._needs(s.name)}
        return frozenset(names)

    def _needs(self, name: str) -> set[str]:
        found = {name}
        for upstream in self[name].upstream():
            found |= self._needs(upstream)
        return found
