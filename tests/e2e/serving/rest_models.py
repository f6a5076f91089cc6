"""Builds small models in a folder and serves them: ``python rest_models.py FOLDER --flag=value ...``."""

import json
import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

from kilnworks.components.serving.process.main import serve

CONTRACT = {"name": "half", "features": {"x": {"dtype": "float", "min": -1e9, "max": 1000.0, "unit": "kg"}}}


def spec(dtype: tf.DType, shape: list[int | None], name: str) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name=name)


def function(*specs: tf.TensorSpec) -> object:
    return tf.function(input_signature=list(specs), autograph=False)


def parsed(inputs: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]


EXAMPLES = spec(tf.string, [None], "inputs")


@function(spec(tf.float32, [None], "x"))
def half_plus_two(x):
    return {"y": x / 2 + 2}


@function(spec(tf.float32, [None], "a"), spec(tf.float32, [None], "b"))
def two(a, b):
    return {
        "sum": a + b,
        "pair": tf.stack([a, b], 1),
        "text": tf.strings.as_string(a),
        "raw_bytes": tf.strings.as_string(b),
    }


@function(spec(tf.float32, [None, 2], "x"))
def matrix(x):
    return {"y": tf.linalg.matmul(x, [[1.0], [2.0]])}


@function(spec(tf.float32, [None], "x"))
def uneven(x):
    return {"a": x, "b": x[1:]}


@function(spec(tf.float32, [None], "x"))
def scalar(x):
    return {"s": tf.reduce_sum(x)}


@function(spec(tf.float32, [None], "x"))
def strange(x):
    return {"y": x / 0.0}


@function(spec(tf.float32, [None], "x"))
def endless(x):
    return {"y": tf.while_loop(lambda v: tf.reduce_all(v < 1e30), lambda v: v * 1.0, [x])[0]}


@function(spec(tf.float32, [None], "x"))
def to_half(x):
    return {"y": tf.cast(x, tf.float16)}


@function(EXAMPLES)
def regress(inputs):
    return {"outputs": parsed(inputs) / 2 + 2}


@function(EXAMPLES)
def classify(inputs):
    x = parsed(inputs)
    classes = tf.tile([["low", "high"]], [tf.shape(x)[0], 1])
    return {"classes": classes, "scores": tf.stack([x, 1 - x], 1)}


def echo(dtype: tf.DType) -> object:
    @function(spec(dtype, [None], "x"))
    def same(x):
        return {"y": tf.identity(x)}

    return same


ECHOED = [
    tf.float64,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.uint8,
    tf.uint32,
    tf.uint64,
    tf.bool,
    tf.string,
    tf.half,
]


def build(folder: Path) -> None:
    """``half`` in versions 1 and 2, with many signatures; version 1 has a contract."""
    signatures = {
        "serving_default": half_plus_two,
        "two": two,
        "matrix": matrix,
        "uneven": uneven,
        "scalar": scalar,
        "strange": strange,
        "endless": endless,
        "to_half": to_half,
        "regress": regress,
        "classify": classify,
        **{f"echo_{dtype.name}": echo(dtype) for dtype in ECHOED},
    }
    for version in (1, 2):
        tf.saved_model.save(tf.Module(), str(folder / "half" / str(version)), signatures=signatures)
    extra = folder / "half" / "1" / "assets.extra"
    extra.mkdir()
    (extra / "contract.json").write_text(json.dumps(CONTRACT))


def main() -> int:
    folder = Path(sys.argv[1])
    build(folder)
    (folder / "models.config").write_text(
        f"""model_config_list {{ config {{
            name: "half" base_path: "{folder / "half"}" model_platform: "tensorflow"
            model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
            version_labels {{ key: "stable" value: 1 }}
        }} }}"""
    )
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    return serve(sys.argv[2:], lambda _: None)


if __name__ == "__main__":
    sys.exit(main())
