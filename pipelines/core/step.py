"""One step of a pipeline: a component, its settings, and where its inputs come from."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import WiringError


@dataclass(frozen=True)
class Champion:
    """Input from another run: the artifact that ``step`` made in the run that is live for ``pipeline``."""

    pipeline: str
    step: str


@dataclass(frozen=True)
class Latest:
    """Input from another run: the newest finished artifact of ``step`` in any run of ``pipeline``."""

    pipeline: str
    step: str


Source = str | Champion | Latest
"""Where an input comes from: the name of a step of the same run, or another run."""


@dataclass(frozen=True)
class StepSignature:
    """What a component takes and makes, as annotated."""

    config: type[Config]
    inputs: Mapping[str, type[Artifact]]
    result: type[Artifact]
    wants_context: bool


@dataclass(frozen=True)
class Step:
    """One call of a component: ``run(config, **inputs, out[, context]) -> Artifact``.

    Attributes:
        name: what the artifact is called; lower-case letters, digits and ``_``.
        run: the component.
        config: its settings.
        inputs: parameter -> where it comes from.
        retries: how often an orchestrator may try again after an error that a retry can mend.
    """

    name: str
    run: Callable[..., Artifact]
    config: Config
    inputs: Mapping[str, Source] = field(default_factory=dict)
    retries: int = 0

    @cached_property
    def signature(self) -> StepSignature:
        """Types of the inputs and of the result. Raises ``WiringError`` for a component of another form."""
        hints = typing.get_type_hints(self.run)
        result = hints.pop("return", None)
        config, out = hints.pop("config", None), hints.pop("out", None)
        wants_context = hints.pop("context", None) is RunContext
        if config is None or out is None or not (isinstance(result, type) and issubclass(result, Artifact)):
            raise WiringError(
                f"step {self.name!r}: {getattr(self.run, '__qualname__', self.run)} is no component",
                "a function (config: Config, <inputs>: Artifact, out: Path[, context: RunContext]) -> Artifact",
                "annotate its parameters and its result",
            )
        return StepSignature(config, hints, result, wants_context)

    @property
    def component(self) -> str:
        """The component as ``module:function``."""
        return f"{self.run.__module__}:{self.run.__qualname__}"

    def upstream(self) -> tuple[str, ...]:
        """Names of the steps of the same run that must finish first."""
        return tuple(dict.fromkeys(s for s in self.inputs.values() if isinstance(s, str)))
