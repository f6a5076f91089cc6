"""A store in which `churn` has run up to its preprocessing: made once in a test run, copied for who goes on there.

The data, their checks and what the preprocessing learns of them take four seconds of a processor, and are the same for
all. The first who asks makes them, by the steps themselves; a run in a copy takes them from the store, as any second
run does.
"""

import os
import shutil
from pathlib import Path

import pytest

from kilnworks.pipelines.cli.app import main
from tests.preloaded import exclusive


def churn_transformed(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder of its own, called like ``name``: a store with the steps ``examples``, ``checked`` and ``transform``."""
    everyone = factory.getbasetemp()  # of this worker; the folder around it is that of the test run
    everyone = everyone.parent if "PYTEST_XDIST_WORKER" in os.environ else everyone
    made = everyone / "churn-transformed"
    with exclusive(made):
        if not made.is_dir():
            _make(made)
    folder = factory.mktemp(name)
    shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def _make(made: Path) -> None:
    """Under another name until it is whole: a test that is stopped leaves nothing that counts."""
    begun = made.with_name(f"{made.name}-begun")
    shutil.rmtree(begun, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_STORE", str(begun))
        assert main(["run", "churn", "--to", "transform"]) == 0
    begun.rename(made)
