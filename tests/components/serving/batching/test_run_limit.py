"""So many runs of a model at a time, so many that wait, and nobody who waits for good."""

import threading
import time
from collections.abc import Sequence

import grpc
import pytest

from kilnworks.components.serving.batching.places import RunLimit
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.batching.turns import Later, LimitedRunner, answered
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.grpc.server import start_grpc
from kilnworks.components.serving.wire.feeds import Array, Feeds
from tests.waiting import LONG_SECONDS, until


class Gated:
    """A runner whose runs end when the gate opens; remembers how many ran beside each other."""

    def __init__(self) -> None:
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.now = self.most = 0
        self.timeouts: list[float | None] = []

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.timeouts.append(timeout_seconds)
        self.gate.wait(3 * LONG_SECONDS)
        with self.lock:
            self.now -= 1
        return []

    def close(self) -> None:
        self.gate.set()


class Asked:
    """A request in a thread of its own, as a transport begins it."""

    def __init__(self, runner: LimitedRunner, timeout: float | None = None) -> None:
        self.over = threading.Event()
        self.error: Exception | None = None

        threading.Thread(target=self._ask, args=(runner, timeout), daemon=True).start()

    def _ask(self, runner: LimitedRunner, timeout: float | None) -> None:
        try:
            found = runner.begin([], [], timeout)
        except ServingError as error:
            self.error = error
        else:
            if isinstance(found, Later):
                if found.begin(lambda: self._end(found)):
                    self._end(found)
                return
        self.over.set()

    def _end(self, later: Later[list[Array]]) -> None:
        try:
            later.answer()
        except ServingError as error:
            self.error = error
        self.over.set()

    @property
    def code(self) -> Code:
        assert self.over.wait(LONG_SECONDS)
        return self.error.code if isinstance(self.error, ServingError) else Code.OK


def test_more_than_may_run_wait_without_a_thread_and_more_are_refused() -> None:
    refused: list[str] = []
    limit, gated = RunLimit(2, 3, refused.append), Gated()
    runner = limit.runner(gated, "m")
    first = [Asked(runner) for _ in range(2)]
    assert until(lambda: limit.running() == {"m": 2} and gated.now == 2, LONG_SECONDS)
    before = threading.active_count()
    waiting = [Asked(runner) for _ in range(3)]
    assert until(lambda: limit.waiting() == {"m": 3} and threading.active_count() <= before, LONG_SECONDS)
    late = Asked(runner)
    assert late.code is Code.RESOURCE_EXHAUSTED
    assert "--max_runs_per_model=2, --max_waiting_per_model=3" in str(late.error)
    assert refused == ["runs"]
    other = Gated()
    other.gate.set()
    assert Asked(limit.runner(other, "other")).code is Code.OK, "each model has a limit of its own"
    gated.gate.set()
    assert [asked.code for asked in first + waiting] == [Code.OK] * 5
    assert gated.most == 2
    assert until(lambda: limit.running()["m"] == 0, LONG_SECONDS)


def test_versions_of_a_model_share_its_limit() -> None:
    limit, gated = RunLimit(1, 0), Gated()
    first = Asked(limit.runner(gated, "m"))
    assert until(lambda: gated.now == 1, LONG_SECONDS)
    assert Asked(limit.runner(Gated(), "m")).code is Code.RESOURCE_EXHAUSTED
    gated.gate.set()
    assert first.code is Code.OK


def test_who_waits_behind_a_run_without_end_is_answered_at_its_deadline() -> None:
    limit, gated = RunLimit(1, 10), Gated()
    runner = limit.runner(gated, "m")
    first = Asked(runner)
    assert until(lambda: gated.now == 1, LONG_SECONDS)
    patient = Asked(runner, 10 * LONG_SECONDS)
    assert until(lambda: limit.waiting() == {"m": 1}, LONG_SECONDS)
    hasty = [Asked(runner, 0.3) for _ in range(3)]
    assert [asked.code for asked in hasty] == [Code.DEADLINE_EXCEEDED] * 3
    assert not patient.over.is_set()
    assert limit.waiting() == {"m": 1}
    gated.gate.set()
    assert [first.code, patient.code] == [Code.OK] * 2
    assert gated.timeouts[0] is None
    assert gated.timeouts[1] is not None
    assert gated.timeouts[1] < 10 * LONG_SECONDS, "the time it waited is gone"


def test_an_error_gives_the_place_back() -> None:
    class Broken(Gated):
        def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
            raise ServingError(Code.INTERNAL, "broken")

    limit = RunLimit(1, 0)
    runner = limit.runner(Broken(), "m")
    assert [Asked(runner).code for _ in range(5)] == [Code.INTERNAL] * 5
    assert limit.running() == {"m": 0}


def test_without_a_thread_who_waits_is_refused_and_the_place_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, gated = RunLimit(1, 10), Gated()
    runner = limit.runner(gated, "m")
    first = Asked(runner)
    assert until(lambda: gated.now == 1, LONG_SECONDS)
    second = Asked(runner)
    assert until(lambda: limit.waiting() == {"m": 1}, LONG_SECONDS)

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        gated.gate.set()
        assert first.code is Code.OK, "it has its answer"
        assert second.code is Code.UNAVAILABLE
    assert limit.running() == {"m": 0}
    assert [Asked(runner).code for _ in range(3)] == [Code.OK] * 3
    assert until(lambda: limit.running() == {"m": 0}, LONG_SECONDS)


@pytest.mark.e2e
@pytest.mark.parametrize("portable", [False, True], ids=["direct", "portable"])
def test_a_flood_of_calls_is_answered_or_refused(portable: bool) -> None:
    class Slow(Gated):
        def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
            time.sleep(0.004)
            return []

    limit = RunLimit(4, 1500)
    runner = limit.runner(Slow(), "m")

    def method(data: bytes, call: object) -> bytes | Later[bytes]:
        return answered(lambda: runner.begin([], [], None), lambda outputs: data, lambda error: None)

    server = start_grpc({"/test/Echo": method}, GrpcOptions(port=0), BatchScheduler(1), portable)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        echo = channel.unary_unary("/test/Echo")
        futures = [echo.future(b"%d" % number, timeout=60) for number in range(2500)]
        codes = [future.code() for future in futures]
        good = [number for number, code in enumerate(codes) if code is grpc.StatusCode.OK]
        assert all(futures[number].result() == b"%d" % number for number in good)
        assert {code.name for code in codes} <= {"OK", "RESOURCE_EXHAUSTED"}
        assert len(good) >= (4 if portable else 1500)
        assert echo(b"after", timeout=60) == b"after"
    server.stop(5)
