"""The preprocessing of one data set: fitted once, used in training, and part of the served model.

Two paths give the same numbers. ``apply`` builds the Keras graph that is served; ``encode`` computes the same from
the columns of a data frame with NumPy, for training. Both follow one ``TransformPlan``, kept in ``transform.json``.
This module imports neither TensorFlow nor Polars until it is asked to do something with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.schemas.artifacts import Transform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StoreError
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.updates import explain
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

__all__ = ["EncodedTensor", "FeatureTransform"]

DERIVED = ("encoded", "block")
"""Parts of ``transform.json`` for its readers: the encoded tensors, and what each place of the numeric block holds."""


class FeatureTransform:
    """Raw columns in, encoded tensors out."""

    def __init__(self, plan: TransformPlan) -> None:
        self.plan = plan

    @classmethod
    def fit(cls, contract: Contract, train_files: Sequence[Path], config: PreprocessConfig) -> FeatureTransform:
        """Learn means, vocabularies and bucket boundaries in one pass over the Parquet shards of the training split.

        Raises:
            ConfigError: an override names no feature, or an encoding that its dtype cannot have.
            DataInvalid: an infinite number in a feature.
            DataUnreadable: the shards have no row, or no feature has a value.
        """
        from kilnworks.components.features.fit import fit_plan

        return cls(fit_plan(contract, train_files, config))

    @classmethod
    def load(cls, transform: Transform) -> FeatureTransform:
        """Read a saved transform; needs no TensorFlow.

        Raises:
            StoreError: the file is no fitted transform.
            UnknownName: a feature of it has a kind that there is not.
        """
        content = dict(read_json(transform.path / "transform.json"))
        for derived in DERIVED:
            content.pop(derived, None)
        try:
            return cls(TransformPlan.model_validate(content))
        except ValidationError as error:
            raise StoreError(
                f"{transform.path / 'transform.json'} is no fitted transform: {explain(error)}",
                "what the step preprocess writes",
                "run the preprocessing again",
            ) from None

    def save(self, directory: Path) -> None:
        """Write ``transform.json`` and ``transform.keras`` (a Keras model: raw inputs -> encoded tensors).

        There is no ``transform.keras`` of a series without features, which knows its own past alone.
        """
        from kilnworks.components.features.graph import transform_model

        directory.mkdir(parents=True, exist_ok=True)
        if self.encoded:
            transform_model(self.plan).save(directory / "transform.keras")
        derived = {"encoded": [t.model_dump(mode="json") for t in self.encoded], "block": list(self.plan.block)}
        write_json(directory / "transform.json", {**self.plan.model_dump(mode="json"), **derived})

    @property
    def contract(self) -> Contract:
        """The contract of the data that this was fitted to."""
        return self.plan.contract

    @property
    def encoded(self) -> tuple[EncodedTensor, ...]:
        """The inputs of the trainable model, in order."""
        return self.plan.encoded

    def as_sent(self) -> FeatureTransform:
        """The same features as a client sends them, without any encoding; those that the settings drop stay away.

        Raises:
            ConfigError: something is derived of features, which nobody would see.
        """
        from kilnworks.components.features.kinds import AnyPlan
        from kilnworks.components.features.kinds.as_sent import AsSentPlan
        from kilnworks.components.features.kinds.dropped import DroppedPlan

        if self.plan.derived:
            raise ConfigError(
                f"derived {listed(list(self.plan.derived))} for a model that takes features as they are sent",
                "no `derived` in the preprocessing",
                "leave it out, or choose a model of encoded features",
            )
        plans = self.plan.features.items()
        kept: dict[str, AnyPlan] = {n: p if isinstance(p, DroppedPlan) and p.asked else AsSentPlan() for n, p in plans}
        plan = TransformPlan(contract=self.contract, rows=self.plan.rows, features=kept)
        return type(self)(plan)

    def raw_inputs(self) -> dict[str, Any]:
        """A new ``keras.Input`` for each feature, as it is served; keys are the names of the features."""
        from kilnworks.components.features.graph import raw_inputs

        return raw_inputs(self.plan.contract)

    def apply(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The encoded Keras tensors of raw ones, by name; a Functional graph, used in the served model."""
        from kilnworks.components.features.graph import encode_graph

        return encode_graph(self.plan, raw)

    def encode(self, frame: pl.DataFrame, *, packed: bool = False) -> dict[str, np.ndarray]:
        """The encoded arrays of a frame with the columns of the contract: ``[rows, *shape]`` by name, C order.

        Equal to ``apply`` bit by bit where that runs operation by operation (see ``docs/decisions/0020``). With
        ``packed``, images that are not resized stay uint8, a quarter of the size; ``unpack`` makes the rest.
        """
        from kilnworks.components.features.encode import encode_frame

        return encode_frame(self.plan, frame, packed)

    def unpack(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """TensorFlow tensors of ``encode(frame, packed=True)`` as the model takes them; eagerly or inside a graph."""
        from kilnworks.components.features.packed import unpack

        return unpack(self.plan, tensors)

    @property
    def packed_dtypes(self) -> dict[str, str]:
        """The dtype of each encoded tensor as ``encode(frame, packed=True)`` gives it, by name, in order."""
        from kilnworks.components.features.packed import packed_dtypes

        return packed_dtypes(self.plan)
