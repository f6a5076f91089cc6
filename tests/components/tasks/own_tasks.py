"""Tasks as a user writes them."""

from typing import Any, ClassVar

from kilnworks.components.tasks.binary import Binary


class Careful(Binary):
    """Two classes, with a loss of its own."""

    kind: ClassVar[str] = "careful"

    def loss(self) -> Any:
        import keras

        return keras.losses.BinaryFocalCrossentropy()


def no_task() -> None:
    """A function is none."""
