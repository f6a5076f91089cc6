"""Fingerprints: what changes them, and what does not."""

import importlib
import sys

import pytest

from pipelines.core import cache
from schemas.config import Config


class Settings(Config):
    seed: int = 0


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package outside ours: component -> helper -> deep, and one that nobody imports."""
    package = tmp_path / "workshop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "component.py").write_text("def run():\n    from workshop import helper\n    return helper.f()\n")
    (package / "helper.py").write_text("import json\nimport yaml\nfrom workshop.deep import g as f\n")
    (package / "deep.py").write_text("def g(): return 1\n")
    (package / "stranger.py").write_text("def h(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [n for n in sys.modules if n.startswith("workshop")]:
        del sys.modules[name]


def fingerprint(seed: int = 0, **inputs: str) -> str:
    for function in vars(cache).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    importlib.invalidate_caches()
    component = importlib.import_module("workshop.component")
    return cache.step_fingerprint(component.run, Settings(seed=seed), inputs)


@pytest.mark.parametrize(
    ("file", "changes"), [("component.py", True), ("helper.py", True), ("deep.py", True), ("stranger.py", False)]
)
def test_source_of_the_component_and_all_it_imports_counts(project, file, changes):
    before = fingerprint()
    with (project / file).open("a") as f:
        f.write("\nx = 2\n")
    assert (fingerprint() != before) is changes


def test_settings_and_inputs_count(project):
    assert fingerprint() == fingerprint()
    assert fingerprint(seed=1) != fingerprint()
    assert fingerprint(a="1") != fingerprint(a="2")


def test_library_versions_count(project):
    fingerprint()
    assert cache.library_versions("workshop.component").keys() == {"PyYAML"}
