"""Which versions may be deleted."""

from pathlib import Path

from kilnworks.schemas.errors import RequestInvalid
from kilnworks.schemas.published import published


def surplus(base: Path, keep: int, protected: set[int]) -> list[int]:
    """The versions beyond the newest ``keep`` that nothing protects, ascending."""
    return [v for v in published(base)[:-keep] if v not in protected]


def labelled(server: str, model: str, labels: tuple[str, ...]) -> set[int]:
    """Versions that a running server answers to by one of the labels.

    The status of a model does not tell labels, so each is asked for: a label that is not set is refused.

    Raises:
        ServerUnavailable: the server does not answer.
    """
    from kilnworks.components.serving.client import Client

    found = set()
    with Client(server) as client:
        for label in labels:
            try:
                found.add(client.metadata(model, label=label).version)
            except RequestInvalid:
                continue
    return found
