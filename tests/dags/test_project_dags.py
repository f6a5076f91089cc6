"""The DAG files of a project that ``init`` made, as Airflow reads them."""

import json
import os
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from kilnworks.pipelines.cli.app import main
from tests.dags import airflow_home

pytestmark = pytest.mark.slow
READ = """
    import json
    from airflow.dag_processing.dagbag import DagBag
    bags = {{name: DagBag({folder!r} + f"/{{name}}.py") for name in ("kilnworks_dags", "kilnworks_refused")}}
    print(json.dumps([[sorted(bag.dags), list(bag.import_errors.values())] for bag in bags.values()]))
"""


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    """A project of its own, in the current folder of nobody."""
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    assert main(["init", str(tmp_path / "shop")]) == 0
    return tmp_path / "shop"


def read(shop: Path) -> list:
    """The DAGs and the import errors of each file."""
    environment = {name: value for name, value in os.environ.items() if name != "KILNWORKS_ROOT"}
    code = dedent(READ.format(folder=str(shop / "dags")))
    command = [*airflow_home.python(), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=shop.parent, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_a_broken_definition_takes_no_other_dag_with_it(shop):
    whole = read(shop)
    assert {"customers", "customers_champion", "maintenance"} <= set(whole[0][0])
    assert whole[0][1] == [] and whole[1] == [[], []]
    (shop / "pipelines/broken.py").write_text("import nothing_of_that_name\n")
    (dags, errors), (none, refused) = read(shop)
    assert dags == whole[0][0] and errors == []
    assert none == [] and "broken" in refused[0] and "nothing_of_that_name" in refused[0]
