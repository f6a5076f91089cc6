"""Builds the models of the gRPC tests; with flags, serves: ``python core_models.py FOLDER [--flag=value]``."""

import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kilnworks.components.serving.process.main import serve

F32, I64, TEXT = tf.float32, tf.int64, tf.string


def signature(**inputs: tuple[tf.DType, list[int | None]]):
    """A tf.function with these named inputs."""
    specs = [tf.TensorSpec(shape, dtype, name=name) for name, (dtype, shape) in inputs.items()]
    return tf.function(input_signature=specs, autograph=False)


def feature(examples: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], F32)})["x"]


def constant_version(version: float):
    @signature(x=(F32, [None]))
    def version_of(x):
        return {"y": tf.fill(tf.shape(x), version)}

    return version_of


@signature(x=(F32, [None]))
def half_plus_two(x):
    return {"y": x / 2 + 2}


@signature(a=(F32, [None]), b=(F32, [None]))
def two(a, b):
    return {"sum": a + b, "difference": a - b}


@signature(x=(F32, [None, 2]))
def matrix(x):
    return {"y": tf.linalg.matmul(x, [[1.0], [2.0]])}


@signature(image=(F32, [None, 4, 4, 1]))
def convolution(image):
    return {"y": tf.nn.conv2d(image, tf.ones([3, 3, 1, 1]), 1, "SAME")}


@signature(x=(F32, [None]))
def endless(x):
    return {"y": tf.while_loop(lambda v: tf.reduce_all(v < 1e30), lambda v: v * 1.0, [x])[0]}


@signature(turns=(I64, []))
def loop(turns):
    def body(i, v):
        return i + 1, tf.sin(v)

    return {"y": tf.while_loop(lambda i, v: i < turns, body, [tf.constant(0, I64), tf.ones([64])])[1]}


@signature(x=(F32, [None]))
def rows(x):
    return {"rows": tf.fill(tf.shape(x), tf.size(x))}


@signature(x=(F32, [None, None]))
def inner(x):
    return {"sizes": tf.fill(tf.shape(x)[:1], tf.shape(x)[1]), "total": tf.reduce_sum(x, 1)}


@signature(x=(F32, [None]))
def one_number(x):
    return {"sum": tf.reduce_sum(x)}


@signature(inputs=(TEXT, [None]))
def regress(inputs):
    return {"outputs": feature(inputs) / 2 + 2}


@signature(inputs=(TEXT, [None]))
def regress_column(inputs):
    return {"outputs": feature(inputs)[:, tf.newaxis]}


@signature(inputs=(TEXT, [None]))
def regress_wide(inputs):
    return {"outputs": tf.stack([feature(inputs)] * 2, 1)}


@signature(inputs=(TEXT, [None]))
def regress_integers(inputs):
    return {"outputs": tf.cast(feature(inputs), I64)}


@signature(inputs=(TEXT, [None]))
def classify(inputs):
    x = feature(inputs)
    return {"classes": tf.tile([["low", "high"]], [tf.size(x), 1]), "scores": tf.stack([x, 1 - x], 1)}


@signature(inputs=(TEXT, [None]))
def classes_only(inputs):
    return {"classes": tf.strings.as_string(feature(inputs))[:, tf.newaxis]}


@signature(inputs=(TEXT, [None]))
def scores_only(inputs):
    return {"scores": feature(inputs)[:, tf.newaxis]}


@signature(inputs=(TEXT, [None]))
def scores_flat(inputs):
    return {"scores": feature(inputs)}


@signature(inputs=(TEXT, [None]))
def wrong_aliases(inputs):
    return {"other": feature(inputs)}


@signature(text=(TEXT, [None]))
def wrong_input(text):
    return {"outputs": feature(text), "scores": feature(text)}


def echo(dtype: tf.DType):
    @signature(x=(dtype, [None]))
    def same(x):
        return {"y": tf.identity(x)}

    return same


ECHOED = (F32, tf.float64, tf.float16, tf.bfloat16, tf.int8, tf.int16, tf.int32, I64, tf.uint8, tf.uint16)
ECHOED = (*ECHOED, tf.uint32, tf.uint64, tf.bool, TEXT, tf.complex64, tf.complex128)


def save(folder: Path, **signatures) -> Path:
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)
    return folder


def edit(folder: Path, change) -> None:
    """Change the SignatureDefs of a saved model in place."""
    path = folder / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(proto.meta_graphs[0].signature_def)
    path.write_bytes(proto.SerializeToString())


def add_methods_and_defaults(definitions) -> None:
    for name, method in (("classify_tf1", "classify"), ("regress_tf1", "regress")):
        definitions[name].CopyFrom(definitions[method])
        definitions[name].method_name = f"tensorflow/serving/{method}"
    definitions["defaulted"].CopyFrom(definitions["two"])
    definitions["defaulted"].defaults["b"].CopyFrom(tf.make_tensor_proto([10.0]))


def build(folder: Path) -> None:
    """``m`` in versions 1 and 2 with many signatures; ``live`` in versions 1 to 3 that say which they are."""
    common = {
        "serving_default": half_plus_two,
        "two": two,
        "matrix": matrix,
        "convolution": convolution,
        "endless": endless,
        "loop": loop,
        "rows": rows,
        "inner": inner,
        "one_number": one_number,
        "regress": regress,
        "regress_column": regress_column,
        "regress_wide": regress_wide,
        "regress_integers": regress_integers,
        "classify": classify,
        "classes_only": classes_only,
        "scores_only": scores_only,
        "scores_flat": scores_flat,
        "wrong_aliases": wrong_aliases,
        "wrong_input": wrong_input,
        **{f"echo_{dtype.name}": echo(dtype) for dtype in ECHOED},
    }
    edit(save(folder / "m" / "2", **common), add_methods_and_defaults)
    save(folder / "m" / "1", serving_default=half_plus_two)
    for version in (1, 2, 3):
        save(folder / "live" / str(version), serving_default=constant_version(float(version)), loop=loop)


def main() -> int:
    folder = Path(sys.argv[1])
    if not (folder / "m").exists():
        build(folder)
    return serve(sys.argv[2:], lambda _: None) if len(sys.argv) > 2 else 0


if __name__ == "__main__":
    sys.exit(main())
