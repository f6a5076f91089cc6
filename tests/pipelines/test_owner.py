"""A remote store has one host that publishes, approves, retrains and prunes; every other one is told so."""

import json
import threading
import uuid
from pathlib import Path

import fsspec
import pytest

from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.pipelines.core.approval import approved_settings, record_answer
from kilnworks.pipelines.core.execute import run_all, run_step
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.owner import OWNER, follow_published, owner_of, require_owner
from kilnworks.pipelines.core.records import newest_runs, whole_run
from kilnworks.pipelines.core.remote import Remote
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.artifacts import Evaluation, Servable
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import NotTheOwner, StoreError
from kilnworks.schemas.files import write_json


class MakeConfig(Config):
    mark: str = "a"


def judge(config: MakeConfig, out: Path) -> Evaluation:
    write_json(out / "evaluation.json", {"metrics": {"auc": {"value": 0.75}}})
    return Evaluation(out)


def export(config: MakeConfig, evaluation: Evaluation, out: Path) -> Servable:
    (out / "model" / "variables").mkdir(parents=True)
    (out / "model" / "variables" / "data").write_text(config.mark * 10)
    (out / "model" / "saved_model.pb").write_text(config.mark)
    write_json(out / "servable.json", {"metrics": {}, "signatures": {}})
    return Servable(out)


def published(mark: str = "a", keep: int = 5) -> Pipeline:
    return Pipeline(
        "small",
        (
            Step("evaluation", judge, MakeConfig(mark=mark)),
            Step("servable", export, MakeConfig(mark=mark), {"evaluation": "evaluation"}),
            Step("deployment", deploy, DeployConfig(keep=keep), {"servable": "servable"}),
        ),
    )


@pytest.fixture
def url():
    name = f"memory://bucket-{uuid.uuid4().hex}"
    yield name
    fsspec.filesystem("memory").rm(name.removeprefix("memory:/"), recursive=True)


@pytest.fixture
def hosts(url, tmp_path) -> tuple[Store, Store]:
    return tuple(Store(tmp_path / name, Remote(url, tmp_path / name)) for name in ("here", "there"))


def versions(store: Store) -> list[str]:
    assert store.remote is not None
    return [name for name in store.remote.children("serving/small") if name.isdecimal()]


def run(store: Store, run_id: str, pipeline: Pipeline | None = None, **options) -> dict[str, str]:
    this = store.run("small", run_id)
    this.begin("test", {})
    return run_all(pipeline or published(), this, **options)


def test_the_second_host_is_refused_before_anything_runs_and_may_do_all_else(hosts):
    here, there = hosts
    run(here, "r1")
    with pytest.raises(NotTheOwner, match="belongs to") as caught:
        run(there, "r2", published("b"))
    assert caught.value.exit_code == 1 and "--to STEP" in caught.value.fix
    assert not (there.root / "runs/small/r2/evaluation").exists()
    assert run(there, "r3", published("b"), selected=["evaluation", "servable"])["servable"] == "done"
    with pytest.raises(NotTheOwner):
        run_step(published("b"), "deployment", there.run("small", "r3"))
    assert versions(here) == ["1"]
    assert run(here, "r4", published("c"))["deployment"] == "done"
    assert versions(here) == ["1", "2"]


