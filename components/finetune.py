"""Finetune: examples, a fitted transform and a trained model in, a new model on top of its layers out.

::

    Step("model", finetune, TrainConfig(model=Transfer(base="own")),
         {"examples": "checked", "transform": "transform", "base": Champion("digits", "model")})

What comes out is as from ``train``.
"""

from __future__ import annotations

from pathlib import Path

from kilnworks.components.modeling.transfer import Transfer
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.artifacts import CheckedExamples, Model, Transform
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import ConfigError


def finetune(
    config: TrainConfig, examples: CheckedExamples, transform: Transform, base: Model, out: Path, context: RunContext
) -> Model:
    """Train a head, and perhaps the last blocks, on top of the layers of ``base``; otherwise as ``train``.

    Raises:
        ConfigError: the architecture is not ``transfer`` with base ``own``, or ``base`` takes other images.
        DataInvalid, TrainingDiverged: as ``train``.
    """
    if not isinstance(config.model, Transfer):
        raise ConfigError(
            f"the step finetune with model {config.model.kind}",
            'model {"kind": "transfer", "base": "own"}',
            "use that, or the step train",
        )
    return train(config.model_copy(update={"model": config.model.handed(base)}), examples, transform, out, context)
