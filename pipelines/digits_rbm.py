"""Handwritten digits that are not in their place: a restricted Boltzmann machine, then a logistic regression.

Nobody tells the machine the digits; from its codes a linear model tells what it cannot tell from the pixels. Expect a
test accuracy of about 0.89 (95 % interval 0.875 to 0.906) and a macro F1 of about 0.88, where a logistic regression on
the pixels has 0.77, in a minute::

    kilnworks run digits_rbm
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.generative.boltzmann import Dbn
from kilnworks.components.sources import AsGiven, ParquetSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

DIGITS_RBM = supervised(
    "digits_rbm",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/nudged.yaml"),
        source=ParquetSource(path=str(ROOT / "data/nudged.parquet")),
        split=AsGiven(column="split"),
    ),
    TrainConfig(
        model=Dbn(units=(100,), divergence_epochs=30, divergence_rate=0.2, fine_tune=False),
        optimizer=Adam(learning_rate=0.02),
        epochs=40,
        batch=32,
    ),
    evaluation=EvaluateConfig(min={"accuracy": 0.85}, better_than=("constant", "linear")),
    description="Which digit a small grey image shows, wherever it stands in it.",
    tags=("example", "images"),
)
