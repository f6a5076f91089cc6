"""The CHAMPION pointer: which run's model is live for a pipeline."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from schemas.errors import UnknownName
from schemas.files import read_json, write_json


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
        raise UnknownName("champion of pipeline", pipeline, known)
    record = ChampionRecord(**read_json(path))
    return replace(record, path=str(moved(record.path, record.store, store)), store=str(store))


def moved(path: str, wrote: str, store: Path) -> Path:
    """Where a recorded path lies for this host, to whom the store that ``wrote`` names is ``store``."""
    if wrote and Path(path).is_relative_to(wrote):
        return store / Path(path).relative_to(wrote)
    return Path(path)


def write_champion(store: Path, record: ChampionRecord) -> Path:
    """Move the pointer, durably, in one rename."""
    path = champion_path(store, record.pipeline)
    write_json(path, asdict(record), durable=True)
    return path
