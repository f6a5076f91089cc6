"""Explain: a trained model in, what it leans on and why it answers some rows as it does out, for the report."""

from pathlib import Path

from pydantic import Field

from kilnworks.schemas.artifacts import CheckedExamples, Explanations, Model
from kilnworks.schemas.config import Config
from kilnworks.schemas.files import write_json


class ExplainConfig(Config):
    """What is explained. By default the same as ``kilnworks explain NAME``."""

    rows: int = Field(default=8, ge=1, le=100)
    """Rows of the split that are explained, at most: the first ones."""
    split: str = "test"
    """Split whose rows importance is measured on, and of which some are explained."""
    seed: int = Field(default=0, ge=0)
    """Of shuffles and samples."""


def explain(config: ExplainConfig, model: Model, examples: CheckedExamples, out: Path) -> Explanations:
    """Write ``explanations.json``: importance with intervals, partial dependence, and what moved each answer.

    Raises:
        ConfigError: a model whose answers are no single output a row, or a split without rows.
        UnknownName: no such split.
    """
    from kilnworks.components.explaining.rows import explanations

    write_json(out / "explanations.json", explanations(model, examples, None, config.rows, config.split, config.seed))
    return Explanations(out)
