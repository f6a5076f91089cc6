"""Makes a SavedModel an MLflow model too: ``MLmodel`` beside it, and the code that opens it.

Written without MLflow, whose import costs more than the export of a small model; the format is documented
(https://mlflow.org/docs/latest/ml/model). There is no signature: MLflow would refuse what the loader understands, such
as an ISO 8601 text for a datetime or a whole number that may be missing; what each input is stands in the metadata.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import yaml

from kilnworks.components.exporting import pyfunc
from kilnworks.schemas.files import read_json, write_text
from kilnworks.schemas.wire import EXTRA, INPUTS_FILE, MLFLOW_FILE

FOLDER = EXTRA / "mlflow"
PACKAGES = ("mlflow", "numpy", "pandas", "tensorflow")


def write_mlflow(saved_model: Path) -> None:
    """Write ``MLmodel``, its loader and its environment into a SavedModel that has its ``inputs.json``."""
    code = Path(pyfunc.__file__).read_text(encoding="utf-8")
    module = f"kilnworks_pyfunc_{hashlib.sha256(code.encode()).hexdigest()[:8]}"  # models of two releases, one process
    write_text(saved_model / FOLDER / "code" / f"{module}.py", code)
    packages = [f"{name}=={version}" for name in PACKAGES if (version := _version(name))]
    environment = {"python": platform.python_version(), "build_dependencies": ["pip"], "dependencies": packages}
    write_text(saved_model / FOLDER / "python_env.yaml", yaml.safe_dump(environment, sort_keys=False))
    write_text(saved_model / "requirements.txt", "".join(f"{package}\n" for package in packages))
    loader: dict[str, Any] = {
        "loader_module": module,
        "code": str(FOLDER / "code"),
        "data": ".",
        "env": {"virtualenv": str(FOLDER / "python_env.yaml")},
        "python_version": platform.python_version(),
    }
    about = {
        "flavors": {"python_function": loader},
        "metadata": {"inputs": read_json(saved_model / INPUTS_FILE)},
        "mlflow_version": _version("mlflow"),
    }
    write_text(saved_model / MLFLOW_FILE, yaml.safe_dump(about, sort_keys=False, allow_unicode=True))


def _version(package: str) -> str:
    """Of what is installed here; empty where it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
