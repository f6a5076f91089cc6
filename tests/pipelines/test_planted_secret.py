"""A secret planted everywhere that a user may write one: it is on no screen, in no log, and in no file of the store."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.form import changed, form
from kilnworks.pipelines.core.registry import load

PLANTED = "Zq8!plant@ed/sec ret"
SPELLED = {
    PLANTED,
    quote(PLANTED, safe=""),
    quote_plus(PLANTED),
    base64.b64encode(PLANTED.encode()).decode().rstrip("="),
    json.dumps(PLANTED)[1:-1],
}
DEFINITION = """
from kilnworks.pipelines.core.graph import Pipeline, Step
from tests.pipelines.planted import CallConfig, call

SHOP = Pipeline("shop", (Step("call", call, CallConfig(URL)),), description="Asks a shop.")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that writes the definition with a URL, and returns the folder."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "schemas/contracts").mkdir(parents=True)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))

    def write(arguments: str) -> Path:
        (tmp_path / "pipelines/shop.py").write_text(DEFINITION.replace("URL", arguments))
        return tmp_path

    return write


def leaks(*places: Path | str) -> list[str]:
    """Where the secret stands: files below folders, names of files, texts."""
    found = []
    for place in places:
        files = list(place.rglob("*")) if isinstance(place, Path) else []
        contents = [(str(p), p.read_bytes().decode("utf-8", "replace") if p.is_file() else "") for p in files]
        contents += [] if isinstance(place, Path) else [("text", place)]
        found += [name for name, text in contents for spelled in SPELLED if spelled in text or spelled in name]
    return found


PLACES = {
    "user part": 'url="postgresql://me:{raw}@127.0.0.1:1/shop"',
    "query": 'url="https://shop.example/x?password={quoted}&rows=3"',
    "signature": 'url="https://shop.example/x?sv=1&sig={quoted}"',
    "option": 'url="sqlite://", options={{"account_key": "{raw}", "rows": "3"}}',
    "own field": 'url="sqlite://", token="{raw}"',
    "reference": 'url="postgresql://me:${{SHOP_PASSWORD}}@127.0.0.1:1/shop", token="${{SHOP_PASSWORD}}"',
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fails", [False, True], ids=["works", "fails"])
def test_a_planted_secret_is_nowhere(place, fails, project, monkeypatch, capfd):
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)
    arguments = PLACES[place].format(raw=PLANTED, quoted=quote(PLANTED, safe=""))
    root = project(f"{arguments}, fails={fails}")
    assert main(["--traceback", "run", "shop"]) == (1 if fails else 0)
    for command in (["show", "shop"], ["show", "shop", "--json"], ["runs", "shop"], ["finish", "shop"]):
        assert main(command) == 0
    said = "".join(capfd.readouterr())
    assert "Zq8" not in said and leaks(said, root / "store") == []
    fields = form(load("shop"))
    assert leaks(repr(fields)) == []
    assert changed(load("shop"), {field.name: field.default for field in fields}) == {}
    (run,) = (root / "store/runs/shop").iterdir()
    if not fails:
        shown = json.loads((run / "call/manifest.json").read_text())["config"]
        assert "***" in json.dumps(shown) or "${SHOP_PASSWORD}" in json.dumps(shown)
        assert (run / "call/used.txt").read_text() == {"option": "2"}.get(place, "1" if place != "reference" else "11")


@pytest.mark.slow
def test_a_planted_secret_is_not_brought_into_mlflow(project, monkeypatch, capfd):
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for place in ("user part", "reference"):
        root = project(PLACES[place].format(raw=PLANTED, quoted=quote(PLANTED, safe="")) + ", fails=False")
        assert main(["run", "shop"]) == 0
    assert main(["mlflow", "--once"]) == 0
    said = "".join(capfd.readouterr())
    assert "shop: 2 brought in" in said
    assert (root / "store/mlflow/mlflow.db").is_file()
    assert "Zq8" not in said and leaks(said, root / "store") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [f"call.url=postgresql://me:{PLANTED}@h/d", f"call.token={PLANTED}", f"call.options.api_key={PLANTED}"],
)
def test_a_secret_on_the_command_line_is_not_kept(setting, project, capfd):
    root = project('url="sqlite://", options={"api_key": "${NONE}"}')
    assert main(["run", "shop", "--run-id", "r", "--set", setting]) == 0
    said = "".join(capfd.readouterr())
    assert leaks(said, root / "store") == []
    assert "***" in (root / "store/runs/shop/r/run.json").read_text()
    assert main(["run", "shop", "--run-id", "r"]) == 2, "the run cannot be resumed without it"
    assert "give it again" in "".join(capfd.readouterr())
    assert main(["run", "shop", "--run-id", "r", "--set", setting]) == 0


def test_a_changed_password_makes_nothing_again(project, monkeypatch, capfd):
    project('url="postgresql://me:${SHOP_PASSWORD}@h/d", token="one-secret"')
    monkeypatch.setenv("SHOP_PASSWORD", "first-password")
    assert main(["run", "shop"]) == 0
    project('url="postgresql://me:${SHOP_PASSWORD}@h/d", token="two-secrets"')
    monkeypatch.setenv("SHOP_PASSWORD", "second-password")
    capfd.readouterr()
    assert main(["run", "shop"]) == 0
    assert "call: cached" in capfd.readouterr().out


def test_a_store_that_cannot_be_reached_hides_its_secret(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("KILNWORKS_MIRROR", str(tmp_path))
    assert main(["runs", "churn", "--store", f"nosuch://me:{PLANTED}@h/d?secret_access_key=abcdefgh"]) == 1
    said = "".join(capfd.readouterr())
    assert leaks(said) == [] and "abcdefgh" not in said and "nosuch" in said


def test_control_characters_of_names_are_escaped(project, capfd):
    project('url="sqlite://", note="\\x1b[2J\\x07 wiped", fails=True')
    assert main(["show", "shop"]) == 0
    assert main(["run", "shop", "--run-id", "a\x1b[31mb"]) == 1
    said = "".join(capfd.readouterr())
    assert "\x1b" not in said and "\x07" not in said and "\\x1b[2J" in said
