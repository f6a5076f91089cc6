"""The files of a retraining: where they are looked for, which are set aside and why, and who is told."""

import json
import re
import shutil
from pathlib import Path

import pytest

from kilnworks.components.reporting.report import render_report
from kilnworks.components.retraining.aside import bring_back
from kilnworks.components.retraining.ledger import folder, read
from kilnworks.components.retraining.watch import claim, confirm, look
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.arrivals import set_spoiled_aside
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.files import read_json

ROOT = Path(__file__).parents[2]
CONTRACT = """
name: shop
key: id
features:
  age: {dtype: float, min: 0, max: 120}
label: {name: bought, dtype: string, classes: ["no", "yes"]}
"""
DEFINITION = """
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.pipelines.core.chains import supervised
from kilnworks.pipelines.core.operations import Operations
from kilnworks.schemas.contract import load_contract

SHOP = supervised(
    "shop",
    IngestConfig(contract=load_contract("schemas/shop.yaml"), source=CsvSource(path="data/shop.csv")),
    TrainConfig(model=Mlp()),
    operations=Operations(
        retrain=RetrainPolicy(
            landing="landing",
            {policy}
            settle_seconds=0,
            coalesce_seconds=0,
            cool_down_seconds=0,
            max_per_day=100,
        )
    ),
)
"""


class Project:
    """A project with a store and a clock, seen from a folder that is not the project's."""

    def __init__(self, root: Path, monkeypatch):
        self.root, self.store, self.now = root / "project", Store(root / "store"), 1_800_000_000.0
        for name in ("data", "landing", "pipelines", "schemas"):
            (self.root / name).mkdir(parents=True)
        (root / "elsewhere").mkdir()
        monkeypatch.chdir(root / "elsewhere")
        monkeypatch.setenv("KILNWORKS_ROOT", str(self.root))
        monkeypatch.setenv("KILNWORKS_STORE", str(self.store.root))
        self.contract(CONTRACT)
        self.define('base="data/shop.csv",')
        self.put("data/shop.csv", range(100))

    def contract(self, text: str) -> None:
        (self.root / "schemas" / "shop.yaml").write_text(text)

    def define(self, policy: str) -> None:
        (self.root / "pipelines" / "shop.py").write_text(DEFINITION.replace("{policy}", policy))

    def put(self, name: str, ids, age=30, header="id,age,bought") -> None:
        rows = "".join(f"{i},{age},{'yes' if i % 2 else 'no'}\n" for i in ids)
        (self.root / name).write_text(f"{header}\n{rows}")

    def order(self):
        """What the decision of an orchestrator does."""
        self.now += 10
        pipeline = load("shop")
        policy = pipeline.operations.retrain
        look(policy, self.store.root, "shop", self.now)
        self.aside = {spoiled.name: spoiled for spoiled in set_spoiled_aside(pipeline, policy, self.store)}
        found = claim(policy, self.store.root, "shop", self.now)
        if found is not None:
            confirm(self.store.root, "shop", found.run_id)
        return found

    def run(self, order) -> int:
        settings = [f"--set={name}={value}" for name, value in order.settings.items()]
        return main(["run", "shop", "--run-id", order.run_id, "--to", "checked", *settings])

    def record(self, order):
        landed = read_json(self.store.run("shop", order.run_id).path / "run.json")["landed"]
        return {file["name"]: file for file in landed["files"]}

    def report(self, order) -> str:
        return render_report(self.store.run("shop", order.run_id).path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    return Project(tmp_path, monkeypatch)


def test_paths_of_a_definition_count_from_the_project(project):
    pipeline = load("shop")
    assert pipeline["examples"].config.source.path == str(project.root / "data" / "shop.csv")
    assert pipeline.operations.retrain.landing == str(project.root / "landing")
    assert pipeline.operations.retrain.base == str(project.root / "data" / "shop.csv")
    assert pipeline["examples"].config.contract.key == "id"
    assert main(["run", "shop", "--to", "checked", "--run-id", "r1"]) == 0


def test_a_path_on_the_command_line_counts_from_where_it_is_typed(project):
    project.put("../elsewhere/mine.csv", range(200))
    assert main(["run", "shop", "--to", "examples", "--run-id", "r1", "--set", "examples.source.path=mine.csv"]) == 0
    described = read_json(project.store.run("shop", "r1").path / "examples" / "examples.json")
    assert sum(split["rows"] for split in described["splits"].values()) == 200


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('base="data/shpo.csv",', "`base` of RetrainPolicy.*data/shpo.csv.*did you mean .*shop.csv"),
        ('setting="examples.sauce.path",', "`setting` of RetrainPolicy.*sauce.*source"),
        ('setting="ingest.source.path",', "`setting` of RetrainPolicy.*ingest"),
    ],
)
def test_rules_that_name_nothing_are_refused_when_the_definition_is_loaded(project, policy, words, capsys):
    project.define(policy)
    with pytest.raises(ConfigError) as raised:
        load("shop")
    assert re.search(words, str(raised.value), re.DOTALL), str(raised.value)
    main(["list"])
    assert "does not load" in capsys.readouterr().out


