"""Where are the trees? Their crowns in aerial photographs, which are cut into tiles for learning and for judging.

Photographs are fetched once::

    python data/make_trees.py

Expect a test mAP50 of about ...
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import AdamW, Schedule
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.sources import AsGiven, BoxesSource
from kilnworks.components.sources.boxes.tiles import Tiles
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

TREES = supervised(
    "trees",
    IngestConfig(
        contract=load_contract(ROOT / "schemas/contracts/trees.yaml"),
        source=BoxesSource(path=str(ROOT / "data/trees/boxes.csv"), tiles=Tiles(side=320, overlap=80), mend=True),
        split=AsGiven(),
    ),
    TrainConfig(
        model=Detector(filters=(24, 48, 96, 96), pyramid=48, depth=1, flip="both", crop=0.4),
        epochs=28,
        batch=8,
        optimizer=AdamW(learning_rate=2e-3, weight_decay=1e-3),
        schedule=Schedule(warmup_epochs=2.0, final=0.01),
        early_stopping=None,
        monitor="val_map50",
    ),
    evaluation=EvaluateConfig(better_than=("constant",)),
    description="Where the crowns of trees are in aerial photographs.",
    tags=("example", "images", "detection"),
)
