"""The project folder: where a user's own definitions lie."""

import os
from pathlib import Path

ROOT_VARIABLE = "KILNWORKS_ROOT"


def project_root() -> Path:
    """The folder that holds a user's own definitions: ``$KILNWORKS_ROOT``, or the current folder."""
    return Path(os.environ.get(ROOT_VARIABLE) or ".").expanduser().resolve()
