"""``lr-find`` as a user calls it: what it says goes into ``run`` as it stands, and no model is left."""

import shlex

import pytest

from kilnworks.components.diagnosing.remedies import run_with
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.cli.settings import overrides
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.craft.rates import Rates
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json
from tests.churned import churn_transformed


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = churn_transformed(tmp_path_factory, "rates")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_STORE", str(folder))
        words = ["--from", "1e-4", "--steps", "80", "--batch-sizes", "128,512"]
        assert main(["lr-find", "churn", *words, "--set", "model.model.dropout=0.1"]) == 0
    return folder


@pytest.mark.slow
def test_the_command_that_it_tells_is_one_that_run_takes(found):
    told = read_json(Rates.newest(Store(found), "churn").folder / "results.json")
    assert [test["batch"] for test in told["tests"]] == [128, 512]
    for test, command in zip(told["tests"], told["commands"], strict=True):
        words = shlex.split(command)
        assert words[:3] == ["kilnworks", "run", "churn"]
        config = load("churn").configured(overrides([word for word in words[3:] if word != "--set"]))["model"].config
        assert config.optimizer.learning_rate == test["suggestion"] and config.batch == test["batch"]
        assert config.model.dropout == 0.1, "what was tested is what runs"


@pytest.mark.slow
def test_nothing_that_counts_as_a_model_is_left(found):
    assert list(found.rglob("model.keras")) == [] and list(found.rglob("training.json")) == []
    steps = {path.parent.name for path in found.glob("runs/churn/*/*/manifest.json")}
    assert steps == {"examples", "checked", "transform"}
    assert not (found / "work").exists() or list((found / "work").iterdir()) == []


@pytest.mark.slow
def test_the_page_shows_the_curves(found):
    page = (Rates.newest(Store(found), "churn").folder / "report.html").read_text()
    assert "Smoothed loss by batch size" in page and "Smith 2017" in page and "<script" not in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["churn", "--from", "1", "--to", "0.1"], "the first below the second"),
        (["churn", "--to", "inf"], "the first below the second"),
        (["digits", "--set", "model.model.kind=dcgan"], "kilnworks tune digits"),
        (["cartpole"], "kilnworks tune cartpole"),
        (["segments"], "it has no such rate"),
        (["churn", "--batch-sizes", "many"], "whole numbers with commas"),
        (["churn", "--batch-sizes", "0"], "from 1 on"),
        (["churn", "--steps", "3"], "for '--steps'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert main(["lr-find", *words]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "value", [1e-14, 2e-5, 0.1, 3.0, 1e21, 7, True, None, [64, 32], "1", "yes", "a b", "rows #2.csv", "é: 'x'", "{", ""]
)
def test_a_value_is_written_as_run_reads_it(value):
    words = shlex.split(run_with("churn", {"model.model.units": value}))
    assert overrides(words[-1:]) == {"model.model.units": value}


def test_the_newest_is_the_one_that_was_begun_last_whatever_its_name(tmp_path, monkeypatch):
    store = Store(tmp_path)
    for second, name in enumerate(("manual__2026-11-30", "20261130-070000-ab12")):
        monkeypatch.setattr("kilnworks.pipelines.craft.work.now", lambda: f"2026-11-30T07:00:0{second}.000Z")  # noqa: B023
        Rates(store, "churn", name).begin({"settings": {}})
    (tmp_path / "rates" / "churn" / "zz").mkdir()
    (tmp_path / "rates" / "churn" / "zz" / "rates.json").write_text("{")
    assert Rates.newest(store, "churn").name == "20261130-070000-ab12"
    assert Rates.named(store, "churn", "manual__2026-11-30") == Rates(store, "churn", "manual__2026-11-30")
    assert Rates.named(store, "churn", "other") is None and Rates.named(store, "churn", None) is None


def test_secrets_among_the_settings_are_in_no_file(tmp_path):
    this = Rates(Store(tmp_path), "churn", "r1")
    settings = {"examples.source.url": "postgresql://me:s3cretword@host/shop"}
    this.begin({"settings": settings, "steps": 20})
    assert this.record["settings"] == settings, "this process has them"
    assert "s3cretword" not in (this.folder / "rates.json").read_text()
    with pytest.raises(ConfigError, match=r"begun with a secret in examples\.source\.url, which is stored nowhere"):
        Rates.newest(Store(tmp_path), "churn")
    told = this.finish({"commands": [run_with("churn", settings)], "settings": settings, "rate": 0.1})
    assert "s3cretword" not in str(told) + (this.folder / "results.json").read_text()
    assert told["commands"][0].startswith("kilnworks run churn --set examples") and told["rate"] == 0.1
