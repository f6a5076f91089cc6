"""A search that outlives the processes that work on it, whatever ends them.

::

    STORE/tuning/<pipeline>/<study>/search.json         what is tried, and how it is measured
                                   /study.db            Optuna's own record of every trial
                                   /trials/0007.lock    held by the process that works on trial 7
                                   /best.json           settings of the best trial so far
                                   /report.html         written at the end
    STORE/runs/<pipeline>/tune-<study>-0007/            the run of trial 7

A trial whose lock nobody holds has lost its process: it is closed, and its settings are handed out again as a new
trial, which counts in its place and takes the training up where the backup of the first one ends. What is counted and
handed out is decided by one process at a time.
"""

import json
import random
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from kilnworks.pipelines.core.space import Space, trained_step
from kilnworks.pipelines.core.store import Store, clean, locked, now
from kilnworks.schemas.errors import ConfigError, StepFailed, UnknownName
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.locks import is_held, try_to_hold
from kilnworks.schemas.search import Choice, Dimension, Int, Search

if TYPE_CHECKING:
    import optuna

FOLDER = "tuning"
BEST = "best.json"
SEARCH = "search.json"
WAIT_SECONDS = 100.0
"""How long a process waits for another one's writing."""
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

    def record(self) -> dict[str, Any]:
        """As JSON-serializable values."""
        dumped = self.search.model_dump(mode="json", exclude={"space"})
        space = {name: dimension.model_dump(mode="json") for name, dimension in self.dimensions.items()}
        return {
            "pipeline": self.pipeline, "settings": self.settings, "search": dumped, "space": space,
            "objective": self.objective, "direction": self.direction, "epochs": self.epochs,
        }  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """A trial that this process works on, for as long as its lock is open."""

    trial: "optuna.Trial"
    lock: IO[str]

    @property
    def number(self) -> int:
        """From 0."""
        return int(self.trial.number)

    @property
    def is_default(self) -> bool:
        """Whether it has the settings of the definition."""
        return bool(self.trial.user_attrs.get("default"))

    def value(self, name: str, dimension: Dimension) -> Any:
        """What this trial has for a setting."""
        if isinstance(dimension, Choice):
            texts = [_text(value) for value in dimension.values]
            return dimension.values[texts.index(str(self.trial.suggest_categorical(name, texts)))]
        if isinstance(dimension, Int):
            if dimension.log:
                return self.trial.suggest_int(name, dimension.low, dimension.high, log=True)
            return self.trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step)
        return self.trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


