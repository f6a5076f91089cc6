"""Explanations as a step of a run: what ``kilnworks explain`` says of its model, in the report and the form."""

import json
import re
import urllib.request
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kilnworks.components.explain import ExplainConfig
from kilnworks.components.reporting.explain_page import write_explanations
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.form import form
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.artifacts import CheckedExamples, Explanations
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json
from tests.served import COMMAND, served

CONTRACT = """
name: loans
features:
  income: {dtype: float}
  debt: {dtype: float}
  town: {dtype: string}
  doctor: {dtype: string, sensitive: true}
label: {name: late, dtype: string, classes: ["no", "yes"]}
"""
DEFINITION = """
from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.explain import ExplainConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised

LOANS = supervised(
    "loans",
    IngestConfig(contract="FOLDER/loans.yaml", source=CsvSource(path="FOLDER/loans.csv")),
    TrainConfig(model=Mlp(units=(8,)), epochs=2, batch=64),
    evaluation=EvaluateConfig(resamples=100, simple_rows=0),
    explained=ExplainConfig(rows=3),
)
"""


def loans(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    income, debt, town = random.normal(size=rows), random.normal(size=rows), random.integers(0, 3, rows)
    late = np.where(random.random(rows) < 1 / (1 + np.exp(3 * income - debt)), "yes", "no")
    who = [f"hush{n % 7}" for n in range(rows)]
    return pl.DataFrame({"income": income, "debt": debt, "town": [f"t{t}" for t in town], "doctor": who, "late": late})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a run that explains its model, which is live with the signature ``explain``."""
    folder = tmp_path_factory.mktemp("loans")
    loans(400).write_csv(folder / "loans.csv")
    (folder / "loans.yaml").write_text(CONTRACT)
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "loans.py").write_text(DEFINITION.replace("FOLDER", str(folder)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_ROOT", str(folder))
        patched.setenv("KILNWORKS_STORE", str(folder / "store"))
        assert main(["run", "loans", "--run-id", "r1", "--promote", "--set", "servable.explain=true"]) == 0
        yield folder


@pytest.mark.slow
def test_a_run_explains_its_model_as_the_command_does(project, monkeypatch):
    run = Store(project / "store").run("loans", "r1")
    told = run.load("explained", Explanations).results
    assert told["leans"]["features"][0]["name"] == "income" and len(told["rows"]) == 3
    for row in told["rows"]:
        moved = sum(share for _, _, share in row["credits"])
        assert moved == pytest.approx(row["value"] - row["baseline"], abs=2e-3), "completeness, up to corners of relu"
    report = (run.path / "report.html").read_text()
    section = report[report.index('<section id="explanations">') :].partition("</section>")[0]
    assert "95 % interval" in section and section.count("<h3 id=") == 3 and "hush" not in section + str(told)
    monkeypatch.setattr("kilnworks.pipelines.cli.craft.explain.now", lambda: "then")
    assert main(["explain", "loans", "--count", "3"]) == 0
    page = (project / "store" / "explanations" / "loans" / "r1.html").read_text()
    same = write_explanations(project / "same.html", {**told, "pipeline": "loans", "run": "r1", "written": "then"})
    assert page == same.read_text(), "the same numbers"
    assert re.findall(r"<tr><td>(\w+)</td>", section) == re.findall(r"<tr><td>(\w+)</td>", page)


@pytest.mark.slow
def test_a_split_that_is_none_is_refused_by_name(project, capsys):
    assert main(["run", "loans", "--run-id", "r2", "--to", "explained", "--set", "explained.split=yesterday"]) == 2
    assert "split" in capsys.readouterr().err
    outcome = read_json(Store(project / "store").run("loans", "r2").path / "outcomes" / "model.json")
    assert outcome["outcome"] == "cached"


@pytest.mark.slow
@pytest.mark.e2e
def test_the_server_credits_features_as_the_step_does(project):
    """The signature ``explain`` over REST, for the rows of the step."""
    run = Store(project / "store").run("loans", "r1")
    told = run.load("explained", Explanations).results["rows"]
    examples = run.load("checked", CheckedExamples)
    rows = pl.read_parquet(examples.files("test"), glob=False).select(list(examples.contract.features)).head(3)
    body = json.dumps({"signature_name": "explain", "instances": rows.to_dicts()}).encode()
    with served("--store", str(project / "store"), words=COMMAND) as announced:
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/loans:predict"
        with urllib.request.urlopen(url, body) as got:
            answers = json.loads(got.read())["predictions"]
    for answer, row in zip(answers, told, strict=True):
        assert (answer["value"], answer["class"]) == (pytest.approx(row["value"], abs=1e-5), row["class"])
        credited = dict(zip(examples.contract.features, answer["attributions"], strict=True))
        assert credited == pytest.approx({name: share for name, _, share in row["credits"]}, abs=1e-4)


def test_its_settings_are_fields_of_the_form():
    pipeline = load("churn")
    from kilnworks.pipelines.core.chains import _explained

    with_step = replace(pipeline, steps=(*pipeline.steps, *_explained(ExplainConfig(), "model")))
    assert {"explained.rows", "explained.split", "explained.seed"} <= {field.name for field in form(with_step)}
    with pytest.raises(ConfigError, match="rows"):
        with_step.configured({"explained.rows": 0})
