"""A loader that loads nothing, and version folders that are empty."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kilnworks.components.serving.errors import Code, ServingError
from tests.waiting import until


@dataclass
class FakeLoader:
    """Loads at once; versions in ``broken`` fail, those in ``slow`` wait for their event."""

    broken: set[int] = field(default_factory=set)
    slow: dict[int, threading.Event] = field(default_factory=dict)
    loads: list[tuple[str, int]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def __call__(self, model: str, version: int, path: str) -> "FakeLoaded":
        self.loads.append((model, version))
        if version in self.slow:
            assert self.slow[version].wait(20)
        if version in self.broken:
            raise ServingError(Code.DATA_LOSS, f"version {version} is broken")
        return FakeLoaded(self, version)


@dataclass
class FakeLoaded:
    loader: FakeLoader
    version: int
    signatures: dict[str, object] = field(default_factory=dict)
    signature_defs: dict[str, object] = field(default_factory=dict)
    runner: object = None

    def close(self) -> None:
        self.loader.closed.append(self.version)


def eventually(condition: Callable[[], bool]) -> None:
    assert until(condition, every=0.005)


def publish(base: Path, *versions: int | str) -> None:
    for version in versions:
        (base / str(version)).mkdir(parents=True)
