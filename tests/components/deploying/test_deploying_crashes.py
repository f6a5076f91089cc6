"""Two processes at once, kill -9, a read-only base path and a full disk: nothing half-written is ever a version."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from kilnworks.components.serving.versions.model_config import ServedModel
from kilnworks.components.serving.versions.store_models import base_paths
from kilnworks.components.serving.versions.version_source import aspired_versions
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.errors import StoreError
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.published import interrupted, published
from tests.components.deploying.deploying_models import names, run_deploy, servable, whole
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def _process(store, made, out, times, *server):
    command = [
        sys.executable,
        "-m",
        "tests.components.deploying.deploying_models",
        str(store),
        str(made.path),
        str(out),
    ]
    process = subprocess.Popen([*command, str(times), *server], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_two_processes_publish_at_once(tmp_path):
    store, made = tmp_path / "store", servable(tmp_path / "s", size=20_000)
    processes = [_process(store, made, tmp_path / name, 10) for name in ("a", "b")]
    for process in processes:
        assert process.wait(60) == 0
        process.stdout.close()
    base = store / "serving" / "churn"
    assert sorted(int(n) for n in names(base) if n.isdigit()) == list(range(1, 21))
    assert all(whole(base / str(v), made) for v in range(1, 21))
    seen = [read_json(tmp_path / p / str(i) / "deployment.json")["version"] for p in "ab" for i in range(10)]
    assert sorted(seen) == list(range(1, 21))
    assert read_champion(store, "churn").version == 20


def staged(base: Path) -> set[str]:
    """What is being copied there, or was when a process was killed."""
    return {n for n in names(base) if n.startswith(".stage-")} if base.is_dir() else set()


def stopped_while_it_copies(process: subprocess.Popen, base: Path) -> bool:
    """Whether the process was caught, and holds still, with a copy that is not whole in sight."""
    known, end = staged(base), time.monotonic() + LONG_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if staged(base) <= known:
            continue
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        if staged(base) - known:
            return True
        process.send_signal(signal.SIGCONT)
    return False


def test_kill_9_at_any_moment_leaves_whole_versions_only(tmp_path):
    store, made = tmp_path / "store", servable(tmp_path / "s", size=3_000_000)
    base = store / "serving" / "churn"
    chance = random.Random(0)
    for attempt in range(8):
        process = _process(store, made, tmp_path / f"k{attempt}", 100_000)
        caught = attempt % 2 == 0 or stopped_while_it_copies(process, base)
        time.sleep(chance.uniform(0.0, 0.12))
        process.kill()
        process.wait()
        process.stdout.close()
        assert caught
        assert all(whole(base / n, made) for n in names(base) if n.isdigit()) if base.is_dir() else True
        if (store / "champions" / "churn.json").is_file():
            assert whole(Path(read_champion(store, "churn").path), made)
    deployment = run_deploy(store, made, tmp_path / "after", keep=1000)
    assert whole(Path(deployment.description["path"]), made)
    assert deployment.description["version"] == max(int(n) for n in names(base) if n.isdigit())
    assert not [n for n in names(base) if n.startswith(".stage-")]


def test_a_version_whose_deployment_was_killed_before_it_was_the_champion_is_not_served(tmp_path):
    """It is served while its deployment waits for the server to have it, and gone with the next deployment."""
    store, made = tmp_path / "store", servable(tmp_path / "s")
    base = store / "serving" / "churn"
    run_deploy(store, made, tmp_path / "1")
    with socket.socket() as nobody_answers:
        nobody_answers.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{nobody_answers.getsockname()[1]}"
        process = _process(store, made, tmp_path / "k", 1, server)
        assert until(lambda: (base / "2").is_dir() or process.poll() is not None)
        assert process.poll() is None
        assert served(base) == {2}
        process.kill()
        process.wait()
        process.stdout.close()
    assert read_champion(store, "churn").version == 1
    assert served(base) == {1} and interrupted(base) == [2]
    assert run_deploy(store, made, tmp_path / "3").description["version"] == 3
    assert published(base) == [1, 3] and interrupted(base) == []


def test_a_killed_first_deployment_is_no_model(tmp_path):
    store, made = tmp_path / "store", servable(tmp_path / "s")
    run_deploy(store, made, tmp_path / "1")
    assert list(base_paths(store / "serving")) == ["churn"]
    (store / "champions/churn.json").unlink()
    shutil.rmtree(store / "promotions")
    assert base_paths(store / "serving") == {}


def test_versions_that_others_published_are_served_whatever_the_ledger_says(tmp_path):
    store, made = tmp_path / "store", servable(tmp_path / "s")
    base = store / "serving" / "churn"
    run_deploy(store, made, tmp_path / "1")
    shutil.copytree(base / "1", base / "2")
    assert served(base) == {2}
    earlier = {"highest": 3, "published": [{"version": 3, "pipeline": "churn", "run_id": "r3"}]}  # of release 0.1.0
    for content in (earlier, [], {"published": [{"version": "x"}]}):
        write_json(base / ".versions.json", content)
        assert served(base) == {2}


def served(base: Path) -> set[int]:
    """The versions of a base path that a server with the default policy aspires to."""
    return set(aspired_versions([ServedModel("churn", str(base))])["churn"])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, and a function that makes it read-only."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {made.stderr.strip()}")
    yield mount, lambda: subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_leaves_the_champion_and_no_stage(tmp_path, small_disk):
    store, (disk, _) = tmp_path / "store", small_disk
    run_deploy(store, servable(tmp_path / "small", size=1000), tmp_path / "1", base_path=disk)
    with pytest.raises(StoreError, match="No space left on device"):
        run_deploy(store, servable(tmp_path / "big", size=900_000), tmp_path / "2", base_path=disk)
    assert names(disk) == [".lock", ".versions.json", "1"]
    assert read_champion(store, "churn").version == 1
    small = servable(tmp_path / "small2", size=1000)
    assert run_deploy(store, small, tmp_path / "3", base_path=disk).description["version"] == 3


def test_a_read_only_base_path_is_named_and_the_champion_stays(tmp_path, small_disk):
    store, (disk, make_read_only) = tmp_path / "store", small_disk
    run_deploy(store, servable(tmp_path / "s"), tmp_path / "1", base_path=disk)
    make_read_only()
    with pytest.raises(StoreError, match=f"cannot publish under {disk}: Read-only file system"):
        run_deploy(store, servable(tmp_path / "s2"), tmp_path / "2", base_path=disk)
    assert read_champion(store, "churn").version == 1


@pytest.fixture
def unprivileged():
    """A folder of a user who is not root: root may write anywhere."""
    with tempfile.TemporaryDirectory(prefix="kilnworks-deploy-") as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, nobody, -1)
        os.seteuid(nobody)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def test_a_base_path_without_permission_is_named(unprivileged):
    (unprivileged / "b").mkdir(mode=0o555)
    made = servable(unprivileged / "s")
    with pytest.raises(StoreError, match="Permission denied"):
        run_deploy(unprivileged / "store", made, unprivileged / "o", base_path=unprivileged / "b")
