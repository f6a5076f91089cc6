"""What a search does: the same for all processes that work on it, and for one that takes it up later."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, Self

from kilnworks.pipelines.core.form import form
from kilnworks.pipelines.core.space import Space, trained_step
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension, Search

Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Plan:
    """What a search does; the same for all processes that work on it.

    Attributes:
        pipeline: its name.
        settings: of every trial, over those of the definition.
        search: how values are chosen, and how many trials there are.
        dimensions: setting -> values.
        objective: number of the best epoch by which trials are compared.
        direction: whether that is to be small or large.
        epochs: of a trial at most.
    """

    pipeline: str
    settings: dict[str, Any]
    search: Search
    dimensions: dict[str, Dimension]
    objective: str
    direction: Direction
    epochs: int

    @classmethod
    def of(cls, space: Space, settings: dict[str, Any]) -> "Plan":
        """The plan for a pipeline that is configured already. Raises ``ConfigError``, ``UnknownName``."""
        search, config = space.pipeline.search, trained_step(space.pipeline).config
        objective = search.objective or str(getattr(config, "monitor", ""))
        return cls(
            space.pipeline.name,
            settings,
            search,
            dict(space.dimensions),
            objective,
            _direction(space, objective),
            int(getattr(config, "epochs", 1)),
        )

    @classmethod
    def of_record(cls, kept: Mapping[str, Any]) -> Self:
        """The plan as ``record`` wrote it."""
        search = Search.model_validate({**kept["search"], "space": kept["space"]})
        settings, epochs = dict(kept["settings"]), int(kept["epochs"])
        return cls(kept["pipeline"], settings, search, dict(search.space), kept["objective"], kept["direction"], epochs)

    def record(self) -> dict[str, Any]:
        """As JSON-serializable values."""
        dumped = self.search.model_dump(mode="json", exclude={"space"})
        space = {name: dimension.model_dump(mode="json") for name, dimension in self.dimensions.items()}
        return {
            "pipeline": self.pipeline, "settings": self.settings, "search": dumped, "space": space,
            "objective": self.objective, "direction": self.direction, "epochs": self.epochs,
        }  # fmt: skip


def sampler(search: Search) -> Any:
    """Optuna's sampler; every combination of a grid is handed in beforehand."""
    import optuna

    if search.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=search.seed)
    return optuna.samplers.RandomSampler(search.seed)


def combinations(plan: Plan) -> list[dict[str, Any]]:
    """Every combination of the listed values, as many as there may be trials, in an order that the seed decides.

    Raises:
        ConfigError: a setting lists no values.
    """
    listed: dict[str, list[Any]] = {}
    for name, dimension in plan.dimensions.items():
        values = dimension.listed()
        if values is None:
            low, high = dimension.bounds()
            raise ConfigError(
                f"sampler grid, and {name} is any number from {low:g} to {high:g}",
                "values in a list, Choice(values=(...)), or whole numbers",
                "list the values of that setting, or use another sampler",
            )
        listed[name] = values
    found = [dict(zip(listed, values, strict=True)) for values in product(*listed.values())]
    random.Random(plan.search.seed).shuffle(found)
    return found[: plan.search.trials]


def pruner(search: Search, epochs: int) -> Any:
    """Optuna's pruner; its resource is epochs."""
    import optuna

    if search.pruner == "none" or epochs < 2:
        return optuna.pruners.NopPruner()
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs)


def fixed_values(plan: Plan, default: dict[str, Any]) -> dict[str, Any]:
    """Values of the definition as Optuna keeps them."""
    return {
        name: as_text(value) if isinstance(plan.dimensions[name], Choice) else value for name, value in default.items()
    }


def default_of(space: Space) -> dict[str, Any]:
    """What the definition has for each setting of the space; empty where one of them lies outside."""
    defaults = {field.name: field.default for field in form(space.pipeline)}
    found: dict[str, Any] = {}
    for name, dimension in space.dimensions.items():
        value, listed = defaults[name], dimension.listed()
        tried = [list(v) if isinstance(v, tuple) else v for v in listed] if listed is not None else None
        inside = value in tried if tried is not None else dimension.bounds()[0] <= value <= dimension.bounds()[1]
        if not inside:
            return {}
        found[name] = value
    return found


def as_text(value: Any) -> str:
    """A value as Optuna keeps a category."""
    return json.dumps(value, default=str)


def _direction(space: Space, objective: str) -> Direction:
    """Whether the objective is to be small or large. Raises ``UnknownName``, ``ConfigError``."""
    from kilnworks.components.tasks.choose import choose
    from kilnworks.schemas.contract import Contract

    config: Any = trained_step(space.pipeline).config
    if objective == config.monitor and config.monitor_mode != "auto":
        mode: Direction = config.monitor_mode
        return mode
    contracts = (getattr(step.config, "contract", None) for step in space.pipeline.steps)
    contract = next((found for found in contracts if isinstance(found, Contract)), None)
    if contract is None:
        raise ConfigError(
            f"whether {objective} is to be small or large is not known",
            "a step with a contract, or monitor_mode",
            "set monitor_mode of the training to min or max",
        )
    found: Direction = choose(contract, config.task, config.model.task).direction(objective, validation=True)
    return found
