"""The mean of some values, as if it were a model.

Shown above the steps.
"""

from pathlib import Path

from toysteps import JudgeConfig, LearnConfig, Lines, PlainConfig, RowsConfig, judge, learn, pack, publish, rows

from kilnworks.pipelines.core.graph import Pipeline, Step

DATA = Path(__file__).parents[1] / "data" / "values.csv"

TOY = Pipeline(
    "toy",
    (
        Step("checked", rows, RowsConfig(source=Lines(path=str(DATA))), retries=1),
        Step("model", learn, LearnConfig(), {"examples": "checked"}, retries=2),
        Step("evaluation", judge, JudgeConfig(), {"model": "model"}),
        Step("servable", pack, PlainConfig(), {"model": "model", "evaluation": "evaluation"}),
        Step("deployment", publish, PlainConfig(), {"servable": "servable"}, retries=1),
    ),
    description="The mean of some values.",
    schedule="@weekly",
    tags=("test",),
    owner="analysts",
)
