"""Train and finetune: checked examples and a fitted transform in, the best model out.

``model.keras`` takes encoded tensors by name and gives ``probability`` [N, 1], ``probabilities`` [N, K] or ``value``
[N, 1]. Beside it: ``transform/`` (hard links), ``training.json`` (settings, devices, best epoch,
speed) and ``history.csv`` (a line an epoch, from 1).
"""

from __future__ import annotations

import logging
from pathlib import Path
from shutil import copytree, ignore_patterns

from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.architectures import AnyModel
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.schemas.artifacts import CheckedExamples, Model, Transform
from kilnworks.schemas.code import unseen_in
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import link_or_copy, write_json

LOG = logging.getLogger("kilnworks.data")


class TrainConfig(FitSettings):
    """The architecture, and how it is fitted."""

    model: AnyModel = Mlp()


def train(
    config: TrainConfig, examples: CheckedExamples, transform: Transform, out: Path, context: RunContext
) -> Model:
    """Fit, and keep the weights of the best epoch.

    A run that was killed goes on behind its last complete epoch when it is called again with the same
    ``context.work``, and ends with the weights that it would have had.

    Raises:
        ConfigError: settings that do not work with these data or on these devices.
        DataInvalid: labels from which nothing can be learned.
        TrainingDiverged: a loss is not finite; says the epoch, the step and what to try.
    """
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.fit import fit

    for words in unseen_in(config):
        LOG.warning("%s: a change of that is not noticed, and the step stays cached; files belong in options", words)
    fitted = FeatureTransform.load(transform)
    used = config.model.transform(fitted)
    made = fit(config, config.model, examples, used, out, context)
    if used is fitted:
        copytree(transform.path, out / "transform", copy_function=link_or_copy, ignore=ignore_patterns("manifest.json"))
    else:
        used.save(out / "transform")
    write_json(out / "training.json", made)
    return Model(out)


def finetune(
    config: TrainConfig, examples: CheckedExamples, transform: Transform, base: Model, out: Path, context: RunContext
) -> Model:
    """Train a head, and perhaps the last blocks, on top of the layers of a trained model; otherwise as ``train``.

    ::

        Step("model", finetune, TrainConfig(model=Transfer(base="own")),
             {"examples": "checked", "transform": "transform", "base": Champion("digits", "model")})

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
