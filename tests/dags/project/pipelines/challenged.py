"""Models of one number, each of which is compared with the one that is live; the number is read from a file."""

import os
from pathlib import Path

from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.schemas.config import Config
from tests.pipelines.made_models import DrawConfig, LearnConfig, check, draw, export, grade, learn

DATA = Path(__file__).parents[1] / "data" / "shop.csv"
SLOPE = Path(os.environ.get("TOY_LANDING", "/nonexistent")) / "slope.txt"
MADE = LearnConfig(slope=float(SLOPE.read_text()) if SLOPE.is_file() else 1.0)
STEPS = (
    Step("examples", draw, DrawConfig(path=str(DATA))),
    Step("checked", check, Config(), {"examples": "examples"}),
    Step("model", learn, MADE, {"examples": "checked"}),
    Step("evaluation", grade, Config(), {"model": "model", "examples": "checked"}),
    Step("servable", export, Config(), {"model": "model", "evaluation": "evaluation"}),
    Step("deployment", deploy, DeployConfig(), {"servable": "servable"}),
)
ALL = {step.name: Task(group="all") for step in STEPS}

CHALLENGED = Pipeline("challenged", STEPS, operations=Operations(tasks=ALL))
