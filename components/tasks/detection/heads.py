"""The names of the heads of a detector, apart from what computes with them: a definition reads them without Keras."""

from typing import Literal

Head = Literal["points", "retina", "ssd", "yolo"]
