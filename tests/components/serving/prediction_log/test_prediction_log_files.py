"""The prediction log: what is in the records, when files appear, and that nobody ever waits for it."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.serving.client import messages, tensors
from kilnworks.components.serving.prediction_log.files import LogSettings
from kilnworks.components.serving.prediction_log.private_inputs import private_of
from kilnworks.components.serving.prediction_log.writer import PredictionLogWriter
from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed
from kilnworks.schemas.errors import ConfigError
from tests.waiting import until

X = np.array([1.0, 2.0], np.float32)
PREDICTED = Predicted("m", 3, "serving_default", {"y": X * 2})


class Lines:
    """A record writer that keeps one record a line, as hex."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def write(self, record: bytes) -> None:
        self._file.write(record.hex() + "\n")

    def close(self) -> None:
        self._file.close()


def read(folder: Path) -> list[object]:
    lines = [line for path in sorted(folder.glob("*.tfrecord")) for line in path.read_text().split()]
    return [messages.PredictionLog.FromString(bytes.fromhex(line)) for line in lines]


def writer(folder: Path, open_writer: object = Lines, rate: float = 1.0, **settings: object) -> PredictionLogWriter:
    return PredictionLogWriter(LogSettings(folder, rate, **settings), open_writer)


def test_what_is_in_the_records(tmp_path: Path) -> None:
    before = int(time.time())
    log = writer(tmp_path / "new", rate=0.5)
    log.log_predict({"x": X, "s": np.array([b"a", b"\xff"], object)}, PREDICTED)
    log.log_examples([b"\x0a\x00"], Classified("m", 3, "c", [[(b"yes", 0.5)]]))
    log.log_examples([b""], Regressed("m", 3, "r", [0.25]))
    log.close()
    predict, classify, regress = read(tmp_path / "new")
    spec = predict.log_metadata.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 3, "serving_default")
    assert predict.log_metadata.sampling_config.sampling_rate == 0.5
    assert before <= predict.log_metadata.timestamp_secs <= time.time()
    found = predict.predict_log
    np.testing.assert_array_equal(tensors.from_proto(found.request.inputs["x"]), X)
    assert tensors.from_proto(found.request.inputs["s"]).tolist() == [b"a", b"\xff"]
    np.testing.assert_array_equal(tensors.from_proto(found.response.outputs["y"]), X * 2)
    assert list(classify.classify_log.request.input.example_list.examples) == [b"\x0a\x00"]
    assert classify.classify_log.response.result.classifications[0].classes[0].label == "yes"
    assert regress.regress_log.response.result.regressions[0].value == 0.25


def test_files_appear_complete_and_by_size(tmp_path: Path) -> None:
    log = writer(tmp_path, max_file_bytes=1)
    for _ in range(3):
        log.log_predict({"x": X}, PREDICTED)
    log.close()
    assert len(list(tmp_path.glob("*.tfrecord"))) == 3
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"
    assert len(read(tmp_path)) == log.written == 3


def test_files_appear_by_age_while_nothing_more_comes(tmp_path: Path) -> None:
    log = writer(tmp_path, max_file_seconds=0.05)
    log.log_predict({"x": X}, PREDICTED)
    assert until(lambda: list(tmp_path.glob("*.tfrecord")))
    assert len(read(tmp_path)) == 1
    log.close()


