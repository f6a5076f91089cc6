"""Versions that come and go, labels and reload, with a loader that loads nothing."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.versions import states
from kilnworks.components.serving.versions.core import CoreSettings, ServerCore
from kilnworks.components.serving.versions.manager import LoadSettings, VersionManager
from kilnworks.components.serving.versions.model_config import config_of
from kilnworks.components.serving.versions.states import StateMonitor
from kilnworks.components.serving.versions.store_models import base_paths
from kilnworks.components.serving.wire.values import ModelSpecRef
from tests.components.serving.versions.fake_loader import FakeLoader, eventually, publish


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


class Counted(ServerCore):
    """Counts how often it has looked at the base paths."""

    looks = 0

    def _poll_once(self) -> None:
        super()._poll_once()
        self.looks += 1

    def look_again(self) -> None:
        """Wait for a look that began after this call."""
        before = self.looks
        eventually(lambda: self.looks > before + 1)


@pytest.fixture
def core(loader: FakeLoader) -> Iterator[Counted]:
    core = Counted(loader, CoreSettings(poll_seconds=0.02, load=LoadSettings(retries=0)))
    yield core
    core.close()


def state_of(core: ServerCore, model: str) -> dict[int, str]:
    return {status.version: status.state for status in core.monitor.versions(model)}


def latest(core: ServerCore, model: str) -> int:
    with core.acquire(ModelSpecRef(model)) as servable:
        return servable.version


def config(name: str, base: Path, **fields: object) -> object:
    made = config_of({name: str(base)})
    proto = made.model_config_list.config[0]
    for key, value in fields.items():
        if key == "labels":
            proto.version_labels.update(value)
        elif key == "specific":
            proto.model_version_policy.specific.versions.extend(value)
        elif key == "latest":
            proto.model_version_policy.latest.num_versions = value
        elif key == "all":
            proto.model_version_policy.all.SetInParent()
    return made


def test_the_newest_version_replaces_the_old_one(core: ServerCore, loader: FakeLoader, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    assert latest(core, "m") == 1
    publish(tmp_path, 2)
    eventually(lambda: state_of(core, "m") == {2: states.AVAILABLE, 1: states.END})
    assert latest(core, "m") == 2
    assert loader.closed == [1]


def test_the_old_version_serves_until_the_new_one_is_available(
    core: ServerCore, loader: FakeLoader, tmp_path: Path
) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    loader.slow[2] = threading.Event()
    publish(tmp_path, 2)
    eventually(lambda: state_of(core, "m").get(2) == states.LOADING)
    assert latest(core, "m") == 1
    loader.slow[2].set()
    eventually(lambda: latest(core, "m") == 2)


def test_a_broken_version_leaves_the_old_one_up_and_keeps_its_error(
    core: Counted, loader: FakeLoader, tmp_path: Path
) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    loader.broken.add(2)
    publish(tmp_path, 2)
    eventually(lambda: state_of(core, "m").get(2) == states.END)
    core.look_again()
    assert latest(core, "m") == 1
    assert loader.loads.count(("m", 2)) == 1, "a version that ended in error is not tried again"
    [broken] = core.status(ModelSpecRef("m", version=2))
    assert (broken.code, broken.message) == (Code.DATA_LOSS, "version 2 is broken")
    publish(tmp_path, 3)
    eventually(lambda: latest(core, "m") == 3)


def test_failed_loads_are_retried_while_wanted(loader: FakeLoader, tmp_path: Path) -> None:
    loader.broken.add(1)
    monitor = StateMonitor()
    manager = VersionManager(loader, monitor, LoadSettings(retries=2, retry_seconds=0.01))
    manager.aspire("m", {1: "x"})
    eventually(lambda: [s.state for s in monitor.versions("m")] == [states.END])
    assert loader.loads == [("m", 1)] * 3
    manager.close()


def test_a_retry_stops_when_the_version_is_no_longer_wanted(loader: FakeLoader) -> None:
    loader.broken.add(1)
    monitor = StateMonitor()
    manager = VersionManager(loader, monitor, LoadSettings(retries=5, retry_seconds=60))
    manager.aspire("m", {1: "x"})
    eventually(lambda: len(loader.loads) == 1)
    manager.aspire("m", {})
    eventually(lambda: [s.state for s in monitor.versions("m")] == [states.END])
    assert [s.code for s in monitor.versions("m")] == [Code.DATA_LOSS]
    manager.close()


def test_requests_finish_on_their_version(core: ServerCore, loader: FakeLoader, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    with core.acquire(ModelSpecRef("m")):
        publish(tmp_path, 2)
        eventually(lambda: state_of(core, "m") == {2: states.AVAILABLE, 1: states.UNLOADING})
        with pytest.raises(ServingError, match=r"Specific\(m, 1\)"):
            core.acquire(ModelSpecRef("m", version=1))
        assert loader.closed == []
    eventually(lambda: loader.closed == [1])


def test_a_version_that_is_wanted_back_while_it_unloads_is_loaded_again(
    core: Counted, loader: FakeLoader, tmp_path: Path
) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path, specific=[1]), 10)
    held = core.acquire(ModelSpecRef("m"))
    core.reload(config("m", tmp_path, specific=[2]), 10)
    eventually(lambda: state_of(core, "m") == {1: states.UNLOADING})
    core.reload(config("m", tmp_path, specific=[1]), 10)
    core.look_again()
    assert loader.loads == [("m", 1)]
    held.release()
    eventually(lambda: state_of(core, "m") == {1: states.AVAILABLE})
    assert loader.loads == [("m", 1)] * 2


def test_the_unloading_of_a_model_that_is_taken_back_is_no_failure() -> None:
    monitor = StateMonitor()
    for state in (states.START, states.AVAILABLE, states.UNLOADING):
        monitor.publish("m", 1, state)
    since = monitor.events()
    for state in (states.END, states.START, states.LOADING):
        monitor.publish("m", 1, state)
        with pytest.raises(ServingError, match="Deadline"):
            monitor.wait_until_available(["m"], since, timeout_seconds=0)
    monitor.publish("m", 1, states.AVAILABLE)
    monitor.wait_until_available(["m"], since, timeout_seconds=0)


def test_an_empty_base_path_unloads_everything_a_missing_one_nothing(core: Counted, tmp_path: Path) -> None:
    base = tmp_path / "m"
    publish(base, 1)
    core.reload(config("m", base), 10)
    base.rename(tmp_path / "elsewhere")
    core.look_again()
    assert latest(core, "m") == 1
    base.mkdir()
    eventually(lambda: state_of(core, "m") == {1: states.END})
    with pytest.raises(ServingError, match=r"Latest\(m\)"):
        core.acquire(ModelSpecRef("m"))


def test_uris_are_local_folders_or_nothing(core: ServerCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path / "s3:" / "m", 1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServingError, match="Deadline"):
        core.reload(config_of({"m": "s3://m"}), 0.2)
    core.reload(config_of({"n": f"file://{tmp_path}/s3:/m"}), 10)
    assert latest(core, "n") == 1


def test_a_base_path_that_comes_later_is_taken_up(core: ServerCore, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        core.reload(config("m", tmp_path / "later"), 0.1)
    publish(tmp_path / "later", 5)
    eventually(lambda: state_of(core, "m") == {5: states.AVAILABLE})


def test_models_left_out_of_a_reload_are_unloaded(core: ServerCore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        publish(tmp_path / name, 1)
    core.reload(config_of({"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}), 10)
    core.reload(config_of({"b": str(tmp_path / "b")}), 10)
    eventually(lambda: state_of(core, "a") == {1: states.END})
    assert latest(core, "b") == 1


def test_a_new_model_that_ends_in_error_fails_the_reload(core: ServerCore, loader: FakeLoader, tmp_path: Path) -> None:
    loader.broken.add(1)
    publish(tmp_path, 1)
    with pytest.raises(ServingError) as caught:
        core.reload(config("m", tmp_path), 10)
    assert caught.value.code is Code.UNKNOWN
    assert caught.value.text == (
        "1 model(s) did not become available: {{{name: m version: 1} due to error: DATA_LOSS: version 1 is broken}, }"
    )


def test_changing_the_policy_returns_at_once_and_acts(core: ServerCore, tmp_path: Path) -> None:
    publish(tmp_path, 1, 2, 3)
    core.reload(config("m", tmp_path), 10)
    core.reload(config("m", tmp_path, latest=2), 10)
    eventually(lambda: state_of(core, "m") == {3: states.AVAILABLE, 2: states.AVAILABLE})
    core.reload(config("m", tmp_path, all=True), 10)
    eventually(lambda: set(state_of(core, "m").values()) == {states.AVAILABLE})
    core.reload(config("m", tmp_path, specific=[1]), 10)
    eventually(lambda: state_of(core, "m") == {1: states.AVAILABLE, 2: states.END, 3: states.END})


def by_label(core: ServerCore, label: str) -> int:
    with core.acquire(ModelSpecRef("m", label=label)) as servable:
        return servable.version


def test_labels_need_an_available_version(core: ServerCore, tmp_path: Path) -> None:
    publish(tmp_path, 1, 2)
    with pytest.raises(ServingError, match="not currently available"):
        core.reload(config("m", tmp_path, all=True, labels={"stable": 1}), 10)
    assert core.models() == ()
    core.reload(config("m", tmp_path, all=True), 10)
    eventually(lambda: len(core.monitor.available("m")) == 2)
    core.reload(config("m", tmp_path, all=True, labels={"stable": 1, "canary": 2}), 10)
    assert (by_label(core, "stable"), by_label(core, "canary")) == (1, 2)
    with pytest.raises(ServingError, match="version 9 of model m"):
        core.reload(config("m", tmp_path, all=True, labels={"stable": 9}), 10)
    assert by_label(core, "stable") == 1
    core.reload(config("m", tmp_path, all=True, labels={"stable": 2}), 10)
    assert by_label(core, "stable") == 2
    with pytest.raises(ServingError, match="Unrecognized servable version label: canary"):
        core.acquire(ModelSpecRef("m", label="canary"))


def test_new_labels_may_come_first_when_allowed(loader: FakeLoader, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    settings = CoreSettings(poll_seconds=0.02, labels_for_unavailable=True)
    core = ServerCore(loader, settings)
    core.reload(config("m", tmp_path, labels={"stable": 1, "next": 5}), 10)
    assert by_label(core, "stable") == 1
    with pytest.raises(ServingError, match=r"Specific\(m, 5\)"):
        core.acquire(ModelSpecRef("m", label="next"))
    with pytest.raises(ServingError, match="version 7"):
        core.reload(config("m", tmp_path, labels={"stable": 7}), 10)
    core.close()


def test_a_poll_interval_of_zero_looks_once_for_each_configuration(loader: FakeLoader, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    core = ServerCore(loader, CoreSettings(poll_seconds=0))
    core.reload(config("m", tmp_path), 10)
    publish(tmp_path, 2)
    time.sleep(0.1)
    assert state_of(core, "m") == {1: states.AVAILABLE}
    core.reload(config("m", tmp_path), 10)
    eventually(lambda: state_of(core, "m").get(2) == states.AVAILABLE)
    core.close()


def test_names_that_look_like_paths_are_only_names(core: ServerCore, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    for name in ("../m", "m/1", "/etc", "m\0", "."):
        with pytest.raises(ServingError) as caught:
            core.acquire(ModelSpecRef(name))
        assert caught.value.code is Code.NOT_FOUND


@pytest.mark.slow
def test_traffic_never_misses_while_versions_come_and_go(core: ServerCore, loader: FakeLoader, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    core.reload(config("m", tmp_path), 10)
    stop, missed = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                with core.acquire(ModelSpecRef("m")) as servable:
                    if servable.version in loader.closed:
                        missed.append("closed under the request")
            except ServingError as error:
                missed.append(error.text)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(2, 12):
        publish(tmp_path, version)
        eventually(lambda version=version: state_of(core, "m").get(version) == states.AVAILABLE)
    stop.set()
    for thread in threads:
        thread.join()
    assert missed == []


def test_the_store_offers_every_folder_with_a_version(tmp_path: Path) -> None:
    publish(tmp_path / "churn", 1)
    publish(tmp_path / "digits", 12)
    (tmp_path / "empty").mkdir()
    publish(tmp_path / ".staging", 1)
    (tmp_path / "file").write_text("")
    assert base_paths(tmp_path) == {"churn": str(tmp_path / "churn"), "digits": str(tmp_path / "digits")}
    assert base_paths(tmp_path / "nowhere") == {}
