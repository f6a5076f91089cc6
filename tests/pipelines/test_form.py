"""The settings of a pipeline as a form."""

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from kilnworks.pipelines.core.form import changed, form
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError
from tests.pipelines.chain import Number


class Small(Config):
    kind: Literal["small"] = "small"
    units: tuple[Annotated[int, Field(ge=1)], ...] = (4,)
    """Units of each layer."""


class Large(Config):
    kind: Literal["large"] = "large"
    depth: int = Field(default=3, ge=1)
    """Layers."""
    units: tuple[int, ...] = (16,)


class Settings(Config):
    model: Annotated[Small | Large, Field(discriminator="kind")] = Small()
    epochs: int = Field(default=2, ge=1, le=50)
    """Passes over
    the rows."""
    rate: float | None = Field(default=None, gt=0)
    mode: Literal["min", "max"] | None = None
    seed: int | Literal["random"] = 1
    limits: dict[str, float] = Field(default_factory=dict)
    note: str = ""


def work(config: Settings, out: Path) -> Number:
    return Number(out)


PIPELINE = Pipeline("p", (Step("model", work, Settings()),))
FIELDS = {field.name: field for field in form(PIPELINE)}


def test_every_setting_has_a_field_in_the_order_of_the_config():
    assert list(FIELDS) == [
        "model.model.kind",
        "model.model.units",
        "model.epochs",
        "model.rate",
        "model.mode",
        "model.seed",
        "model.limits",
        "model.note",
        "model.model.large.depth",
        "model.model.large.units",
    ]


@pytest.mark.parametrize(
    ("name", "default", "schema"),
    [
        ("model.model.units", [4], {"type": "array", "items": {"type": "integer", "minimum": 1}}),
        ("model.epochs", 2, {"type": "integer", "minimum": 1, "maximum": 50}),
        ("model.rate", None, {"type": ["number", "null"], "exclusiveMinimum": 0}),
        ("model.mode", None, {"type": ["string", "null"], "enum": ["min", "max", None]}),
        (
            "model.seed",
            1,
            {"type": ["integer", "string"], "anyOf": [{"type": "integer"}, {"type": "string", "const": "random"}]},
        ),
        ("model.limits", {}, {"type": "object"}),
    ],
)
def test_rules_and_defaults(name, default, schema):
    assert FIELDS[name].default == default
    assert FIELDS[name].schema == schema


def test_help_is_the_text_of_the_field_on_one_line_with_its_range():
    assert FIELDS["model.epochs"].help == "Passes over the rows. Whole number from 1 to 50."


def test_the_choice_in_force_is_the_one_shown():
    large = Pipeline("p", (Step("model", work, Settings(model=Large())),))
    fields = {field.name: field for field in form(large)}
    assert fields["model.model.depth"].choice is None
    assert fields["model.model.kind"].default == "large"
    assert fields["model.model.small.units"].choice == ("model.model.kind", "small")


def test_settings_of_another_kind_stand_in_a_section_of_its_own_and_are_said_where_it_is_chosen():
    depth, kind = FIELDS["model.model.large.depth"], FIELDS["model.model.kind"]
    assert (depth.section, depth.title, depth.setting) == (
        "model: model.kind large",
        "model.depth",
        "model.model.depth",
    )
    assert (kind.default, kind.schema["enum"]) == ("small", ["small", "large"])
    assert "`model: model.kind large`" in kind.help


def test_a_kind_that_is_chosen_takes_the_settings_of_its_section():
    values = {name: field.default for name, field in FIELDS.items()}
    given = changed(PIPELINE, {**values, "model.model.kind": "large", "model.model.large.depth": 7})
    assert given == {"model.model.kind": "large", "model.model.depth": 7}
    assert PIPELINE.configured(given)["model"].config.model == Large(depth=7)
    assert changed(PIPELINE, {**values, "model.model.kind": "large"}) == {"model.model.kind": "large"}


def test_the_section_of_a_kind_shows_what_choosing_it_alone_would_give():
    """What the definition sets and both have is kept, as the command line keeps it."""
    shown = Pipeline("p", (Step("model", work, Settings(model=Small(units=(5,)))),))
    default = {field.name: field.default for field in form(shown)}["model.model.large.units"]
    assert tuple(default) == shown.configured({"model.model.kind": "large"})["model"].config.model.units == (5,)


