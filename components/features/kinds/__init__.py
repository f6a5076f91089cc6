"""The kinds of features, one file each; which one a feature has, and the class of a plan by its name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from components.features.kinds.base import Plan
from components.features.kinds.buckets import BucketPlan, Buckets
from components.features.kinds.built_in import BuiltIn
from components.features.kinds.calendar import Calendar, CalendarPlan
from components.features.kinds.category import Category, CategoryPlan
from components.features.kinds.dropped import Dropped, DroppedPlan
from components.features.kinds.image import Image, ImagePlan
from components.features.kinds.number import Number
from components.features.kinds.scalars import NumberPlan
from components.features.kinds.tensor import Tensor, TensorPlan
from schemas.code import Code
from schemas.errors import ConfigError, UnknownName

KINDS: tuple[type[BuiltIn], ...] = (Number, Calendar, Category, Buckets, Tensor, Image, Dropped)
"""Of every dtype and value of ``encode`` at most one of them takes it."""
PLANS: dict[str, type[Plan]] = {
    "number": NumberPlan,
    "calendar": CalendarPlan,
    "category": CategoryPlan,
    "buckets": BucketPlan,
    "tensor": TensorPlan,
    "image": ImagePlan,
    "dropped": DroppedPlan,
}
"""By their ``kind``; a plan from elsewhere has ``module:Class`` there."""


def plan_class(kind: str) -> type[Plan]:
    """The class of a plan that was written.

    Raises:
        UnknownName: there is none of this kind here, and none of this name in the module.
        ConfigError: what the name stands for is no plan.
    """
    if ":" not in kind:
        if kind not in PLANS:
            raise UnknownName("kind of feature", kind, PLANS)
        return PLANS[kind]
    found = Code(path=kind).load()
    if not (isinstance(found, type) and issubclass(found, Plan)):
        raise ConfigError(f"{kind} is no plan of a feature", "a subclass of Plan", "run the preprocessing again")
    return found


def _read(value: Any) -> Any:
    """A plan from plain values, by its ``kind``."""
    return plan_class(str(value.get("kind", ""))).model_validate(value) if isinstance(value, Mapping) else value


AnyPlan = Annotated[SerializeAsAny[Plan], BeforeValidator(_read)]
