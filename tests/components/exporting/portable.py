"""Small models of every task and architecture, exported; and a process that opens them without this project."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import choose, write_task
from kilnworks.schemas.artifacts import Model, Servable
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_json
from tests.components.features import tabular

ROOT = Path(__file__).parents[3]
CHILD = '''
import contextlib, pickle, runpy, sys
import importlib.abc

class Nowhere(importlib.abc.MetaPathFinder):
    """The project is installed here; elsewhere it is not."""
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kilnworks", "components", "schemas", "pipelines", "dags"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
sys.path += sys.argv[1:]
out, sys.stdout = sys.stdout.buffer, sys.stderr
import tensorflow as tf

opened = {}
while True:
    try:
        folder, rows = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    if folder not in opened:
        told = runpy.run_path(folder + "/standalone.py")
        opened[folder] = told["model"], tf.saved_model.load(folder + "/model").signatures["serving_default"]
    model, served = opened[folder]
    tensors = {n: tf.constant(v.tolist() if v.dtype == object else v) for n, v in rows.items()}
    found = model({n.replace("/", "|"): v for n, v in tensors.items()}), served(**tensors)
    pickle.dump([{n: v.numpy() for n, v in answers.items()} for answers in found], out)
    out.flush()
'''


class Elsewhere:
    """Keras and TensorFlow in a fresh process and another folder, where nothing of the project can be imported."""

    def __init__(self, folder: Path) -> None:
        (folder / "child.py").write_text(CHILD)
        command = [sys.executable, "-I", "child.py", str(ROOT)]  # the root for the layers of a "user" in tests/
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def answers(self, servable: Servable, raw: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What ``standalone.keras`` answers, and the SavedModel."""
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump((str(servable.path), raw), self._process.stdin)
        self._process.stdin.flush()
        keras_file, served = pickle.load(self._process.stdout)
        return keras_file, served

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(60) == 0


def exported(
    folder: Path,
    contract: Contract,
    frame: pl.DataFrame,
    architecture: Architecture,
    settings: PreprocessConfig | None = None,
    task: Task | None = None,
    keras_file: bool = True,
) -> Servable:
    """A model with random weights, kept as training keeps it, and exported."""
    import keras

    from kilnworks.components.export import ExportConfig, export
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.kept import keep
    from kilnworks.components.preprocess import preprocess

    made = tabular.examples(folder / "examples", contract, {"train": [frame], "test": [frame.head(40)]})
    transform = preprocess(settings or PreprocessConfig(), made, folder / "transform")
    fitted, task = FeatureTransform.load(transform), task or choose(contract).of(contract)
    keras.utils.set_random_seed(5)
    model = architecture.network(fitted.encoded, task)
    random = np.random.default_rng(6)
    for variable in model.trainable_variables:  # biases and factors too are numbers that a mistake would change
        variable.assign(variable + random.normal(0, 0.05, variable.shape).astype(np.float32))
    out = folder / "trained"
    shutil.copytree(transform.path, out / "transform")
    sample = {name: values[:4] for name, values in fitted.encode(frame).items()}
    keep(architecture, model, lambda: architecture.network(fitted.encoded, task), sample, out)
    write_json(out / "training.json", {"contract": contract.model_dump(mode="json"), "task": task.kind})
    write_task(task, out)
    evaluation = tabular.evaluated(folder / "evaluation")
    config = ExportConfig(warmup_batches=(1,), keras_file=keras_file)
    return export(config, Model(out), made, evaluation, folder / "servable")
