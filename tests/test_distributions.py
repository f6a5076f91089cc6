"""Two distributions of one repository: ``kilnworks``, and ``kilnworks-client``, whose package it holds."""

import importlib
import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

import kilnworks_client
from tests.test_layers import ROOT

MAIN = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIENT = tomllib.loads((ROOT / "kilnworks_client/pyproject.toml").read_text())["project"]


def locked() -> dict[str, list[Version]]:
    """Distribution -> its versions in the lock, one for each range of Pythons."""
    found: dict[str, list[Version]] = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line[:1].isalnum():
            name, _, rest = line.partition("==")
            found.setdefault(name.partition("[")[0], []).append(Version(rest.split(" ")[0]))
    return found


def test_both_have_one_version_one_licence_and_one_range_of_pythons():
    for key in ("version", "license", "requires-python"):
        assert CLIENT[key] == MAIN[key]
    assert kilnworks_client.__version__ == CLIENT["version"]
    assert (ROOT / "kilnworks_client/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_client_asks_for_three_packages_that_the_lock_satisfies():
    wanted = [Requirement(text) for text in CLIENT["dependencies"]]
    assert [one.name for one in wanted] == ["numpy", "grpcio", "protobuf"]
    for one in wanted:
        assert all(one.specifier.contains(version) for version in locked()[one.name]), one


def test_what_the_client_asks_for_kilnworks_asks_for_too():
    assert set(CLIENT["dependencies"]) <= set(MAIN["dependencies"])


def test_public_names_are_there_and_are_loaded_when_used():
    for name in kilnworks_client.__all__:
        assert getattr(kilnworks_client, name) is getattr(importlib.import_module("kilnworks_client"), name)
        assert name in dir(kilnworks_client)
    inside = importlib.import_module("kilnworks.components.serving.client")
    assert issubclass(inside.Client, kilnworks_client.Client)
