"""``docs/features.md`` as its reader would follow it: a project with the files that it shows, and its command."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import preloaded

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/features.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The folder, with a year of a turbine whose yield depends on where the wind comes from."""
    folder = tmp_path_factory.mktemp("turbine")
    for file, text in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE.read_text(), re.S):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    r = np.random.default_rng(0)
    direction, speed = r.uniform(0, 360, 1500), r.weibull(2, 1500) * 8
    label = 40 * speed * (1 + 0.5 * np.cos(np.radians(direction))) + r.normal(0, 5, 1500)
    holes = pl.when(pl.Series(r.random(1500) > 0.02)).then(pl.col("direction")).alias("direction")
    frame = pl.DataFrame({"direction": direction, "speed": speed, "yield_kw": label}).with_columns(holes)
    frame.write_csv(folder / "turbine.csv")
    return folder


def _kilnworks(project, *arguments):
    environment = {**os.environ, "KILNWORKS_ROOT": str(project), "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [*preloaded.python(), "-m", "kilnworks", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(project):
    """What the command on the page printed."""
    (command,) = re.findall(r"```bash\nkilnworks (.*?)\n```", PAGE.read_text())
    return _kilnworks(project, *command.split())


def _made(project, file):
    """What a step of the run wrote."""
    (found,) = project.glob(f"store/runs/turbine/*/{file}")
    return json.loads(found.read_text())


def test_the_page_shows_whole_files(project):
    names = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
    assert {"wind_kinds.py", "pipelines/turbine.py", "schemas/contracts/turbine.yaml"} <= names


def test_both_ways_of_the_kind_are_those_of_a_formula_and_the_served_model_agrees(project, run):
    servable = _made(project, "servable/servable.json")
    assert servable["skew"]["rows"] > 100 and servable["skew"]["max_difference"] < 1e-5
    assert list(servable["signatures"]["serving_default"]["inputs"]) == ["direction", "speed"]
    transform = _made(project, "transform/transform.json")
    assert transform["block"] == ["speed", "direction (sine)", "direction (cosine)"]
    assert transform["features"]["direction"] == {"kind": "wind_kinds:CyclicPlan", "period": 360.0}


def test_north_is_north_from_both_sides(project, run):
    """By its angle alone 0.5 and 359.5 degrees would lie farthest apart."""
    rows = pl.DataFrame({"direction": [0.5, 359.5, 180.0, None], "speed": [8.0] * 4})
    rows.write_csv(project / "ask.csv")
    _kilnworks(project, "predict", "turbine", str(project / "ask.csv"), "--output", str(project / "answers.csv"))
    north, also_north, south, unknown = pl.read_csv(project / "answers.csv")["value"].to_list()
    assert abs(north - also_north) < 0.05 * north
    assert north > 2 * south and south < unknown < north


def test_an_edit_of_the_kind_is_seen(project, run):
    file = project / "wind_kinds.py"
    file.write_text(
        file.read_text().replace("def refused", "def is_new(self):\n        return True\n\n    def refused")
    )
    again = _kilnworks(project, "run", "turbine", "--to", "transform")
    assert re.search("^checked: cached", again, re.M) and re.search("^transform: done", again, re.M), again
