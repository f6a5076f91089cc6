"""Airflow in a folder of its own, and the toy project; set up when this is first imported, once in a process.

Not in ``conftest.py``: pytest loads that under a name of its own, and whoever imports it loads it once more.
"""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
HOME = tempfile.TemporaryDirectory(prefix="kilnworks-airflow-")
os.environ["AIRFLOW_HOME"] = HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
