"""Files of a store are for their owner alone, unless the environment says otherwise."""

import os
import stat

import pytest

from pipelines.cli.app import main

DEFINITION = """
from pipelines.core.graph import Pipeline, Step
from tests.pipelines.planted import CallConfig, call

SHOP = Pipeline("shop", (Step("call", call, CallConfig(url="sqlite://")),))
"""


@pytest.mark.parametrize(("access", "closed"), [(None, 0o077), ("group", 0o007), ("system", 0o022)])
def test_modes_of_a_store(access, closed, tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "schemas/contracts").mkdir(parents=True)
    (tmp_path / "pipelines/shop.py").write_text(DEFINITION)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    if access:
        monkeypatch.setenv("KILNWORKS_STORE_ACCESS", access)
    before = os.umask(0o022)
    try:
        assert main(["run", "shop"]) == 0
        assert os.umask(0o022) == 0o022, "the process has its own again"
    finally:
        os.umask(before)
    paths = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert len(paths) > 10 and {mode & closed for mode in modes.values()} == {0}
    assert any(mode & 0o077 & ~closed for mode in modes.values()) or closed == 0o077


def test_another_word_is_refused(monkeypatch, capfd):
    monkeypatch.setenv("KILNWORKS_STORE_ACCESS", "everybody")
    assert main(["run", "churn"]) == 2
    assert "owner, group or system" in capfd.readouterr().err
