"""What a base path offers, what a policy chooses of it, and which version comes or goes next."""

from pathlib import Path

import pytest

from kilnworks.components.serving.versions.model_config import ServedModel, VersionPolicy
from kilnworks.components.serving.versions.transition import Action, Phase, Snapshot, next_action
from kilnworks.components.serving.versions.version_source import BasePathMissing, aspired_versions, parse_version
from tests.components.serving.versions.fake_loader import publish


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("1", 1),
        ("00000007", 7),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("1_0", None),
        ("1.0", None),
        ("v1", None),
        ("", None),
        ("٣", None),
        (".partial", None),
    ],
)
def test_version_names(name: str, version: int | None) -> None:
    assert parse_version(name) == version


def test_policies_choose_versions(tmp_path: Path) -> None:
    publish(tmp_path, 1, "002", 3, "notes")

    def chosen(policy: VersionPolicy) -> dict[int, str]:
        found = aspired_versions([ServedModel("m", str(tmp_path), policy)])["m"]
        return {version: Path(path).name for version, path in found.items()}

    assert chosen(VersionPolicy()) == {3: "3"}
    assert chosen(VersionPolicy("latest", 2)) == {2: "002", 3: "3"}
    assert chosen(VersionPolicy("all")) == {1: "1", 2: "002", 3: "3"}
    assert chosen(VersionPolicy("specific", 1, frozenset({1, 9}))) == {1: "1"}


def test_of_two_spellings_the_later_name_counts(tmp_path: Path) -> None:
    publish(tmp_path, "7", "007")
    assert aspired_versions([ServedModel("m", str(tmp_path))]) == {"m": {7: str(tmp_path / "7")}}


def test_one_missing_base_path_fails_the_whole_poll(tmp_path: Path) -> None:
    publish(tmp_path / "a", 1)
    models = [ServedModel("a", str(tmp_path / "a")), ServedModel("b", str(tmp_path / "b"))]
    with pytest.raises(BasePathMissing, match="/b of model b"):
        aspired_versions(models)


def new(version: int, phase: Phase = Phase.NEW, aspired: bool = True) -> Snapshot:
    return Snapshot(version, phase, aspired)


@pytest.mark.parametrize(
    ("versions", "action"),
    [
        ([], None),
        ([new(1), new(2)], Action(True, 2)),
        ([new(1, Phase.READY, False), new(2)], Action(True, 2)),
        ([new(1, Phase.READY, False), new(2, Phase.LOADING)], None),
        ([new(1, Phase.READY, False), new(2, Phase.FAILED)], None),
        ([new(1, Phase.READY, False), new(2, Phase.READY)], Action(False, 1)),
        ([new(1, Phase.READY, False), new(2, Phase.READY, False), new(3)], Action(False, 1)),
        ([new(1, Phase.READY, False)], Action(False, 1)),
        ([new(1, Phase.READY), new(2, Phase.READY)], None),
    ],
)
def test_availability_comes_first(versions: list[Snapshot], action: Action | None) -> None:
    assert next_action(versions) == action
