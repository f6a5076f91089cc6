"""Small data with every kind of feature, and small models on it, for the tests of features, export and deploy."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.artifacts import CheckedExamples, Evaluation, Model, Transform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_json

FEATURES: dict[str, dict[str, Any]] = {
    "age": {"dtype": "float", "nullable": True, "min": 0},
    "visits": {"dtype": "int"},
    "account": {"dtype": "int"},
    "children": {"dtype": "int", "nullable": True},
    "member": {"dtype": "bool"},
    "insured": {"dtype": "bool", "nullable": True},
    "plan": {"dtype": "string", "nullable": True},
    "shop": {"dtype": "string"},
    "rating": {"dtype": "int", "allowed": [-1, 0, 3, 7]},
    "grade": {"dtype": "int", "nullable": True, "allowed": [1, 2, 3]},
    "since": {"dtype": "datetime", "nullable": True},
    "spent": {"dtype": "float"},
    "change": {"dtype": "float"},
    "share": {"dtype": "float"},
    "heat": {"dtype": "float", "nullable": True},
    "charge": {"dtype": "float"},
    "Monthly Charges ($/m)": {"dtype": "float"},
    "stack": {"dtype": "float"},
    "class": {"dtype": "string"},
    "point": {"dtype": "float", "shape": [3], "nullable": True},
    "track": {"dtype": "int", "shape": [4, 2]},
    "photo": {"dtype": "image", "shape": [8, 8, 1]},
    "scan": {"dtype": "image", "shape": [6, 6, 3]},
    "never": {"dtype": "string", "nullable": True},
    "ignored": {"dtype": "string"},
    "opened": {"dtype": "datetime", "nullable": True},
    "store": {"dtype": "int", "nullable": True, "allowed": [2**53, 2**53 + 1, 2**53 + 2, -(2**63) + 1, 2**63 - 1]},
    "balance": {"dtype": "int", "nullable": True, "min": 0, "max": 10**15},
}
SETTINGS = PreprocessConfig(
    one_hot_up_to=6,
    shares=True,
    features={
        "spent": FeatureSettings(scale="quantile"),
        "change": FeatureSettings(scale="log1p"),
        "share": FeatureSettings(scale="minmax"),
        "heat": FeatureSettings(encode="buckets", buckets=5),
        "visits": FeatureSettings(encode="buckets", buckets=20),
        "scan": FeatureSettings(size=(4, 5)),
        "ignored": FeatureSettings(encode="drop"),
        "opened": FeatureSettings(encode="moment"),
    },
)
LABELS: dict[str, dict[str, Any]] = {
    "binary": {"name": "label", "dtype": "string", "classes": ["no", "yes"]},
    "multiclass": {"name": "label", "dtype": "int", "classes": [3, 1, 2]},
    "regression": {"name": "label", "dtype": "float"},
}


def contract(task: str = "binary", features: dict[str, dict[str, Any]] = FEATURES) -> Contract:
    """A contract over ``features`` with the label of a task."""
    return Contract.model_validate({"name": "kinds", "features": features, "label": LABELS[task]})


def rows(n: int, seed: int = 0, task: str = "binary") -> pl.DataFrame:
    """``n`` rows of every kind of feature; one in five nullable values is missing."""
    r = np.random.default_rng(seed)
    start = datetime.datetime(2020, 1, 1)
    columns: dict[str, Any] = {
        "age": r.normal(40, 12, n).clip(0),
        "visits": r.integers(0, 50, n),
        "account": r.integers(10**15, 10**15 + 1000, n),
        "children": r.integers(0, 5, n),
        "member": r.random(n) < 0.5,
        "insured": r.random(n) < 0.7,
        "plan": r.choice(["basic", "plus", "größe", "", "a b"], n),
        "shop": [f"shop{k % 300}" for k in r.zipf(1.3, n)],
        "rating": r.choice([-1, 0, 3, 7], n),
        "grade": r.choice([1, 2, 3], n),
        "since": [start + datetime.timedelta(seconds=int(k)) for k in r.integers(0, 10**8, n)],
        "spent": np.where(r.random(n) < 0.4, 0.0, r.exponential(5, n)),
        "change": r.normal(0, 1e4, n),
        "share": r.random(n),
        "heat": r.normal(size=n),
        "charge": r.normal(size=n) * 1e-20,
        "Monthly Charges ($/m)": r.normal(70, 20, n),
        "stack": r.normal(size=n),
        "class": r.choice(["first", "second"], n),
        "point": r.normal(size=(n, 3)).tolist(),
        "track": r.integers(0, 9, (n, 8)).tolist(),
        "photo": r.integers(0, 256, (n, 64)).tolist(),
        "scan": r.integers(0, 256, (n, 108)).tolist(),
        "never": [None] * n,
        "ignored": ["x"] * n,
        "opened": [start + datetime.timedelta(seconds=int(k)) for k in r.integers(-(10**9), 10**9, n)],
    }
    long = np.random.default_rng([seed, 1])
    columns["store"] = long.choice(FEATURES["store"]["allowed"], n)
    columns["balance"] = long.integers(10**14, 10**14 + 1000, n)
    dtypes = {"since": pl.Datetime("us"), "opened": pl.Datetime("us"), "never": pl.String}
    frame = pl.DataFrame(columns, schema_overrides=dtypes)
    holes = [pl.when(pl.Series(r.random(n) < 0.8)).then(pl.col(c)).alias(c) for c in nullable()]
    return frame.with_columns(holes).with_columns(pl.Series("label", _labels(r, n, task)))


def as_tensors(of: Contract, frame: pl.DataFrame) -> dict[str, Any]:
    """The rows as TensorFlow tensors of the served dtypes, by feature name."""
    import tensorflow as tf

    from kilnworks.components.features.raw import raw_arrays, raw_inputs

    raw = raw_arrays(of, frame)
    return {
        name: tf.constant(raw[name].tolist() if dtype == "string" else raw[name], dtype=dtype)
        for name, (dtype, _) in raw_inputs(of).items()
    }


def nullable() -> list[str]:
    """Features that may be missing."""
    return [name for name, feature in FEATURES.items() if feature.get("nullable")]


def examples(directory: Path, of: Contract, splits: dict[str, list[pl.DataFrame]]) -> CheckedExamples:
    """Write shards and their description."""
    description: dict[str, Any] = {"contract": of.model_dump(mode="json"), "splits": {}}
    for split, shards in splits.items():
        files = [f"{split}/part-{i:05d}.parquet" for i in range(len(shards))]
        for file, shard in zip(files, shards, strict=True):
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            shard.select(of.columns).write_parquet(directory / file)
        description["splits"][split] = {"rows": sum(s.height for s in shards), "files": files}
    write_json(directory / "examples.json", description)
    return CheckedExamples(directory)


def untrained(directory: Path, transform: Transform, seed: int = 1) -> Model:
    """A small model with random weights behind a transform, in the layout of a trained one."""
    import shutil

    import keras

    from kilnworks.components.features.transform import FeatureTransform

    keras.utils.set_random_seed(seed)
    fitted = FeatureTransform.load(transform)
    inputs = {e.name: keras.Input(e.shape, dtype=e.dtype, name=e.name) for e in fitted.encoded}
    parts = []
    for e in fitted.encoded:
        x = inputs[e.name]
        if e.vocabulary_size is not None:
            x = keras.layers.Embedding(e.vocabulary_size, 4, embeddings_initializer="normal")(x)
        parts.append(keras.layers.Flatten()(x))
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0])
    task = choose(fitted.contract).kind
    units, activation, name = {
        "binary": (1, "sigmoid", "probability"),
        "multiclass": (3, "softmax", "probabilities"),
        "regression": (1, None, "value"),
    }[task]
    output = keras.layers.Dense(units, activation=activation, name=name)(x)
    shutil.copytree(transform.path, directory / "transform")
    keras.Model(inputs, output).save(directory / "model.keras")
    write_json(directory / "training.json", {"contract": fitted.contract.model_dump(mode="json"), "task": task})
    return Model(directory)


def evaluated(directory: Path) -> Evaluation:
    """An evaluation that says little."""
    write_json(directory / "evaluation.json", {"metrics": {"auc": {"value": 0.9, "low": 0.8, "high": 0.95}}})
    return Evaluation(directory)


def _labels(r: np.random.Generator, n: int, task: str) -> list[Any]:
    if task == "regression":
        return (1e5 * r.normal(size=n)).tolist()
    return r.choice(LABELS[task]["classes"], n).tolist()
