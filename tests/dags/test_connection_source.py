"""A source that signs in by a connection of Airflow, in a DAG run: the rows arrive, the secret stays where it was."""

import json
import os
import sqlite3
import subprocess

import pytest

from kilnworks.pipelines.core.store import Store
from tests.dags import airflow_home
from tests.dags.airflow_home import ROOT

pytestmark = pytest.mark.slow
DEFINITION = """
from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import SqlSource
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract("{name: shop, features: {n: {dtype: int}}}")
SOURCE = SqlSource(url="sqlite:///${connection:shop_db.password}", query="select n from sold order by n")
SHOP = Pipeline("shop", (Step("examples", ingest, IngestConfig(contract=CONTRACT, source=SOURCE)),))
"""
CODE = """
import os
os.umask(0o022)
import kilnworks.dags.training, json, sys
from airflow.models import Connection
from airflow.utils.session import create_session
with create_session() as session:
    session.add(Connection(conn_id="shop_db", conn_type="sqlite", password=sys.argv[1]))
run = kilnworks.dags.training.shop.test()
print()
print(json.dumps([str(run.state), run.run_id]))
"""


def test_rows_come_through_a_connection_and_nothing_repeats_its_password(airflow_database, tmp_path):
    secret = tmp_path / "pl4nted-pässword.db"
    with sqlite3.connect(secret) as database:
        database.execute("create table sold (n integer)")
        database.executemany("insert into sold values (?)", [(n,) for n in range(50)])
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/shop.py").write_text(DEFINITION)
    store = tmp_path / "store"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "KILNWORKS_ROOT": str(tmp_path),
        "KILNWORKS_STORE": str(store),
    }
    command = [*airflow_home.python(), "-c", CODE, str(secret)]
    done = subprocess.run(command, capture_output=True, env=env, cwd=ROOT, check=False)
    printed = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, printed[-4000:]
    state, run_id = json.loads(done.stdout.decode().strip().splitlines()[-1])
    run = Store(store).run("shop", run_id)
    assert state == "success", printed[-4000:]
    assert json.loads((run.path / "examples" / "manifest.json").read_text())["config"]["source"]["url"]
    written = [path for path in store.rglob("*") if path.is_file()]
    texts = [printed, *(path.read_bytes().decode(errors="replace") for path in written)]
    assert len(written) > 5 and not [text for text in texts if "pl4nted" in text]
    assert not [path for path in (store, *store.rglob("*")) if path.lstat().st_mode & 0o077 and not path.is_symlink()]
