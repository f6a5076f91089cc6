"""Splits that do not fit in memory: the same model as in memory, in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_json
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import (
    DIGITS,
    PRICES,
    TABLE,
    digits,
    examples,
    prepared,
    prices,
    small,
    table,
    trained,
)
from tests.effort import some

pytestmark = pytest.mark.slow

ROWS = 6000
STREAM = {"memory_mb": 0.05, "buffer_mb": 0.05}
"""A seventh of the training rows at a time."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> dict[str, float]:
    """The best epoch on unsorted rows in memory."""
    root = tmp_path_factory.mktemp("reference")
    made = trained(root, config(), *prepared(root, TABLE, {"train": table(ROWS, 1), "val": table(2000, 2)}))
    assert not made.training["streamed"]
    return made.training["best"]


def config(**settings) -> TrainConfig:
    return small(epochs=6, early_stopping=None, model={"kind": "mlp", "units": [16]}, **settings)


@pytest.mark.parametrize("group_rows", [None, 100_000], ids=["as ingest writes", "one row group a file"])
@pytest.mark.parametrize("by", some(["left", "age", "plan name"], ["left"]))
def test_sorted_rows_train_the_same_model(tmp_path: Path, reference: dict, by: str, group_rows: int | None) -> None:
    frames = {"train": table(ROWS, 1).sort(by), "val": table(2000, 2).sort(by)}
    made = trained(tmp_path, config(**STREAM), *prepared(tmp_path, TABLE, frames, 2, group_rows))
    assert made.training["streamed"]
    assert made.training["rows"] == {"train": ROWS, "val": 2000}
    assert made.training["best"]["val_auc"] == pytest.approx(reference["val_auc"], abs=0.01)
    assert made.training["best"]["val_accuracy"] == pytest.approx(reference["val_accuracy"], abs=0.02)
    assert made.training["best"]["accuracy"] == pytest.approx(reference["accuracy"], abs=0.02)


@pytest.mark.parametrize(
    ("contract", "frames", "settings"),
    [
        (TABLE, {"train": table(900, 1), "val": table(300, 2)}, {"class_weight": "balanced"}),
        (PRICES, {"train": prices(900, 1), "val": prices(300, 2)}, {}),
        (DIGITS, digits(), {"model": {"kind": "mlp", "units": [8]}}),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_one_batch_a_step_is_trained_and_measured_as_in_memory(tmp_path: Path, contract, frames, settings) -> None:
    """With one batch of all rows order cannot matter, so every number is the same up to rounding."""
    data = prepared(tmp_path, contract, frames, 3, 50)
    base = {"model": {"kind": "mlp", "units": [8]}, "epochs": 3, "batch": 10_000, "early_stopping": None} | settings
    held = trained(tmp_path, TrainConfig.model_validate(base), *data, "held")
    memory = {"memory_mb": 0.005, "buffer_mb": 0.02}
    streamed = trained(tmp_path, TrainConfig.model_validate(base | memory), *data, "streamed")
    assert (held.training["streamed"], streamed.training["streamed"]) == (False, True)
    assert streamed.training["best"] == pytest.approx(held.training["best"], rel=2e-4)
    for one, other in zip(weights(held), weights(streamed), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_large_validation_split_is_sampled_from_all_its_parts(tmp_path: Path) -> None:
    """Sorted by the label, it still holds both classes in their shares."""
    frames = {"train": table(3000, 1), "val": table(4000, 2).sort("left")}
    data = prepared(tmp_path, TABLE, frames, group_rows=40)
    whole = trained(tmp_path, config(**STREAM), *data, "whole").training
    some = trained(tmp_path, config(**STREAM, validation_rows=1000), *data, "some").training
    assert (whole["rows"]["val"], whole["rows_validated"]) == (4000, 4000)
    assert some["rows"]["val"] == 4000
    assert 900 < some["rows_validated"] <= 1000
    assert some["best"]["val_auc"] == pytest.approx(whole["best"]["val_auc"], abs=0.04)


def test_images_travel_as_bytes(tmp_path: Path) -> None:
    """What the feed holds is uint8, and the model gets what the transform would have given, bit by bit."""
    import tensorflow as tf

    from kilnworks.components.learning.arrays import Encoder
    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.tasks.multiclass import Multiclass

    given = examples(tmp_path / "examples", DIGITS, digits())
    plan = FeatureTransform.fit(DIGITS, given.files("train"), PreprocessConfig(image_scale="signed")).plan
    encoder, files = Encoder(FeatureTransform(plan), Multiclass), given.files("train")
    arrays, label = encoder.whole(files, given.rows("train")), encoder.labels(files)
    assert arrays["pixels"].dtype == np.uint8
    feed = MemoryFeed((arrays, label), 32, 0, encoder.transform.unpack)
    order = next(feed.blocks(range(1), 4))
    feed.hold([""])
    read = tf.function(feed.read, input_signature=[feed.block_signature(32), tf.TensorSpec((), tf.int32)])
    batch, target = read(tf.constant(order), tf.constant(3))
    exact = encoder.transform.encode(pl.read_parquet(files))["pixels"][order[3]]
    assert batch["pixels"].dtype == tf.float32
    np.testing.assert_array_equal(batch["pixels"], exact)
    np.testing.assert_array_equal(target, label[order[3]])


GROWTH = """
import json, resource, sys
from pathlib import Path
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.arrays import Encoder
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.splits import streamed_splits
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.binary import Binary
from kilnworks.schemas.artifacts import Examples, Transform

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

root = Path(sys.argv[1])
def go(name):
    given, encoder = Examples(root / name), Encoder(FeatureTransform.load(Transform(root / "transform")), Binary)
    seen = LabelStatistics.of(given.contract, encoder.label_chunks(given.files("train")))
    task = Binary.fitted(given.contract, seen, FitSettings())
    splits = streamed_splits(FitSettings(memory_mb=64), given, encoder, task, 64, root / "work", weights=None)
    rows = sum(len(block[1]) for block in splits.feed.blocks(range(2), 4)) * 64
    return rows, sum(len(target) for _, target in splits.validation.parts())
go("few")
before = peak()
print(json.dumps([*go("many"), peak() - before]))
"""


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """112 MB of wide images, two epochs and a validation, read within 64 MB; twice that would fail."""
    shape = (64, 64, 3)
    wide = Contract.model_validate(
        {
            "name": "pictures",
            "features": {"picture": {"dtype": "image", "shape": shape}},
            "label": {"name": "kind", "dtype": "int", "classes": [0, 1]},
        }
    )

    def pictures(rows: int) -> pl.DataFrame:
        pixels = np.random.default_rng(0).integers(0, 4, (rows, 64 * 64 * 3), dtype=np.uint8)
        return pl.DataFrame({"picture": pl.Series(pixels), "kind": np.arange(rows) * 2 // rows})

    for name, rows in (("few", 200), ("many", 8000)):
        given = examples(tmp_path / name, wide, {"train": pictures(rows), "val": pictures(rows // 6)})
    plan = FeatureTransform.fit(wide, given.files("train"), PreprocessConfig()).plan
    write_json(tmp_path / "transform/transform.json", plan.model_dump(mode="json"))
    command = [sys.executable, "-c", GROWTH, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows, validated, growth = json.loads(done.stdout.splitlines()[-1])
    assert (rows, validated) == (2 * 8000, 8000 // 6)
    assert growth < 128
