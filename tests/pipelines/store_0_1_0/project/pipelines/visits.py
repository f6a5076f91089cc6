"""Does a visitor buy? A small pipeline for the store that release 0.1.0 made."""

from pathlib import Path

from components.evaluate import EvaluateConfig
from components.ingest import IngestConfig
from components.modeling.mlp import Mlp
from components.sources import CsvSource
from components.train import TrainConfig
from pipelines.core.chains import supervised
from schemas.contract import load_contract

ROOT = Path(__file__).parents[1]

VISITS = supervised(
    "visits",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/visits.yaml"),
        source=CsvSource(path=str(ROOT / "visits.csv")),
    ),
    TrainConfig(model=Mlp(units=(4,), dropout=0.0, l2=0.0), epochs=6, batch=32),
    evaluation=EvaluateConfig(min={"auc": 0.6}, slices=("device",)),
    description="Which visitors of a shop buy.",
)
