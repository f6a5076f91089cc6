"""What may be called now: loaded versions, their labels, and how many requests hold each of them.

A request asks here once, for a version that stays loaded until the request gives it back.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from kilnworks.components.serving.errors import failed_precondition, invalid_argument, not_found
from kilnworks.components.serving.wire.values import DEFAULT_SIGNATURE, ModelSpecRef, Signature

LabelMap = Mapping[str, Mapping[str, int]]
"""Versions by model and label."""


class Loaded(Protocol):
    """What a loader makes of a version directory."""

    signatures: Mapping[str, Signature]
    signature_defs: Mapping[str, Any]
    runner: Any

    def close(self) -> None:
        """Release everything."""


class LoadedServable:
    """A loaded version that stays loaded while it is held.

    ``with servable:`` gives back one hold that ``retain`` took. When it is retired and nobody holds it any more,
    ``on_idle`` is called once.
    """

    __slots__ = ("_holds", "_lock", "_on_idle", "_retired", "loaded", "name", "path", "runner", "signatures", "version")

    def __init__(self, name: str, version: int, path: str, loaded: Loaded) -> None:
        self.name, self.version, self.path, self.loaded = name, version, path, loaded
        self.signatures: Mapping[str, Signature] = loaded.signatures
        self.runner = loaded.runner
        self._lock = threading.Lock()
        self._holds = 0
        self._retired = False
        self._on_idle: Callable[[], None] = lambda: None

    def signature(self, name: str) -> Signature:
        """A signature by name ("" = ``serving_default``). Raises ``ServingError`` FAILED_PRECONDITION."""
        found = self.signatures.get(name or DEFAULT_SIGNATURE)
        if found is None:
            raise failed_precondition(f'Serving signature key "{name or DEFAULT_SIGNATURE}" not found.')
        return found

    def retain(self) -> bool:
        """Take a hold; False when the version is already being unloaded."""
        with self._lock:
            if self._retired:
                return False
            self._holds += 1
            return True

    def release(self) -> None:
        """Give a hold back."""
        with self._lock:
            self._holds -= 1
            idle = self._retired and self._holds == 0
        if idle:
            self._on_idle()

    def retire(self, on_idle: Callable[[], None]) -> None:
        """Give out no more holds; call ``on_idle`` when the last one is back (at once when there is none)."""
        with self._lock:
            self._retired, self._on_idle = True, on_idle
            idle = self._holds == 0
        if idle:
            on_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@dataclass(frozen=True)
class ModelVersions:
    """Versions of one model that can be called; ``latest`` has the highest number."""

    by_number: Mapping[int, LoadedServable]
    latest: LoadedServable


class Served:
    """What can be called now. Both maps are immutable and replaced whole by those who load and label versions."""

    def __init__(self) -> None:
        self.models: Mapping[str, ModelVersions] = {}
        self.labels: LabelMap = {}

    def acquire(self, spec: ModelSpecRef) -> LoadedServable:
        """A held version for a request: ``with served.acquire(spec) as servable``.

        Raises: ServingError INVALID_ARGUMENT (no name, unknown label) or NOT_FOUND.
        """
        name, version = spec.name, spec.version
        if not name:
            raise invalid_argument("ModelSpec has no name specified.")
        if version is None and spec.label is not None:
            version = self.labels.get(name, {}).get(spec.label)
            if version is None:
                raise invalid_argument(f"Unrecognized servable version label: {spec.label}")
        servable = self.held(name, version)
        if servable is None:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise not_found(f"Servable not found for request: {wanted}")
        return servable

    def held(self, model: str, version: int | None = None) -> LoadedServable | None:
        """A version that can be called, already held; None when there is none. ``version`` None = the highest."""
        while True:
            versions = self.models.get(model)
            if versions is None:
                return None
            servable = versions.latest if version is None else versions.by_number.get(version)
            if servable is None or servable.retain():
                return servable
