"""A published model as it is asked: opened, held against another one, and its answers to rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import choose, read_task
from kilnworks.schemas.artifacts import CheckedExamples
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import KilnworksError
from kilnworks.schemas.files import read_json
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE, TASK_FILE
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.predicting.pieces import Ask


class Incomparable(Exception):
    """Why two models cannot be compared, as a clause."""


@dataclass(frozen=True)
class Served:
    """A published model: how it is asked, what it takes and what it tells."""

    ask: Ask
    contract: Contract
    task: Task


def opened(saved_model: Path) -> Served:
    """A SavedModel, with the contract and the task that lie in it."""
    from kilnworks.components.predicting.champion import asked

    contract, _ = read_saved(read_json(saved_model / CONTRACT_FILE))
    path = saved_model / TASK_FILE
    task = read_task(path) if path.is_file() else choose(contract).of(contract)
    return Served(asked(saved_model), contract, task)


def of_champion(saved_model: Path) -> Served:
    """The champion, which may be of an earlier release or lack code that is gone: whatever stops it is said."""
    try:
        return opened(saved_model)
    except Exception as error:
        raise Incomparable(f"the champion does not open: {_first_line(error)}") from error


def check_alike(old: Served, new: Served, examples: CheckedExamples) -> None:
    """Refuse models that tell different things, and a champion that takes what these rows do not have."""
    if old.task.kind != new.task.kind and not new.task.tells_classes_of(old.task):
        raise Incomparable(f"the champion is of a {old.task.kind} task, this one of a {new.task.kind} task")
    told = [(label and (label.name, label.classes)) for label in (old.task.label, new.task.label)]
    if told[0] != told[1] and not new.task.tells_classes_of(old.task):
        raise Incomparable("the champion predicts another label, or other classes")
    if getattr(old.task, "series", None) != getattr(new.task, "series", None):
        raise Incomparable("the champion forecasts another series: step, window, horizon, group or what is known ahead")
    theirs, here = old.contract.features, examples.contract
    missing = [name for name in theirs if name not in here.features and name not in new.contract.features]
    if missing:
        raise Incomparable(f"the champion takes columns that these rows do not have: {listed(missing)}")
    kinds = {**here.features, **new.contract.features}
    other = [n for n, f in theirs.items() if not _takes(f, kinds[n])]
    if other:
        raise Incomparable(f"the champion takes other values of {listed(other)}")


def _takes(wanted: Any, there: Any) -> bool:
    """Whether a feature of the champion's contract can be given a column of the new one."""
    same = wanted.dtype == there.dtype or (wanted.dtype, there.dtype) == ("float", "int")
    return same and wanted.shape == there.shape


def by_champion(old: Served, frame: pl.DataFrame) -> dict[str, Any]:
    """The champion's answers to rows of the examples; whatever stops it is said. Raises ``Incomparable``."""
    try:
        return judged_answers(old, frame)
    except Exception as error:
        raise Incomparable(f"the champion does not answer these rows: {_first_line(error)}") from error


def judged_answers(model: Served, frame: pl.DataFrame) -> dict[str, Any]:
    """The answers that the task looks at, for rows of the examples."""
    import numpy as np

    from kilnworks.components.features.raw import raw_arrays

    answers = model.ask(raw_arrays(model.contract, model.task.requests(frame)))
    return {name: np.asarray(answers[name]) for name in model.task.judged}


def _first_line(error: Exception) -> str:
    text = error.got if isinstance(error, KilnworksError) else f"{type(error).__name__}: {error}"
    return (text.splitlines() or [""])[0][:200]
