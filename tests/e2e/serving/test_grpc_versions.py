"""Versions that come and go under traffic, and bytes that are no requests: the server stays up and answers."""

import random
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from tests.e2e.serving.core_server import (
    Running,
    failure,
    predict_request,
    reload_request,
    server,
    status_request,
    wait_until,
)
from tests.effort import tries
from tests.waiting import until

pytestmark = pytest.mark.e2e

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MODEL = "m"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("versions")
    base = folder / "base" / MODEL
    base.mkdir(parents=True)
    (folder / "models.config").write_text(config_text(base))
    # The models are built first: the server starts with a base path that is still empty.
    publisher = threading.Thread(target=publish_when_built, args=(folder, 1), daemon=True)
    publisher.start()
    flags = [f"--model_config_file={folder}/models.config", "--max_num_load_retries=0", "--grpc_max_threads=6"]
    with server(folder, *flags) as running:
        yield running


def config_text(base: Path) -> str:
    return f'model_config_list {{ config {{ name: "{MODEL}" base_path: "{base}" model_platform: "tensorflow" }} }}'


def publish_when_built(folder: Path, version: int) -> None:
    wait_until((folder / "live" / "3" / "fingerprint.pb").exists)
    publish(folder, version)


def publish(folder: Path, version: int, built: int | None = None) -> None:
    """Copy a built version beside the base path, then rename it into place."""
    staged = folder / f"staged-{version}"
    shutil.copytree(folder / "live" / str(built or version), staged)
    staged.rename(folder / "base" / MODEL / str(version))


def retract(folder: Path, version: int) -> None:
    (folder / "base" / MODEL / str(version)).rename(folder / f"retracted-{version}-{time.time_ns()}")


def version_now(served: Running) -> float:
    return float(served.predict(predict_request(MODEL, x=[0.0]))["y"][0])


def test_no_request_fails_while_versions_come_and_go(served: Running) -> None:
    folder = served.log.parent
    assert version_now(served) == 1.0
    stop, failures, seen = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            try:
                seen.append(version_now(served))
            except grpc.RpcError as error:
                failures.append((error.code(), error.details()))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert until(lambda: 1.0 in seen)
    publish(folder, 2)
    served.wait_for(MODEL, {2: "AVAILABLE", 1: "END"})
    assert until(lambda: 2.0 in seen)
    publish(folder, 3)
    served.wait_for(MODEL, {3: "AVAILABLE", 2: "END"})
    assert until(lambda: 3.0 in seen)
    retract(folder, 3)
    served.wait_for(MODEL, {3: "END", 2: "AVAILABLE"})
    publish(folder, 3)
    served.wait_for(MODEL, {3: "AVAILABLE"})
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(seen) == {1.0, 2.0, 3.0}


def test_a_corrupt_version_ends_in_error_and_the_old_one_serves(served: Running) -> None:
    broken = served.log.parent / "base" / MODEL / "9"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\xff" * 100)
    served.wait_for(MODEL, {9: "END"})
    [status] = served.models.GetModelStatus(status_request(MODEL, version=9), timeout=20).model_version_status
    assert status.status.error_code == 15
    assert "saved_model.pb" in status.status.error_message
    assert version_now(served) == 3.0
    empty = served.log.parent / "base" / MODEL / "10"
    empty.mkdir()
    served.wait_for(MODEL, {10: "END"})
    [status] = served.models.GetModelStatus(status_request(MODEL, version=10), timeout=20).model_version_status
    assert status.status.error_code == 5
    assert "Could not find SavedModel" in status.status.error_message
    for version in (9, 10):
        retract(served.log.parent, version)
    assert version_now(served) == 3.0


def test_a_folder_that_vanishes_and_comes_back(served: Running) -> None:
    folder = served.log.parent
    base = folder / "base" / MODEL
    base.rename(folder / "base" / "away")
    time.sleep(1.5)
    assert version_now(served) == 3.0, "a base path that is not there changes nothing"
    base.mkdir()
    served.wait_for(MODEL, {3: "END"})
    assert failure(lambda: version_now(served)) == ("NOT_FOUND", f"Servable not found for request: Latest({MODEL})")
    base.rmdir()
    (folder / "base" / "away").rename(base)
    served.wait_for(MODEL, {3: "AVAILABLE"})
    assert version_now(served) == 3.0


def test_reload_adds_models_moves_labels_and_removes_models(served: Running) -> None:
    folder = served.log.parent
    main = {"name": MODEL, "base_path": f"{folder}/base/{MODEL}"}
    other = {"name": "other", "base_path": f"{folder}/live", "specific": [1, 2]}
    reload = served.models.HandleReloadConfigRequest
    request = reload_request(main, other)
    request.metric_names.append("/tensorflow/serving/request_count")
    answer = reload(request, timeout=30)
    assert answer.status.error_code == 0
    assert [metric.name for metric in answer.metric] == ["/tensorflow/serving/request_count"]
    served.wait_for("other", {1: "AVAILABLE", 2: "AVAILABLE"})
    for version in (1, 2):
        reload(reload_request(main, {**other, "version_labels": {"canary": version}}), timeout=30)
        assert served.predict(predict_request("other", label="canary", x=[0.0]))["y"].tolist() == [float(version)]
    reload(reload_request(main, {**other, "specific": [1]}), timeout=30)
    served.wait_for("other", {2: "END"})
    reload(reload_request(main), timeout=30)
    served.wait_for("other", {1: "END"})
    assert failure(lambda: served.predict(predict_request("other", x=[0.0])))[0] == "NOT_FOUND"


