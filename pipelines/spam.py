"""Which mails are spam? Subject and body as texts, through an ensemble of linear models over n-grams.

Expect a test accuracy of about 0.985 and an AUC of about 0.999, in a minute on two cores::

    kilnworks run spam
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.preprocess import PreprocessConfig
from kilnworks.components.sources import ParquetSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

NGRAMS = FeatureSettings(encode="ngrams", character_ngrams=(3, 4))

SPAM = supervised(
    "spam",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/spam.yaml"),
        source=ParquetSource(path=str(ROOT / "data/mails.parquet")),
    ),
    TrainConfig(
        model=Bag(strength=16),
        epochs=12,
        batch=64,
        optimizer=Adam(learning_rate=0.02),
        early_stopping=EarlyStopping(patience=2),
    ),
    transform=PreprocessConfig(features={"subject": NGRAMS, "body": NGRAMS}),
    evaluation=EvaluateConfig(min={"accuracy": 0.97}),
    description="Which mails are spam.",
    tags=("example", "text"),
)
