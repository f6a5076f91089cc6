"""Which settings of a run differ from the definition; those of a kind mean nothing without it."""

import pytest

from kilnworks.pipelines.cli.live import opened_as
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.files import read_json
from tests.pipelines.test_form import Large, Settings, Small, work

DEFINED = Pipeline("p", (Step("model", work, Settings(model=Small(units=(4,)))),))


def opened(tmp_path, settings):
    run = Store(tmp_path).run("p", "r1")
    record = run.begin("run p", settings)
    made = opened_as(DEFINED, run, record)
    return made["model"].config, read_json(run.path / "run.json")["differs"]


def test_a_kind_and_its_settings_are_given_together(tmp_path):
    config, differs = opened(tmp_path, {"model.model.kind": "large", "model.model.depth": 7, "model.epochs": 2})
    assert config.model == Large(depth=7, units=(4,))
    assert differs == ["model.model.depth", "model.model.kind"]


@pytest.mark.parametrize(
    ("settings", "differ"),
    [
        ({}, []),
        ({"model.epochs": 2}, []),
        ({"model.epochs": 3, "model.rate": None}, ["model.epochs"]),
        ({"model.model": {"units": [8]}, "model.model.units": [8]}, ["model.model", "model.model.units"]),
    ],
)
def test_what_changes_nothing_does_not_differ_and_what_does_is_never_missed(tmp_path, settings, differ):
    assert opened(tmp_path, settings)[1] == differ