@pytest.mark.slow
def test_a_retraining_names_its_files(project):
    project.put("landing/a.csv", range(100, 130))
    first = project.order()
    assert first.files == ("a.csv",)
    project.run(first)
    project.put("landing/b.csv", range(200, 240))
    second = project.order()
    assert project.run(second) == 0
    kinds = {name: (file["kind"], file["rows"]) for name, file in project.record(second).items()}
    assert kinds == {"shop.csv": ("base", None), "a.csv": ("earlier", 30), "b.csv": ("new", 40)}
    assert ">b.csv<" in project.report(second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"age": 150}, r"age: .*120.*broken in 5 of 5 rows \(150\.0, .*first in line 2 of bad\.csv"),
        ({"header": "id,years,bought"}, "bad.csv.*age"),
    ],
)
def test_a_spoiled_file_is_set_aside_and_spoils_nothing(project, bad, words):
    project.put("landing/bad.csv", range(300, 305), **bad)
    project.put("landing/good.csv", range(400, 410))
    order = project.order()
    spoiled = project.aside["bad.csv"]
    assert re.search(words, spoiled.reason), spoiled.reason
    assert spoiled.lies_at.read_bytes() == (project.root / "landing" / "bad.csv").read_bytes()
    why = read_json(spoiled.lies_at.with_name("bad.csv.why.json"))
    assert (why["reason"], why["bring_back"]) == (spoiled.reason, "kilnworks landed shop --bring-back bad.csv")
    assert order.files == ("good.csv",)
    assert project.run(order) == 0
    assert project.order() is None
    assert project.aside == {}


def test_nothing_but_spoiled_files_starts_nothing(project):
    project.put("landing/bad.csv", range(300, 305), age=-1)
    assert project.order() is None
    assert list(project.aside) == ["bad.csv"]


@pytest.mark.slow
def test_a_file_is_brought_back_by_hand_or_corrected(project, capsys):
    project.put("landing/bad.csv", range(300, 305), age=150)
    project.order()
    assert main(["landed", "shop"]) == 0
    assert "set aside: age" in " ".join(capsys.readouterr().out.split())
    assert main(["landed", "shop", "--bring-back", "bad.csv"]) == 0
    assert not (folder(project.store.root, "shop") / "set_aside" / "bad.csv").exists()
    assert project.order().files == ("bad.csv",)
    project.put("landing/bad.csv", range(300, 305), age=15)
    corrected = project.order()
    assert corrected.files == ("bad.csv",)
    assert project.run(corrected) == 0
    with pytest.raises(UnknownName, match=r"bad\.csv"):
        bring_back(project.store.root, "shop", "bad.csv")


def test_few_bad_rows_are_left_to_the_quarantine_where_the_contract_has_one(project):
    project.contract(CONTRACT + "on_bad_rows: quarantine\nmax_quarantined: 0.5\n")
    rows = "".join(f"{i},{150 if i < 304 else 15},no\n" for i in range(300, 310))
    (project.root / "landing" / "mixed.csv").write_text(f"id,age,bought\n{rows}")
    project.put("landing/bad.csv", range(320, 330), age=150)
    assert project.order().files == ("mixed.csv",)
    assert list(project.aside) == ["bad.csv"]


