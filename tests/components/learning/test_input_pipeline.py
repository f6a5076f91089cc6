"""Every row once an epoch apart from the remainder, in an order that the seed decides."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.components.learning.training_examples import TABLE, examples, fitted, table

pytestmark = pytest.mark.slow

ROWS, BATCH = 205, 16


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Examples whose ``visits`` number the rows, in 4 shards."""
    root = tmp_path_factory.mktemp("numbered")
    frame = table(ROWS, 1).with_columns(pl.Series("visits", np.arange(ROWS)))
    given = examples(root / "examples", TABLE, {"train": frame}, shards=4)
    return given, fitted(root / "transform", given)


def feeds(numbered, seed: int = 5, buffer: int = 50):
    from components.features.transform import FeatureTransform
    from components.learning.arrays import Encoder
    from components.learning.input_pipeline import MemoryFeed, ShardFeed

    given, transform = numbered
    encoder = Encoder(FeatureTransform.load(transform))
    files = given.files("train")

    def finish(arrays, label):
        return arrays, label.astype(np.float32)[:, None]

    whole = finish(encoder.whole(files, ROWS), encoder.labels(files))
    return (
        MemoryFeed(whole, BATCH, seed),
        ShardFeed(encoder, files, ROWS, BATCH, seed, buffer=buffer, finish=finish),
        whole,
    )


def rows_of(batch, whole) -> list[int]:
    """Which rows of the split these are, by the column that numbers them; checks that labels came along."""
    arrays, target = batch
    column = 1
    place = {float(v): i for i, v in enumerate(whole[0]["numeric"][:, column])}
    assert len(place) == ROWS
    found = [place[float(v)] for v in arrays["numeric"][:, column]]
    np.testing.assert_array_equal(target, whole[1][found])
    np.testing.assert_array_equal(arrays["plan name"], whole[0]["plan name"][found])
    return found


@pytest.mark.parametrize("which", [0, 1], ids=["memory", "shards"])
def test_each_row_at_most_once_an_epoch_and_all_but_the_remainder(numbered, which: int) -> None:
    import tensorflow as tf

    found = feeds(numbered)
    feed, whole = found[which], found[2]
    epochs = 3
    batches = list(feed.batches(range(epochs)))
    assert len(batches) == epochs * feed.steps == epochs * (ROWS // BATCH)
    orders = []
    for epoch in range(epochs):
        seen = [r for b in batches[epoch * feed.steps : (epoch + 1) * feed.steps] for r in rows_of(b, whole)]
        assert max(Counter(seen).values()) == 1
        assert len(seen) == feed.steps * BATCH
        orders.append(seen)
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])
    blocks = list(feed.blocks(range(epochs), 5))
    again = [feed.read(b, i) for b in blocks for i in range(tf.nest.flatten(b)[0].shape[0])]
    assert len(blocks) == epochs * 3
    for one, other in zip(batches, again, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, tf.nest.map_structure(np.asarray, other))


@pytest.mark.parametrize("which", [0, 1], ids=["memory", "shards"])
def test_an_epoch_does_not_depend_on_those_before(numbered, which: int) -> None:
    import tensorflow as tf

    feed = feeds(numbered)[which]
    late = list(feed.batches(range(2, 3)))
    all_three = list(feed.batches(range(3)))
    for one, other in zip(late, all_three[2 * feed.steps :], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    other_seed = next(feeds(numbered, seed=6)[which].batches(range(2, 3)))
    assert not np.array_equal(other_seed[0]["numeric"], late[0][0]["numeric"])


def test_shards_are_mixed(numbered) -> None:
    """A buffer larger than a shard brings rows of several shards into one batch."""
    _, feed, whole = feeds(numbered, buffer=150)
    first = rows_of(next(feed.batches(range(1))), whole)
    assert len({r * 4 // ROWS for r in first}) > 1


def test_an_error_of_the_reader_is_raised(numbered, tmp_path: Path) -> None:
    _, feed, _ = feeds(numbered)
    broken = tmp_path / "part.parquet"
    broken.write_bytes(b"no parquet")
    feed._files = [broken]
    with pytest.raises(Exception, match="Parquet"):
        list(feed.batches(range(1)))


def test_values_that_are_not_finite_are_named() -> None:
    from components.learning.input_pipeline import MemoryFeed

    arrays = {"good": np.zeros(4, np.int32), "bad": np.array([0, 1, np.nan, 2], np.float32)}
    assert MemoryFeed((arrays, np.zeros(4)), 2, 0).not_finite() == ["bad"]