def test_reload_waits_for_a_new_model_until_the_deadline(served: Running) -> None:
    folder = served.log.parent
    (folder / "hollow").mkdir()
    main = {"name": MODEL, "base_path": f"{folder}/base/{MODEL}"}
    hollow = {"name": "hollow", "base_path": f"{folder}/hollow"}
    reload = served.models.HandleReloadConfigRequest
    assert failure(lambda: reload(reload_request(main, hollow), timeout=1))[0] == "DEADLINE_EXCEEDED"
    assert version_now(served) == 3.0
    broken = {"name": "broken", "base_path": f"{folder}/broken"}
    (folder / "broken" / "1").mkdir(parents=True)
    code, text = failure(lambda: reload(reload_request(main, broken), timeout=20))
    assert code == "UNKNOWN"
    assert text.startswith(
        "1 model(s) did not become available: {{{name: broken version: 1} due to error: NOT_FOUND: Could not find"
    )
    reload(reload_request(main), timeout=30)


def answers(served: Running) -> bool:
    try:
        return version_now(served) == 3.0
    except grpc.RpcError:
        return False


def good_request() -> bytes:
    return bytes(predict_request(MODEL, x=np.arange(5, dtype=np.float32)).SerializeToString())


def test_calls_beyond_the_thread_quota_are_refused(served: Running) -> None:
    turns = np.array(40_000_000)
    futures = [
        served.prediction.Predict.future(predict_request(MODEL, "loop", turns=turns), timeout=4) for _ in range(12)
    ]
    codes = [future.code() for future in futures]
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) >= 6
    assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) <= 6
    wait_until(lambda: answers(served))


@settings(max_examples=tries(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bytes_that_are_no_request(served: Running, data: st.DataObject) -> None:
    """Random bytes, cut and changed requests: every one gets a status, and the next good one an answer."""
    good = good_request()
    kind = data.draw(st.sampled_from(["random", "cut", "changed"]))
    if kind == "random":
        sent = data.draw(st.binary(max_size=200))
    elif kind == "cut":
        sent = good[: data.draw(st.integers(0, len(good)))]
    else:
        changed = bytearray(good)
        for at in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=4)):
            changed[at] = data.draw(st.integers(0, 255))
        sent = bytes(changed)
    try:
        answer = served.channel.unary_unary(PREDICT)(sent, timeout=20)
        predict_pb2.PredictResponse.FromString(answer)
    except grpc.RpcError as error:
        assert error.code().name in ("INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "FAILED_PRECONDITION"), error


def test_the_server_still_answers_after_the_bytes(served: Running) -> None:
    assert served.process.poll() is None
    assert version_now(served) == 3.0


def test_many_connections_and_clients_that_say_nothing(served: Running) -> None:
    port = served.ports["grpc_port"]
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    silent[0].sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    silent[1].sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 2**24 - 1) + bytes(100))
    silent[2].sendall(random.Random(0).randbytes(5000))
    silent[3].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert version_now(served) == 3.0
    for connection in silent:
        connection.close()


@pytest.mark.nightly
def test_ten_thousand_connections_opened_and_closed(served: Running) -> None:
    """Some say nothing, some greet as HTTP/2 does, some are cut off in the middle; nothing of them stays."""
    greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5)

    def open_and_close(count: int) -> None:
        for i in range(count):
            with socket.create_connection(("127.0.0.1", served.ports["grpc_port"]), timeout=20) as connection:
                if i % 5 == 0:
                    connection.sendall(greeting)
                    assert connection.recv(9)[3] == 4, "the settings of the server"
                if i % 3 == 0:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    version = version_now(served)
    files, memory = served.open_files(), served.memory_mb()
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(open_and_close, [2500] * 4))
    assert version_now(served) == version
    wait_until(lambda: served.open_files() <= files + 2, shown=lambda: (files, served.open_files()))
    wait_until(lambda: served.memory_mb() < memory + 50, shown=lambda: (memory, served.memory_mb()))


def test_a_large_tensor_passes_and_its_memory_comes_back(served: Running) -> None:
    def ask() -> None:
        answer = served.prediction.Predict(predict_request(MODEL, x=np.zeros(16 * 2**20, np.float32)), timeout=60)
        assert len(answer.outputs["y"].float_val) == 16 * 2**20

    version_now(served)
    before = served.memory_mb()
    for _ in range(3):
        ask()
    wait_until(lambda: served.memory_mb() < before + 150, shown=lambda: (before, served.memory_mb()))
