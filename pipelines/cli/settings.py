"""What a person types, as values: ``--set model.epochs=3``, ``--store URL``, run ids."""

import os
import secrets
import time
from collections.abc import Sequence
from typing import Any

import yaml

from pipelines.core.store import Store
from schemas.errors import ConfigError

STORE_VARIABLE = "KILNWORKS_STORE"


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


def open_store(url: str | None) -> Store:
    """The store at ``url``, at ``$KILNWORKS_STORE``, or in ``./store``."""
    return Store.at(url or os.environ.get(STORE_VARIABLE) or "store")


def new_run_id() -> str:
    """A run id that sorts by time and that no other process will choose."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
