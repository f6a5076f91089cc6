"""The settings of a pipeline as a form."""

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipelines.core.form import changed, form
from pipelines.core.graph import Pipeline, Step
from schemas.config import Config
from schemas.errors import ConfigError
from tests.pipelines.chain import Number


class Small(Config):
    kind: Literal["small"] = "small"
    units: tuple[Annotated[int, Field(ge=1)], ...] = (4,)
    """Units of each layer."""


class Large(Config):
    kind: Literal["large"] = "large"
    depth: int = 3


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
        "model.model.units",
        "model.epochs",
        "model.rate",
        "model.mode",
        "model.seed",
        "model.limits",
        "model.note",
    ]


@pytest.mark.parametrize(
    ("name", "default", "schema"),
    [
        ("model.model.units", [4], {"type": "array", "items": {"type": "integer", "minimum": 1}}),
        ("model.epochs", 2, {"type": "integer", "minimum": 1, "maximum": 50}),
        ("model.rate", None, {"type": ["number", "null"], "exclusiveMinimum": 0}),
        ("model.mode", None, {"type": ["string", "null"], "enum": ["min", "max", None]}),
        ("model.seed", 1, {"type": ["integer", "string"]}),
        ("model.limits", {}, {"type": "object"}),
    ],
)
def test_rules_and_defaults(name, default, schema):
    assert FIELDS[name].default == default
    assert FIELDS[name].schema == schema


def test_help_is_the_text_of_the_field_on_one_line():
    assert FIELDS["model.epochs"].help == "Passes over the rows."


def test_the_choice_in_force_is_the_one_shown():
    large = Pipeline("p", (Step("model", work, Settings(model=Large())),))
    assert "model.model.depth" in {field.name for field in form(large)}


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
    from components.features.settings import FeatureSettings
    from components.ingest import IngestConfig
    from components.learning.optimizers import Adam
    from components.modeling.mlp import Mlp
    from components.preprocess import PreprocessConfig
    from components.sources import CsvSource, GivenSplits
    from components.train import TrainConfig
    from pipelines.core.chains import supervised
    from schemas.contract import Contract

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
    assert {"model.model.extra", "model.optimizer.warm", "examples.source.train.note"} <= shown.keys()
    again = pipeline.configured(shown)
    assert pipeline.replaced(again) == []
    assert [step.config for step in again.steps] == [step.config for step in pipeline.steps]
    assert changed(pipeline, shown) == {}
