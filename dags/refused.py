"""Airflow shows here, as an import error of this file, the definitions that make no DAG, each with its reason."""

from dags.factory import build_dag
from pipelines.core.registry import load, names
from schemas.errors import ConfigError, KilnworksError

reasons = []
for name in names():
    try:
        build_dag(load(name), register=False)
    except KilnworksError as error:
        reasons.append(f"{name}: {error.got}")
    except Exception as error:
        reasons.append(f"{name}: {type(error).__name__}: {error}")
if reasons:
    raise ConfigError("\n".join(reasons), "definitions that load", "correct them; all other pipelines have their DAG")
