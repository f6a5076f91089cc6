"""Handwritten digits, 8 x 8 pixels: images through a small convolutional network.

Expect a test accuracy of about 0.98, in half a minute on two cores::

    kilnworks run digits
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.cnn import Cnn
from kilnworks.components.sources import ParquetSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

DIGITS = supervised(
    "digits",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/digits.yaml"),
        source=ParquetSource(path=str(ROOT / "data/digits.parquet")),
    ),
    TrainConfig(model=Cnn(), epochs=40, batch=64),
    evaluation=EvaluateConfig(min={"accuracy": 0.95}),
    description="Which digit a small grey image shows.",
    tags=("example", "images"),
)
