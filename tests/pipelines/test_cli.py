"""The command line on a light project of its own: what a person types, sees and gets as exit code."""

import json
import subprocess
import sys

import pytest
import typer

from kilnworks.components.reporting.summary import run_summary
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.cli.doctor import pins
from kilnworks.pipelines.cli.quiet import NOTES
from kilnworks.pipelines.core.reasons import failures
from kilnworks.pipelines.core.store import Store

DEFINITION = """
from kilnworks.pipelines.core.graph import Pipeline, Step
from tests.pipelines.chain import AddConfig, MakeConfig, add, make

SMALL = Pipeline(
    "small",
    (
        Step("one", make, MakeConfig()),
        Step("two", add, AddConfig(), {"number": "one"}),
        Step("three", add, AddConfig(most=MOST), {"number": "two"}),
    ),
    description="Adds two numbers.",
)
"""


DATED = """
from pathlib import Path

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract

ROOT = Path(__file__).parents[1]
DATED = supervised(
    "dated",
    IngestConfig(contract=load_contract(ROOT / "c.yaml"), source=CsvSource(path="x.csv")),
    TrainConfig(model=Mlp()),
)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with one pipeline, a store, and a terminal that is wide enough."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "small.py").write_text(DEFINITION.replace("MOST", "100"))
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("kilnworks.pipelines.cli.running.finish_run", lambda run: run.path / "report.html")
    return tmp_path


def run(capsys, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_list_and_show(project, capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0 and "small" in out and "Adds two numbers." in out and "churn" in out
    code, out, _ = run(capsys, "show", "small")
    assert code == 0 and "number <- one" in out and "most: 100" in out
    tree = json.loads(run(capsys, "show", "small", "--json")[1])
    assert [s["name"] for s in tree["steps"]] == ["one", "two", "three"] and tree["served_inputs"] == {}


def test_infer_says_how_it_reads_dates_and_hides_personal_ones(project, capsys):
    rows = "".join(f"{1 + k % 12:02d}/{1 + 5 * k % 12:02d}/{60 + k % 40},{k % 7}\n" for k in range(60))
    (project / "x.csv").write_text("born,size\n" + rows)
    code, _, err = run(capsys, "contract", "infer", str(project / "x.csv"), "-o", str(project / "c.yaml"))
    assert code == 0 and "! dates  born: read as %m/%d/%y" in err and "two-digit years are" in err
    words = ("contract", "infer", str(project / "x.csv"), "-o", str(project / "c.yaml"), "--sensitive", "born")
    assert "dates" not in run(capsys, *words)[2]
    assert "first_year" in (project / "c.yaml").read_text()


def test_infer_names_numbers_that_read_two_ways_and_takes_the_answer(project, capsys):
    sizes = [100 + k * 7 for k in range(60)]
    rows = "".join(f'"1,{n}",{n / 10:.1f},{("yes", "yes ", "no")[k % 3]}\n' for k, n in enumerate(sizes))
    (project / "x.csv").write_text("price,width,tone\n" + rows)
    words = ("contract", "infer", str(project / "x.csv"), "-o", str(project / "c.yaml"))
    code, _, err = run(capsys, *words)
    first = "! numbers?  price: '1,100' is read as 1100 and may be 1.1  "
    assert code == 0 and f"{first}(no value decides: from 1100 to 1513, or from 1.1 to 1.513;" in err
    assert "to choose the other: --decimal price=,)" in err
    assert "! alike?    tone: 'yes' (20 rows) and 'yes ' (20 rows)" in err
    assert "price: {thousands: ','}" in (project / "c.yaml").read_text()
    code, _, err = run(capsys, *words, "--decimal", "price=,")
    assert code == 0 and "  numbers  price: written like 1234,5 ('1,100' is 1.1)\n" in err
    assert "price: {decimal: ','}" in (project / "c.yaml").read_text()
    err = run(capsys, *words, "--decimal", "price=.")[2]
    assert "'1,100' is 1100)" in err and "numbers?" not in err
    err = run(capsys, *words, "--sensitive", "price")[2]
    assert "! numbers?  price: read as numbers like 1,234.5  (no value decides between this and 1234,5;" in err
    assert "1,100" not in err and "1513" not in err


@pytest.mark.parametrize(
    ("option", "said"),
    [("pric=,", "did you mean 'price'"), ("price", "COLUMN=, or COLUMN=."), ("tone=,", "the column holds 'red'")],
)
def test_infer_refuses_decimal_signs_that_do_not_fit_and_writes_nothing(project, capsys, option, said):
    (project / "x.csv").write_text("price,tone\n" + "".join(f'"1,{100 + k}",red\n' for k in range(30)))
    words = ("contract", "infer", str(project / "x.csv"), "-o", str(project / "c.yaml"), "--decimal", option)
    code, _, err = run(capsys, *words)
    assert code != 0 and said in err and not (project / "c.yaml").exists()


def test_show_says_the_units_of_what_is_served(project, capsys, monkeypatch):
    (project / "c.yaml").write_text(
        "name: c\nfeatures:\n  when: {dtype: datetime}\n  size: {dtype: float, unit: m}\n"
        "label: {name: y, dtype: int, classes: [0, 1]}\n"
    )
    (project / "pipelines" / "dated.py").write_text(DATED)
    out = run(capsys, "show", "dated")[1]
    assert "  when: int64 [n], seconds since 1970-01-01 UTC (REST also takes ISO 8601)\n  size: float32 [n], m\n" in out
    served = json.loads(run(capsys, "show", "dated", "--json")[1])["served_inputs"]
    assert served["when"]["unit"] == "seconds since 1970-01-01 UTC"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def x(:\n", "bad.py line 1: SyntaxError"),
        ("\n\nimport nothing_of_that_name\n", "bad.py line 3: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "bad.py line 2: SystemExit"),
        ("1 / 0\n", "bad.py line 1: ZeroDivisionError"),
        ("# coding: nonsense\n", "unknown encoding: nonsense"),
        ("from kilnworks.schemas.contract import load_contract\nload_contract('nowhere.yaml')\n", "nowhere.yaml"),
        (
            "from kilnworks.pipelines.core.graph import Pipeline\nX = Pipeline('good', ())\n",
            "no pipeline 'bad' but good",
        ),
        (
            "from kilnworks.components.modeling.mlp import Mlp\nMlp(unitz=(3,))\n",
            "line 2: Mlp: unitz: there is no such setting; did you mean units?",
        ),
        (
            "from kilnworks.components.ingest import IngestConfig\nIngestConfig(zzz=3)\n",
            "source: is needed; zzz: there is no such setting; there are check_in",
        ),
    ],
)
def test_one_bad_definition_is_named_and_hides_no_other(project, capsys, text, says):
    (project / "pipelines" / "bad.py").write_text(text)
    code, out, _ = run(capsys, "list")
    assert code == 0 and "Adds two numbers." in out and says in " ".join(out.split())
    assert run(capsys, "show", "small")[0] == 0
    code, _, err = run(capsys, "run", "bad")
    assert code == 2 and says in err and "Traceback" not in err


def test_a_gate_of_its_own_is_told_apart_from_those_behind_it_whatever_its_words(project, capsys):
    definition = """
