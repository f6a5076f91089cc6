"""Facts of what is sent to a model, and of what lies beside one: each has its place here, and nowhere else.

::

    saved model/assets.extra/contract.json                  the contract that the model was trained under
                            /inputs.json                    dtype, shape, unit and missing value of each input
                            /task.json                      what is predicted, see ``components/tasks``
                            /tf_serving_warmup_requests     what a server asks the model before others may
                            /mlflow/                        how MLflow opens it, see ``MLmodel`` above it

Nothing but numbers has a missing value of its own, so one value of each dtype stands for "missing" in a nullable input.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MISSING_INT = -(2**63)
"""A missing moment, in seconds, or a missing whole number that float32 would merge with its neighbours; int64."""
MISSING: Mapping[str, Any] = {"float32": float("nan"), "int64": MISSING_INT, "string": b"", "uint8": 0}
"""Dtype on the wire -> what stands for a missing value; a dtype that is not here cannot say it."""

EXTRA = Path("assets.extra")
"""Folder of a SavedModel for what a server copies along and does not read."""
CONTRACT_FILE = EXTRA / "contract.json"
INPUTS_FILE = EXTRA / "inputs.json"
TASK_FILE = EXTRA / "task.json"
SERIES_FILE = EXTRA / "series.yaml"
"""Of a model that forecasts: the contract of the rows that its windows are made of."""
HISTORY_FILE = EXTRA / "history.parquet"
"""Of a model that forecasts: the last window of rows of each group."""
WARMUP_FILE = EXTRA / "tf_serving_warmup_requests"
MLFLOW_FILE = Path("MLmodel")
"""What makes the SavedModel one of MLflow's models as well."""

MASK = "(masked)"
"""Stands for a value of a sensitive feature, wherever one would be shown."""
HIDDEN = "***"
"""Stands where a secret would, such as the password of a URL."""
