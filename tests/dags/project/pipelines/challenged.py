"""Models of one number, each of which is compared with the one that is live; the number is read from a file."""

import os
from pathlib import Path

from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import ByHash, CsvSource
from kilnworks.components.sources.splitting.splits import Shares
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from tests.pipelines.made_models import TREE, JudgeConfig, LearnConfig, check, export, judge, learn

DATA = Path(__file__).parents[1] / "data" / "shop.csv"
SLOPE = Path(os.environ.get("TOY_LANDING", "/nonexistent")) / "slope.txt"
MADE = LearnConfig(slope=float(SLOPE.read_text()) if SLOPE.is_file() else 1.0)
STEPS = (
    Step(
        "examples",
        ingest,
        IngestConfig(
            contract=Contract.model_validate(TREE),
            source=CsvSource(path=str(DATA)),
            split=ByHash(shares=Shares(train=0.4, val=0.1, test=0.5)),
        ),
    ),
    Step("checked", check, Config(), {"examples": "examples"}),
    Step("model", learn, MADE, {"examples": "checked"}),
    Step("evaluation", judge, JudgeConfig(), {"model": "model", "examples": "checked"}),
    Step("servable", export, Config(), {"model": "model", "evaluation": "evaluation"}),
    Step("deployment", deploy, DeployConfig(), {"servable": "servable"}),
)

CHALLENGED = Pipeline(
    "challenged", STEPS, operations=Operations(tasks={step.name: Task(group="all") for step in STEPS})
)
