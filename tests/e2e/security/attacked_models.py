"""Builds the models that are attacked: ``python attacked_models.py FOLDER``."""

import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

INPUTS = 19


def with_inputs(**inputs: tuple[tf.DType, list[int | None]]):
    """A tf.function with these named inputs."""
    specs = [tf.TensorSpec(shape, dtype, name=name) for name, (dtype, shape) in inputs.items()]
    return tf.function(input_signature=specs, autograph=False)


@with_inputs(x=(tf.float32, None))
def total(x):
    return {"y": tf.reduce_sum(x)}


@with_inputs(x=(tf.float32, [None]))
def rows(x):
    """An answer for each row, as batching wants it."""
    return {"y": 2 * x}


@with_inputs(text=(tf.string, None))
def letters(text):
    return {"y": tf.reduce_sum(tf.strings.length(text))}


@tf.function(
    input_signature=[{f"x{i}": tf.TensorSpec([None, 1], name=f"x{i}") for i in range(INPUTS)}], autograph=False
)
def many(inputs):
    return {"y": tf.reduce_sum(tf.concat([inputs[f"x{i}"] for i in range(INPUTS)], 1))}


@with_inputs(name=(tf.string, []))
def file_text(name):
    return {"y": tf.io.read_file(name)}


@with_inputs(x=(tf.float32, None))
def endless(x):
    return {"y": tf.while_loop(lambda v: v == v, lambda v: (v + 0.0,), (tf.reduce_sum(x),))[0]}


@with_inputs(x=(tf.float32, None))
def slow(x):
    return {"y": tf.while_loop(lambda i, v: i < 1000, lambda i, v: (i + 1, v + 0.0), (0, tf.reduce_sum(x)))[1]}


@with_inputs(name=(tf.string, []))
def saving(name):
    """Writes a checkpoint where the request says."""
    saved = tf.raw_ops.SaveV2(prefix=name, tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])
    with tf.control_dependencies([saved]):
        return {"y": tf.identity(name)}


@with_inputs(x=(tf.float32, None))
def printing(x):
    tf.print(x)
    return {"y": x}


class Words(tf.Module):
    """A model with a vocabulary among its assets, as many have."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        file = folder / "words.txt"
        file.write_text("red\ngreen\n")
        end = tf.lookup.TextFileIndex
        words = tf.lookup.TextFileInitializer(str(file), tf.int64, end.LINE_NUMBER, tf.string, end.WHOLE_LINE)
        self.table = tf.lookup.StaticHashTable(words, "none")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="x")], autograph=False)
    def word(self, x):
        return {"y": self.table.lookup(x)}


def main() -> None:
    folder = Path(sys.argv[1])
    words = Words(folder)
    tf.saved_model.save(words, str(folder / "words" / "1"), signatures={"serving_default": words.word})
    for name, function in (("saves", saving), ("prints", printing)):
        tf.saved_model.save(tf.Module(), str(folder / name / "1"), signatures={"serving_default": function})
    signatures = {"serving_default": total, "text": letters, "many": many, "slow": slow, "rows": rows}
    tf.saved_model.save(tf.Module(), str(folder / "m" / "1"), signatures=signatures)
    tf.saved_model.save(tf.Module(), str(folder / "endless" / "1"), signatures={"serving_default": endless})
    tf.saved_model.save(tf.Module(), str(folder / "reads" / "1"), signatures={"serving_default": file_text})


if __name__ == "__main__":
    main()