def test_the_file_that_is_written_is_hidden(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.log_predict({"x": X}, PREDICTED)
    assert until(lambda: log.written)
    assert [p.name[0] for p in tmp_path.iterdir()] == ["."]
    log.close()
    assert len(read(tmp_path)) == 1


class Stuck(Lines):
    """A disk that hangs until it is let go."""

    free = threading.Event()

    def write(self, record: bytes) -> None:
        assert self.free.wait(300)
        super().write(record)


@pytest.mark.parametrize("bound", [{"queue_records": 5}, {"queue_bytes": 6 * 16}])
def test_a_slow_disk_drops_records_and_delays_nobody(tmp_path: Path, bound: dict[str, int]) -> None:
    Stuck.free.clear()
    outcomes: list[str] = []
    log = PredictionLogWriter(LogSettings(tmp_path, 1.0, **bound), Stuck, count=outcomes.append)
    for _ in range(200):
        log.log_predict({"x": X}, PREDICTED)
    assert log.written == 0, "the disk still hangs: nobody waited for it"
    assert log.dropped >= 190
    Stuck.free.set()
    log.close()
    assert log.written + log.dropped == 200 == len(outcomes)
    assert len(read(tmp_path)) == log.written == outcomes.count("written") > 0


class Broken(Lines):
    """A disk that is full for the first record."""

    left = 1

    def write(self, record: bytes) -> None:
        if Broken.left:
            Broken.left -= 1
            raise OSError(28, "No space left on device")
        super().write(record)


def test_a_full_disk_loses_records_but_not_the_writer(tmp_path: Path) -> None:
    Broken.left = 1
    log = writer(tmp_path, Broken)
    for _ in range(3):
        log.log_predict({"x": X}, PREDICTED)
    log.close()
    assert (log.written, log.dropped) == (2, 1)
    assert len(read(tmp_path)) == 2


def test_sampling(tmp_path: Path) -> None:
    log = writer(tmp_path, rate=0.25)
    assert 0.2 < sum(log.sample() for _ in range(4000)) / 4000 < 0.3
    log.close()
    assert not list(tmp_path.iterdir()), "no file without a record"
    never = writer(tmp_path, rate=0.0)
    assert not any(never.sample() for _ in range(100))
    never.close()
    never.close()


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sampling rate"):
        writer(tmp_path, rate=1.5)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        writer(tmp_path / "file")


@pytest.mark.slow
def test_tensorflow_reads_the_files(tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = PredictionLogWriter(LogSettings(tmp_path, 1.0))
    for _ in range(5):
        log.log_predict({"x": X}, PREDICTED)
    log.close()
    [path] = tmp_path.iterdir()
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(path))]
    assert len(records) == 5
    found = prediction_log_pb2.PredictionLog.FromString(records[0]).predict_log
    np.testing.assert_array_equal(tf.make_ndarray(found.request.inputs["x"]), X)


