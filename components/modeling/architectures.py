"""The choice between the architectures, by ``kind``; and any other that a definition hands in."""

from typing import Annotated

from pydantic import Field, SerializeAsAny

from components.modeling.autoencoder import Autoencoder
from components.modeling.bag import Bag
from components.modeling.base import Architecture
from components.modeling.cnn import Cnn
from components.modeling.custom import CustomModel
from components.modeling.mlp import Mlp
from components.modeling.tabular import Tabular
from components.modeling.text import Text
from components.modeling.vision import Vision
from schemas.config import accept_any

AnyModel = Annotated[
    Mlp | Cnn | Tabular | Vision | Bag | Text | Autoencoder | CustomModel,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Architecture),
]
"""Settings of any architecture: ``{"kind": "mlp", "units": [64, 64]}``, or an object of any subclass."""
