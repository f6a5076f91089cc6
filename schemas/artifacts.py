"""What flows between components: typed handles on finished directories of the store.

A handle knows where its files are and how to read the small ones. Nobody writes into a finished directory.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from kilnworks.schemas.champion import moved
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import read_json


class SharedStore(Protocol):
    """What an artifact may ask of a store that several hosts share; paths are relative to its root."""

    def push(self, relative: str) -> None:
        """Send a file or folder up."""

    def pull(self, relative: str) -> None:
        """Fetch a file or folder."""

    def push_version(self, version: Path) -> None:
        """Send a published version, and what lies beside it."""

    def pull_versions(self, relative: str) -> None:
        """Fetch the published versions below a folder, with their numbers."""

    def forget_versions(self, base: Path) -> None:
        """Remove the versions that are no longer below ``base``."""


@dataclass(frozen=True)
class Artifact:
    """A finished directory. The store made it; nobody edits it."""

    path: Path
    outside: ClassVar[bool] = False
    """Whether a step that makes one changes something outside its directory, as a published model: only one host of
    those that share a store may, and gates are asked first."""

    def problem(self) -> str | None:
        """Why this artifact no longer counts although its own files are whole; None when it does.

        For artifacts that stand for something outside their directory, such as a published model.
        """
        return None

    @classmethod
    def fetch_outside(cls, remote: SharedStore, pipeline: str) -> None:
        """Bring here what others may have changed outside, before a step looks at it; nothing by default."""

    def send_outside(self, remote: SharedStore, pipeline: str) -> None:
        """Send what the step that made this changed outside; nothing by default."""


class Examples(Artifact):
    """Rows in columns: ``<split>/part-00000.parquet`` ..., described by ``examples.json``.

    ``examples.json``: ``{"contract": {}, "splits": {"train": {"rows": 10, "files": ["train/part-00000.parquet"]}}}``.
    Columns are those of the contract: float -> float64, int -> int64, bool, string, datetime -> timestamp[us];
    tensors of shape [d0, ...] and images as fixed-size lists in C order (float32, int64, uint8). Beside images that
    were decoded: ``<name>__height``, ``__width``, ``__channels`` (int64) and ``__dtype`` (string) of the file.
    """

    @cached_property
    def _description(self) -> dict[str, Any]:
        return dict(read_json(self.path / "examples.json"))

    @cached_property
    def contract(self) -> Contract:
        """What the rows look like."""
        return Contract.model_validate(self._description["contract"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, usually ``train``, ``val`` and ``test``."""
        return tuple(self._description["splits"])

    def files(self, split: str) -> list[Path]:
        """The Parquet shards of a split, in order."""
        return [self.path / f for f in self._description["splits"][split]["files"]]

    def rows(self, split: str) -> int:
        """Number of rows of a split."""
        return int(self._description["splits"][split]["rows"])


class CheckedExamples(Examples):
    """Examples that met every critical rule of their contract.

    Beside the examples: ``validation.json`` (each rule on each split), ``profile.json`` (statistics by feature
    and split) and ``data_docs/index.html`` (the Great Expectations site).
    """

    @cached_property
    def validation(self) -> dict[str, Any]:
        """Outcome of each rule on each split."""
        return dict(read_json(self.path / "validation.json"))

    @cached_property
    def profile(self) -> dict[str, Any]:
        """Statistics by split and feature."""
        return dict(read_json(self.path / "profile.json"))


class DriftReport(Artifact):
    """``drift.json``: how far one set of rows has moved from another; ``decision.json``: whether that is too far."""

    @cached_property
    def drift(self) -> dict[str, Any]:
        """Content of ``drift.json``."""
        return dict(read_json(self.path / "drift.json"))


class Transform(Artifact):
    """Preprocessing adapted to the training split: ``transform.keras`` and ``transform.json``."""

    @cached_property
    def description(self) -> dict[str, Any]:
        """Content of ``transform.json``: the encoded tensors and how each feature becomes part of them."""
        return dict(read_json(self.path / "transform.json"))


