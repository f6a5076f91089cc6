"""Combinations that crash or go wrong on the pinned stack are refused when they are made."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from kilnworks.components.learning.settings import FitSettings, check_placed, problems
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.errors import ConfigError, UnknownName

TWO = {"devices": {"strategy": "mirrored", "replicas": 2, "kind": "cpu"}}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"schedule": {}, "reduce_on_plateau": {}}, "exclude each other"),
        ({"schedule": {"warmup_epochs": 5}, "epochs": 5}, "leaves nothing of 5 epochs"),
        ({"jit_compile": True, "deterministic_gpu": True}, "not deterministic"),
        ({**TWO, "batch": 33}, "use 32"),
        ({**TWO, "jit_compile": True}, "XLA cannot reach"),
        ({**TWO, "optimizer": {"kind": "adam", "accumulate": 2}}, "use a larger batch"),
        ({**TWO, "precision": "mixed_float16"}, "overflow on the first of 2 only.*use mixed_bfloat16"),
        ({"devices": {"strategy": "single", "replicas": 2}}, "replicas is for strategy mirrored"),
        ({"optimizer": {"kind": "sgd", "nesterov": True}}, "needs a momentum"),
        ({"optimizer": {"kind": "adam", "clip": {"limit": 0}}}, "greater than 0"),
        ({"patience": 3}, "Extra inputs"),
    ],
)
def test_refused(settings: dict, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TrainConfig.model_validate(settings)


def test_an_unknown_architecture_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"cnn, .*custom, .*mlp, .*tabular, .*vision"):
        TrainConfig.model_validate({"model": {"kind": "forest"}})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule": {"warmup_epochs": 0.5}, "early_stopping": {"patience": 3}},
        {"jit_compile": True},
        {"steps_per_execution": 64, "optimizer": {"kind": "adamw", "accumulate": 4, "clip": {"limit": 1}}},
        {**TWO, "steps_per_execution": 16, "optimizer": {"kind": "sgd", "clip": {"limit": 1, "by": "value"}}},
        {"devices": {"strategy": "mirrored", "replicas": 2}, "jit_compile": True},
    ],
)
def test_allowed(settings: dict) -> None:
    assert TrainConfig.model_validate(settings).epochs == 30


def test_what_only_the_machine_knows_is_checked_there() -> None:
    settings = FitSettings(batch=100)
    assert not list(problems(settings, 1, "cpu"))
    with pytest.raises(ConfigError, match=r"batch 100 is not divisible by 8 replicas.*training found 8 x gpu"):
        check_placed(settings, 8, "gpu")


def test_config_survives_json() -> None:
    config = TrainConfig.model_validate({"model": {"kind": "cnn"}, "class_weight": {"a": 1, "b": 2}, **TWO})
    assert TrainConfig.model_validate(json.loads(config.model_dump_json())) == config


def test_importing_the_step_loads_nothing_heavy() -> None:
    code = (
        "import sys, kilnworks.components.train\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'polars', 'pandas', 'pyarrow', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
