"""``standalone.keras``: written, read back, compared with the trained model; ``standalone.py`` beside it opens it.

A model that a Keras file cannot hold is no reason not to serve it: then the file is left out, and it is said why.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kilnworks.components.exporting.inputs import described_features
from kilnworks.components.exporting.skew import expected_answers
from kilnworks.components.exporting.standalone import OUTPUT, standalone
from kilnworks.components.features.encoded import keras_name
from kilnworks.components.modeling.kept import named_objects, own_objects
from kilnworks.components.tasks.differences import of_numbers
from kilnworks.schemas.files import write_text

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.base import Task

LOG = logging.getLogger("kilnworks.data")
FILE, HOW = "standalone.keras", "standalone.py"
ROWS = 128
"""Rows that are compared, from both ends, where the odd ones stand; that each operation is right is shown by the skew
check, here it is whether the file holds them."""

Array = np.ndarray


def write_keras_file(
    task: Task,
    transform: FeatureTransform,
    trained: keras.Model,
    raw: Mapping[str, Array],
    output: Array,
    tolerance: float,
    folder: Path,
) -> dict[str, Any]:
    """Write the model and how it is opened; leave both out where the file cannot hold it, with a warning.

    Args:
        task: see ``standalone``.
        transform: see ``standalone``.
        trained: see ``standalone``.
        raw: rows to compare on, arrays by feature name as a client sends them.
        output: of the trained model on these rows, ``[n, K]``.
        tolerance: largest difference, absolute up to 1 and relative above.
        folder: to write into.

    Returns:
        for ``servable.json``: ``file``, ``bytes``, ``needs`` (what has to be imported to open it, ``module:name``) and
        ``max_difference``; or ``file`` None and ``why``.
    """
    path = folder / FILE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            standalone(task, transform, trained).save(path)
            read = keras.saving.load_model(path, custom_objects=own_objects(path), compile=False)
            rows = _ends(len(output))
            apart = _apart(task, _asked(read, {name: values[rows] for name, values in raw.items()}), output[rows])
        why = f"read back it answers differently, by {apart:.3g}" if not apart <= tolerance else ""
    except Exception as error:  # of Keras or of a user's layers; the served model does not depend on it
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if why:
        path.unlink(missing_ok=True)
        LOG.warning("%s is left out, the served model is whole without it: %s", FILE, why)
        return {"file": None, "why": why}
    needs = named_objects(path)
    if set(read.output) != {answer.name for answer in task.answered}:
        LOG.warning("%s gives the model's own output: task %s has no answer_layers()", FILE, task.kind)
    write_text(folder / HOW, how_to(task, transform, read, needs))
    return {
        "file": FILE,
        "bytes": path.stat().st_size,
        "needs": sorted(needs.values()),
        "answers": sorted(read.output),
        "max_difference": apart,
    }


def _ends(rows: int) -> Array:
    """The first and the last rows, each once."""
    return np.r_[0:rows] if rows <= ROWS else np.r_[0 : ROWS // 2, rows - ROWS // 2 : rows]


def _asked(model: keras.Model, raw: Mapping[str, Array]) -> dict[str, Array]:
    """The answers to all rows."""
    tensors = {keras_name(n): tf.constant(v.tolist() if v.dtype.kind == "O" else v) for n, v in raw.items()}
    return {name: np.asarray(value) for name, value in model(tensors, training=False).items()}


def _apart(task: Task, got: Mapping[str, Array], output: Array) -> float:
    """Largest difference from the answers of the trained model; infinite where other answers come."""
    wanted = expected_answers(task, output)
    if got.keys() != wanted.keys():
        return float(of_numbers(got[OUTPUT], output).max(initial=0.0)) if set(got) == {OUTPUT} else float("inf")
    return max(float(task.difference(name, got[name], wanted).max(initial=0.0)) for name in wanted)


def how_to(task: Task, transform: FeatureTransform, model: keras.Model, needs: Mapping[str, str]) -> str:
    """A script that opens the file and asks it about a row of nothing but zeros.

    Args:
        task: of the model.
        transform: of the model.
        model: as it was read.
        needs: name under which the file names an object -> ``module:name``.
    """
    served = task.served(transform.contract)
    told = described_features(served)
    modules = sorted({place.partition(":")[0] for place in needs.values()})
    row = "\n".join(f"    {keras_name(name)!r}: {_zero(one)},{_remark(name, one)}" for name, one in told.items())
    pairs = ", ".join(f"{name!r}: {place.replace(':', '.')}" for name, place in sorted(needs.items()))
    objects = f"custom_objects={{{pairs}}}, " if needs else ""
    return "\n".join(
        [
            f'"""Opens {FILE}: raw features in, answers out. Written by Keras {keras.__version__} on TensorFlow."""',
            "",
            "from pathlib import Path",
            "",
            "import keras",
            "import tensorflow as tf",
            *(f"import {module}  # its layers; the folder that holds it must be on the path" for module in modules),
            "",
            f'FILE = Path(__file__).with_name("{FILE}")',
            f"model = keras.saving.load_model(FILE, {objects}compile=False)",
            "",
            "row = {",
            row,
            "}",
            "answers = model(row)",
            *(f"# {line}" for line in _answers(task, model)),
            "for name, value in answers.items():",
            "    print(name, value.numpy().tolist())",
            "",
        ]
    )


def _zero(told: Mapping[str, Any]) -> str:
    shape = [1, *told["shape"][1:]]
    return 'tf.constant([""])' if told["dtype"] == "string" else f'tf.zeros({shape}, "{told["dtype"]}")'


def _remark(name: str, told: Mapping[str, Any]) -> str:
    """Unit and missing value of an input, and its name where Keras wants another."""
    said = [str(told["unit"])] if "unit" in told else []
    said += [f"missing: {told['missing']!r}"] if "missing" in told else []
    said += [f"the feature {name!r}"] if keras_name(name) != name else []
    return f"  # {' '.join('; '.join(said).split())}" if said else ""


def _answers(task: Task, model: keras.Model) -> list[str]:
    """What each answer is."""
    meanings = {a.name: f"{a.dtype} {[None, *a.shape]}, {a.meaning}" for a in task.answered}
    own = "the model's own output, before the task makes its answers of it"
    return [" ".join(f"{name}: {meanings.get(name, own)}".split()) for name in sorted(model.output)]
