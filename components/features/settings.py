"""Settings of the preprocessing: what to do where the contract alone does not decide."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.config import Config

Encoding = Literal["auto", "numeric", "one_hot", "embedding", "buckets", "calendar", "moment", "drop"]
Scale = Literal["standard", "minmax", "log1p", "quantile", "none"]


class FeatureSettings(Config):
    """What to do with one feature, instead of the rule for its dtype."""

    encode: Encoding = "auto"
    """``auto`` follows the dtype: texts and integers with ``allowed`` become categories, other scalars numbers.
    ``one_hot`` and ``embedding`` ask for a category, ``buckets`` for a category of value ranges. For datetimes,
    ``calendar`` gives month, day of the month, day of the week and time of the day, ``moment`` these and the seconds
    since 1970, ``numeric`` the seconds alone. ``drop`` leaves the feature out of the model (it stays an input of the
    served one)."""
    scale: Scale = "standard"
    """For numbers: ``standard`` mean 0 and variance 1, ``minmax`` 0 to 1 over the training split, ``log1p`` the
    signed logarithm and then ``standard``, ``quantile`` the share of training values below, 0 to 1, ``none`` as is."""
    buckets: int = Field(default=10, ge=2, le=1000)
    """For ``buckets``: ranges of about equally many training values; fewer where values repeat."""
    min_frequency: int | None = Field(default=None, ge=1)
    """Instead of the ``min_frequency`` of all features, in rows."""
    max_vocabulary: int | None = Field(default=None, ge=1)
    """Instead of the ``max_vocabulary`` of all features."""
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """For images: height and width in pixels to resize to (bilinear); as they come by default."""

    @model_validator(mode="after")
    def _scale_is_for_numbers(self) -> Self:
        if self.scale != "standard" and self.encode not in ("auto", "numeric"):
            raise ValueError(f"scale {self.scale!r} is for numbers and means nothing with encode {self.encode!r}")
        return self


class PreprocessConfig(Config):
    """How raw features become the inputs of the trainable model."""

    features: dict[str, FeatureSettings] = Field(default_factory=dict)
    """Overrides by feature name."""
    one_hot_up_to: int = Field(default=16, ge=0)
    """Categories with at most this many known values become one-hot, others an index to embed."""
    min_frequency: int = Field(default=1, ge=1)
    """A category value in fewer training rows counts as unknown, which also teaches the model what unknown means."""
    max_vocabulary: int = Field(default=20_000, ge=1)
    """The most frequent values that a category keeps; the others count as unknown."""
    missing_indicator: bool = True
    """Whether a nullable number gets a second column that is 1 where the value is missing. Only where the training
    split has missing values: an indicator that never varies teaches nothing."""
    shares: bool = False
    """Whether each number with three values or more also comes as the share of training values below it, in a tensor
    of its own: for architectures that embed numbers, such as ``tabular``."""
    datetimes: Literal["numeric", "calendar", "moment"] = "numeric"
    """What ``encode: auto`` means for datetimes."""
    image_scale: Literal["unit", "signed", "none"] = "unit"
    """Pixels from 0 to the contract's ``max`` (255 where it names none) become 0..1 (``unit``), -1..1 (``signed``) or
    stay (``none``)."""
