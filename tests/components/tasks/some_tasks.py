"""Tasks as tests of models want them: with a label and nothing learned."""

from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.contract import Label


def binary() -> Binary:
    return Binary(label=Label(name="y", dtype="string", classes=("no", "yes")))


def multiclass(classes: int) -> Multiclass:
    return Multiclass(label=Label(name="y", dtype="int", classes=tuple(range(classes))))


def regression(offset: float, scale: float) -> Regression:
    return Regression(label=Label(name="y", dtype="float"), offset=offset, scale=scale)
