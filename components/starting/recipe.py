"""What a look at data ends with: everything a definition needs, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.sources.base import Source
from kilnworks.components.sources.splitting.splits import ByHash
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract


@dataclass(frozen=True)
class Decision:
    """One thing that was decided.

    Attributes:
        what: the question, in a word or two: ``label``.
        choice: the answer: ``Churn (2 classes: No, Yes)``.
        why: the evidence, in a clause.
        flagged: whether a person should look at it before trusting the model.
    """

    what: str
    choice: str
    why: str = ""
    flagged: bool = False


@dataclass(frozen=True)
class Recipe:
    """A first pipeline.

    Attributes:
        contract: of the data.
        source: where they lie and how they are read.
        rows: how many there are.
        model: the architecture.
        training: settings of the training besides the model, by field name.
        split: how rows find their split.
        transform: preprocessing.
        decisions: what was decided and why, in the order in which a person asks.
        characters: of all texts that are read, in all rows.
        step_seconds: processor seconds of a step of an environment, measured here; 0 without one.
        longest_episode: steps after which an episode is cut; 0 without an environment.
    """

    contract: Contract
    source: Source
    rows: int
    model: Architecture
    training: dict[str, Any] = field(default_factory=dict)
    split: Config = field(default_factory=ByHash)
    transform: PreprocessConfig = field(default_factory=PreprocessConfig)
    decisions: tuple[Decision, ...] = ()
    characters: int = 0
    step_seconds: float = 0.0
    longest_episode: int = 0
