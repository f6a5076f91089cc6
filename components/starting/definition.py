"""The definition of a first pipeline as Python, about ten lines; only settings that differ from the defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.sources import (
    AsGiven,
    BoxesSource,
    ByHash,
    ByTime,
    CsvSource,
    EnvironmentSource,
    GivenSplits,
    ImageFolderSource,
    ImageListSource,
    JsonLinesSource,
    NpzSource,
    NumberFormat,
    ParquetSource,
    Shares,
    SqlSource,
    TfdsSource,
)
from kilnworks.components.sources.paths import local
from kilnworks.components.starting.recipe import Recipe
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.config import Config, Secret
from kilnworks.schemas.wire import HIDDEN
from kilnworks.schemas.words import escaped, named

_SOURCES = (CsvSource, ParquetSource, JsonLinesSource, NpzSource, TfdsSource, ImageFolderSource, ImageListSource,
            BoxesSource, SqlSource, EnvironmentSource, GivenSplits)  # fmt: skip
_PARTS = (AsGiven, ByHash, ByTime, NumberFormat, Shares)
_PATHS = ("path", "folder", "data_dir")
PASSWORD = "DATABASE_PASSWORD"
"""Environment variable from which a definition takes a password that was typed: no secret is written into it."""


def definition(name: str, recipe: Recipe, root: Path, contract: Path) -> str:
    """The file ``pipelines/NAME.py``.

    Args:
        name: of the pipeline.
        recipe: what was decided.
        root: the project folder; data below it are written relative to it.
        contract: the contract's file, below ``root``.
    """
    names: set[str] = set()
    label = recipe.contract.label.name if recipe.contract.label else ""
    place = contract.relative_to(root).as_posix()
    examples = [f'contract=load_contract(ROOT / "{place}")', f"source={_code(recipe.source, names, root)}"]
    if recipe.split != ByHash():
        examples.append(f"split={_code(recipe.split, names, root)}")
    training = [f"model={_code(recipe.model, names, root)}"]
    training += [f"{key}={_value(value, names, root)}" for key, value in recipe.training.items()]
    steps = [_text(name), _call("IngestConfig", examples), _call("TrainConfig", training)]
    task = choose(recipe.contract, of_model=recipe.model.task)
    if task.compared:
        names.add("EvaluateConfig")
        steps.append(f"evaluation=EvaluateConfig(better_than={_value(tuple(task.simple), names, root)})")
    elif task.first_limits:
        names.add("EvaluateConfig")
        steps.append(f'evaluation=EvaluateConfig(max={_value(dict(task.first_limits), names, root)}, use="low")')
    if recipe.transform != PreprocessConfig():
        steps.append(f"transform={_code(recipe.transform, names, root)}")
    steps.append(f"description={_text(_title(recipe, label))}")
    head = (
        f'"""{_inside_docstring(_title(recipe, label))}\n\nMade by ``kilnworks new``; change what you know better::\n\n'
    )
    head += f'    kilnworks run {name}\n"""\n\n'
    body = f"{name.upper()} = supervised(\n" + "".join(f"    {step},\n" for step in steps) + ")\n"
    return head + _imports(names) + "\nROOT = Path(__file__).parents[1]\n\n" + body


def _call(name: str, arguments: list[str]) -> str:
    """A call with one argument a line."""
    return f"{name}(\n" + "".join(f"        {argument},\n" for argument in arguments) + "    )"


def _text(text: str) -> str:
    """A text in double quotes."""
    return escaped(json.dumps(text, ensure_ascii=False))


def _title(recipe: Recipe, label: str) -> str:
    what = choose(recipe.contract, of_model=recipe.model.task).title
    if recipe.contract.series is not None:
        return f"{what} of {named(label)}, {recipe.contract.series.horizon} steps ahead, from {recipe.rows:,} rows."
    if isinstance(recipe.source, EnvironmentSource):
        return f"{what} to take in {recipe.source.id}, learned by play."
    if isinstance(recipe.source, BoxesSource):
        return f"{what} of things in {recipe.rows:,} {'tiles of photographs' if recipe.source.tiles else 'images'}."
    if recipe.model.task is not None:
        return f"{what} among {recipe.rows:,} rows."
    return f"{what} of {named(label)}, from {recipe.rows:,} rows."


