"""Connections and variables of Airflow for the process of a task, where the settings of a DAG's steps refer to them.

The process is not one of Airflow's tasks and cannot ask for them. They are looked up when the task runs, and go by the
environment variables that Airflow itself reads; they are in no template, so that no rendered field shows them.
"""

import json
import re
from collections.abc import Sequence

from airflow.sdk import BaseHook, Variable

from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.masking import remember
from kilnworks.schemas.secret import AIRFLOW_VARIABLE, CONNECTION_VARIABLE

_REFERENCE = re.compile(r"\$\{(connection|variable):([^{}]+)\}")


def handed_secrets(pipeline: str, steps: Sequence[str], overrides: str) -> dict[str, str]:
    """Environment variables for the connections and variables that the steps, or changed settings, refer to.

    Args:
        pipeline: name of the definition.
        steps: names of steps; empty for a command that runs none.
        overrides: changed settings as JSON.
    """
    settings = [load(pipeline)[step].config.without_secrets() for step in steps]
    found: dict[str, str] = {}
    for kind, name in _REFERENCE.findall(json.dumps(settings) + overrides):
        if kind == "variable":
            found[AIRFLOW_VARIABLE + name.upper()] = str(Variable.get(name))
            remember(found[AIRFLOW_VARIABLE + name.upper()])
        else:
            connection = BaseHook.get_connection(name.partition(".")[0])
            remember(connection.password or "")
            found[CONNECTION_VARIABLE + str(connection.conn_id).upper()] = connection.as_json()
    return found
