"""When a new model takes the place of the live one. Imports nothing heavy."""

from typing import Literal

from pydantic import Field

from kilnworks.schemas.config import Config

Rule = Literal["not_worse", "non_inferior", "better"]
Otherwise = Literal["promote", "hold"]


class Challenge(Config):
    """Both models are measured on the same rows, those of the run's evaluation, before the champion moves.

    The rules, from the least to the most that a new model has to show::

        not_worse       it goes live unless it is shown to be worse than the champion by more than the margin
        non_inferior    it goes live once it is shown not to be worse by more than the margin
        better          it goes live once it is shown to be better by more than the margin
    """

    metric: str | None = None
    """What is compared; also a metric of your own. None: the first headline metric of the task, such as ``auc``."""
    rule: Rule = "not_worse"
    """What the new model has to show: ``not_worse``, ``non_inferior`` or ``better``."""
    margin: float | None = Field(default=None, ge=0)
    """A difference that does not matter, in the unit of the metric. None: 0 for ``better``, else 0.005 for a metric
    between 0 and 1 and a hundredth of the champion's value for others."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of each bound of the difference: of 100 models as good as the champion, at most ``100 * (1 - level)``
    are called worse."""
    slices: tuple[str, ...] | None = None
    """Columns by whose values both are compared as well; a slice that is shown to be served worse by more than the
    margin holds the new model (Holm's correction over all of them). None: those of the evaluation."""
    unmeasured: Otherwise = "promote"
    """What is done where the two cannot be compared, e.g. because the champion takes other columns: ``promote`` or
    ``hold``. A first model has nobody to be compared with and goes live."""
    rows: int = Field(default=50_000, ge=1)
    """Most rows that both are measured on, evenly spread over those of the evaluation."""
    resamples: int = Field(default=1000, ge=200, le=100_000)
    """Most bootstrap resamples behind the bounds."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resampling."""
