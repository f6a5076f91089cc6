"""What a person types, as values: ``--set model.epochs=3``, ``--store URL``, run ids."""

import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import yaml

from kilnworks.pipelines.cli.console import name_store
from kilnworks.schemas.errors import ConfigError

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Folder or URL of the store [default: $KILNWORKS_STORE, or store/ in the project]",
        callback=name_store,
    ),
]
"""The option of every command that reads or writes a store."""


def overrides(settings: Sequence[str]) -> dict[str, Any]:
    """``["model.epochs=3"]`` as ``{"model.epochs": 3}``; values are read as YAML.

    Raises:
        ConfigError: no ``=``, or a value that is not YAML.
    """
    found: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text}", "STEP.FIELD=VALUE, e.g. --set model.epochs=3", "add the = and the value")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[key.strip()] = value
    return found


def new_run_id() -> str:
    """A run id that sorts by time and that no other process will choose."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
