"""The job of the comparison with a bare script: the same network, batch and epochs. See ``bench/pipeline.py``."""

from pathlib import Path

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.preprocess import PreprocessConfig
from kilnworks.components.sources import AsGiven, CsvSource, GivenSplits
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract

HERE = Path(__file__).parents[1]
DATA = HERE / "out" / "data"

PEERS = supervised(
    "peers",
    IngestConfig(
        contract=load_contract(HERE / "schemas/contracts/peers.yaml"),
        source=GivenSplits(
            train=CsvSource(path=str(DATA / "big_train.csv")),
            test=CsvSource(path=str(DATA / "big_eval.csv")),
        ),
        split=AsGiven(val=0),
    ),
    TrainConfig(model=Mlp(units=(64, 64), embedding_size=8), epochs=2, batch=512, early_stopping=None, monitor="loss"),
    transform=PreprocessConfig(one_hot_up_to=0),
    description="Made-up bank customers, as the bare script treats them.",
)
