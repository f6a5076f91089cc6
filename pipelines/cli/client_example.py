"""A program that asks the model of a pipeline, to be copied: it needs ``kilnworks-client`` alone."""

import json
from collections.abc import Mapping
from typing import Any


def client_example(model: str, served: Mapping[str, Mapping[str, Any]]) -> str:
    """Python code that sends one row of zeros and empty texts, with the dtype, shape and unit of each input.

    Args:
        model: name of the served model.
        served: what each input is sent as, by name: ``dtype``, ``shape`` and maybe ``unit``.
    """
    lines = [
        "# pip install kilnworks-client",
        "import numpy as np",
        "from kilnworks_client import Client",
        "",
        "rows = {",
        *(f"    {json.dumps(name, ensure_ascii=False)}: {_value(told)}" for name, told in served.items()),
        "}",
        'with Client("localhost:8500") as client:  # REST: Client("http://localhost:8501")',
        f"    print(client.predict({json.dumps(model)}, rows).outputs)",
    ]
    return "\n".join(lines)


def _value(told: Mapping[str, Any]) -> str:
    shape = tuple(1 if size < 0 else size for size in told["shape"])
    kind = "object" if told["dtype"] == "string" else json.dumps(told["dtype"])
    filled = f'np.full({shape}, "", object)' if kind == "object" else f"np.zeros({shape}, {kind})"
    unit = " ".join(str(told.get("unit", "")).split())
    return f"{filled}," + (f"  # {unit}" if unit else "")
