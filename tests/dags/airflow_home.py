"""Airflow in a folder of its own, and the toy project; set up when this is first imported, once in a process.

Not in ``conftest.py``: pytest loads that under a name of its own, and whoever imports it loads it once more.
"""

import json
import os
import tempfile
from pathlib import Path

from tests import preloaded

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
HOME = tempfile.TemporaryDirectory(prefix="kilnworks-airflow-")
SETTINGS = {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
}
os.environ.update(SETTINGS)


def python() -> list[str]:
    """The beginning of a command in a process of its own that finds Airflow loaded, which takes two seconds."""
    return preloaded.python(("airflow.sdk", "airflow.models", "airflow.dag_processing.dagbag"), tuple(SETTINGS.items()))


def only(folder: Path, *dags: str) -> dict[str, str]:
    """Settings by which ``dag.test()`` finds these DAGs of ``training.py`` and no others beside the one that it runs.

    Before every run it reads all files of the folder of DAGs and writes whatever they make into its database, some
    eighty DAGs. That it can is tried by ``test_connection_source.py``, and what they are by ``test_factory.py``.
    """
    (folder / "shown.py").write_text(f"from kilnworks.dags.training import {', '.join(dags)}  # of airflow\n")
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundle = {"name": "dags-folder", "classpath": local, "kwargs": {"path": str(folder)}}
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle])}


def forked_steps() -> str:
    """Code before a run of a DAG by which the processes of its tasks find TensorFlow loaded, five seconds each.

    The line that a task starts otherwise is tried by ``test_connection_source.py`` and those with a whole Airflow.
    """
    words = [*preloaded.python(), "-m", "kilnworks"]
    return f"import kilnworks.dags.operators as operators\noperators.command = lambda told, _: [*{words!r}, *told]\n"
