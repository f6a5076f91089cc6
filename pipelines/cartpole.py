"""Keep a pole upright on a cart: push left or right, learned by trial.

Expect a mean return of 475 or more (500 is the most, and what one run of seed 0 reached; random actions earn about 24)
in 100 greedy episodes, in less than three minutes on two cores::

    kilnworks run cartpole
"""

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.sources import EnvironmentSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.schemas.contract import load_contract

CART = EnvironmentSource(id="CartPole-v1")

CARTPOLE = supervised(
    "cartpole",
    IngestConfig(contract=load_contract(ROOT / "schemas/contracts/cartpole.yaml"), source=CART),
    TrainConfig(
        model=Dqn(environment=CART.environment, validation_episodes=20),
        epochs=30,
        batch=64,
        optimizer=Adam(learning_rate=1e-3),
        monitor="val_return",
        early_stopping=EarlyStopping(patience=6),
    ),
    evaluation=EvaluateConfig(min={"mean_return": 475}, use="low"),
    description="A pole on a cart is kept upright, by deep Q-learning.",
    tags=("example", "control"),
)
