"""The way through a small world of squares, learned by trial; the optimum is known by dynamic programming.

Expect the optimum: a return of 8 in every episode (20 for the goal, 12 steps at 1; random actions earn about -70), in
about a minute on two cores::

    kilnworks run gridworld
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.modeling.control.settings import Exploration
from kilnworks.components.sources import EnvironmentSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

WORLD = EnvironmentSource(id="kilnworks.components.environments.grid:GridWorld", max_steps=100)

GRIDWORLD = supervised(
    "gridworld",
    IngestConfig(contract=load_contract(ROOT / "schemas/contracts/gridworld.yaml"), source=WORLD),
    TrainConfig(
        model=Dqn(
            environment=WORLD.environment,
            units=(64, 64),
            discount=0.97,
            target_every=100,
            exploration=Exploration(end=0.2, steps=6000),
        ),
        epochs=20,
        batch=64,
        optimizer=Adam(learning_rate=1e-3),
        monitor="val_return",
        early_stopping=EarlyStopping(patience=8),
    ),
    evaluation=EvaluateConfig(min={"mean_return": 8}, use="low"),
    description="The way through a small world of squares, by deep Q-learning.",
    tags=("example", "control"),
)