@pytest.mark.slow
def test_what_only_the_run_can_tell_sets_aside_what_was_new(project):
    """Keys that are in the base already: each file is good by itself."""
    project.put("landing/a.csv", range(100, 130))
    project.run(project.order())
    project.put("landing/twice.csv", range(50, 60), age=31)
    failed = project.order()
    assert project.run(failed) == 1
    project.put("landing/later.csv", range(600, 610))
    later = project.order()
    assert project.aside["twice.csv"].reason.startswith(f"run {failed.run_id} failed: ")
    assert later.files == ("later.csv",)
    assert project.run(later) == 0
    assert set(project.record(later)) == {"shop.csv", "a.csv", "later.csv"}


@pytest.mark.slow
def test_files_of_a_run_that_succeeds_after_all_are_used_again(project):
    project.contract(CONTRACT + "rows: {min: 200}\n")
    project.put("landing/few.csv", range(100, 110))
    failed = project.order()
    assert project.run(failed) == 1
    assert project.order() is None
    assert list(project.aside) == ["few.csv"]
    project.contract(CONTRACT)
    assert project.run(failed) == 0
    project.put("landing/later.csv", range(600, 610))
    assert project.order().files == ("later.csv",)
    assert set(read(project.store.root, "shop").usable()) == {"few.csv", "later.csv"}


@pytest.mark.slow
def test_what_was_brought_back_from_a_failed_run_makes_a_run_of_its_own(project):
    project.put("landing/twice.csv", range(50, 60), age=31)
    failed = project.order()
    project.run(failed)
    project.order()
    bring_back(project.store.root, "shop", "twice.csv")
    again = project.order()
    assert (again.files, again.fingerprint) == (("twice.csv",), failed.fingerprint)
    assert again.run_id != failed.run_id


@pytest.mark.slow
def test_the_file_that_holds_the_bad_rows_is_named_in_the_run_and_in_its_report(project):
    """A contract that became stricter makes an old file the bad one."""
    project.put("landing/old.csv", range(100, 130), age=110)
    project.run(project.order())
    project.contract(CONTRACT.replace("120", "100"))
    project.put("landing/new.csv", range(200, 230))
    order = project.order()
    assert project.run(order) == 1
    bad = {name: file["bad"] for name, file in project.record(order).items()}
    assert (bad["new.csv"], bad["shop.csv"]) == ("", "")
    assert "broken in 30 of 30 rows" in bad["old.csv"]
    assert "broken in 30 of 30 rows" in project.report(order)
    project.put("landing/last.csv", range(300, 330))
    later = project.order()
    assert list(project.aside) == ["old.csv"]
    assert project.run(later) == 0


@pytest.mark.slow
def test_the_example_of_the_docs_works_word_by_word_from_anywhere(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "airflow.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "RetrainPolicy(" in block)
    name = re.search(r'supervised\(\n    "(\w+)"', code).group(1)
    project = tmp_path / "project"
    for path in ("data/churn.csv", "schemas/contracts/churn.yaml"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, project / path)
    (project / "pipelines").mkdir()
    (project / "pipelines" / f"{name}.py").write_text(code)
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("KILNWORKS_ROOT", str(project))
    monkeypatch.setenv("KILNWORKS_STORE", str(store))
    policy = load(name).operations.retrain
    header, *rows = (project / "data" / "churn.csv").read_text().splitlines()
    new = [f"new-{i},{row.partition(',')[2]}" for i, row in enumerate(rows[: policy.min_new_rows])]
    Path(policy.landing).mkdir(parents=True)
    (Path(policy.landing) / "november.csv").write_text("\n".join([header, *new]) + "\n")
    now = 1_800_000_000.0
    for pause in (0.0, policy.settle_seconds, policy.coalesce_seconds):
        now += pause
        look(policy, store, name, now)
    order = claim(policy, store, name, now)
    monkeypatch.setenv("KILNWORKS_OVERRIDES", json.dumps(order.settings))
    assert main(["step", name, "examples", "checked", "--run-id", order.run_id]) == 0
    described = read_json(Store(store).run(name, order.run_id).path / "checked" / "examples.json")
    assert sum(split["rows"] for split in described["splits"].values()) == len(rows) + policy.min_new_rows
