"""Every row once an epoch apart from the remainder, in an order that the seed decides."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.components.learning.training_examples import TABLE, examples, fitted, table

pytestmark = pytest.mark.slow

ROWS, BATCH = 205, 16


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Examples whose ``visits`` number the rows, in 4 shards of 17 or 18 row groups."""
    root = tmp_path_factory.mktemp("numbered")
    frame = table(ROWS, 1).with_columns(pl.Series("visits", np.arange(ROWS)))
    given = examples(root / "examples", TABLE, {"train": frame}, shards=4, group_rows=3)
    return given, fitted(root / "transform", given)


def feeds(numbered, seed: int = 5, buffer: int = 50, piece: int = 64):
    """The feeds, and the whole split; ``buffer`` and ``piece`` count rows."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.arrays import Encoder
    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.learning.row_groups import row_groups
    from kilnworks.components.learning.shard_feed import ShardFeed
    from kilnworks.components.tasks.binary import Binary

    given, transform = numbered
    encoder = Encoder(FeatureTransform.load(transform), Binary)
    files = given.files("train")

    def finish(arrays, label):
        return arrays, label.astype(np.float32)[:, None]

    whole = finish(encoder.whole(files, ROWS), encoder.labels(files))
    groups = row_groups(files, encoder.columns)
    streamed = ShardFeed(encoder, groups, BATCH, seed, buffer=buffer * groups.row_bytes, piece=piece, finish=finish)
    return MemoryFeed(whole, BATCH, seed), streamed, whole


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


def batches(feed, epochs: range, size: int = 3) -> list:
    """Every batch of these epochs as the step reads it, from blocks of ``size``."""
    import tensorflow as tf

    feed.hold([""])
    blocks = feed.blocks(epochs, size)
    read = [feed.read(b, i) for b in blocks for i in range(tf.nest.flatten(b)[0].shape[0])]
    return tf.nest.map_structure(np.asarray, read)


@pytest.mark.parametrize("which", [0, 1], ids=["memory", "shards"])
def test_each_row_at_most_once_an_epoch_and_all_but_the_remainder(numbered, which: int) -> None:
    import tensorflow as tf

    found = feeds(numbered)
    feed, whole = found[which], found[2]
    epochs = 3
    single = batches(feed, range(epochs), 1)
    assert len(single) == epochs * feed.steps == epochs * (ROWS // BATCH)
    orders = []
    for epoch in range(epochs):
        seen = [r for b in single[epoch * feed.steps : (epoch + 1) * feed.steps] for r in rows_of(b, whole)]
        assert max(Counter(seen).values()) == 1
        assert len(seen) == feed.steps * BATCH
        orders.append(seen)
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])
    assert len(list(feed.blocks(range(epochs), 5))) == epochs * 3
    for one, other in zip(single, batches(feed, range(epochs), 5), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("which", [0, 1], ids=["memory", "shards"])
def test_an_epoch_does_not_depend_on_those_before(numbered, which: int) -> None:
    import tensorflow as tf

    feed = feeds(numbered)[which]
    late = batches(feed, range(2, 3))
    all_three = batches(feed, range(3))
    for one, other in zip(late, all_three[2 * feed.steps :], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    other_seed = batches(feeds(numbered, seed=6)[which], range(2, 3))[0]
    assert not np.array_equal(other_seed[0]["numeric"], late[0][0]["numeric"])


@pytest.mark.parametrize("piece", [1, 16, 1000])
def test_how_many_rows_are_encoded_at_once_does_not_show(numbered, piece: int) -> None:
    import tensorflow as tf

    one, other = (batches(feeds(numbered, piece=p)[1], range(2)) for p in (64, piece))
    for a, b in zip(one, other, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_every_part_of_an_epoch_holds_rows_of_every_part_of_the_source(numbered) -> None:
    """Though only 50 of 205 rows are in memory at a time: each fifth of an epoch, the rows of each fifth."""
    _, feed, whole = feeds(numbered, buffer=50)
    seen = [r for b in batches(feed, range(1)) for r in rows_of(b, whole)]
    for part in np.array_split(np.array(seen), 5):
        counts = np.histogram(part, bins=5, range=(0, ROWS))[0]
        assert counts.min() >= 3, "a fifth of the rows would be about 8"
        assert counts.max() <= 15


def test_no_more_than_the_buffer_is_read_at_once(numbered) -> None:
    from kilnworks.components.learning.row_groups import RowGroups

    _, feed, _ = feeds(numbered, buffer=50)
    heights = []

    class Watched(RowGroups):
        def read(self, chosen, share=1.0):
            found = super().read(chosen, share)
            heights.append(found.height)
            return found

    g = feed._groups
    feed._groups = Watched(g.files, g.columns, g.places, g.rows, g.row_bytes)
    assert len(list(feed.blocks(range(1), 1))) == feed.steps
    assert len(heights) == 5
    assert sum(heights) == ROWS
    assert max(heights) <= 50 * 1.1


def test_an_error_of_the_reader_is_raised(numbered, tmp_path: Path) -> None:
    _, feed, _ = feeds(numbered)
    broken = tmp_path / "part.parquet"
    broken.write_bytes(b"no parquet")
    feed._groups = replace(feed._groups, files=(broken,) * 4)
    with pytest.raises(Exception, match="Parquet"):
        list(feed.blocks(range(1), 1))


def test_values_that_are_not_finite_are_named() -> None:
    from kilnworks.components.learning.input_pipeline import MemoryFeed

    arrays = {"good": np.zeros(4, np.int32), "bad": np.array([0, 1, np.nan, 2], np.float32)}
    assert MemoryFeed((arrays, np.zeros(4)), 2, 0).not_finite() == ["bad"]
