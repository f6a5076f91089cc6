"""Six steps that do nothing: what the core itself costs."""

from pathlib import Path

from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config


class NothingConfig(Config):
    """No settings."""


def begin(config: NothingConfig, out: Path) -> Artifact:
    """An empty artifact."""
    return Artifact(out)


def follow(config: NothingConfig, before: Artifact, out: Path) -> Artifact:
    """An empty artifact that hangs on another."""
    return Artifact(out)


PIPELINE = Pipeline(
    "noop",
    (
        Step("s0", begin, NothingConfig()),
        *(Step(f"s{i}", follow, NothingConfig(), {"before": f"s{i - 1}"}) for i in range(1, 6)),
    ),
)
