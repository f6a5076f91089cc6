"""How carefully a model is judged. Imports nothing heavy."""

from pydantic import Field

from kilnworks.components.judging.metric import OwnMetric
from kilnworks.schemas.config import Config


class JudgeSettings(Config):
    """What every evaluation takes, whatever the task."""

    resamples: int = Field(default=1000, ge=100, le=100_000)
    """Bootstrap resamples behind each interval."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resampling."""
    top_k: int = Field(default=3, ge=1)
    """``top_<k>_accuracy`` of a multiclass task counts a row as right when its class is among the k most probable."""
    metrics: dict[str, OwnMetric] = Field(default_factory=dict)
    """Metrics of your own by name, beside those of the task: ``{"f2": {"code": "my_project.metrics:f2", "better":
    "max"}}``. They stand in the evaluation and the report, and ``min`` and ``max`` may name them."""
