"""Settings of the preprocessing: what to do where the contract alone does not decide.

Each kind of feature brings its own (``kinds/``); here they stand side by side.
"""

from typing import Annotated, Any, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from kilnworks.components.features.derived.settings import AllDerived, Derived
from kilnworks.components.features.kinds.base import Kind
from kilnworks.components.features.kinds.buckets import BucketSettings
from kilnworks.components.features.kinds.built_in import Encoding
from kilnworks.components.features.kinds.calendar import AllDatetimes, CalendarSettings
from kilnworks.components.features.kinds.category import AllCategories, CategorySettings
from kilnworks.components.features.kinds.image import AllImages, ImageSettings
from kilnworks.components.features.kinds.number import AllNumbers, NumberSettings
from kilnworks.components.features.kinds.scalars import Scale
from kilnworks.components.features.kinds.text import TextSettings
from kilnworks.schemas.code import Code, path_of
from kilnworks.schemas.updates import explain

__all__ = ["Derived", "Encoding", "FeatureSettings", "PreprocessConfig", "Scale"]


def _word_or_code(value: Any) -> Any:
    """A kind of feature by a word, by ``module:Class``, by the class, or by an object of it with its settings."""
    if isinstance(value, str) and ":" not in value:
        if value not in get_args(Encoding):
            raise ValueError(f"one of {', '.join(get_args(Encoding))}, or module:Class of a kind of your own")
        return value
    if isinstance(value, Kind):
        options = {name: getattr(value, name) for name in value.model_fields_set}
        return Code(path=path_of(type(value)), options=options)
    try:
        return Code.model_validate(value)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


class FeatureSettings(TextSettings, ImageSettings, CategorySettings, BucketSettings, CalendarSettings, NumberSettings):
    """What to do with one feature, instead of the rule for its dtype."""

    encode: Annotated[Encoding | Code, BeforeValidator(_word_or_code)] = "auto"
    """``auto`` follows the dtype: texts and integers with ``allowed`` become categories, other scalars numbers.
    ``one_hot`` and ``embedding`` ask for a category, ``buckets`` for a category of value ranges. For datetimes,
    ``calendar`` gives month, day of the month, day of the week and time of the day, ``moment`` these and the seconds
    since 1970, ``numeric`` the seconds alone. For texts, ``tokens`` gives the words as they stand (what ``auto`` means
    for ``text: true``), ``ngrams`` each n-gram once, ``tfidf`` a weight for every known n-gram (docs/text.md).
    ``as_sent`` hands the feature on as a client sends it, texts too, for a model of your own that reads it
    (docs/custom-models.md). ``drop`` leaves the feature out of the model (it stays an
    input of the served one). ``module:Class`` is a kind of feature of your own (docs/features.md)."""

    @model_validator(mode="after")
    def _scale_is_for_numbers(self) -> Self:
        if self.scale != "standard" and self.encode not in ("auto", "numeric"):
            raise ValueError(f"scale {self.scale!r} is for numbers and means nothing with encode {self.encode!r}")
        return self


class PreprocessConfig(AllDerived, AllImages, AllDatetimes, AllNumbers, AllCategories):
    """How raw features become the inputs of the trainable model."""

    features: dict[str, FeatureSettings] = Field(default_factory=dict)
    """Overrides by feature name."""
