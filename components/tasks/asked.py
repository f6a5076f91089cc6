"""What a person may ask for when a column is looked at for the first time: ``--task classification``, ``anomaly``, ...

Which task that becomes, the label of the contract says (``choose``), or the architecture where there is none.
"""

from typing import Literal

from kilnworks.schemas.errors import ConfigError

Asked = Literal["classification", "regression", "anomaly", "clusters", "codes", "generation"]
CLASSES: Asked = "classification"
NUMBERS: Asked = "regression"
ANOMALY: Asked = "anomaly"
CLUSTERS: Asked = "clusters"
CODES: Asked = "codes"
GENERATION: Asked = "generation"
UNLABELLED: tuple[Asked, ...] = (ANOMALY, CLUSTERS, CODES)
"""Those that learn from rows of a table alone."""
NO_LABEL = "none"
"""What ``--label`` says where there is no label."""


def as_asked(text: str | None) -> Asked | None:
    """The option as it was written. Raises ``ConfigError`` for another text."""
    for known in (CLASSES, NUMBERS, *UNLABELLED, GENERATION):
        if text == known:
            return known
    if text is not None:
        raise ConfigError(
            f"--task {text}", "classification, regression, anomaly, clusters, codes or generation", "correct the option"
        )
    return None
