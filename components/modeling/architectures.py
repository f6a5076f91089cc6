"""The choice between the architectures, by ``kind``; and any other that a definition hands in."""

from typing import Annotated

from pydantic import Field, SerializeAsAny

from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.cnn import Cnn
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.modeling.custom import CustomModel
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.generative.boltzmann import Dbn, Rbm
from kilnworks.components.modeling.generative.gan import Dcgan, WganGp
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.skipgram import SkipGram
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.text import Text
from kilnworks.components.modeling.vision import Vision
from kilnworks.schemas.config import accept_any

AnyModel = Annotated[
    Mlp
    | Cnn
    | Tabular
    | Vision
    | Transfer
    | Detector
    | Bag
    | Text
    | SkipGram
    | Autoencoder
    | Clusters
    | Forecast
    | SequenceModel
    | Rbm
    | Dbn
    | Dcgan
    | WganGp
    | Dqn
    | CustomModel,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Architecture),
]
"""Settings of any architecture: ``{"kind": "mlp", "units": [64, 64]}``, or an object of any subclass."""
