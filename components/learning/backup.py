"""Where an interrupted training goes on: one file, replaced in one rename at the end of an epoch.

It holds everything that the rest of the run depends on: every variable (``state.State``: weights, learning rates,
moments, step counts, states of random generators), the phase, the best weights so far, the counters of the callbacks,
the history, and what a feed remembers, such as the transitions of a game.
The Keras callback of this purpose keeps no counters, overwrites its file in place, and forgets the epoch at its
second crash when it saves by batches.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.schemas.errors import StoreError

Weights = list[np.ndarray]


@dataclass(frozen=True)
class Snapshot:
    """The state of a training between two epochs.

    Attributes:
        phase: number of the running phase, from 0.
        begins: epochs that were done when it began.
        epoch: epochs that are done, those of earlier phases among them.
        variables: values of every variable of ``state.State``, in its order.
        best: values of the model's variables after the best epoch; empty where none was judged yet.
        callbacks: state of each callback by name; JSON-serializable.
        finished: whether the phase had decided to stop.
        feed: what the feed remembers, by name.
    """

    phase: int
    begins: int
    epoch: int
    variables: Weights
    best: Weights
    callbacks: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False
    feed: Mapping[str, np.ndarray] = field(default_factory=dict)


class Backup:
    """One snapshot in a directory that survives a crash."""

    def __init__(self, directory: Path, identity: str) -> None:
        """``identity``: names the training that snapshots belong to; others found there are ignored."""
        self.path = directory / "backup.npz"
        self._identity = identity

    def save(self, snapshot: Snapshot) -> None:
        """Replace the snapshot.

        Raises:
            StoreError: it cannot be written, for instance because the disk is full.
        """
        about = {
            "identity": self._identity,
            "phase": snapshot.phase,
            "begins": snapshot.begins,
            "epoch": snapshot.epoch,
            "finished": snapshot.finished,
            "callbacks": snapshot.callbacks,
        }
        arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        for group in ("variables", "best"):
            arrays |= {f"{group}-{i:05d}": value for i, value in enumerate(getattr(snapshot, group))}
        arrays |= {f"feed-{name}": value for name, value in snapshot.feed.items()}
        scratch = self.path.with_suffix(f".{os.getpid()}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            scratch.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                scratch.unlink()
            raise StoreError(
                f"cannot write the backup of epoch {snapshot.epoch}: {error.strerror or error}",
                f"room and write access in {self.path.parent}",
                "free some space; or set backup_epochs to 0, without which a killed run starts over",
            ) from error

    def load(self) -> Snapshot | None:
        """The snapshot; None where there is none, it belongs to another training, or it is damaged."""
        if not self.path.is_file():
            return None
        try:
            with self.path.open("rb") as file, np.load(file) as found:
                arrays = {name: found[name] for name in found.files}
            about = json.loads(arrays.pop("about").tobytes())
            told = {name: about[name] for name in ("phase", "begins", "epoch", "callbacks", "finished")}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        if about["identity"] != self._identity:
            return None
        groups = {g: [arrays[n] for n in sorted(arrays) if n.startswith(f"{g}-")] for g in ("variables", "best")}
        feed = {n.removeprefix("feed-"): arrays[n] for n in arrays if n.startswith("feed-")}
        return Snapshot(**(told | groups), feed=feed)
