"""What a kind of feature is: settings, what is learned from the training rows, and two ways to compute the same.

::

    Kind (settings) --observer()--> Observer --look(batch)...--> plan() --> Plan (in transform.json)
                                                                             |  columns: data frame -> NumPy, to train
                                                                             +- layers:  Keras tensors, to serve

A kind is one file with these three classes. What a feature becomes is up to its plan: numbers that are standardised
together with all others, ready places of the numeric block, and a tensor of its own; any of them, or none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class Layers(NamedTuple):
    """What the graph makes of one feature."""

    places: Any = None
    """Keras tensor ``[n, K]`` float32 for the K ``places`` of the plan; None where it has none."""
    tensor: Any = None
    """Keras tensor for ``Plan.tensor``; None where it has none."""


class Plan(Config, ABC):
    """What was learned for one feature, as plain values; kept in ``transform.json``."""

    kind: str = ""
    """Which kind this is; empty for a plan from elsewhere, which is written with its ``module:Class`` there."""

    def numbers(self, name: str) -> Mapping[str, Any]:
        """Numbers of the block that are standardised together with those of all features, by their name there.

        Each is a ``scalars.Number``.
        """
        return {}

    def places(self, name: str) -> tuple[str, ...]:
        """What further places of the numeric block hold, a text for each."""
        return ()

    def tensor(self, name: str, feature: Feature) -> EncodedTensor | None:
        """The tensor that the feature has for itself, called ``keras_name(name)``."""
        return None

    @property
    def title(self) -> str:
        """Its name in messages."""
        return self.kind or type(self).__name__

    @abstractmethod
    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray | None:
        """The feature of every row, without TensorFlow.

        Args:
            name: of the feature, for messages.
            feature: what the contract says of it.
            series: the column of a data frame; ``raw_array`` gives what a client would send.
            places: float32 zeros [rows, len(self.places(name))], to be filled.

        Returns:
            the tensor that the feature has for itself, [rows, *shape]; None where it has none.
        """

    @abstractmethod
    def layers(self, feature: Feature, raw: Any) -> Layers:
        """The same as Keras layers, in float32 whatever the global precision.

        Args:
            feature: what the contract says of it.
            raw: Keras tensor [n, *shape] as it is served (``raw_input`` says how).
        """

    @property
    def packs(self) -> bool:
        """Whether the raw array can travel to the training step instead, to be finished there by ``unpack``."""
        return False

    def unpack(self, raw: Any) -> Any:
        """The own tensor from a TensorFlow tensor of the raw array; where ``packs``."""
        raise NotImplementedError(f"{type(self).__name__} says that it packs")


class Observer(ABC):
    """Looks at the training rows of one feature, batch by batch, in memory that does not grow with them."""

    reads: ClassVar[bool] = True
    """Whether it wants to see the column at all."""

    @abstractmethod
    def look(self, values: pl.Series) -> None:
        """Take in a batch of the column. The name of the series is that of the feature."""

    @abstractmethod
    def plan(self) -> Plan:
        """What was learned, once every row was seen. A feature without any use gives a ``DroppedPlan``."""


class Settled(Observer):
    """The observer of a kind that learns nothing from the rows."""

    reads = False

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def look(self, values: pl.Series) -> None:
        """Nothing."""

    def plan(self) -> Plan:
        """The one that was given."""
        return self._plan


class Kind(Config, ABC):
    """One way to take a feature into the model: the settings of it.

    One from elsewhere is named in the settings of a feature: ``FeatureSettings(encode="my_project.kinds:Cyclic")``.
    """

    def refused(self, feature: Feature) -> str:
        """What it takes instead, where it cannot take a feature like this (``a number``); empty where it can."""
        return ""

    @abstractmethod
    def observer(self, name: str, feature: Feature) -> Observer:
        """What looks at the training rows; a new one for each fit."""
