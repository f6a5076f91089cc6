"""Ctrl-C and kill -9 at every step, a full disk, a store that cannot be written: a clear error, nothing half there."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilnworks.pipelines.core.manifest import damage, load_manifest
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from tests import forked, preloaded
from tests.forked import Forked

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
STEPS = [step.name for step in load("churn").steps]
FAST = ["--set", "model.epochs=2", "--set", "evaluation.min={}", "--set", "checked.data_docs=false", "--promote"]


def words(store: Path) -> list[str]:
    return ["kilnworks", "run", "churn", "--run-id", "r", "--store", str(store), *FAST]


def command(store: Path) -> list[str]:
    return [*preloaded.python(), "-m", *words(store)]


def started(store: Path, how: signal.Signals) -> Forked | subprocess.Popen[str]:
    """A process of its own; one that is to be killed is the one that is started."""
    if how == signal.SIGKILL:
        return forked.command(*words(store), cwd=ROOT, env=os.environ)
    return subprocess.Popen(command(store), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def stop_at(step: str, store: Path, how: signal.Signals) -> tuple[int, str]:
    """Run until ``step`` begins, send the signal; exit code and what was printed."""
    child = started(store, how)
    printed, sent = [], False
    for line in child.stdout:
        printed.append(line)
        if line.startswith(f"{step}: running") and not sent:
            child.send_signal(how)
            sent = True
    child.stdout.close()
    return child.wait(timeout=120), "".join(printed)


def check_nothing_is_half_there(store: Path) -> None:
    """Every directory that counts as an artifact is whole; the champion points at a whole version."""
    run = Store(store).run("churn", "r")
    for step in STEPS:
        manifest = load_manifest(run.step_path(step))
        assert manifest is None or damage(run.step_path(step), manifest) is None
    champion = store / "champions" / "churn.json"
    if champion.is_file():
        assert (Path(json.loads(champion.read_text())["path"]) / "saved_model.pb").is_file()
    for version in (store / "serving" / "churn").glob("[0-9]*"):
        assert (version / "saved_model.pb").is_file() and (version / "assets.extra" / "contract.json").is_file()


BOTH = {step: [signal.SIGINT, signal.SIGKILL] for step in STEPS}
IN_TURN = {step: [how[i % 2]] for i, (step, how) in enumerate(BOTH.items())}
"""Each step is stopped by one of the signals, its neighbours by the other."""


@pytest.mark.parametrize("stops", [IN_TURN, pytest.param(BOTH, marks=pytest.mark.nightly)], ids=["in turn", "both"])
def test_stopped_at_every_step_it_resumes_to_the_end(tmp_path, stops):
    store = tmp_path / "store"
    for step, how in ((step, how) for step, signals in stops.items() for how in signals):
        code, printed = stop_at(step, store, how)
        assert code in ({signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}[how], 0), printed
        assert "Traceback" not in printed
        if code == 130:
            assert "resume   kilnworks run churn --run-id r" in printed
            assert not list(store.rglob("*.partial"))
        check_nothing_is_half_there(store)
    done = subprocess.run(command(store), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(Store(store).run("churn", "r").manifest(step) for step in STEPS)
    check_nothing_is_half_there(store)
    assert not list(store.rglob("*.partial"))


@pytest.fixture(params=["1m"])
def small_disk(tmp_path, request) -> Iterator[Path]:
    """A file system of a megabyte or less."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "small_disk", [*(pytest.param(size, marks=pytest.mark.nightly) for size in ("64k", "512k")), "1m"], indirect=True
)
def test_a_full_disk_is_named_and_leaves_nothing_half(small_disk):
    store = small_disk / "store"
    done = subprocess.run(command(store), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "no space left on" in done.stderr.lower() and "to do:" in done.stderr
    assert "Traceback" not in done.stderr
    check_nothing_is_half_there(store)


def test_a_read_only_store_is_refused_before_anything_runs(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = subprocess.run(command(small_disk / "store"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "read-only" in done.stderr and "examples" not in done.stdout
    assert not list(small_disk.iterdir())
