"""The kinds of features, one file each: those that are chosen among, and the plans that a transform may hold."""

from typing import Annotated

from pydantic import Field, SerializeAsAny

from kilnworks.components.features.kinds.as_sent import AsSent, AsSentPlan
from kilnworks.components.features.kinds.base import Plan
from kilnworks.components.features.kinds.buckets import BucketPlan, Buckets
from kilnworks.components.features.kinds.built_in import BuiltIn
from kilnworks.components.features.kinds.calendar import Calendar, CalendarPlan
from kilnworks.components.features.kinds.category import Category, CategoryPlan
from kilnworks.components.features.kinds.dropped import Dropped, DroppedPlan
from kilnworks.components.features.kinds.image import Image, ImagePlan
from kilnworks.components.features.kinds.number import Number
from kilnworks.components.features.kinds.scalars import NumberPlan
from kilnworks.components.features.kinds.tensor import Tensor, TensorPlan
from kilnworks.components.features.kinds.text import Text, TextPlan
from kilnworks.schemas.config import accept_any

KINDS: tuple[type[BuiltIn], ...] = (Number, Calendar, Category, Buckets, Tensor, Image, Text, AsSent, Dropped)
"""Of every dtype and value of ``encode`` at most one of them takes it."""
AnyPlan = Annotated[
    NumberPlan
    | CalendarPlan
    | CategoryPlan
    | BucketPlan
    | TensorPlan
    | ImagePlan
    | TextPlan
    | AsSentPlan
    | DroppedPlan,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Plan),
]
"""The plan of any kind: ``{"kind": "tensor", ...}``, or ``{"kind": "my_project.kinds:MyPlan", ...}``."""
