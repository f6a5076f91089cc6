"""The choice between the architectures, by ``kind``."""

from typing import Annotated

from pydantic import Field

from components.modeling.cnn import Cnn
from components.modeling.mlp import Mlp
from components.modeling.tabular import Tabular
from components.modeling.vision import Vision

AnyModel = Annotated[Mlp | Cnn | Tabular | Vision, Field(discriminator="kind")]
"""Settings of any architecture: ``{"kind": "mlp", "units": [64, 64]}``."""
