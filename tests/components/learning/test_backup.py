"""A snapshot is there whole, or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.learning.backup import Backup, Snapshot
from kilnworks.schemas.errors import StoreError

SNAPSHOT = Snapshot(
    1,
    2,
    3,
    [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.array([0.1], np.float32)],
    [],
    {"early_stopping": {"wait": 2, "best": 0.5}},
    True,
)


def test_round_trip(tmp_path: Path) -> None:
    backup = Backup(tmp_path, "a")
    assert backup.load() is None
    backup.save(SNAPSHOT)
    found = backup.load()
    assert found is not None
    assert (found.phase, found.begins, found.epoch) == (1, 2, 3)
    assert (found.callbacks, found.finished, found.best) == (SNAPSHOT.callbacks, True, [])
    for one, other in zip(found.variables, SNAPSHOT.variables, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["backup.npz"]


def test_order_survives_more_than_ten_variables(tmp_path: Path) -> None:
    backup = Backup(tmp_path, "a")
    backup.save(Snapshot(0, 0, 1, [np.array(i) for i in range(23)], []))
    found = backup.load()
    assert found is not None
    assert [int(v) for v in found.variables] == list(range(23))


def test_another_training_is_not_taken_up(tmp_path: Path) -> None:
    Backup(tmp_path, "a").save(SNAPSHOT)
    assert Backup(tmp_path, "b").load() is None


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_file_is_not_taken_up(tmp_path: Path, keep: int) -> None:
    backup = Backup(tmp_path, "a")
    backup.save(SNAPSHOT)
    backup.path.write_bytes(backup.path.read_bytes()[:keep])
    assert backup.load() is None


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write the backup of epoch 3(.|\n)*backup_epochs to 0"):
        Backup(tmp_path / "file", "a").save(SNAPSHOT)


def test_one_of_an_earlier_release_is_not_taken_up(tmp_path: Path) -> None:
    """It knows no phases."""
    about = {"identity": "a", "epoch": 3, "callbacks": {}, "finished": False}
    np.savez(tmp_path / "backup.npz", about=np.frombuffer(json.dumps(about).encode(), np.uint8))
    assert Backup(tmp_path, "a").load() is None
