"""Airflow finds here one DAG for each pipeline definition.

A definition that does not load is left out here and named by ``refused.py``, so that it takes no other DAG with it.
"""

from contextlib import suppress

from dags.factory import build_dag, wanted
from pipelines.core.registry import docs, load

for name in wanted():
    with suppress(Exception):
        globals()[name] = build_dag(load(name), docs(name))
