"""Small components for tests of the core: numbers in text files, no heavy library."""

from pathlib import Path

from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.errors import DataInvalid, StepSkipped


class Number(Artifact):
    @property
    def value(self) -> int:
        return int((self.path / "value.txt").read_text())


class Other(Artifact):
    pass


class MakeConfig(Config):
    value: int = 1
    fail: str = ""


class AddConfig(Config):
    add: int = 1
    most: int = 100
    fail: str = ""


def make(config: MakeConfig, out: Path) -> Number:
    (out / "value.txt").write_text(str(config.value))
    _trouble(config.fail)
    return Number(out)


def add(config: AddConfig, number: Number, out: Path, context: RunContext) -> Number:
    total = number.value + config.add
    (out / "value.txt").write_text(str(total))
    context.progress(Progress(1, 2, "half"))
    if total > config.most:
        raise StepSkipped(f"{total} is above {config.most}")
    _trouble(config.fail)
    return Number(out)


def other(config: MakeConfig, out: Path) -> Other:
    return Other(out)


def _trouble(kind: str) -> None:
    if kind == "invalid":
        raise DataInvalid("bad", "good", "mend it")
    if kind == "bug":
        raise ZeroDivisionError("oops")
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "full":
        raise OSError(28, "No space left on device")


def chain(**configs: Config) -> Pipeline:
    """one -> two -> three"""
    return Pipeline(
        "chain",
        (
            Step("one", make, configs.get("one", MakeConfig())),
            Step("two", add, configs.get("two", AddConfig()), {"number": "one"}),
            Step("three", add, configs.get("three", AddConfig()), {"number": "two"}),
        ),
    )
