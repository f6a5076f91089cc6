"""Keeping a trained model and loading it again, also one with layers of a user's own.

A ``.keras`` file holds the names of a user's classes, not their code; it is read back at once and compared. What it
cannot hold (a ``Lambda`` layer, a model without ``get_config``, functions that were made inside of others) is kept as
weights, and its code is run again when it is loaded: ``code.json`` says so, with the hash of that code.
"""

from __future__ import annotations

import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.custom import CustomModel
from kilnworks.components.modeling.vocabularies import exact_vocabularies
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.closure.loading import imported, load
from kilnworks.schemas.code import source_identity
from kilnworks.schemas.errors import ConfigError, StoreError
from kilnworks.schemas.files import read_json, write_json

if TYPE_CHECKING:
    import numpy as np

LOG = logging.getLogger("kilnworks.data")
KERAS, WEIGHTS, CODE = "model.keras", "model.weights.h5", "code.json"
TOLERANCE = 1e-5
"""Largest difference between a model and the one that was read back, absolute up to 1 and relative above."""


def keep(
    architecture: Architecture, model: Any, build: Callable[[], Any], sample: Mapping[str, np.ndarray], folder: Path
) -> None:
    """Write ``model.keras``; or ``model.weights.h5``, where a Keras file cannot hold the model.

    Args:
        architecture: what built it.
        model: trained.
        build: builds it again, with other weights.
        sample: a few encoded rows on which the model and the one that was read back must agree.
        folder: to write into.

    Raises:
        ConfigError: neither can hold all of it; says why.
    """
    if not isinstance(architecture, CustomModel):
        model.save(folder / KERAS)
        return
    module = architecture.build.module
    about = {"code": architecture.build.path, "module": module, **source_identity(module)}
    why = _as_keras(model, sample, folder / KERAS, module)
    if why:
        (folder / KERAS).unlink(missing_ok=True)
        _as_weights(architecture, model, build, sample, folder / WEIGHTS, why)
        LOG.warning("%s is kept as weights and code: %s", architecture.build.path, why)
        about |= {"kept": "weights", "why": why, "architecture": architecture.model_dump(mode="json")}
    write_json(folder / CODE, {"kept": "keras", **about})


def load_trained(model: Model) -> Any:
    """The Keras model of an artifact, encoded tensors in, answers out; without an optimizer.

    Raises:
        StoreError: it is kept as weights, and its code has changed since.
        ConfigError: the code that it needs cannot be imported.
    """
    import keras

    # these register layers that saved models need
    from kilnworks.components.modeling import ensemble, random_apply  # noqa: F401
    from kilnworks.components.modeling.detection import layers  # noqa: F401
    from kilnworks.components.modeling.generative import machines  # noqa: F401
    from kilnworks.components.modeling.texts import grams, ngrams, sequences  # noqa: F401

    path = model.path / CODE
    if not path.is_file():
        return keras.saving.load_model(model.keras_path, compile=False)
    about = read_json(path)
    if about["kept"] == "keras":
        return _read(model.keras_path, str(about["module"]))
    if source_identity(str(about["module"]))["source"] != about["source"]:
        raise StoreError(
            f"the code of {about['code']} has changed since this model was trained, and the model is kept as weights",
            "the code that it was trained with",
            "run the training again, or take the change of the code back",
        )
    return _rebuilt(model, about)


def _rebuilt(model: Model, about: Mapping[str, Any]) -> Any:
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.choose import task_of

    architecture = CustomModel.model_validate(about["architecture"])
    built = architecture.network(FeatureTransform.load(model.transform).encoded, task_of(model))
    built.load_weights(model.path / WEIGHTS)
    return built


def _read(path: Path, module: str) -> Any:
    """A ``.keras`` file, with the project's modules at hand in which it looks for classes."""
    import keras

    imported(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # keep() has proved that what is read answers the same
        return keras.saving.load_model(path, custom_objects=own_objects(path), compile=False)


def own_objects(path: Path) -> dict[str, Any]:
    """The classes and functions outside of Keras that a ``.keras`` file names, by the name under which it does.

    Keras itself finds only what was registered by a decorator.
    """
    return {name: load(place) for name, place in named_objects(path).items()}


def named_objects(path: Path) -> dict[str, str]:
    """Where they are, ``module:name``, by the name under which the file names them; nothing is imported."""
    with zipfile.ZipFile(path) as archive:
        todo: list[Any] = [json.loads(archive.read("config.json"))]
    found: dict[str, str] = {}
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            todo += node.values()
            place, name = node.get("module"), node.get("class_name")
            name = node.get("config") if name == "function" else name
            if isinstance(place, str) and isinstance(name, str) and not _of_keras(place):
                found[str(node.get("registered_name") or name)] = f"{place}:{name}"
    return found


def _of_keras(module: str) -> bool:
    return module.partition(".")[0] in ("keras", "builtins")


def _as_keras(model: Any, sample: Mapping[str, np.ndarray], path: Path, module: str) -> str:
    """Why a Keras file cannot hold a model; empty where one does, and now lies there."""
    compiled = [layer for layer in model.layers if getattr(layer, "compiled", False)]
    for layer in compiled:
        layer.compiled = False  # or the file would hold losses and optimizers, which serving does not need
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with exact_vocabularies(model):
                model.save(path)
            return _differs(model, _read(path, module), sample)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}"
    finally:
        for layer in compiled:
            layer.compiled = True


def _as_weights(
    architecture: CustomModel,
    model: Any,
    build: Callable[[], Any],
    sample: Mapping[str, np.ndarray],
    path: Path,
    why: str,
) -> None:
    model.save_weights(path)
    try:
        again = build()
        again.load_weights(path)
        reason = _differs(model, again, sample)
    except (ValueError, TypeError, KeyError, ConfigError) as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
    if reason:
        raise ConfigError(
            f"the model of {architecture.build.path} cannot be kept, as a Keras file ({why}) or as weights ({reason})",
            "a model whose whole state are its weights, or layers with get_config()",
            "write get_config() for its layers, give them what they learn by adapt() as options, and put functions at "
            "the top of a module",
        )


def _differs(model: Any, again: Any, sample: Mapping[str, np.ndarray]) -> str:
    """In words, how far the answers of two models are apart; empty where they agree."""
    import numpy as np
    import tensorflow as tf

    given = {name: tf.constant(array) for name, array in sample.items()}
    one, two = (np.asarray(m(given, training=False), np.float64) for m in (model, again))
    apart = np.abs(one - two) / np.maximum(1.0, np.abs(one))
    if one.shape == two.shape and (np.isnan(one) == np.isnan(two)).all() and np.nanmax(apart, initial=0.0) <= TOLERANCE:
        return ""
    return f"read back it answers differently, by {np.nanmax(apart, initial=0.0):.3g}"
