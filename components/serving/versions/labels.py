"""Version labels: names that an operator moves from version to version.

A label may be set only to a version that can be called. With ``allow_unavailable`` a label that is not in use yet
may point anywhere; moving one that is in use still needs an available version.
"""

from collections.abc import Iterable

from kilnworks.components.serving.errors import failed_precondition
from kilnworks.components.serving.versions.model_config import ServedModel
from kilnworks.components.serving.versions.servable import LabelMap
from kilnworks.components.serving.versions.states import StateMonitor


def checked_labels(
    models: Iterable[ServedModel], monitor: StateMonitor, current: LabelMap, allow_unavailable: bool
) -> LabelMap:
    """The label map that a configuration asks for.

    Raises: ServingError FAILED_PRECONDITION when a label points to a version that is not available.
    """
    labels: dict[str, dict[str, int]] = {}
    for model in models:
        available = monitor.available(model.name)
        for label, version in model.labels.items():
            moved = current.get(model.name, {}).get(label, version) != version
            if version not in available and not (allow_unavailable and not moved):
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference"
                )
            labels.setdefault(model.name, {})[label] = version
    return labels
