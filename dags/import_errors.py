"""Airflow shows here, as an import error of this file, the definitions that make no DAG, each with its reason."""

from kilnworks.dags.noted import noted
from kilnworks.schemas.errors import ConfigError

reasons = noted()
if reasons is None:
    from kilnworks.dags.definitions import read_all

    _, reasons = read_all()
if reasons:
    lines = "\n".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    raise ConfigError(lines, "definitions that load", "correct them; all other pipelines have their DAG")