def _inside_docstring(text: str) -> str:
    """A text that ends no docstring and escapes nothing."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _imports(names: set[str]) -> str:
    modules: dict[str, set[str]] = {
        "kilnworks.components.ingest": {"IngestConfig"},
        "kilnworks.components.train": {"TrainConfig"},
        "kilnworks.pipelines.core.chains": {"supervised"},
        "kilnworks.schemas.contract": {"load_contract"},
    }
    for name in names:
        modules.setdefault(_home(name), set()).add(name)
    lines = [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(modules.items())]
    return "from pathlib import Path\n\n" + "\n".join(lines) + "\n"


def _home(name: str) -> str:
    """The module from which a definition imports a setting."""
    if name in {c.__name__ for c in (*_SOURCES, *_PARTS)}:
        return "kilnworks.components.sources"
    return {
        "Adam": "kilnworks.components.learning.optimizers",
        "AdamW": "kilnworks.components.learning.optimizers",
        "Autoencoder": "kilnworks.components.modeling.autoencoder",
        "Bag": "kilnworks.components.modeling.bag",
        "Clusters": "kilnworks.components.modeling.clusters",
        "Detector": "kilnworks.components.modeling.detection.detector",
        "Dcgan": "kilnworks.components.modeling.generative.gan",
        "Rbm": "kilnworks.components.modeling.generative.boltzmann",
        "Dqn": "kilnworks.components.modeling.control.dqn",
        "Environment": "kilnworks.components.environments.environment",
        "EvaluateConfig": "kilnworks.components.evaluate",
        "EarlyStopping": "kilnworks.components.learning.settings",
        "Forecast": "kilnworks.components.modeling.forecast",
        "FeatureSettings": "kilnworks.components.features.settings",
        "PreprocessConfig": "kilnworks.components.preprocess",
        "SequenceAugmentation": "kilnworks.components.modeling.sequential.settings",
        "SequenceModel": "kilnworks.components.modeling.sequential.sequence",
        "Schedule": "kilnworks.components.learning.optimizers",
        "Tabular": "kilnworks.components.modeling.tabular",
        "Augmentation": "kilnworks.components.modeling.images.augmentation",
        "Bytes": "kilnworks.schemas.code",
        "Tiles": "kilnworks.components.sources.boxes.tiles",
        "Transfer": "kilnworks.components.modeling.images.transfer",
        "View": "kilnworks.components.modeling.forecasts.settings",
        "Vision": "kilnworks.components.modeling.vision",
    }[name]


def _code(config: Config, names: set[str], root: Path) -> str:
    """A config as the call that makes it; names of classes are added to ``names``."""
    kind = type(config)
    names.add(kind.__name__)
    arguments = []
    for field, info in kind.model_fields.items():
        value = getattr(config, field)
        if field == "kind" or value == info.get_default(call_default_factory=True):
            continue
        text = _path(value, root) if field in _PATHS else _value(value, names, root)
        arguments.append(f"{field}={text}")
    return f"{kind.__name__}({', '.join(arguments)})"


def _value(value: Any, names: set[str], root: Path) -> str:
    if isinstance(value, Config):
        return _code(value, names, root)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)}: {_value(v, names, root)}" for k, v in value.items()) + "}"
    if isinstance(value, Secret):
        return _text(str(value).replace(HIDDEN, f"${{{PASSWORD}}}"))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return f"({', '.join(_value(v, names, root) for v in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def _path(value: str, root: Path) -> str:
    """A path below the root relative to it, others whole."""
    full = local(value).resolve()
    if full.is_relative_to(root):
        return f"str(ROOT / {_text(full.relative_to(root).as_posix())})"
    return _text(str(full))
