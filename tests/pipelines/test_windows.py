"""An interval as settings of the steps that take a window."""

from pathlib import Path

import pytest

from kilnworks.components.sources.window import Window
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.windows import interval_settings
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError
from tests.pipelines.chain import Number, chain


class ReadConfig(Config):
    window: Window | None = None


def read(config: ReadConfig, out: Path) -> Number:
    (out / "value.txt").write_text("1")
    return Number(out)


PIPELINE = Pipeline("p", (Step("rows", read, ReadConfig()),))


def test_the_interval_configures_the_step_that_reads():
    settings = interval_settings(PIPELINE, "2026-01-01/2026-02-01")
    assert list(settings) == ["rows.window"]
    window = PIPELINE.configured(settings)["rows"].config.window
    assert (window.start.isoformat(), window.end.isoformat()) == (
        "2026-01-01T00:00:00+00:00",
        "2026-02-01T00:00:00+00:00",
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_interval_changes_nothing(nothing):
    assert interval_settings(PIPELINE, nothing) == {}


def test_a_pipeline_whose_steps_take_no_window_refuses_one():
    with pytest.raises(ConfigError, match="no step takes a window"):
        interval_settings(chain(), "2026-01-01/2026-02-01")
