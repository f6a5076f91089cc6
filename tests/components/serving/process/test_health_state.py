"""What the health process says of a server that reports, is not ready, or is silent."""

import json

import pytest

from kilnworks.components.serving.process import health_listener
from kilnworks.components.serving.process.health_listener import HealthListener, HealthOptions
from kilnworks.components.serving.process.health_process import SILENT_SECONDS, State
from kilnworks.schemas.errors import ConfigError

METRICS = "/monitoring/prometheus/metrics"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(state: State, ready: bool, metrics: str = "a 1\n") -> None:
    state.take(json.dumps({"ready": ready, "metrics": metrics}).encode())


def test_a_server_that_reports() -> None:
    clock = Clock()
    state = State(clock)
    statuses = [state.answer(f"/v1/health/{word}", METRICS)[0] for word in ("live", "ready")]
    assert statuses == [200, 503], "it has begun, and has no model yet"
    report(state, ready=True)
    clock.now += 7.5
    assert state.answer("/v1/health/ready", METRICS) == (200, "application/json", '{"status": "ready"}')
    status, kind, text = state.answer(METRICS, METRICS)
    assert (status, kind) == (200, "text/plain")
    assert text.startswith("a 1\n") and ":kilnworks:serving:seconds_since_report 7.5\n" in text
    report(state, ready=False)
    assert [state.answer(f"/v1/health/{word}", METRICS)[0] for word in ("live", "ready")] == [200, 503]
    assert state.answer("/v1/models/m", METRICS)[0] == 404


def test_a_server_that_is_silent() -> None:
    clock = Clock()
    state = State(clock)
    report(state, ready=True)
    clock.now += SILENT_SECONDS + 1
    for word in ("live", "ready"):
        status, _, text = state.answer(f"/v1/health/{word}", METRICS)
        assert (status, json.loads(text)["error"]) == (503, "the server has not reported for 61 s")
    assert state.answer(METRICS, METRICS)[0] == 200, "the last that was heard"
    report(state, ready=True)
    assert state.answer("/v1/health/live", METRICS)[0] == 200


def test_a_process_that_ends_before_it_listens_is_told_by_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_listener, "_PROGRAM", "import os; os.abort()")
    with pytest.raises(ConfigError, match=r"cannot be opened: its process ended \(signal SIGABRT\)"):
        HealthListener(HealthOptions(0, "127.0.0.1", METRICS), lambda: True, str)