def test_a_setting_of_a_kind_that_is_not_chosen_is_refused():
    with pytest.raises(ConfigError, match=r"(?s)'small'.*choose 'large' for model.model.kind"):
        changed(PIPELINE, {"model.model.large.depth": 7})


def test_two_values_for_one_setting_are_refused():
    values = {"model.model.kind": "large", "model.model.units": [1], "model.model.large.units": [2]}
    with pytest.raises(ConfigError, match=r"\[1\] and \[2\] for model.model.units"):
        changed(PIPELINE, values)


@pytest.mark.parametrize("name", ["churn", "digits"])
def test_every_field_of_a_shipped_definition_says_what_it_means_and_its_range(name):
    fields = form(load(name))
    assert [
        f.name for f in fields if not f.help or f.help.startswith(("Whole number", "Number", "List", "Text that"))
    ] == []
    limited = [f for f in fields if f.schema.keys() & {"minimum", "exclusiveMinimum"}]
    assert len(limited) > 50
    for field in limited:
        assert f"{field.schema.get('minimum', field.schema.get('exclusiveMinimum')):g}" in field.help, field.name


def test_only_what_differs_is_passed_on():
    values = {name: field.default for name, field in FIELDS.items()}
    assert changed(PIPELINE, values) == {}
    assert changed(PIPELINE, {**values, "model.epochs": 3}) == {"model.epochs": 3}


def test_nothing_for_an_empty_text_changes_nothing():
    assert changed(PIPELINE, {"model.note": None, "model.rate": None}) == {}
    assert changed(PIPELINE, {"model.note": "x"}) == {"model.note": "x"}


def test_what_is_passed_on_configures_the_pipeline():
    given = changed(PIPELINE, {"model.model.units": [8, 8], "model.rate": 0.5})
    config = PIPELINE.configured(given)["model"].config
    assert config.model.units == (8, 8)
    assert config.rate == 0.5


def test_a_name_that_is_no_setting_reaches_the_check_of_names():
    with pytest.raises(ConfigError, match="epoch"):
        PIPELINE.configured(changed(PIPELINE, {"model.epoch": 3}))


def test_the_form_filled_in_as_it_is_shown_changes_no_class_of_ones_own():
    from kilnworks.components.features.settings import FeatureSettings
    from kilnworks.components.ingest import IngestConfig
    from kilnworks.components.learning.optimizers import Adam
    from kilnworks.components.modeling.mlp import Mlp
    from kilnworks.components.preprocess import PreprocessConfig
    from kilnworks.components.sources import CsvSource, GivenSplits
    from kilnworks.components.train import TrainConfig
    from kilnworks.pipelines.core.chains import supervised
    from kilnworks.schemas.contract import Contract

    class My(Mlp):
        extra: int = 7

    class MyAdam(Adam):
        warm: float = 0.5

    class MyCsv(CsvSource):
        note: str = "n"

    class MyFeature(FeatureSettings):
        more: int = 1

    label = {"name": "y", "dtype": "int", "classes": [0, 1]}
    contract = Contract.model_validate({"name": "c", "features": {"a": {"dtype": "float"}}, "label": label})
    pipeline = supervised(
        "own",
        IngestConfig(contract=contract, source=GivenSplits(train=MyCsv(path="a"))),
        TrainConfig(model=My(units=(3,)), optimizer=MyAdam()),
        transform=PreprocessConfig(features={"a": MyFeature(buckets=5)}),
    )
    shown = json.loads(json.dumps({field.name: field.default for field in form(pipeline)}))
    in_force = {field.name for field in form(pipeline) if field.choice is None}
    assert {"model.model.extra", "model.optimizer.warm", "examples.source.train.note"} <= shown.keys()
    assert not any("contract" in name for name in shown), "nor its statistics"
    again = pipeline.configured({name: shown[name] for name in in_force})
    assert pipeline.replaced(again) == []
    assert [step.config for step in again.steps] == [step.config for step in pipeline.steps]
    assert changed(pipeline, shown) == {}
