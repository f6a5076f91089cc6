"""A store on an fsspec URL: two machines share it, each with its own mirror."""

import shutil
import uuid

import fsspec
import pytest

from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.remote import Remote
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.errors import StoreError
from tests.pipelines.chain import MakeConfig, Number, chain


@pytest.fixture
def url():
    name = f"memory://bucket-{uuid.uuid4().hex}"
    yield name
    fsspec.filesystem("memory").rm(name.removeprefix("memory:/"), recursive=True)


def machine(url, folder) -> Store:
    return Store(folder, Remote(url, folder))


def test_what_one_machine_made_another_takes(url, tmp_path):
    here, there = machine(url, tmp_path / "here"), machine(url, tmp_path / "there")
    first = here.run("chain", "r1")
    first.begin("test", {"one.value": 4})
    run_all(chain(one=MakeConfig(value=4)), first)
    assert [r.folder for r in there.runs("chain")] == ["r1"]
    assert there.find_run("chain", None).load("three", Number).value == 6
    second = there.run("chain", "r2")
    assert set(run_all(chain(one=MakeConfig(value=4)), second).values()) == {"cached"}
    shutil.rmtree(here.root)
    assert here.run("chain", "r2").load("three", Number).value == 6


def test_a_folder_without_its_manifest_is_not_there(url, tmp_path):
    here, there = machine(url, tmp_path / "here"), machine(url, tmp_path / "there")
    run_all(chain(), here.run("chain", "r1"))
    fs = fsspec.filesystem("memory")
    fs.rm(f"{url.removeprefix('memory:/')}/runs/chain/r1/two/manifest.json")
    assert there.run("chain", "r1").manifest("two") is None
    assert there.run("chain", "r1").manifest("one") is not None


def test_the_completing_file_goes_up_last(url, tmp_path, monkeypatch):
    sent = []
    fs = fsspec.filesystem("memory")
    keep = type(fs).put_file
    monkeypatch.setattr(type(fs), "put_file", lambda self, a, b, **k: (sent.append(b), keep(self, a, b, **k)))
    here = machine(url, tmp_path / "here")
    folder = here.root / "serving" / "m" / "1"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "fingerprint.pb"):
        (folder / name).write_text("x")
    (folder.parent / "versions.json").write_text("{}")
    here.remote.push_version(folder)
    assert [name.rpartition("/")[2] for name in sent].index("saved_model.pb") == 2 and len(sent) == 4
    there = machine(url, tmp_path / "there")
    there.remote.pull_versions("serving")
    assert sorted(p.name for p in (there.root / "serving" / "m" / "1").iterdir()) == [
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    ]
    assert (there.root / "serving" / "m" / "versions.json").is_file()


def test_an_unknown_kind_of_url_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KILNWORKS_MIRROR", str(tmp_path))
    with pytest.raises(StoreError, match="nonsense"):
        Store.at("nonsense://x").runs("chain")


def test_a_file_url_is_a_plain_folder(tmp_path):
    assert Store.at(f"file://{tmp_path}") == Store(tmp_path)
    assert Store.at(str(tmp_path)) == Store(tmp_path)


def test_a_store_whose_name_is_a_pattern_is_that_store(tmp_path):
    import fsspec

    files = fsspec.filesystem("memory")
    for base in ("/we[1]rd", "/we1rd"):
        for name in ("run.json", "a/manifest.json"):
            files.pipe(f"{base}/runs/t/r/{name}", base.encode())
    remote = Remote("memory://we[1]rd", tmp_path / "mirror")
    remote.fetch_records(tmp_path / "records")
    assert (tmp_path / "records/runs/t/r/run.json").read_bytes() == b"/we[1]rd"
    remote.remove("runs/t/r")
    assert files.find("/we[1]rd") == [] and len(files.find("/we1rd")) == 2
