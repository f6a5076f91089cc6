"""Which versions may be deleted."""

from pathlib import Path

from components.deploying.versions import published
from schemas.champion import champion_path, read_champion
from schemas.errors import RequestInvalid


def surplus(base: Path, keep: int, protected: set[int]) -> list[int]:
    """The versions beyond the newest ``keep`` that nothing protects, ascending."""
    return [v for v in published(base)[:-keep] if v not in protected]


def champions(store: Path, base: Path) -> set[int]:
    """Versions below ``base`` that are the champion of any pipeline of the store."""
    directory = champion_path(store, "any").parent
    records = [read_champion(store, path.stem) for path in sorted(directory.glob("*.json"))]
    return {record.version for record in records if Path(record.path).parent == base}


def labelled(server: str, model: str, labels: tuple[str, ...]) -> set[int]:
    """Versions that a running server answers to by one of the labels.

    The status of a model does not tell labels, so each is asked for: a label that is not set is refused.

    Raises:
        ServerUnavailable: the server does not answer.
    """
    from components.serving.client import Client

    found = set()
    with Client(server) as client:
        for label in labels:
            try:
                found.add(client.metadata(model, label=label).version)
            except RequestInvalid:
                continue
    return found
