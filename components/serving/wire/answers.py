"""Answers as messages: what gRPC sends and the prediction log writes alike."""

from typing import Any

from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed

Answer = Predicted | Classified | Regressed


def fill_spec(spec: Any, answer: Answer) -> None:
    """Write into an empty ModelSpec which version answered, and by which signature."""
    spec.name = answer.name
    spec.version.value = answer.version
    spec.signature_name = answer.signature_name


def fill_result(proto: Any, answer: Classified | Regressed) -> None:
    """Write classes or values into an empty ClassificationResult or RegressionResult."""
    proto.SetInParent()
    if isinstance(answer, Regressed):
        for value in answer.values:
            proto.regressions.add(value=value)
        return
    for row in answer.classifications:
        classes = proto.classifications.add().classes
        for label, score in row:
            classes.add(label=label.decode("utf-8", "replace"), score=score)
