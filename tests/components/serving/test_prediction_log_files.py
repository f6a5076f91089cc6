"""The prediction log: what is in the records, when files appear, and that nobody ever waits for it."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from components.serving.client import messages, tensors
from components.serving.prediction_log import LogSettings, PredictionLogWriter
from components.serving.values import Classified, Predicted, Regressed
from schemas.errors import ConfigError
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
    log = writer(tmp_path / "new", rate=0.5)
    log.log_predict({"x": X, "s": np.array([b"a", b"\xff"], object)}, PREDICTED)
    log.log_classify([b"\x0a\x00"], Classified("m", 3, "c", [[(b"yes", 0.5)]]))
    log.log_regress([b""], Regressed("m", 3, "r", [0.25]))
    log.close()
    predict, classify, regress = read(tmp_path / "new")
    spec = predict.log_metadata.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 3, "serving_default")
    assert predict.log_metadata.sampling_config.sampling_rate == 0.5
    assert abs(predict.log_metadata.timestamp_secs - time.time()) < 60
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
