"""A server under test that falls is told by its signal and by the end of what it said, whenever it falls."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import served as served_process
from tests.forked import Forked
from tests.ports import held_port
from tests.served import served
from tests.waiting import LONG_SECONDS

pytestmark = pytest.mark.slow

FALLS = """
import faulthandler, json, os, signal, sys
faulthandler.enable()
def fall(*_): os.kill(os.getpid(), signal.SIGSEGV)
def end(*_): sys.exit(0)
print("a line before", file=sys.stderr, flush=True)
when = sys.argv[-1]
if when == "at once":
    fall()
signal.signal(signal.SIGTERM, fall if when == "at the end" else end)
print(json.dumps({"pid": os.getpid()}), flush=True)
while True:
    signal.pause()
"""
TOLD = r"(?s)the server ended with signal SIGSEGV:\na line before\nFatal Python error: Segmentation fault.*in fall"


@pytest.fixture
def start(tmp_path: Path):
    (tmp_path / "falls.py").write_text(FALLS)
    return lambda when: served(when, words=("falls",), env={**os.environ, "PYTHONPATH": str(tmp_path)})


def test_before_it_answers(start):
    with pytest.raises(AssertionError, match=TOLD), start("at once"):
        raise RuntimeError("it has answered")


def test_while_it_is_asked(start, monkeypatch):
    monkeypatch.setattr(served_process, "END_SECONDS", LONG_SECONDS)
    with pytest.raises(ConnectionError) as raised, start("while it is asked") as told:
        os.kill(told["pid"], signal.SIGSEGV)
        raise ConnectionError("reset by peer")
    assert raised.value.__notes__[0].startswith("the server ended with signal SIGSEGV:\na line before\nFatal Python")


def test_when_it_is_to_stop(start):
    with pytest.raises(AssertionError, match=TOLD), start("at the end"):
        pass


def test_one_that_stands_ends_with_nothing_left(start):
    with start("never") as told:
        assert Path("/proc", str(told["pid"])).exists()
    assert not Path("/proc", str(told["pid"])).exists()
    with pytest.raises(KeyError, match="of the test itself") as raised, start("never"):
        raise KeyError("of the test itself")
    assert not hasattr(raised.value, "__notes__")


def test_a_held_port_answers_nobody_is_given_to_nobody_else_and_a_server_may_listen_on_it():
    with held_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=LONG_SECONDS)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))  # the system gives a number that cannot be bound to nobody
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port), timeout=LONG_SECONDS).close()


COMPUTES = """
import tensorflow as tf
print(tf.nn.conv2d(tf.ones([1, 8, 8, 16]), tf.ones([3, 3, 16, 16]), 1, "SAME").shape)
"""


def test_a_server_under_test_computes_without_onednn_as_a_real_one_does(tmp_path):
    """TensorFlow reads the setting when it is imported, which is before a server that is forked can set it."""
    (tmp_path / "computes.py").write_text(COMPUTES)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "ONEDNN_VERBOSE": "1"}
    with (tmp_path / "log").open("w") as errors:
        process = Forked(["computes"], cwd=tmp_path, env=env, stderr=errors)
    with process.stdout as said:
        forked = said.read()
    assert process.wait() == 0 and "(1, 8, 8, 16)" in forked
    with_it = subprocess.run(
        [sys.executable, "-m", "computes"], env={**env, "TF_ENABLE_ONEDNN_OPTS": "1"}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    assert ["exec,cpu,convolution," in lines for lines in (forked, with_it)] == [False, True]