from pathlib import Path
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import StepSkipped


def gate(config: Config, out: Path) -> Artifact:
    raise StepSkipped("the last row was skipped")


def behind(config: Config, first: Artifact, out: Path) -> Artifact:
    return Artifact(out)


GATED = Pipeline("gated", (Step("first", gate, Config()), Step("next", behind, Config(), {"first": "first"})))
"""
    (project / "pipelines" / "gated.py").write_text(definition)
    code, out, _ = run(capsys, "run", "gated", "--run-id", "a")
    assert code == 99
    assert "skipped  first: the last row was skipped" in out and "skipped  next" not in out
    code, out, _ = run(capsys, "step", "gated", "first", "next", "--run-id", "b")
    assert code == 99
    records = [json.loads((project / f"store/runs/gated/{r}/outcomes/next.json").read_text()) for r in "ab"]
    assert [r["blocked_by"] for r in records] == ["first", "first"]


def test_everything_has_one_store_where_none_is_named(project, capsys, monkeypatch, tmp_path_factory):
    from kilnworks.dags.project import environment, open_run

    monkeypatch.delenv("KILNWORKS_STORE")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run(capsys, "run", "small", "--run-id", "r1")[0] == 0
    assert (project / "store/runs/small/r1/three/manifest.json").is_file()
    assert open_run("small", "r1").manifest("three") is not None
    assert environment()["KILNWORKS_STORE"] == str(project / "store")


def test_a_setting_that_asks_for_another_class_is_said(project, capsys):
    definition = """
