"""What flows between components: typed handles on finished directories of the store.

A handle knows where its files are and how to read the small ones. Nobody writes into a finished directory.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.champion import moved
from schemas.contract import Contract
from schemas.files import read_json


@dataclass(frozen=True)
class Artifact:
    """A finished directory. The store made it; nobody edits it."""

    path: Path

    def problem(self) -> str | None:
        """Why this artifact no longer counts although its own files are whole; None when it does.

        For artifacts that stand for something outside their directory, such as a published model.
        """
        return None


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


class Comparison(Artifact):
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


class Servable(Artifact):
    """``model/``: a SavedModel that TensorFlow Serving loads; ``servable.json``: signatures, sizes, skew check."""

    @property
    def saved_model(self) -> Path:
        """The SavedModel directory."""
        return self.path / "model"

    @cached_property
    def description(self) -> dict[str, Any]:
        """Content of ``servable.json``."""
        return dict(read_json(self.path / "servable.json"))


class Deployment(Artifact):
    """``deployment.json``: ``{"model", "version", "path", "champion"}`` of a published version."""

    @cached_property
    def description(self) -> dict[str, Any]:
        """Content of ``deployment.json``."""
        return dict(read_json(self.path / "deployment.json"))

    @property
    def published(self) -> Path:
        """Where the published version lies for this host."""
        return self._here(self.description["path"])

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