class Study:
    """A search in a store."""

    def __init__(self, store: Store, pipeline: str, name: str) -> None:
        self.store, self.pipeline, self.name = store, pipeline, name
        self.folder = store.root / FOLDER / pipeline / clean(name)

    @classmethod
    def newest(cls, store: Store, pipeline: str, name: str | None = None) -> "Study":
        """The study of that name, or the newest one. Raises ``UnknownName``."""
        folder = store.root / FOLDER / pipeline
        known = sorted(path.parent.name for path in folder.glob(f"*/{SEARCH}"))
        chosen = clean(name) if name else (known[-1] if known else "")
        if chosen not in known:
            otherwise = f"search first: kilnworks tune {pipeline}"
            raise UnknownName(f"search of {pipeline}", name or "latest", known, otherwise)
        return cls(store, pipeline, chosen)

    def begin(self, plan: Plan, default: dict[str, Any]) -> None:
        """Make the study; its first trial has the settings of the definition.

        Args:
            plan: what is tried.
            default: setting -> value of the definition, where all of them lie in the space; else empty.
        """
        waiting = combinations(plan) if plan.search.sampler == "grid" else []
        (self.folder / "trials").mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "ask.lock"):
            made = self._opened(plan)
            fixed = _fixed(plan, default)
            made.enqueue_trial(fixed, user_attrs={"default": True, "fixed": fixed})
            for values in waiting:
                fixed = _fixed(plan, values)
                made.enqueue_trial(fixed, user_attrs={"fixed": fixed})
            write_json(self.folder / SEARCH, {**plan.record(), "study": self.name, "begun": now()})

    @cached_property
    def record(self) -> dict[str, Any]:
        """``search.json``."""
        return dict(read_json(self.folder / SEARCH))

    def opened(self, plan: Plan) -> None:
        """Go on with a study. Raises ``ConfigError`` where the definition's plan is another one by now."""
        kept, asked = dict(self.record), plan.record()
        for name in ("space", "objective", "settings"):
            if json.loads(json.dumps(asked[name], default=str)) != kept[name]:
                raise ConfigError(
                    f"search {self.name} was begun with another {name}: {_text(kept[name])}",
                    f"the one that the definition has now: {_text(asked[name])}",
                    f"begin a new one: kilnworks tune {self.pipeline}",
                )
        self._opened(plan)

    def take(self, trials: int) -> Taken | None:
        """The next trial; None where ``trials`` are done or being worked on."""
        with locked(self.folder / "ask.lock"):
            self._close_lost()
            if self.counted() >= trials or self._exhausted():
                return None
            trial = self.inner.ask()
            lock = self._lock(trial.number).open("a")
            try_to_hold(lock)
            return Taken(trial, lock)

    def tell(self, taken: Taken, value: float | None, overrides: dict[str, Any], reason: str = "") -> None:
        """What a trial came to: its value; none for one that was stopped early (no ``reason``) or failed."""
        from optuna.trial import TrialState

        with locked(self.folder / "ask.lock"), closing(taken.lock):
            taken.trial.set_user_attr("overrides", overrides)
            taken.trial.set_user_attr("reason", reason)
            if value is not None:
                self.inner.tell(taken.trial, value)
                self._write_best()
            else:
                self.inner.tell(taken.trial, state=TrialState.FAIL if reason else TrialState.PRUNED)

    def run_id(self, number: int) -> str:
        """The run of a trial."""
        return f"tune-{self.name}-{number:04d}"

    def trials(self) -> list["optuna.trial.FrozenTrial"]:
        """Every trial that counts, in order: without those that were lost and handed out again."""
        found = self.inner.get_trials(deepcopy=False)
        again = {trial.user_attrs.get("again") for trial in found}
        return [trial for trial in found if trial.number not in again]

    def counted(self) -> int:
        """Trials that are done or being worked on."""
        return sum(trial.state.name != "WAITING" for trial in self.trials())

    def best(self) -> dict[str, Any] | None:
        """``best.json``; None while no trial has finished."""
        path = self.folder / BEST
        self.store.pull(f"{FOLDER}/{self.pipeline}/{self.name}/{BEST}")
        return dict(read_json(path)) if path.is_file() else None

    @cached_property
    def inner(self) -> "optuna.Study":
        """Optuna's study."""
        kept = self.record
        space = {name: _dimension(content) for name, content in kept["space"].items()}
        search = Search.model_validate({**kept["search"], "space": space})
        settings, epochs = dict(kept["settings"]), int(kept["epochs"])
        plan = Plan(self.pipeline, settings, search, space, kept["objective"], kept["direction"], epochs)
        return self._opened(plan)

    def _opened(self, plan: Plan) -> "optuna.Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = f"sqlite:///{self.folder / 'study.db'}"
        storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": WAIT_SECONDS}})
        made = optuna.create_study(
            storage=storage,
            study_name=self.name,
            sampler=sampler(plan.search),
            pruner=pruner(plan.search, plan.epochs),
            direction="minimize" if plan.direction == "min" else "maximize",
            load_if_exists=True,
        )
        self.__dict__["inner"] = made
        return made

    def _close_lost(self) -> None:
        """Close the trials whose process is gone, and hand their settings out again."""
        from optuna.trial import TrialState

        again = {trial.user_attrs.get("again") for trial in self.inner.get_trials(deepcopy=False)}
        for trial in self.inner.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not is_held(self._lock(trial.number)) and trial.number not in again:
                kept = {key: value for key, value in trial.user_attrs.items() if key in ("default", "fixed")}
                values = {**kept.get("fixed", {}), **trial.params}
                self.inner.enqueue_trial(values, user_attrs={**kept, "again": trial.number})
                self.inner.tell(trial.number, state=TrialState.FAIL)

    def _exhausted(self) -> bool:
        """Whether a grid has no combination left."""
        waiting = any(trial.state.name == "WAITING" for trial in self.inner.get_trials(deepcopy=False))
        return self.record["search"]["sampler"] == "grid" and not waiting

    def _lock(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}.lock"

    def _write_best(self) -> None:
        best = self.inner.best_trial
        default = next((t for t in self.trials() if t.user_attrs.get("default") and t.value is not None), None)
        content = {
            "study": self.name, "trial": best.number, "run_id": self.run_id(best.number), "value": best.value,
            "objective": self.record["objective"], "direction": self.record["direction"],
            "overrides": {**self.record["settings"], **best.user_attrs["overrides"]},
            "default": None if default is None else default.value,
        }  # fmt: skip
        write_json(self.folder / BEST, content)
        self.store.push(f"{FOLDER}/{self.pipeline}/{self.name}/{BEST}")


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


def finished(study: Study) -> dict[str, Any]:
    """``best.json`` of a search that is over. Raises ``StepFailed`` where no trial of it has a value."""
    best = study.best()
    if best is not None:
        return best
    reasons = [trial.user_attrs.get("reason") for trial in study.trials() if trial.user_attrs.get("reason")]
    raise StepFailed(
        f"no trial of search {study.name} has finished" + (f"; the last one: {reasons[-1]}" if reasons else ""),
        "at least one training that ends",
        f"correct the settings that are tried, then: kilnworks tune {study.pipeline}",
    )


def _fixed(plan: Plan, default: dict[str, Any]) -> dict[str, Any]:
    """Values of the definition as Optuna keeps them."""
    return {
        name: _text(value) if isinstance(plan.dimensions[name], Choice) else value for name, value in default.items()
    }


def _dimension(content: dict[str, Any]) -> Dimension:
    return Search.model_validate({"space": {"it": content}}).space["it"]


def _text(value: Any) -> str:
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
