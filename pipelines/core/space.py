"""What a search tries: the settings of a pipeline with the values of each, checked before the first trial.

A setting below a choice (``model.model.units``) counts only where that choice (``model.model.kind``) is the one of the
definition; settings of another one are named with its kind, as the form names them: ``model.model.tabular.units``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.pipelines.core.form import Field, changed, form
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Examples, Model
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.search import Dimension, Float

FIXED = {"monitor", "monitor_mode", "metrics", "data"}
"""Settings of a training by which trials would no longer be measured alike."""
RATES = 10.0
"""A default space has learning rates from a tenth to ten times that of the definition."""


def trained_step(pipeline: Pipeline) -> Step:
    """The step that trains. Raises ``ConfigError`` where there is none, or several."""
    found = [s for s in pipeline.steps if isinstance(s.config, FitSettings) and issubclass(s.signature.result, Model)]
    if len(found) != 1:
        names = ", ".join(step.name for step in found) or "none"
        raise ConfigError(
            f"steps of {pipeline.name} that train: {names}", "one step that trains", "tune a pipeline that has one"
        )
    return found[0]


@dataclass(frozen=True)
class Space:
    """Settings and the values of each.

    Attributes:
        pipeline: the definition, whose other settings stay.
        dimensions: name of the setting -> values.
        declared: whether the definition says so; else it is the architecture's.
    """

    pipeline: Pipeline
    dimensions: Mapping[str, Dimension]
    declared: bool

    @classmethod
    def of(cls, pipeline: Pipeline) -> "Space":
        """What the definition declares, or else what its architecture offers; checked.

        Raises:
            UnknownName: no such setting; the message names the nearest.
            ConfigError: a setting that trials may not differ in, a value that it refuses, or nothing to try.
        """
        declared = dict(pipeline.search.space)
        space = cls(pipeline, declared or _default(pipeline), bool(declared))
        space._check()
        return space

    def overrides(self, ask: Callable[[str, Dimension], Any]) -> dict[str, Any]:
        """The settings of one trial that differ from the definition.

        Args:
            ask: gives a value for a name; asked for the choices first, and then only for what counts beside them.

        Raises:
            ConfigError: values that do not go together.
        """
        fields = {field.name: field for field in form(self.pipeline)}
        values: dict[str, Any] = {}
        for name in sorted(self.dimensions, key=lambda name: not fields[name].is_choice):
            if self._counts(fields[name], fields, values):
                values[name] = ask(name, self.dimensions[name])
        return changed(self.pipeline, values)

    def _counts(self, field: Field, fields: Mapping[str, Field], values: Mapping[str, Any]) -> bool:
        """Whether a setting belongs to the kind that is chosen."""
        if field.choice is not None:
            choice, kind = field.choice
            return bool(values.get(choice, fields[choice].default) == kind)
        above = [
            choice
            for choice in values
            if fields[choice].is_choice and field.name.startswith(choice.removesuffix("kind")) and field.name != choice
        ]
        return all(values[choice] == fields[choice].default for choice in above)

    def _check(self) -> None:
        step, fields = trained_step(self.pipeline), {field.name: field for field in form(self.pipeline)}
        upstream = self.pipeline.between(None, step.name)
        for name, dimension in self.dimensions.items():
            where = f"search of {self.pipeline.name}: {name}"
            if name not in fields:
                raise UnknownName(f"setting of {self.pipeline.name} to search over", name, fields)
            owner = fields[name].step
            if owner not in upstream or issubclass(self.pipeline[owner].signature.result, Examples):
                raise ConfigError(
                    f"{where} is a setting of the step {owner!r}",
                    f"settings of {step.name!r} and of the preprocessing before it",
                    "leave it out: trials are measured on the same validation rows",
                )
            if owner == step.name and fields[name].title in _fixed(self.pipeline):
                fix = "leave it out: trials are measured by the same number"
                raise ConfigError(where, "settings that leave the measure as it is", fix)
            for value in dimension.bounds():
                self._check_value(where, fields[name], value)
        if not self.dimensions:
            kind = getattr(getattr(step.config, "model", None), "kind", type(step.config).__name__)
            raise ConfigError(
                f"nothing to search over: the architecture {kind!r} has no space of its own",
                "search=Search(space={...}) in the definition",
                f"name settings of {self.pipeline.name} with their values, see docs/tuning.md",
            )

    def _check_value(self, where: str, field: Field, value: Any) -> None:
        choice = {} if field.choice is None else {f"{field.choice[0]}": field.choice[1]}
        try:
            self.pipeline.configured(changed(self.pipeline, {**choice, field.name: value}))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.got}", error.wanted, error.fix) from None


def check_search(pipeline: Pipeline) -> None:
    """Raise ``ConfigError`` where the space that a definition declares is none."""
    if pipeline.search.space:
        Space.of(pipeline)


def _fixed(pipeline: Pipeline) -> set[str]:
    """Settings by which the objective would mean something else from trial to trial."""
    config = trained_step(pipeline).config
    objective = pipeline.search.objective or str(getattr(config, "monitor", ""))
    losses = set(TaskSettings.model_fields) | {"loss"} if objective.endswith("loss") else set()
    return FIXED | losses


def _default(pipeline: Pipeline) -> dict[str, Dimension]:
    """The architecture's own space, and the learning rate where it counts."""
    step = trained_step(pipeline)
    model, optimizer = getattr(step.config, "model", None), getattr(step.config, "optimizer", None)
    if not isinstance(model, Architecture) or not model.space:
        return {}
    space = {f"{step.name}.model.{name}": dimension for name, dimension in model.space.items()}
    rate = getattr(optimizer, "learning_rate", None)
    if rate is not None and model.by_optimizer:
        rates = Float(low=rate / RATES, high=rate * RATES, log=True)
        space[f"{step.name}.optimizer.learning_rate"] = rates
    return space