class Full(Lines):
    """A disk that is full after two records of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._records = 0

    def write(self, record: bytes) -> None:
        self._records += 1
        if self._records > 2:
            raise OSError(28, "No space left on device")
        super().write(record)


def test_a_full_disk_leaves_nothing_and_is_counted(tmp_path: Path) -> None:
    outcomes: list[str] = []
    log = PredictionLogWriter(LogSettings(tmp_path, 1.0), Full, count=outcomes.append)
    for _ in range(6):
        log.log_predict({"x": X}, PREDICTED)
    log.close()
    assert not list(tmp_path.iterdir())
    assert sorted(outcomes) == ["failed"] * 2 + ["lost"] * 4 + ["written"] * 4


def test_the_oldest_files_go_beyond_the_size_of_all(tmp_path: Path) -> None:
    log = writer(tmp_path, max_file_bytes=1, max_total_bytes=1200)
    (tmp_path / "mine.tfrecord").write_bytes(bytes(5000))
    for i in range(20):
        log.log_predict({"x": X + i}, PREDICTED)
    log.close()
    files = list(tmp_path.glob("predictions-*"))
    assert 0 < sum(path.stat().st_size for path in files) <= 1200
    kept = [line for path in files for line in path.read_text().split()]
    found = [messages.PredictionLog.FromString(bytes.fromhex(line)) for line in kept]
    firsts = sorted(tensors.from_proto(record.predict_log.request.inputs["x"])[0] for record in found)
    assert firsts == [float(21 - i) for i in range(len(files), 0, -1)], "the newest"
    assert (tmp_path / "mine.tfrecord").exists(), "files of others are left alone"


class Measured:
    """A writer of records as they are, which looks at the size of its whole folder after each."""

    most = 0

    def __init__(self, path: Path) -> None:
        self._file, self._folder = path.open("wb", buffering=0), path.parent

    def write(self, record: bytes) -> None:
        self._file.write(record + bytes(16))
        Measured.most = max(Measured.most, sum(path.stat().st_size for path in self._folder.iterdir()))

    def close(self) -> None:
        self._file.close()


def test_the_file_that_is_open_counts_too(tmp_path: Path) -> None:
    Measured.most = 0
    (tmp_path / ".predictions-of-another-server.tfrecord.partial").write_bytes(bytes(1000))
    log = writer(tmp_path, Measured, max_file_bytes=64_000, max_total_bytes=8000)
    rows = np.arange(100, dtype=np.float32)
    for _ in range(100):
        log.log_predict({"x": rows}, PREDICTED)
    log.log_predict({"x": np.zeros(3000, np.float32)}, PREDICTED)
    log.close()
    assert 4000 < Measured.most <= 8000
    assert (log.written, log.dropped) == (100, 1), "a record that is larger than the log is no reason to end a file"


def test_old_files_go_and_what_a_killed_server_left(tmp_path: Path) -> None:
    old, new, left = (
        tmp_path / name
        for name in ("predictions-a.tfrecord", "predictions-b.tfrecord", ".predictions-c.tfrecord.partial")
    )
    for path in (old, new, left):
        path.touch()
    week = time.time() - 7 * 86_400
    os.utime(old, (week, week))
    os.utime(left, (week, week))
    log = writer(tmp_path, max_age_seconds=86_400)
    log.log_predict({"x": X}, PREDICTED)
    log.close()
    assert (old.exists(), new.exists(), left.exists()) == (False, True, False)


def test_texts_that_wait_count_by_their_size(tmp_path: Path) -> None:
    Stuck.free.clear()
    log = PredictionLogWriter(LogSettings(tmp_path, 1.0, queue_bytes=1_000_000), Stuck)
    text = np.array([b"a" * 100_000], object)
    for _ in range(50):
        log.log_predict({"s": text}, PREDICTED)
    assert log.dropped >= 50 - 11
    Stuck.free.set()
    log.close()
    assert log.written <= 10


def model(folder: Path) -> str:
    """A version directory whose contract calls ``name`` sensitive."""
    from kilnworks.schemas.contract import Contract

    features = {"x": {"dtype": "float"}, "name": {"dtype": "string", "sensitive": True}}
    contract = Contract.model_validate({"name": "people", "features": features})
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "assets.extra" / "contract.json").write_text(contract.model_dump_json())
    return str(folder)


def test_sensitive_features_are_not_written_down(tmp_path: Path) -> None:
    private = private_of(model(tmp_path / "1"))
    names = np.array([b"Ada", b"Grace"], object)
    assert private.inputs({"x": X, "name": names}).keys() == {"x"}
    example = messages.Example()
    example.features.feature["name"].bytes_list.value.append(b"Ada")
    example.features.feature["x"].float_list.value.append(1.5)
    [found] = private.examples([example.SerializeToString()])
    assert b"Ada" not in found
    assert messages.Example.FromString(found).features.feature["x"].float_list.value[0] == 1.5
    packed = np.array([[example.SerializeToString()]], object)
    assert private.inputs({"examples": packed})["examples"].tolist() == [[found]]
    assert private.examples([b"\xff\xff"]) == [b""]
    assert private_of(str(tmp_path / "2")).inputs({"name": names}).keys() == {"name"}, "it has no contract"


def test_a_contract_that_cannot_be_read_leaves_out_everything(tmp_path: Path) -> None:
    path = model(tmp_path / "1")
    (tmp_path / "1" / "assets.extra" / "contract.json").write_text("{")
    private = private_of(path)
    assert (dict(private.inputs({"x": X})), private.label) == ({}, True)
