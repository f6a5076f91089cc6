"""The CHAMPION pointer: which run's model is live for a pipeline."""

from dataclasses import asdict, dataclass
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


def champion_path(store: Path, pipeline: str) -> Path:
    """Where the pointer of a pipeline lies."""
    return store / "champions" / f"{pipeline}.json"


def read_champion(store: Path, pipeline: str) -> ChampionRecord:
    """The live model of a pipeline. Raises ``UnknownName`` where none was deployed."""
    path = champion_path(store, pipeline)
    if not path.is_file():
        known = [p.stem for p in path.parent.glob("*.json")] if path.parent.is_dir() else []
        raise UnknownName("champion of pipeline", pipeline, known)
    return ChampionRecord(**read_json(path))


def write_champion(store: Path, record: ChampionRecord) -> Path:
    """Move the pointer, durably, in one rename."""
    path = champion_path(store, record.pipeline)
    write_json(path, asdict(record), durable=True)
    return path
