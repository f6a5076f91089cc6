"""How much electricity will a town need in the next 24 hours? Split by time; rolling origins at midnight.

The data are generated, with a known floor. Expect a mean absolute error of at most 15.5 MW (14.8, 95 % interval 14.0 to
15.5; last week's value has 21.2, and 13.1 is the best that anybody could reach over all hours of a day), and 0.76 of
the values between low and high (0.74 to 0.79; 0.80 is wanted), in half a minute on two cores. Temperature and working
days are known ahead::

    kilnworks run demand
"""

from datetime import datetime

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam, Schedule
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.sources import ByTime, ParquetSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

DEMAND = supervised(
    "demand",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/demand.yaml"),
        source=ParquetSource(path=str(ROOT / "data/demand.parquet")),
        split=ByTime(val_from=datetime(2023, 7, 1), test_from=datetime(2023, 10, 1)),
    ),
    TrainConfig(
        model=Forecast(core="gru", width=24, units=(64, 64)),
        epochs=4,
        batch=128,
        optimizer=Adam(learning_rate=3e-3),
        schedule=Schedule(),
        early_stopping=None,
    ),
    evaluation=EvaluateConfig(max={"relative_mae": 0.8}),
    description="Hourly electricity demand of the next day, with an interval.",
    tags=("example", "forecast"),
)
