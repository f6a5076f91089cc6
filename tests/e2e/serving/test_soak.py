"""The short form of the soak test: two replicas under mixed traffic, changing versions, one of them killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.soak import growth
from tests.effort import NIGHTLY

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]
MINUTES, KILL = ("3", "0.2") if NIGHTLY else ("0.3", "0.12")


def test_growth_is_what_comes_on_top_once_settled() -> None:
    leaking = [(200.0 + number, 40 + number // 10) for number in range(100)]
    megabytes, descriptors = growth(leaking)
    assert (megabytes, descriptors) == (45.0, 5)  # samples 47 and 92: the middles of 40 to 54 and of 85 to 99
    assert growth([(300.0, 50)] * 30 + [(400.0, 60)] * 100) == (0.0, 0), "what is taken at the start does not count"
    assert growth([(300.0, 50)]) == (0.0, 0)


def test_no_good_request_fails_while_a_replica_is_killed() -> None:
    command = [sys.executable, "-m", "bench.soak", "--minutes", MINUTES, "--kill-minutes", KILL]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    head, _, row = (line.strip("| ").split(" | ") for line in done.stdout.splitlines())
    found = dict(zip(head, map(float, row), strict=True))
    assert (found["failed"], found["answered"]) == (0, 0)
    assert min(found[name] for name in ("version changes", "kills", "good requests", "bad requests")) >= 1
    assert found["MB more"] <= 50
