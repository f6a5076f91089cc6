"""The evaluate step from the one judged answer of a contract's task on."""

from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.evaluate import EvaluateConfig, conclude
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.artifacts import Evaluation
from kilnworks.schemas.contract import Contract


def judged(
    config: EvaluateConfig, contract: Contract, frame: pl.DataFrame, predicted: np.ndarray, *more: Any
) -> Evaluation:
    """``predicted``: probabilities [N, K], or values [N]; then fingerprints and a directory, as for ``conclude``."""
    task = choose(contract).of(contract)
    return conclude(config, task, contract, frame, {task.judged[0]: predicted}, *more)
