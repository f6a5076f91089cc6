"""The two ways in which a trained model becomes a smaller one that is kept, judged and served like any other."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from kilnworks.components.compressing.pruning import Pruner, pruned, zeros
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.architectures import AnyModel
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.compact.int8 import FILE, WORTH, rounded, wholes, write_wholes
from kilnworks.components.modeling.compact.kernels import LEAST
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.kept import CODE, KERAS, WEIGHTS, load_trained
from kilnworks.schemas.artifacts import CheckedExamples, Model
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import link_or_copy, read_json, write_json


def to_int8(model: Model, out: Path) -> dict[str, Any]:
    """Write the model with its kernels rounded to whole numbers of one byte; all else of it is as it was.

    Returns:
        For ``compression.json``: ``variables`` that were rounded, with the largest change of a weight as a share of the
        largest weight, and ``left``, those that were not.

    Raises:
        ConfigError: no weight is worth it.
    """
    trained = load_trained(model)
    found = wholes(trained)
    if not found:
        raise ConfigError(
            f"int8 for a model without a matrix of {WORTH} weights or more in float32",
            "a kernel or a table that can be made smaller",
            "leave the compression out",
        )
    variables = trained.variables
    told = [
        {
            "name": variables[one.place].path,
            "shape": list(one.values.shape),
            "moved": _moved(variables[one.place], one.wide),
        }
        for one in found
    ]
    chosen = {one.place for one in found}
    left = [
        {"name": v.path, "shape": list(v.shape), "why": _why(v, WORTH) or "one weight a channel"}
        for place, v in enumerate(variables)
        if place not in chosen and "seed_generator" not in v.path
    ]
    rounded(trained, found)
    ours = ("manifest.json", KERAS, WEIGHTS, FILE, "checkpoints", "tensorboard")
    copytree(model.path, out, copy_function=link_or_copy, ignore=ignore_patterns(*ours), dirs_exist_ok=True)
    code = model.path / CODE
    if code.is_file() and read_json(code)["kept"] == "weights":
        trained.save_weights(out / WEIGHTS)
    else:
        trained.save(out / KERAS)
    write_wholes(out, found)
    return {"variables": told, "left": left}


def to_pruned(
    model: Model,
    examples: CheckedExamples,
    out: Path,
    context: RunContext,
    *,
    sparsity: float,
    epochs: int,
    settle: int,
    rate: float,
) -> dict[str, Any]:
    """Train the model further while its smallest weights become 0, and write it; see ``compressing.pruning``.

    Args:
        model: trained.
        examples: that it was trained on.
        out: to write into.
        context: of the step; a run that was killed goes on from its backup.
        sparsity: share of the weights of each kernel that are 0 in the end.
        epochs: in which it is reached.
        settle: epochs after that; the best of them counts.
        rate: what the learning rate of the training is multiplied by.

    Returns:
        For ``compression.json``: ``variables`` with the share of weights that are 0, and ``left``.

    Raises:
        ConfigError: a model that cannot be trained further in this way.
    """
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.fit import fit

    settings, architecture = trained_by(model)
    weights = [np.asarray(variable) for variable in load_trained(model).variables]
    pruner = Pruner(epochs, sparsity)
    made = fit(
        settings,
        architecture,
        examples,
        FeatureTransform.load(model.transform),
        out,
        context,
        callbacks=[pruner],
        begun=lambda learner: pruned(learner, weights, pruner, settle, rate),
    )
    ours = ignore_patterns("manifest.json")
    copytree(model.transform.path, out / "transform", copy_function=link_or_copy, ignore=ours)
    write_json(out / "training.json", {**made, "config": model.training["config"]})
    trained = load_trained(Model(out))
    told = zeros(trained, sparsity)
    names = {one["name"] for one in told}
    left = [
        {"name": v.path, "shape": list(v.shape), "why": _why(v, LEAST) or "not trained"}
        for v in trained.variables
        if v.path not in names and "seed_generator" not in v.path
    ]
    return {"variables": told, "left": left}


def trained_by(model: Model) -> tuple[FitSettings, Architecture]:
    """How a model was trained, without what ends, averages or watches a training. Raises ``ConfigError``."""
    config = dict(model.training.get("config", {}))
    if "model" not in config:
        raise ConfigError(
            f"pruning a model of {model.path.name}, which keeps no settings of a training",
            "a model that the step train has made",
            "choose `to: int8`",
        )
    architecture: Architecture = TypeAdapter(AnyModel).validate_python(config.pop("model"))
    if isinstance(architecture, Transfer) and architecture.base == "own" and architecture.weights is None:
        raise ConfigError(
            "pruning a model that was made by the step finetune, whose base is not in its settings",
            "a model that the step train has made",
            "choose `to: int8`",
        )
    plain = {
        "refit": 0, "reduce_on_plateau": None, "schedule": None, "budget_minutes": None, "health": "none",
        "checkpoints": "none", "tensorboard": False,
    }  # fmt: skip
    known = {name: value for name, value in config.items() if name in FitSettings.model_fields}
    if isinstance(known.get("optimizer"), dict) and known["optimizer"].get("ema") is not None:
        known["optimizer"] = {**known["optimizer"], "ema": None}
    return FitSettings.model_validate({**known, **plain}), architecture


def _moved(variable: Any, wide: np.ndarray) -> float:
    """The largest change of a weight, as a share of the largest weight."""
    before = np.asarray(variable)
    return float(np.abs(wide - before).max() / max(float(np.abs(before).max()), 1e-30))


def _why(variable: Any, least: int) -> str:
    """Why a variable is left as it is; empty where that is not its form."""
    if str(variable.dtype) != "float32":
        return f"{variable.dtype}, not float32"
    if len(variable.shape) < 2:
        return "no matrix"
    return f"fewer than {least} values" if int(np.prod(variable.shape)) < least else ""