from pathlib import Path
from typing import Annotated, Literal
from pydantic import Field
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config


class Big(Config):
    kind: Literal["big"] = "big"
    size: int = 1


class Mine(Big):
    more: int = 2


class Small(Config):
    kind: Literal["small"] = "small"


class Settings(Config):
    part: Annotated[Big | Small, Field(discriminator="kind")] = Big()
    epochs: int = 1


def make(config: Settings, out: Path) -> Artifact:
    (out / "value.txt").write_text(f"{type(config.part).__name__} {config.part.model_dump()}")
    return Artifact(out)


OWN = Pipeline("own", (Step("one", make, Settings(part=Mine(more=4))),))
"""
    (project / "pipelines" / "own.py").write_text(definition)
    made = project / "store" / "runs" / "own"
    code, out, _ = run(capsys, "run", "own", "--run-id", "a", "--set", "one.epochs=3", "--set", "one.part.size=5")
    assert code == 0 and "instead of" not in out
    assert (made / "a/one/value.txt").read_text() == "Mine {'kind': 'big', 'size': 5, 'more': 4}"
    assert json.loads((made / "a/one/manifest.json").read_text())["config"]["part"]["more"] == 4
    code, out, _ = run(capsys, "run", "own", "--run-id", "b", "--set", "one.part.kind=small")
    assert code == 0 and "one.part is Small instead of Mine, which has no more" in out
    assert (made / "b/one/value.txt").read_text() == "Small {'kind': 'small'}"


def test_tables_are_not_broken_where_there_is_no_terminal(project, capsys, monkeypatch):
    long = "Adds two numbers. " * 6
    definition = project / "pipelines" / "small.py"
    definition.write_text(definition.read_text().replace("Adds two numbers.", long.strip()))
    assert long.strip() in run(capsys, "list")[1]
    monkeypatch.delenv("COLUMNS")
    assert long.strip() in run(capsys, "list")[1]
    monkeypatch.setenv("COLUMNS", "80")
    assert long.strip() not in run(capsys, "list")[1]


def test_run_logs_one_line_a_change_and_caches(project, capsys):
    code, out, _ = run(capsys, "run", "small", "--run-id", "r1")
    assert code == 0
    assert "one: done in" in out and "three: done in" in out and "report" in out
    code, out, _ = run(capsys, "run", "small", "--set", "three.add=5")
    assert code == 0
    assert "two: cached: from run r1" in out and "three: done" in out


def test_a_failure_prints_the_command_that_resumes_and_the_settings_are_remembered(project, capsys):
    code, out, err = run(capsys, "run", "small", "--run-id", "r1", "--set", "two.fail=invalid", "--set", "one.value=7")
    assert code == 1
    assert "DataInvalid: bad" in err and "wanted: good" in err and "to do:  mend it" in err
    assert "resume   kilnworks run small --run-id r1" in out
    code, out, _ = run(capsys, "run", "small", "--run-id", "r1", "--set", "two.fail=''")
    assert code == 0 and "one: cached" in out
    assert (project / "store/runs/small/r1/three/value.txt").read_text() == "9"


def test_a_closed_gate_is_exit_code_99(project, capsys):
    code, out, _ = run(capsys, "run", "small", "--set", "two.most=1")
    assert code == 99
    assert "three: skipped: two was skipped" in out and "skipped  two: 2 is above 1" in out


def test_predict_without_a_live_model_says_what_kept_the_newest_run_from_it(project, capsys):
    run(capsys, "run", "small", "--run-id", "r1", "--set", "two.most=1")
    code, _, err = run(capsys, "predict", "small", "x.csv")
    assert code == 2
    assert "no model of 'small' is live: run r1 ended at two: 2 is above 1" in err
    assert "kilnworks report small --run r1" in err
    assert "kilnworks run small --set two.FIELD=VALUE --promote --reason WHY" in err
    run(capsys, "run", "small", "--run-id", "r2", "--set", "three.fail=invalid")
    err = run(capsys, "predict", "small", "x.csv")[2]
    assert "three of run r2 failed: bad" in err and "mend it; then kilnworks run small --run-id r2" in err
    run(capsys, "run", "small", "--run-id", "r3", "--to", "one")
    err = run(capsys, "predict", "small", "x.csv")[2]
    assert "run r3 has not come to its end" in err and "resume it: kilnworks run small --run-id r3" in err


def test_slices_and_fresh(project, capsys):
    assert run(capsys, "run", "small", "--from", "three", "--to", "one")[0] == 2
    assert run(capsys, "run", "small", "--to", "two")[0] == 0
    code, out, _ = run(capsys, "run", "small", "--from", "three", "--fresh")
    assert code == 0 and "two: cached" in out and "three: done" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["run", "smal"], "did you mean 'small'?"),
        (["run", "small", "--set", "tow.add=1"], "did you mean 'two'?"),
        (["run", "small", "--set", "two.ad=1"], "did you mean 'add'?"),
        (["run", "small", "--set", "two.add=x"], "valid integer"),
        (["run", "small", "--set", "two"], "STEP.FIELD=VALUE"),
        (["run", "small", "--from", "thre"], "did you mean 'three'?"),
        (["runs", "smal"], "did you mean 'small'?"),
        (["report", "small"], "no run of small"),
        (["step", "small", "two"], "no run id"),
        (["predict", "small", "x.csv"], "no champion"),
        (["frobnicate"], "No such command"),
    ],
)
def test_wrong_words_are_answered_with_what_exists(project, capsys, argv, says):
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert says in out + err
    assert "Traceback" not in err


def test_a_step_by_itself_takes_its_settings_from_the_environment(project, capsys, monkeypatch):
    monkeypatch.setenv("KILNWORKS_RUN_ID", "manual__2026-01-01T00:00:00+00:00")
    monkeypatch.setenv("KILNWORKS_OVERRIDES", '{"one.value": 40}')
    assert run(capsys, "step", "small", "one")[0] == 0
    assert run(capsys, "step", "small", "two")[0] == 0
    assert (project / "store/runs/small/manual__2026-01-01T00_00_00_00_00/two/value.txt").read_text() == "41"
    monkeypatch.setenv("KILNWORKS_OVERRIDES", "nonsense")
    code, _, err = run(capsys, "step", "small", "one")
    assert code == 2 and "not JSON" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "text", "says"),
    [
        ('{"one.value": "many"}', None, "got 'many'"),
        ("nonsense", None, "is not JSON"),
        ("{}", "SMALL = 1 / 0", "division by zero"),
    ],
)
def test_a_task_that_cannot_begin_leaves_its_reason_in_the_run(project, capsys, monkeypatch, given, text, says):
    """A wrong setting, or a definition that has been broken meanwhile; better settings begin the same run."""
    definition = project / "pipelines" / "small.py"
    whole = definition.read_text()
    definition.write_text(text or whole)
    monkeypatch.setenv("KILNWORKS_OVERRIDES", given)
    assert run(capsys, "step", "small", "one", "two", "--run-id", "r1")[0] == 2
    this = Store(project / "store").run("small", "r1")
    assert this.outcome("one")["outcome"] == "failed" and says in this.outcome("one")["reason"]
    assert run_summary(this.path)["verdict"] == "failed" and says in failures(this, ["one"])[0]
    definition.write_text(whole)
    monkeypatch.setenv("KILNWORKS_OVERRIDES", '{"one.value": 40}')
    assert run(capsys, "step", "small", "one", "two", "--run-id", "r1")[0] == 0
    assert run_summary(this.path)["steps"]["two"] == "done"


@pytest.mark.parametrize(("pipeline", "step"), [("tiny", "one"), ("small", "../one")])
def test_what_does_not_exist_leaves_nothing(project, capsys, monkeypatch, pipeline, step):
    monkeypatch.setenv("KILNWORKS_OVERRIDES", "nonsense")
    assert run(capsys, "step", pipeline, step, "--run-id", "r1")[0] == 2
    assert not [*(project / "store").rglob("r1")]


def test_a_store_that_cannot_be_written_is_refused_at_once(project, capsys):
    (project / "file").write_text("")
    code, _, err = run(capsys, "run", "small", "--store", str(project / "file"))
    assert code == 1 and "StoreError" in err and "--store" in err


@pytest.mark.slow
@pytest.mark.parametrize("argv", [["list"], ["show", "churn"], ["--help"]])
def test_looking_loads_nothing_heavy(root, argv):
    code = f"import sys; from kilnworks.pipelines.cli.app import main; main({argv!r}); heavy = "
    code += "{'tensorflow', 'great_expectations', 'mlflow', 'airflow', 'polars', 'pandas'} & set(sys.modules)"
    code += "; assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True)


def test_interrupt_is_recorded_and_resumable(project, capsys):
    code, out, err = run(capsys, "run", "small", "--run-id", "r1", "--set", "two.fail=interrupt")
    assert code == 130 and "interrupted" in out + err and "resume" in out
    assert run(capsys, "run", "small", "--run-id", "r1", "--set", "two.fail=''")[0] == 0


def test_doctor_names_the_offending_pin(project, capsys, monkeypatch, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "keras==0.1\n    # via kilnworks\nnumpy==1.0 ; python_version < '3'\nnumpy==2.0 ; python_version >= '3'\n"
    )
    assert pins(lock) == {"keras": "0.1", "numpy": "2.0"}
    monkeypatch.setattr("kilnworks.pipelines.cli.doctor.REQUIREMENTS", lock)
    code, out, _ = run(capsys, "doctor")
    assert code == 1 and "pip install keras==0.1" in out


def test_only_known_notes_are_held_back():
    assert NOTES.match(b"I0000 00:00:1 2 port.cc:153] oneDNN custom operations are on.")
    assert NOTES.match(b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR")
    assert not NOTES.match(b"E0000 00:00:1 2 gpu_device.cc:1] out of memory")
    assert not NOTES.match(b"Traceback (most recent call last):")


def test_the_commands_that_take_a_store_are_those_that_are_told_with_one():
    from kilnworks.pipelines.cli.app import app
    from kilnworks.pipelines.cli.console import WITH_STORE

    def takers(command, words=()):
        for name, below in command.commands.items():
            here = (*words, name)
            if hasattr(below, "commands"):
                yield from takers(below, here)
            elif any("--store" in parameter.opts for parameter in below.params):
                yield " ".join(here)

    assert {*takers(typer.main.get_command(app)), "serve"} == set(WITH_STORE), "serve reads its flags itself"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("to do: kilnworks run churn --run-id r1", "to do: kilnworks run --store 'my store' churn --run-id r1"),
        ("try      kilnworks lr-find churn", "try      kilnworks lr-find --store 'my store' churn"),
        ("kilnworks run churn --run-id r1 --store other", "kilnworks run churn --run-id r1 --store other"),
        ("kilnworks serving config; or look", "kilnworks serving config --store 'my store'; or look"),
        ("kilnworks show churn; kilnworks run-of-the-mill", "kilnworks show churn; kilnworks run-of-the-mill"),
    ],
)  # fmt: skip
def test_a_command_that_is_told_names_the_store_that_was_given(text, told, capsys):
    from kilnworks.pipelines.cli.console import Console, echo, name_store, say

    try:
        name_store("my store")
        echo(text)
        say(Console(soft_wrap=True), text)
        assert capsys.readouterr().out.splitlines() == [told, told]
    finally:
        name_store(None)
    echo(text)
    assert capsys.readouterr().out.splitlines() == [text]


def test_the_store_of_one_command_is_not_that_of_the_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KILNWORKS_STORE", raising=False)
    assert main(["crossval", "churn", "--resume", "--store", str(tmp_path / "a")]) == 2
    assert f"kilnworks crossval --store {tmp_path / 'a'} churn" in capsys.readouterr().err
    assert main(["crossval", "churn", "--resume"]) == 2
    assert "begin one: kilnworks crossval churn" in capsys.readouterr().err
