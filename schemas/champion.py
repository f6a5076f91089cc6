"""The CHAMPION pointer: which run's model is live for a pipeline, and the record of every move of it.

::

    STORE/champions/<pipeline>.json            the live model
    STORE/promotions/<pipeline>/000003.json    each move: who decided, why, what was live before; written first
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import read_json, write_json

PLACES = ("serving", "champions")
"""Folders of a store in which recorded paths lie."""
Action = Literal["deploy", "promote", "rollback"]


@dataclass(frozen=True)
class Decided:
    """Who let a model go live, and why.

    Attributes:
        action: ``deploy``: a run, its gates open; ``promote``, ``rollback``: asked for by name.
        by: a person's name, or ``the gates``.
        reason: in their words, or the rule that was kept.
        challenge: what came of comparing it with the champion, see ``kilnworks.components.challenging.verdict``.
    """

    action: Action = "deploy"
    by: str = "the gates"
    reason: str = "its gates are open and it answers as the trained model does"
    challenge: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ChampionRecord:
    """One live model: the run that made it and where it is published."""

    pipeline: str
    run_id: str
    model: str
    version: int
    path: str
    since: str
    store: str = ""
    """Root of the store as the host saw it that wrote this; ``path`` lies below it unless a base path was set."""


def champion_path(store: Path, pipeline: str) -> Path:
    """Where the pointer of a pipeline lies."""
    return store / "champions" / f"{pipeline}.json"


def read_champion(store: Path, pipeline: str) -> ChampionRecord:
    """The live model of a pipeline. Raises ``UnknownName`` where none was deployed."""
    path = champion_path(store, pipeline)
    if not path.is_file():
        known = [p.stem for p in path.parent.glob("*.json")] if path.parent.is_dir() else []
        run = f"run it until a model goes live: kilnworks run {pipeline}"
        raise UnknownName("champion of pipeline", pipeline, known, run)
    record = ChampionRecord(**read_json(path))
    return replace(record, path=str(moved(record.path, record.store, store)), store=str(store))


def moved(path: str, wrote: str, store: Path) -> Path:
    """Where a recorded path lies for this host, to whom the store that ``wrote`` names is ``store``.

    Release 0.1.0 wrote no name of the store: what lies at the same place below this one is meant.
    """
    if not wrote:
        return _same_place(Path(path), store)
    if Path(path).is_relative_to(wrote):
        return store / Path(path).relative_to(wrote)
    return Path(path)


def _same_place(path: Path, store: Path) -> Path:
    """``STORE/serving/churn/2`` for a path that ends so, where that is there; else the path itself."""
    ends = (Path(*path.parts[i:]) for i, part in enumerate(path.parts) if part in PLACES)
    return next((store / end for end in ends if (store / end).exists()), path)


def write_champion(store: Path, record: ChampionRecord, decided: Decided = Decided()) -> Path:
    """Record the move, then make it: durably, in one rename. What was live before stands in the record."""
    path = champion_path(store, record.pipeline)
    previous = read_json(path) if path.is_file() else None
    number = max((int(path.stem) for path in moves_path(store, record.pipeline).glob("*.json")), default=0) + 1
    move = {**asdict(record), **asdict(decided), "previous": previous}
    write_json(moves_path(store, record.pipeline) / f"{number:06d}.json", move, durable=True)
    write_json(path, asdict(record), durable=True)
    return path


def moves_path(store: Path, pipeline: str) -> Path:
    """Folder of the records of a pipeline's moves."""
    return store / "promotions" / pipeline


def moves(store: Path, pipeline: str) -> list[dict[str, Any]]:
    """Every move of the pointer, oldest first: a ``ChampionRecord`` and a ``Decided`` in one, and ``previous``."""
    return [*newest_moves(store, pipeline)][::-1]


def newest_moves(store: Path, pipeline: str) -> Iterator[dict[str, Any]]:
    """The same, newest first, each read when it is asked for."""
    for path in sorted(moves_path(store, pipeline).glob("*.json"), reverse=True):
        yield dict(read_json(path))
