"""What is sent for one forecast: the history up to now, and what is known of the steps ahead."""

from __future__ import annotations

from kilnworks.schemas.contract import Contract, Feature

AHEAD = "(ahead)"
"""Column of a window: the label of the forecast steps, [horizon]."""
BEFORE = "(a season before)"
"""Column of a window: what the label was a season before each of them, [horizon]."""
HOUR = "(hour)"
"""Column of a window: the hour of the day of each of them, [horizon]."""


def windowed(contract: Contract) -> Contract:
    """The contract of one forecast, whose rows are windows; one without a series stays as it is.

    The label's own past and features of which the past is known have the shape [window], those that are known ahead
    [window + horizon], oldest first; the time is that of the first forecast step; NaN stands for a missing step.
    """
    series, label = contract.series, contract.label
    if series is None or label is None or contract.time is None:
        return contract
    past, both = (series.window,), (series.window + series.horizon,)
    features = {
        contract.time: Feature(dtype="datetime", description="The moment of the first forecast step."),
        label.name: Feature(
            dtype="float", shape=past, nullable=True, unit=label.unit, description=f"The last {series.window} values."
        ),
    }
    for name, feature in contract.features.items():
        if name == series.group:
            features[name] = feature
            continue
        features[name] = Feature(
            dtype="float",
            shape=both if name in series.ahead else past,
            nullable=True,
            unit=feature.unit,
            description=feature.description,
            severity=feature.severity,
            sensitive=feature.sensitive,
        )
    kept = {"name": contract.name, "description": contract.description, "features": features, "label": None}
    return Contract.model_validate({**kept, "time": contract.time})
