"""Files of a store are for their owner alone, unless the environment says otherwise."""

import os
import stat
import threading
import time

import numpy as np
import pytest

from kilnworks.components.retraining.ledger import opened
from kilnworks.components.serving.prediction_log.files import LogSettings
from kilnworks.components.serving.prediction_log.writer import PredictionLogWriter
from kilnworks.components.serving.wire.values import Predicted
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.approval import record_answer
from kilnworks.pipelines.core.owner import this_host
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.access import create_private, make_private_folder, private_files
from tests.components.serving.prediction_log.test_prediction_log_files import Lines

DEFINITION = """
from kilnworks.pipelines.core.graph import Pipeline, Step
from tests.pipelines.planted import CallConfig, call

SHOP = Pipeline("shop", (Step("call", call, CallConfig(url="sqlite://")),))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("access", "closed"), [(None, 0o077), ("group", 0o007), ("system", 0o022)])
def test_modes_of_a_store(access, closed, tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "schemas/contracts").mkdir(parents=True)
    (tmp_path / "pipelines/shop.py").write_text(DEFINITION)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    if access:
        monkeypatch.setenv("KILNWORKS_STORE_ACCESS", access)
    before = os.umask(0o022)
    try:
        assert main(["run", "shop"]) == 0
        assert os.umask(0o022) == 0o022, "the process has its own again"
    finally:
        os.umask(before)
    paths = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert len(paths) > 10 and {mode & closed for mode in modes.values()} == {0}
    assert any(mode & 0o077 & ~closed for mode in modes.values()) or closed == 0o077


def test_another_word_is_refused(monkeypatch, capfd):
    monkeypatch.setenv("KILNWORKS_STORE_ACCESS", "everybody")
    assert main(["run", "churn"]) == 2
    assert "owner, group or system" in capfd.readouterr().err


def readable(root):
    """What others than the owner could read, write or enter."""
    paths = [path for path in (root, *root.rglob("*")) if not path.is_symlink()]
    assert len(paths) > 1
    return [path for path in paths if path.stat().st_mode & 0o077]


@pytest.fixture
def open_umask():
    """A process whose files everybody may read, as most are started."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022, "the process has its own again"


def test_what_is_written_outside_of_the_commands_is_private_too(tmp_path, open_umask):
    """As the processes of Airflow and the model server write it: runs, answers, ledgers, notes, logs of predictions."""
    store = Store(tmp_path / "store")
    store.check_writable()
    run = store.run("churn", "r1")
    run.begin("test", {})
    run.record("model", "done", seconds=1.0)
    record_answer(run, "deployment", approved=False, by="somebody", comment="no", settings={})
    this_host(store.root)
    with opened(store.root, "churn") as ledger:
        ledger.decisions = 1
    store.remember("f" * 64, run.path)
    log = PredictionLogWriter(LogSettings(store.root / "served" / "log", 1.0), Lines)
    log.log_predict({"x": np.ones(1, np.float32)}, Predicted("m", 3, "serving_default", {"y": np.ones(1)}))
    log.close()
    assert list(store.root.rglob("*.tfrecord"))
    assert readable(store.root) == []


def test_what_is_fetched_from_a_remote_store_is_private_too(tmp_path, open_umask, monkeypatch):
    run = Store(tmp_path / "far").run("churn", "r1")
    run.begin("test", {})
    for path in (tmp_path / "far").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    monkeypatch.setenv("KILNWORKS_MIRROR", str(tmp_path / "mirror"))
    near = Store.at(f"memory://{tmp_path.name}")
    assert near.remote is not None
    for path in sorted(p for p in (tmp_path / "far").rglob("*") if p.is_file()):
        near.remote._remote[0].pipe_file(f"{near.remote._remote[1]}/{path.relative_to(tmp_path / 'far')}", b"{}")
    near.pull("runs/churn/r1")
    assert (near.root / "runs/churn/r1/run.json").is_file()
    assert readable(near.root / "runs") == []


def test_many_threads_leave_the_umask_as_it_was(tmp_path, open_umask):
    """Blocks that overlap end in any order; while one runs, none of its files is open to others."""
    gate, paths = threading.Barrier(8), []

    def write(number):
        gate.wait()
        for turn in range(40):
            with private_files():
                paths.append(tmp_path / f"{number}-{turn}")
                paths[-1].touch()
                time.sleep(0.0005 * (number % 3))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 320 and not [path for path in paths if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(("access", "file", "folder"), [("group", 0o660, 0o770), ("system", 0o644, 0o755)])
def test_a_prediction_log_keeps_to_the_setting(access, file, folder, tmp_path, open_umask, monkeypatch):
    monkeypatch.setenv("KILNWORKS_STORE_ACCESS", access)
    make_private_folder(tmp_path / "a" / "b")
    create_private(tmp_path / "a" / "b" / "log")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/log")]
    assert modes == [folder, folder, file]
