"""Handwritten digits that nobody wrote: a generative adversarial network that makes an image of the digit asked for.

Expect a Fréchet distance of about 0.7 from held-out digits (0.71, 95 % interval 0.38 to 1.09), where noise has 60 and
as many training rows have 0.45; all ten digits are made, 0.99 of them the one that was asked for. In two minutes on two
cores::

    kilnworks run digits_gan
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.generative.gan import Dcgan
from kilnworks.components.sources import ByHash, ParquetSource, Shares
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

DIGITS_GAN = supervised(
    "digits_gan",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/digits.yaml"),
        source=ParquetSource(path=str(ROOT / "data/digits.parquet")),
        split=ByHash(shares=Shares(train=0.6, val=0.15, test=0.25)),
    ),
    TrainConfig(model=Dcgan(generator_rate=5e-4), epochs=100, batch=64, monitor="val_distance", early_stopping=None),
    evaluation=EvaluateConfig(max={"relative_distance": 0.1}, min={"classes_seen": 1.0}, use="low"),
    description="Images of handwritten digits, one of the digit that is asked for.",
    tags=("example", "images"),
)
