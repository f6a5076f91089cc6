"""Objects of Keras that a user's own code makes: what it gave, checked for its kind."""

from __future__ import annotations

from typing import Any

import keras

from kilnworks.schemas.code import Code, called
from kilnworks.schemas.errors import ConfigError


def own_optimizer(code: Code, rate: Any) -> Any:
    """The optimizer; ``learning_rate`` is given where it has such a parameter."""
    return made(code, keras.optimizers.Optimizer, "optimizer", learning_rate=rate)


def made(code: Code, kind: type, what: str, **given: Any) -> Any:
    """What the code is or gives, called with its options and with those of ``given`` that it has parameters for.

    Raises ``ConfigError`` where that is no ``kind``; ``what`` names the kind in the message.
    """
    found = code.load()
    one = found if isinstance(found, kind) else called(found, code.path, code.options, given)
    if not isinstance(one, kind):
        raise ConfigError(
            f"{code.path} is {said(one)}",
            f"a keras {what}, or a class or function that makes one",
            f"derive it from keras.{what}s.{kind.__name__}",
        )
    return one


def said(thing: Any) -> str:
    """What it is, in words for a message."""
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"of type {type(thing).__name__}"