class Model(Artifact):
    """``model.keras``: the best epoch, encoded tensors in, task outputs out.

    Beside it ``transform/`` (the preprocessing it was trained behind), ``training.json`` (settings in force,
    strategy, seed, epochs, best epoch, seconds) and ``history.csv`` (one line an epoch).
    """

    @property
    def keras_path(self) -> Path:
        """The Keras file."""
        return self.path / "model.keras"

    @property
    def transform(self) -> Transform:
        """The preprocessing that belongs in front of the model."""
        return Transform(self.path / "transform")

    @cached_property
    def training(self) -> dict[str, Any]:
        """How the model was trained."""
        return dict(read_json(self.path / "training.json"))

    @cached_property
    def contract(self) -> Contract:
        """The contract of the data that the model was trained on."""
        return Contract.model_validate(self.training["contract"])


class Evaluation(Artifact):
    """``evaluation.json``: metrics with intervals, curves, gate; ``decision.json``: what the gate decided and why."""

    @cached_property
    def results(self) -> dict[str, Any]:
        """Content of ``evaluation.json``."""
        return dict(read_json(self.path / "evaluation.json"))


class Explanations(Artifact):
    """``explanations.json``: what a model leans on, and for some rows what moved its answer."""

    @cached_property
    def results(self) -> dict[str, Any]:
        """Content of ``explanations.json``."""
        return dict(read_json(self.path / "explanations.json"))


class Servable(Artifact):
    """``model/``: a SavedModel, for MLflow too; ``servable.json``: signatures, sizes, skew check.

    ``standalone.keras``: the same for plain Keras, opened by ``standalone.py``; where a Keras file can hold the model.
    """

    @property
    def saved_model(self) -> Path:
        """The SavedModel directory."""
        return self.path / "model"

    @cached_property
    def description(self) -> dict[str, Any]:
        """Content of ``servable.json``."""
        return dict(read_json(self.path / "servable.json"))


class Litert(Artifact):
    """``model.tflite`` for LiteRT, ``litert.py`` that runs it, ``compression.json``: what it takes, size, metrics."""

    @property
    def file(self) -> Path:
        """The model of LiteRT."""
        return self.path / "model.tflite"


class Deployment(Artifact):
    """``deployment.json``: ``{"model", "version", "path", "champion"}`` of a published version."""

    outside: ClassVar[bool] = True

    @cached_property
    def description(self) -> dict[str, Any]:
        """Content of ``deployment.json``."""
        return dict(read_json(self.path / "deployment.json"))

    @property
    def published(self) -> Path:
        """Where the published version lies for this host."""
        return self._here(self.description["path"])

    @classmethod
    def fetch_outside(cls, remote: SharedStore, pipeline: str) -> None:
        """The published versions, their numbers and the champion."""
        remote.pull_versions("serving")
        remote.pull(f"champions/{pipeline}.json")

    def send_outside(self, remote: SharedStore, pipeline: str) -> None:
        """The version, what is published beside it, the record of the move, and the champion last."""
        remote.push_version(self.published)
        remote.forget_versions(self.published.parent)
        remote.push(f"promotions/{pipeline}")
        remote.push(f"champions/{pipeline}.json")

    def _here(self, path: str) -> Path:
        """A recorded path below the root of the store in which this artifact lies, ``STORE/runs/NAME/RUN/STEP``."""
        inside = len(self.path.parents) > 3 and self.path.parents[2].name == "runs"
        return moved(path, self.description.get("store", ""), self.path.parents[3]) if inside else Path(path)

    def problem(self) -> str | None:
        """A deployment counts while its version is published and is the champion."""
        published = self.published
        if not (published / "saved_model.pb").is_file():
            return f"{published} is gone"
        champion = self._here(self.description["champion"])
        if not champion.is_file() or read_json(champion)["version"] != self.description["version"]:
            return f"version {self.description['version']} is no longer the champion"
        return None
