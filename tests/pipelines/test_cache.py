"""Fingerprints: what changes them, and what does not."""

import importlib
import sys
from typing import Any

import pytest
from pydantic import Field, SerializeAsAny

from kilnworks.pipelines.core import cache
from kilnworks.schemas.config import Config


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
    cache.forget_code()
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
    cache.forget_code()
    component = importlib.import_module("workshop.component")
    assert "PyYAML" in dict(cache.step_code(component.run, Settings()).libraries)


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """Two modules with a config class of the same name each, one that stands on a third."""
    text = "from kilnworks.schemas.config import Config\nimport standing\n\n\nclass Part(Config):\n    size: int = 1\n"
    (tmp_path / "left_part.py").write_text(text)
    (tmp_path / "right_part.py").write_text(text.replace("import standing\n", ""))
    (tmp_path / "standing.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("left_part", "right_part", "standing"):
        sys.modules.pop(name, None)


class Holder(Config):
    part: SerializeAsAny[Config] = Settings()
    several: tuple[SerializeAsAny[Config], ...] = ()
    named: dict[str, SerializeAsAny[Config]] = Field(default_factory=dict)
    function: Any = None


def held(**values) -> str:
    cache.forget_code()
    importlib.invalidate_caches()
    return cache.step_fingerprint(test_settings_and_inputs_count, Holder(**values), {})


@pytest.mark.slow
@pytest.mark.parametrize("put", [lambda x: {"part": x}, lambda x: {"several": [x]}, lambda x: {"named": {"a": x}}])
@pytest.mark.parametrize("file", ["left_part.py", "standing.py"])
def test_a_class_of_the_config_counts_with_all_it_imports(configs, put, file):
    part = importlib.import_module("left_part").Part()
    before = held(**put(part))
    assert held(**put(part)) == before
    with (configs / file).open("a") as f:
        f.write("\ny = 2\n")
    assert held(**put(part)) != before


def test_classes_of_one_name_in_two_modules_differ(configs):
    left, right = (importlib.import_module(name).Part() for name in ("left_part", "right_part"))
    assert left.identity() == right.identity() == {"size": 1}
    assert Holder(part=left).identity() != Holder(part=right).identity()
    assert held(part=left) != held(part=right)


def test_a_function_in_the_config_counts_with_what_it_was_made_with(configs):
    def maker(number):
        return lambda: number

    assert held(function=maker(1)) == held(function=maker(1))
    assert held(function=maker(1)) != held(function=maker(2))
