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
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kilnworks.pipelines.core.store import Store, clean, locked, now
from kilnworks.pipelines.craft.work import begun_at
from kilnworks.pipelines.tuning.plan import Plan, as_text, combinations, fixed_values, pruner, sampler
from kilnworks.schemas.errors import ConfigError, StepFailed, UnknownName
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.locks import is_held, try_to_hold
from kilnworks.schemas.masking import masked_tree
from kilnworks.schemas.search import Choice, Dimension, Int
from kilnworks.schemas.wire import HIDDEN

if TYPE_CHECKING:
    import optuna

FOLDER = "tuning"
BEST = "best.json"
SEARCH = "search.json"
DATABASE = "study.db"
PAGE = "report.html"
"""Written at the end."""
WAIT_SECONDS = 100.0
"""How long a process waits for another one's writing."""


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
            texts = [as_text(value) for value in dimension.values]
            return dimension.values[texts.index(str(self.trial.suggest_categorical(name, texts)))]
        if isinstance(dimension, Int):
            if dimension.log:
                return self.trial.suggest_int(name, dimension.low, dimension.high, log=True)
            return self.trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step)
        return self.trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


class Study:
    """A search in a store."""

    def __init__(self, store: Store, pipeline: str, name: str, folder: Path | None = None) -> None:
        """``folder``: where it lies; by default among the searches of the pipeline, where ``run --best`` looks."""
        self.store, self.pipeline, self.name = store, pipeline, name
        self.folder = folder or store.root / FOLDER / pipeline / clean(name)

    @classmethod
    def newest(cls, store: Store, pipeline: str, name: str | None = None) -> "Study":
        """The study of that name, or the newest one whose record can be read. Raises ``UnknownName``."""
        folder = store.root / FOLDER / pipeline
        found = [(begun_at(path), path.parent.name) for path in folder.glob(f"*/{SEARCH}")]
        known = [name for begun, name in sorted(found) if begun]
        chosen = clean(name) if name else (known[-1] if known else "")
        if chosen not in known:
            otherwise = f"search first: kilnworks tune {pipeline}"
            raise UnknownName(f"search of {pipeline}", name or "latest", known, otherwise)
        return cls(store, pipeline, chosen)

    def begin(self, plan: Plan, default: dict[str, Any]) -> None:
        """Make the study; its first trial has the settings of the definition. Where it has begun already, go on.

        Args:
            plan: what is tried.
            default: setting -> value of the definition, where all of them lie in the space; else empty.

        Raises:
            ConfigError: it has begun already, by another plan; or a setting holds a secret, which is stored nowhere.
        """
        _refuse_secrets(plan.settings)
        waiting = combinations(plan) if plan.search.sampler == "grid" else []
        (self.folder / "trials").mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "ask.lock"):
            begun = (self.folder / SEARCH).is_file()
            if not begun:
                (self.folder / DATABASE).unlink(missing_ok=True)  # of a process that was killed right here
                fixed = fixed_values(plan, default)
                self._opened(plan).enqueue_trial(fixed, user_attrs={"default": True, "fixed": fixed})
                self._hand_in(plan, waiting)
                write_json(self.folder / SEARCH, {**plan.record(), "study": self.name, "begun": now()})
        if begun:
            self.opened(plan)

    @cached_property
    def record(self) -> dict[str, Any]:
        """``search.json``."""
        return dict(read_json(self.folder / SEARCH))

    def opened(self, plan: Plan) -> None:
        """Go on with a study. Raises ``ConfigError`` where another plan is asked for than it was begun with."""
        kept, asked = ({**one, **one["search"], "objective": one["objective"]} for one in (self.record, plan.record()))
        for name in ("space", "objective", "settings", "sampler", "pruner", "seed"):
            if name in kept and json.loads(json.dumps(asked[name], default=str)) != kept[name]:
                raise ConfigError(
                    f"search {self.name} was begun with another {name}: {as_text(kept[name])}",
                    f"the one that is asked for now: {as_text(asked[name])}",
                    f"begin a new one: kilnworks tune {self.pipeline}",
                )
        self._opened(plan)
        if plan.search.sampler == "grid":
            with locked(self.folder / "ask.lock"):
                self._hand_in(plan, combinations(plan)[self._handed_in() :])

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

    def shared(self, name: str) -> str:
        """Where a file of the search lies in the store."""
        return str((self.folder / name).relative_to(self.store.root))

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
        self.store.pull(self.shared(BEST))
        return dict(read_json(path)) if path.is_file() else None

    @cached_property
    def inner(self) -> "optuna.Study":
        """Optuna's study."""
        return self._opened(Plan.of_record(self.record))

    def _opened(self, plan: Plan) -> "optuna.Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = f"sqlite:///{self.folder / DATABASE}"
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

    def _hand_in(self, plan: Plan, combined: list[dict[str, Any]]) -> None:
        """Have combinations of a grid tried, one after the other."""
        for values in combined:
            fixed = fixed_values(plan, values)
            self.inner.enqueue_trial(fixed, user_attrs={"fixed": fixed})

    def _handed_in(self) -> int:
        """Combinations of a grid that were handed in, as many as there were to be trials."""
        marks = [trial.user_attrs for trial in self.inner.get_trials(deepcopy=False)]
        return sum("fixed" in one and "default" not in one and "again" not in one for one in marks)

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
        self.store.push(self.shared(BEST))


def _refuse_secrets(settings: dict[str, Any]) -> None:
    """Raise ``ConfigError`` where the processes of a search would have to read a secret from the store."""
    hidden = sorted(name for name, value in masked_tree(settings).items() if HIDDEN in str(value))
    if hidden:
        raise ConfigError(
            f"a search with a secret in {', '.join(hidden)}: its processes read the settings from the store",
            "a reference, such as ${PASSWORD}, where the secret is",
            "name the secret by a reference (docs/security.md)",
        )


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
