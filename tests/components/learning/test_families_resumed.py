"""What learns from texts, series and sequences: killed and resumed with the same weights, and alike on two replicas."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.schemas.contract import Contract
from tests.components.learning.test_replicas import TWO, process, saved
from tests.components.learning.training_examples import prepared
from tests.effort import some

pytestmark = pytest.mark.slow

LABEL = {"name": "y", "dtype": "int", "classes": [0, 1]}
TEXTS = Contract.model_validate({"name": "texts", "features": {"body": {"dtype": "text"}}, "label": LABEL})
COURSES = Contract.model_validate(
    {"name": "courses", "features": {"course": {"dtype": "float", "shape": [6, 2]}}, "label": LABEL}
)
HOURS = Contract.model_validate(
    {"name": "hours", "time": "at", "features": {"wind": {"dtype": "float"}}, "label": {"name": "y", "dtype": "float"},
     "series": {"step": "1h", "window": 24, "horizon": 4}}
)  # fmt: skip
SHORT = {"epochs": 3, "batch": 32, "seed": 2, "early_stopping": None}
DRAWN = {"jitter": 0.2, "scaling": 0.1}
MODELS = {
    "texts": (
        {"kind": "text", "core": "gru", "word_size": 4, "recurrent_units": 4, "units": [4]},
        {"word_dropout": 0.2},
    ),
    "courses": (
        {"kind": "sequence", "core": "tcn", "width": 4, "units": [4]},
        {"augmentation": {**DRAWN, "warp": 0.3, "slice": 0.7}},
    ),
    "hours": ({"kind": "forecast", "core": "gru", "width": 4, "units": [4], "members": 2}, {"augmentation": DRAWN}),
}
"""Settings of an architecture, and what makes its training draw at random besides the order of rows."""
NAMES = some(MODELS, ("hours",))
"""Of series: windows, their augmentation and members of an ensemble."""


def texts(rows: int, seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 2, rows)
    words = [" ".join(draw.choice(["tea", "sun", "rain"], 5)) + (" good" if y else " bad") for y in label]
    return pl.DataFrame({"body": words, "y": label})


def courses(rows: int, seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 2, rows)
    values = draw.normal(size=(rows, 6, 2)) + (2 * label[:, None, None] - 1) * np.linspace(0, 1, 6)[:, None]
    return pl.DataFrame({"course": pl.Series(values.reshape(rows, 12).astype(np.float32)), "y": label})


def hours(rows: int, start: int) -> pl.DataFrame:
    number = start + np.arange(rows)
    at = [datetime(2024, 1, 1) + timedelta(hours=int(k)) for k in number]
    wind = np.cos(number / 9)
    return pl.DataFrame({"at": at, "y": 10 + np.sin(number / 24 * 2 * np.pi) + wind, "wind": wind})


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Each family killed in its second epoch, then gone on with, beside one that was left alone and two replicas."""
    root = tmp_path_factory.mktemp("families")
    data = {"texts": (TEXTS, texts(160, 1), texts(60, 2)), "courses": (COURSES, courses(160, 1), courses(60, 2))}
    data["hours"] = (HOURS, hours(220, 0), hours(80, 220))
    runs = []
    for name in NAMES:
        contract, train, val = data[name]
        prepared(root / name, contract, {"train": train, "val": val})
        model, drawn = MODELS[name]
        plain = {**SHORT, "model": {**model, "dropout": 0.0}}
        random = {**SHORT, "model": {**model, "dropout": 0.2, **drawn}}
        cut = {"root": f"cut-{name}", "data": str(root / name), "config": random}
        assert process(root, [{"name": "killed", **cut, "kill_at": 1.5}]) < 0
        runs.append({"name": "resumed", **cut})
        runs.append({"name": "whole", "root": f"whole-{name}", "data": str(root / name), "config": random})
        for kind, more in (("one", {}), ("two", TWO)):
            runs.append({"name": kind, "root": f"{kind}-{name}", "data": str(root / name), "config": plain | more})
    runs.sort(key=lambda run: "devices" not in run["config"])  # devices are split before TensorFlow starts
    assert process(root, runs) == 0
    return root


@pytest.mark.parametrize("name", NAMES)
def test_killed_and_resumed_with_the_same_weights(trained, name) -> None:
    resumed, whole = trained / f"cut-{name}/out-resumed", trained / f"whole-{name}/out-whole"
    assert json.loads((resumed / "training.json").read_text())["resumed_after"] == 1
    assert (resumed / "history.csv").read_text() == (whole / "history.csv").read_text()
    for one, other in zip(saved(resumed), saved(whole), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_do_what_one_does(trained, name) -> None:
    one, two = (trained / f"{kind}-{name}/out-{kind}" for kind in ("one", "two"))
    assert json.loads((two / "training.json").read_text())["replicas"] == 2
    for alone, together in zip(saved(one), saved(two), strict=True):
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
