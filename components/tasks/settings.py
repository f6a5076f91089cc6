"""What a training may say about its task. Imports nothing heavy."""

from typing import Annotated, Literal

from pydantic import Field

from kilnworks.components.judging.operating.calibrators import Method
from kilnworks.components.judging.operating.points import AnyPoint, Fixed
from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config

RegressionLoss = Literal["squared", "absolute", "huber"]


class TaskSettings(Config):
    """Choices about labels and loss; each task refuses what it cannot use."""

    task: Code | None = None
    """A task of your own, ``my_project.tasks:Ranking``: a subclass of ``kilnworks.components.tasks.base.Task``. Left
    out, the label of the contract says it."""
    class_weight: Literal["none", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "none"
    """Weight of the rows of each class in the training loss: equal, inversely to how often the class occurs, or by
    class. Where a row may have many classes, of each pair of a row and a class: ``balanced`` between rows with and
    without it, by class for those with it. Validation is not weighted."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread evenly over all classes."""
    class_threshold: float = Field(default=0.5, gt=0, lt=1)
    """Where a row may have many classes: the probability above which one is answered, without an operating point."""
    operating_point: AnyPoint = Fixed()
    """Where one of two classes is answered: the probability above which it is the second one. A rule is applied to the
    validation rows once the model is trained: least cost of mistakes, largest F-beta, precision at recall, recall at
    precision. The served ``class`` goes by it. Where a row may have many classes, each has a threshold by the rule.
    With ``refit`` it is applied to the network that found the best epoch, which has not learned from these rows."""
    calibration: Method = "none"
    """Where one class is answered: how probabilities are corrected by the validation rows once the model is trained, so
    that they come true as often as they say. ``temperature`` learns one number, ``isotonic`` a rising curve."""
    regression_loss: RegressionLoss = "squared"
    """For regressions, in standard deviations of the training labels."""
    label_scale: Literal["plain", "log"] = "plain"
    """For regressions of labels above 0: whether errors count in the unit of the label, or in its logarithm, that is as
    a share of it. The model answers in the unit of the label either way."""
