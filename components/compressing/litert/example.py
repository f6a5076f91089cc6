"""A program that runs a LiteRT file about a row of zeros, for those who bring it to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kilnworks.components.compressing.litert.conversion import SIGNATURE, Converted

if TYPE_CHECKING:
    from kilnworks.components.tasks.base import Task

HEAD = '''"""Runs model.tflite on one row of zeros: {what}.

Needs numpy and either the package ai-edge-litert or TensorFlow.
"""

from pathlib import Path

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tensorflow.lite.python.interpreter import Interpreter

FILE = Path(__file__).with_name("model.tflite")
'''


def how_to(task: Task, made: Converted) -> str:
    """The program.

    Args:
        task: of the model; says the classes and what each answer is.
        made: the file.
    """
    raw = "raw features in, answers out"
    core = "encoded tensors in, as the preprocessing of the pipeline makes them, answers out"
    lines = [HEAD.format(what=raw if made.part == "whole" else core)]
    if task.class_texts:
        lines.append(f"CLASSES = {list(task.class_texts)!r}")
    lines += ["row = {"]
    for key, (name, dtype, shape) in made.inputs.items():
        lines.append(f'    "{name}": np.zeros({(1, *shape)}, "{dtype}"),  # {key}')
    meanings = {answer.name: answer.meaning for answer in task.answered}
    lines += [
        "}",
        f'answers = Interpreter(str(FILE)).get_signature_runner("{SIGNATURE}")(**row)',
        *(f"# {name}: {meanings.get(name, '')}" for name in made.outputs),
        "for name, value in answers.items():",
        "    print(name, value.tolist())",
        "",
    ]
    return "\n".join(lines)