def test_of_two_hosts_that_deploy_at_once_one_is_refused_and_no_number_is_used_twice(hosts):
    ended: list[str] = []

    def begin(store: Store, name: str) -> None:
        try:
            ended.append(run(store, name, published(name))["deployment"])
        except NotTheOwner:
            ended.append("refused")

    threads = [threading.Thread(target=begin, args=(s, n)) for s, n in zip(hosts, "xy", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["done", "refused"]
    assert versions(hosts[0]) == ["1"]


def test_a_host_is_its_mirror_and_a_store_without_an_owner_can_be_taken(hosts, url):
    here, there = hosts
    require_owner(here, "testing")
    require_owner(Store(here.root, Remote(url, here.root)), "testing")
    with pytest.raises(NotTheOwner, match="testing from this host"):
        require_owner(there, "testing")
    fsspec.filesystem("memory").rm(f"{url.removeprefix('memory:/')}/{OWNER}")
    require_owner(there, "testing")
    assert owner_of(there) is not None
    with pytest.raises(NotTheOwner):
        require_owner(here, "testing")


def test_a_host_that_took_over_goes_on_with_the_numbers(hosts, url):
    here, there = hosts
    run(here, "r1")
    run(here, "r2", published("b"))
    fsspec.filesystem("memory").rm(f"{url.removeprefix('memory:/')}/{OWNER}")
    run(there, "r3", published("c", keep=1))
    assert versions(there) == ["2", "3"], "the champion until then is kept"
    assert read_champion(there.root, "small").version == 3


def test_the_doctor_says_who_publishes(hosts):
    from kilnworks.pipelines.cli.doctor import _store as checked

    here, there = hosts
    assert "no host publishes yet" in checked(here).found
    require_owner(here, "testing")
    assert "this host publishes" in checked(here).found
    assert "another host, since" in checked(there).found


def test_a_local_store_has_no_owner(tmp_path):
    require_owner(Store(tmp_path), "testing")
    assert list(tmp_path.iterdir()) == []


def test_an_approval_is_for_the_owner_and_its_settings_reach_every_host(hosts):
    here, there = hosts
    record_answer(
        here.run("small", "r1"), "deployment", approved=True, by="a", comment="", settings={"deployment.keep": 3}
    )
    assert approved_settings(there.run("small", "r1"), ["servable", "deployment"]) == {"deployment.keep": 3}
    with pytest.raises(NotTheOwner, match="answering"):
        record_answer(there.run("small", "r1"), "deployment", approved=True, by="b", comment="", settings={})
    here.run("small", "r1").record("servable", "skipped", reason="closed")
    assert (there.run("small", "r1").outcome("servable") or {})["reason"] == "closed"


def test_another_host_sees_runs_figures_and_what_is_live(hosts):
    from kilnworks.components.reporting.summary import run_summary

    here, there = hosts
    run(here, "r1")
    run(here, "r2", published("b"))
    with newest_runs(there, "small", 20) as found:
        seen = [run_summary(one.path) for one in found]
    with newest_runs(here, "small", 20) as found:
        assert [run_summary(one.path) for one in found] == seen
    assert [(s["run_id"], s["outcome"], s["metrics"], s["champion"]) for s in seen] == [
        ("r2", "done", {"auc": 0.75}, True),
        ("r1", "done", {"auc": 0.75}, False),
    ]
    assert not (there.root / "runs/small/r2/evaluation").exists(), "no half artifact in the mirror"
    with whole_run(there.run("small", "r2")) as one:
        assert json.loads((one.path / "evaluation/evaluation.json").read_text())["metrics"]["auc"]["value"] == 0.75


def test_another_host_follows_what_is_published_and_withdrawn(hosts):
    here, there = hosts
    run(here, "r1")
    follow_published(there)
    folder = there.root / "serving/small"
    assert (folder / "1/variables/data").read_text() == "aaaaaaaaaa"
    there.pull("champions/small.json")
    assert read_champion(there.root, "small").path == str(folder / "1")
    for i, mark in enumerate("bc", 2):
        run(here, f"r{i}", published(mark, keep=1))
    follow_published(there)
    assert sorted(p.name for p in folder.iterdir() if p.name.isdecimal()) == ["2", "3"] == versions(here)


def test_a_version_that_is_still_being_sent_is_not_taken(hosts, url):
    here, there = hosts
    run(here, "r1")
    fs, place = fsspec.filesystem("memory"), f"{url.removeprefix('memory:/')}/serving/small/1/saved_model.pb"
    content = fs.cat_file(place)
    fs.rm(place)
    follow_published(there)
    assert not (there.root / "serving/small/1").exists()
    fs.pipe_file(place, content)
    follow_published(there)
    assert (there.root / "serving/small/1/saved_model.pb").read_bytes() == content


def test_a_store_that_cannot_be_reached_is_said_in_words(tmp_path, monkeypatch):
    store = Store(tmp_path, Remote("memory://x", tmp_path))

    def broken(*_: object, **__: object) -> None:
        raise ValueError("no credentials")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "exists", broken)
    with pytest.raises(StoreError, match="memory://x: ValueError: no credentials"):
        store.runs("small")
