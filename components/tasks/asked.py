"""What a person may ask for when a column is looked at for the first time: ``--task classification`` or ``regression``.

Which task that becomes, the label of the contract says (``choose``).
"""

from typing import Literal

from schemas.errors import ConfigError

Asked = Literal["classification", "regression"]
CLASSES: Asked = "classification"
NUMBERS: Asked = "regression"


def as_asked(text: str | None) -> Asked | None:
    """The option as it was written. Raises ``ConfigError`` for another text."""
    for known in (CLASSES, NUMBERS):
        if text == known:
            return known
    if text is not None:
        raise ConfigError(f"--task {text}", "classification or regression", "correct the option")
    return None
