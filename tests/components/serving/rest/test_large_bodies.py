"""Large bodies: read in another process as they are read here, unpacked within limits, answered few at a time."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from kilnworks.components.serving.errors import Code, ServingError, TooLarge
from kilnworks.components.serving.json_tensors import apart, examples, predict
from kilnworks.components.serving.json_tensors.apart import Readers
from kilnworks.components.serving.json_tensors.frames import receive, send
from kilnworks.components.serving.rest.budget import BodyBudget, Share
from kilnworks.components.serving.rest.large_lane import LargeLane
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request
from kilnworks.components.serving.rest.unpack import Unpacking
from tests.components.serving.json_tensors.json_infos import info
from tests.waiting import until

LIMITS = Limits(body_bytes=100_000, unpack_ratio=100, unpack_free_bytes=20_000)


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    found = Readers(2**20)
    yield found
    found.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"instances": [[1.5, 2.0], [3.0, 4.25]]}, "float"),
        ({"signature_name": "s", "inputs": [[1, 2], [3, 4]]}, "int64"),
        ({"instances": ["a", "", "\u00e4" * 9, {"b64": "AP8="}]}, "string"),
        ({"inputs": {"x": [[["a"], [""]]]}}, "string"),
        ({"instances": [{"x": True}, {"x": False}]}, "bool"),
    ],
)
def test_the_other_process_reads_what_this_one_reads(readers: Readers, body: dict[str, object], kind: str) -> None:
    data, infos = json.dumps(body).encode(), {"x": info(kind)}
    here = predict.parse(data)
    wanted, form = here.arrays(infos)
    with readers.reading("predict", data) as reading:
        found, found_form = reading.arrays(infos, {}, None)
    assert (reading.signature_name, found_form) == (here.signature_name, form)
    assert found["x"].dtype == wanted["x"].dtype
    np.testing.assert_array_equal(found["x"], wanted["x"])


@pytest.mark.slow
def test_the_other_process_ends_without_a_word_where_its_server_is_gone() -> None:
    words = [sys.executable, "-c", apart._PROGRAM]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin and child.stdout and child.stderr
        assert receive(child.stdout) == "ready"
        child.send_signal(signal.SIGINT)  # of a terminal; the server decides
        send(child.stdin, ("predict", 2**20, b"{"))
        assert receive(child.stdout)[0] == "error"
        child.stdout.close()
        send(child.stdin, ("predict", 2**20, b"{"))
        child.stdin.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_the_other_process_reads_examples(readers: Readers) -> None:
    data = json.dumps({"context": {"c": "x"}, "examples": [{"a": 1}, {"b": "t"}]}).encode()
    with readers.reading("examples", data) as reading:
        assert reading.serialized({}) == examples.parse(data).examples


@pytest.mark.parametrize("body", [b"", b"[1", b'{"instances": [1, "a"]}', b'{"instances": [[1], [2, 3]]}', b"{}"])
def test_the_other_process_words_errors_alike_and_goes_on(readers: Readers, body: bytes) -> None:
    with pytest.raises(ServingError) as wanted:
        predict.parse(body).arrays({"x": info("float")})
    with pytest.raises(ServingError) as found, readers.reading("predict", body) as reading:
        reading.arrays({"x": info("float")}, {}, None)
    assert (found.value.code, found.value.text) == (wanted.value.code, wanted.value.text)
    with readers.reading("predict", b'{"instances": [1]}') as reading:
        assert reading.arrays({"x": info("float")}, {}, None)[0]["x"].tolist() == [1.0]


def test_values_that_cost_more_than_a_request_may_are_refused_before_they_are_made(readers: Readers) -> None:
    body = b'{"instances": [' + b"[]," * 100_000 + b"[]]}"
    with pytest.raises(TooLarge, match="--max_request_mb=1"), readers.reading("predict", body):
        raise AssertionError("10 MB of lists")


@pytest.mark.slow
def test_a_process_that_dies_or_takes_too_long_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    readers = Readers(2**20, seconds=60)
    with pytest.raises(ServingError) as died, readers.reading("predict", b'{"instances": ["a"]}') as reading:
        os.kill(reading._process._popen.pid, signal.SIGKILL)
        reading.arrays({"x": info("string")}, {}, None)
    assert died.value.code is Code.UNAVAILABLE
    assert caplog.messages == ["the process that reads large bodies ended (signal SIGKILL)"]
    with readers.reading("predict", b'{"instances": ["a"]}') as reading:
        assert reading.arrays({"x": info("string")}, {}, None)[0]["x"].tolist() == [b"a"]
    readers.close()
    hasty = Readers(2**20, seconds=0.0001)
    body = b'{"instances": ["a"' + b',"a"' * 250_000 + b"]}"
    with closing(hasty), pytest.raises(ServingError) as late, hasty.reading("predict", body):
        raise AssertionError("250,000 texts are not read so quickly")
    assert late.value.code is Code.DEADLINE_EXCEEDED


@pytest.mark.slow
def test_the_start_of_a_process_does_not_count_against_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    wait = apart._Process.wait_until_ready

    class Noted(threading.Timer):
        def start(self) -> None:
            begun.append(self.interval)
            super().start()

    def noted(process: apart._Process) -> None:
        wait(process)
        begun.append("ready")

    monkeypatch.setattr(threading, "Timer", Noted)
    monkeypatch.setattr(apart._Process, "wait_until_ready", noted)
    with closing(Readers(2**20, seconds=50)) as readers, readers.reading("predict", b'{"instances": ["a"]}') as reading:
        assert reading.arrays({"x": info("string")}, {}, None)[0]["x"].tolist() == [b"a"]
    assert begun == [apart._START_SECONDS, "ready", 50]


def test_a_process_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_PROGRAM", "import sys; sys.exit(3)")
    with pytest.raises(ServingError, match="did not start") as refused, Readers(2**20).reading("predict", b"{}"):
        raise AssertionError("nobody reads")
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.slow
def test_a_process_is_started_ahead_and_ends_with_the_readers() -> None:
    readers = Readers(2**20)
    readers.prepare()
    assert until(lambda: readers._idle)
    (spare,) = readers._idle
    with readers.reading("predict", b'{"instances": [1]}') as reading:
        assert reading._process is spare
    readers.close()
    assert spare._popen.poll() is not None


def unpacking(body: bytes, budget: int = 10**9) -> tuple[Unpacking, Share]:
    share = Share(BodyBudget(budget))
    return Unpacking(Request("POST", "/", {}, body, keep_alive=True, share=share), LIMITS), share


def test_a_body_is_unpacked_and_counted() -> None:
    data = os.urandom(50_000)
    found, share = unpacking(gzip.compress(data))
    assert found.body(10_000) is None
    assert found.body() == data
    assert share.taken == len(data)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (gzip.compress(os.urandom(100_001)), "--max_request_mb"),
        (gzip.compress(bytes(90_000)), "more than 100 times as many"),
    ],
)
def test_what_unpacks_to_too_much_is_too_large(body: bytes, text: str) -> None:
    with pytest.raises(TooLarge, match=text):
        unpacking(body)[0].body()


@pytest.mark.parametrize(
    "body", [b"abc", gzip.compress(b"abc")[:-1], gzip.compress(b"a" * 99)[:12]], ids=["text", "cut at the end", "cut"]
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(ServingError) as found:
        unpacking(body)[0].body()
    assert found.value.code is Code.INVALID_ARGUMENT


def test_what_is_unpacked_counts_with_the_bodies_of_all() -> None:
    with pytest.raises(ServingError) as found:
        unpacking(gzip.compress(os.urandom(50_000)), budget=49_999)[0].body()
    assert found.value.code is Code.UNAVAILABLE


def test_few_large_requests_at_a_time_and_the_others_hold_no_thread() -> None:
    lane, go, inside, done = LargeLane(2), threading.Event(), [], []

    def work() -> None:
        inside.append(threading.current_thread())
        assert go.wait(60)

    for _ in range(7):
        later = lane.run(work)
        assert not later.begin(lambda later=later: done.append(later.answer()))
    assert until(lambda: len(inside) == 2)
    assert not done
    go.set()
    assert until(lambda: len(done) == 7)
    assert done == [None] * 7
    assert len(set(inside)) == 7 and threading.current_thread() not in inside


def test_without_a_thread_large_requests_are_refused_and_the_lane_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lane, go, codes = LargeLane(1), threading.Event(), []

    def ask() -> None:
        later = lane.run(lambda: go.wait(60))

        def end() -> None:
            try:
                codes.append(later.answer())
            except ServingError as error:
                codes.append(error.code)

        if later.begin(end):
            end()

    ask()
    ask()
    ask()

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        go.set()
        assert until(lambda: len(codes) == 3)
        ask()
    assert sorted(codes, key=str) == sorted([True] + 3 * [Code.UNAVAILABLE], key=str)
    ask()
    assert until(lambda: codes[4:] == [True]), "the places are free again"
