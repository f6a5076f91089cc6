"""Programs that are unpacked into ``.venv/programs``: found there, and reasons in words where they cannot be had."""

import os
import sys

import pytest

from scripts import unpacked


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine that has none of them, and nothing to get them by."""
    monkeypatch.setattr(unpacked, "FOLDER", tmp_path / "programs")
    monkeypatch.setattr(unpacked.shutil, "which", lambda name, path=None: None)
    return tmp_path / "programs"


def test_a_machine_without_them(bare):
    assert unpacked.prometheus() is unpacked.debootstrap() is unpacked.hadolint() is None
    assert unpacked.prometheus_or_reason() == "missing: needs apt-get and dpkg-deb"
    assert unpacked.debootstrap_or_reason() == "missing: needs apt-get and dpkg-deb"


def test_what_was_unpacked_is_found(bare):
    for name in ("prometheus/usr/bin/prometheus", "debootstrap/usr/sbin/debootstrap", "hadolint/bin/hadolint"):
        (bare / name).parent.mkdir(parents=True)
        (bare / name).touch()
    assert unpacked.prometheus() == bare / "prometheus/usr/bin/prometheus"
    assert unpacked.hadolint_or_reason() == str(bare / "hadolint/bin/hadolint")
    command = unpacked.debootstrap()
    assert command == [
        "env",
        f"DEBOOTSTRAP_DIR={bare}/debootstrap/usr/share/debootstrap",
        str(bare / "debootstrap/usr/sbin/debootstrap"),
    ]


def test_a_command_that_fails_says_why_in_its_last_line():
    assert unpacked.run([sys.executable, "-c", "import sys; sys.exit('first\\nlast')"]) == "last"
    assert unpacked.run([sys.executable, "-c", "import sys; sys.exit(3)"]) == "exit code 3"
    assert unpacked.run([os.devnull + "/none"]) != "" and unpacked.run([sys.executable, "-c", ""]) == ""
