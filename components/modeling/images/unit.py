"""Changes of training images that are made for pixels from 0 to 1, and cut what lies beyond."""

from __future__ import annotations

from kilnworks.components.features.kinds.image import BRIGHTEST, ImagePlan
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.errors import ConfigError


def refuse_beyond_unit(fitted: FeatureTransform, setting: str, to_do: str) -> None:
    """Raises ``ConfigError`` where the preprocessing gives an image other pixels than from 0 to 1.

    Args:
        fitted: the preprocessing.
        setting: the change and its value, as a person set it: ``colour 0.2``.
        to_do: how it is left out: ``colour to 0``.
    """
    for name, plan in fitted.plan.features.items():
        if not isinstance(plan, ImagePlan):
            continue
        brightest = fitted.contract.features[name].max or BRIGHTEST
        if (plan.factor, plan.offset) != (1 / brightest, 0.0):
            raise ConfigError(
                f"{setting}, and pixels of {name!r} from {plan.offset:g} to {brightest * plan.factor + plan.offset:g}",
                "pixels from 0 to 1, beyond which changed images are cut",
                f"set image_scale to unit in the preprocessing, or {to_do}",
            )
