"""Small data sets with a known answer, as the artifacts that training takes."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.sources.shards import write_shard
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.artifacts import CheckedExamples, Model, Transform
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_json

PLANS = [f"plan {i:02d}" for i in range(25)]

TABLE = Contract.model_validate(
    {
        "name": "customers",
        "features": {
            "age": {"dtype": "float", "nullable": True},
            "visits": {"dtype": "int"},
            "plan name": {"dtype": "string"},
        },
        "label": {"name": "left", "dtype": "string", "classes": ["no", "yes"]},
    }
)
PRICES = Contract.model_validate(
    {
        "name": "prices",
        "features": {"size": {"dtype": "float"}, "age": {"dtype": "float"}},
        "label": {"name": "price", "dtype": "float", "unit": "USD"},
    }
)
DIGITS = Contract.model_validate(
    {
        "name": "digits",
        "features": {"pixels": {"dtype": "image", "shape": [8, 8, 1]}},
        "label": {"name": "digit", "dtype": "int", "classes": list(range(10))},
    }
)


def table(rows: int, seed: int) -> pl.DataFrame:
    """Customers who leave with a probability that age, visits and plan decide."""
    random = np.random.default_rng(seed)
    effect = np.random.default_rng(99).normal(0, 1.2, len(PLANS))
    age, visits, plan = random.normal(45, 15, rows), random.poisson(4, rows), random.integers(0, len(PLANS), rows)
    logit = 0.08 * (age - 45) - 0.4 * (visits - 4) + effect[plan]
    left = random.random(rows) < 1 / (1 + np.exp(-logit))
    missing = random.random(rows) < 0.05
    return pl.DataFrame(
        {
            "age": pl.Series(np.where(missing, np.nan, age)).fill_nan(None),
            "visits": visits.astype(np.int64),
            "plan name": [PLANS[p] for p in plan],
            "left": np.where(left, "yes", "no").astype(str),
        }
    )


def prices(rows: int, seed: int) -> pl.DataFrame:
    """Prices in the hundred thousands: 3,000 a unit of size less 1,000 a year, with noise of 5,000."""
    random = np.random.default_rng(seed)
    size, age = random.uniform(30, 150, rows), random.uniform(0, 50, rows)
    return pl.DataFrame({"size": size, "age": age, "price": 3000 * size - 1000 * age + random.normal(0, 5000, rows)})


def digits() -> dict[str, pl.DataFrame]:
    """scikit-learn's 1,797 digits, four parts train and one part val."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    pixels = (images[order] * 255 / 16).astype(np.uint8)
    frame = pl.DataFrame(
        {"pixels": pl.Series(list(pixels), dtype=pl.Array(pl.UInt8, 64)), "digit": labels[order].astype(np.int64)}
    )
    return {"train": frame[:1437], "val": frame[1437:]}


def examples(
    root: Path, contract: Contract, frames: dict[str, pl.DataFrame], shards: int = 1, group_rows: int | None = None
) -> CheckedExamples:
    """Write the artifact; the training split in ``shards`` files, in row groups as ``ingest`` makes them."""
    splits = {}
    for split, frame in frames.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        parts = shards if split == "train" else 1
        edges = [i * frame.height // parts for i in range(parts + 1)]
        names = [f"{split}/part-{i:05d}.parquet" for i in range(parts)]
        for name, low, high in zip(names, edges, edges[1:], strict=False):
            write_shard(frame[low:high], root / name, group_rows)
        splits[split] = {"rows": frame.height, "files": names}
    (root / "examples.json").write_text(json.dumps({"contract": contract.model_dump(mode="json"), "splits": splits}))
    return CheckedExamples(root)


def fitted(root: Path, given: CheckedExamples, config: PreprocessConfig | None = None) -> Transform:
    """The fitted transform as training reads it: its plan, without the Keras graph."""
    plan = FeatureTransform.fit(given.contract, given.files("train"), config or PreprocessConfig()).plan
    write_json(root / "transform.json", plan.model_dump(mode="json"))
    return Transform(root)


def prepared(
    root: Path, contract: Contract, frames: dict[str, pl.DataFrame], shards: int = 1, group_rows: int | None = None
) -> tuple[CheckedExamples, Transform]:
    """The artifact with these frames, and the transform fitted on it."""
    given = examples(root / "examples", contract, frames, shards, group_rows)
    return given, fitted(root / "transform", given)


def customers(root: Path, rows: int = 512, shards: int = 1) -> tuple[CheckedExamples, Transform]:
    """``rows`` customers to train on and 200 to validate."""
    return prepared(root, TABLE, {"train": table(rows, 1), "val": table(200, 2)}, shards)


def trained(
    root: Path,
    config: TrainConfig,
    given: CheckedExamples,
    transform: Transform,
    name: str = "out",
    progress=lambda _: None,
) -> Model:
    """A training with a work directory of its own, into ``root / name``."""
    (root / name).mkdir()
    return train(config, given, transform, root / name, context(root / f"at-{name}", progress))


def context(root: Path, progress=lambda _: None) -> RunContext:
    """A context whose work directory is ``root / "work"``."""
    work = root / "work"
    work.mkdir(parents=True, exist_ok=True)
    return RunContext(root, "customers", "run", "model", work, progress)


def small(**settings) -> TrainConfig:
    """Three short epochs of a small network with dropout."""
    base = {"model": {"kind": "mlp", "units": [8], "dropout": 0.2}, "epochs": 3, "batch": 64}
    return TrainConfig.model_validate(base | settings)
