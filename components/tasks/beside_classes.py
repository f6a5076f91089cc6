"""Tasks that learn nothing from a label, and are compared with one of classes where the contract has it."""

from __future__ import annotations

from typing import ClassVar, Self

from kilnworks.components.tasks.reference import Compared
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError


class BesideClasses(Compared):
    """Rows alone are learned from. A label, ``learned: false`` or not, is looked at by the evaluation."""

    compares: ClassVar[str]
    """What is compared with the label, for messages: ``clusters``."""

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` for a label that is not one class a row."""
        label = contract.label
        if label is not None and (label.several or not label.classes):
            raise ConfigError(
                f"label {label.name!r} to compare {cls.compares} with",
                "one of some classes a row; or no label",
                "give `classes` of the label, or take the label out of the contract",
            )
        return cls(label=label)
