"""What a contract says of one feature and of the label, and which of their rules go together."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from kilnworks.schemas.boxes import MOST_BOXES, box_pattern
from kilnworks.schemas.config import Config
from kilnworks.schemas.magnitudes import EXACT_IN_FLOAT32, as_limit, fits_int64, plain
from kilnworks.schemas.patterns import fault_of

Dtype = Literal["float", "int", "bool", "string", "datetime", "image"]
Severity = Literal["critical", "warning"]
Scalar = bool | int | float | str
Limit = Annotated[int | float, AfterValidator(as_limit)]
"""A finite number; a whole one beyond 2**53 keeps its digits, every other is a float."""
NUMERIC: frozenset[str] = frozenset({"float", "int", "image"})
NO_CLASS = "(none)"
"""How a row without any class is written, where a row may have many."""


class Advances(Config):
    """How a column goes on from one file to the next; written as ``true`` where nothing more is to be said.

    Its level is never compared and it has no ``max``: dates, counters, meters, totals, versions, months of a date.
    """

    by: Literal["time", "rows"] = "rows"
    """Whether it grows with the ``time`` of the rows or with the ``rows`` as they stand in the file."""
    within: str | None = None
    """The column whose groups each go on by themselves, as a meter for each household; left out: all rows together."""
    step: float | None = None
    """The usual step from one row to the next (the median of those that are not 0), for the reader."""


class Feature(Config):
    """One input of the model. A rule that is left out is not checked."""

    dtype: Dtype
    """``float``, ``int``, ``bool``, ``string``, ``datetime`` or ``image`` (pixels 0..255 of ``shape`` [H, W, C])."""
    shape: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Shape of one value; empty for a scalar. Needed for images."""
    nullable: bool = False
    """Whether a value may be missing (null, NaN, or an empty string)."""
    max_missing: float | None = Field(default=None, ge=0, le=1)
    """Largest share of missing values, 0 to 1; only with ``nullable``."""
    min: Limit | None = None
    """Smallest value, inclusive; for images the smallest pixel."""
    max: Limit | None = None
    """Largest value, inclusive; for images the largest pixel."""
    allowed: tuple[Scalar, ...] | None = None
    """The only values that may occur (missing ones apart)."""
    min_length: int | None = Field(default=None, ge=0)
    """Fewest characters of a string."""
    max_length: int | None = Field(default=None, ge=0)
    """Most characters of a string."""
    regex: str | None = None
    """A regular expression that every string matches from its start, in the language of ``patterns``."""
    text: bool = False
    """A string to be read, word by word, and not a category: it is profiled and compared by traits (length, script,
    unknown words), never by whole values. ``dtype: text`` is short for ``dtype: string, text: true``."""
    unique: bool = False
    """Whether no two rows may share a value."""
    advances: Advances | None = None
    """The column moves on from file to file, and is judged by its steps and not by its level; not for images."""
    unit: str = ""
    """What a number counts, e.g. ``months`` or ``USD``."""
    description: str = ""
    """One sentence for the reader of a report."""
    severity: Severity = "critical"
    """``critical`` stops the pipeline, ``warning`` is reported and goes on."""
    sensitive: bool = False
    """Personal values: masked in reports, samples and logs."""

    @model_validator(mode="before")
    @classmethod
    def _text_in_one_word(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and tree.get("dtype") == "text":
            return {**tree, "dtype": "string", "text": True}
        return tree

    @field_validator("regex")
    @classmethod
    def _one_language_of_patterns(cls, value: str | None) -> str | None:
        fault = fault_of(value) if value is not None else None
        if fault is not None:
            raise ValueError(f"a regular expression as Polars and Rust read it: {fault}")
        return value

    @field_validator("advances", mode="before")
    @classmethod
    def _advances_or_not(cls, value: Any) -> Any:
        return {} if value is True else None if value is False else value

    @model_validator(mode="after")
    def _rules_fit_the_dtype(self) -> Self:
        _check_feature(self)
        return self

    @property
    def wide(self) -> bool:
        """Whether a whole number may go beyond what float32 holds exactly, by ``min``, ``max`` or ``allowed``."""
        ends = [*(self.allowed or ()), self.min, self.max] if self.dtype == "int" and not self.shape else []
        return any(isinstance(end, int | float) and abs(end) > EXACT_IN_FLOAT32 for end in ends)


class Label(Config):
    """What the model is to predict."""

    name: str
    dtype: Literal["int", "string", "bool", "float"]
    classes: tuple[Scalar, ...] | None = None
    """The classes in the order of the model's outputs; leave out for a number to be predicted (regression)."""
    many: bool = False
    """Whether a row may have any number of the classes, also none. In text the classes of a row stand in one cell,
    between ``separator``; in JSON lines and Parquet they may be a list."""
    separator: str = Field(default=";", min_length=1)
    """What stands between the classes of a row; only with ``many``."""
    columns: tuple[str, ...] = ()
    """With ``many``, where the data has a column of 0 and 1 for each class: their names, in the classes' order."""
    min: Limit | None = None
    """Smallest value of a regression label."""
    max: Limit | None = None
    """Largest value of a regression label."""
    boxes: int | None = Field(default=None, ge=1, le=2000)
    """Most boxes of a row, where the label is boxes in the image of a row, each of one of the classes; ``dtype: boxes``
    is short for ``dtype: string, boxes: 100``. A cell is one text (``schemas/boxes.py``): class, top, left, bottom and
    right of each, in shares of the height and width, from the top left corner. A row may have none."""
    learned: bool = True
    """Whether a model learns from it. One that is only judged by it, as of anomalies, needs no row of each class in
    every split."""
    unit: str = ""
    description: str = ""

    @model_validator(mode="before")
    @classmethod
    def _boxes_in_one_word(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and tree.get("dtype") == "boxes":
            return {**tree, "dtype": "string", "boxes": tree.get("boxes", MOST_BOXES)}
        return tree

    @model_validator(mode="after")
    def _classes_or_numbers(self) -> Self:
        _check_label(self)
        return self

    @property
    def several(self) -> bool:
        """Whether a row may have more than one class."""
        return self.many or self.boxes is not None

    @property
    def pattern(self) -> str:
        """What a row of a label of ``several`` classes looks like.

        With ``many`` the classes once each, in their order, or ``NO_CLASS``; of boxes, those that are inside of the
        image, not empty and of a class.
        """
        if self.boxes is not None:
            return box_pattern(tuple(str(c) for c in self.classes or ()))
        one = "|".join(re.escape(str(c)) for c in self.classes or ())
        return f"^(?:{re.escape(NO_CLASS)}|(?:{one})(?:{re.escape(self.separator)}(?:{one}))*)$"


def _check_feature(feature: Feature) -> None:
    """Its rules are for its dtype and shape, and leave values that may occur."""
    if feature.advances is not None and (feature.dtype == "image" or feature.shape):
        raise ValueError("advances is for single values, not for images or arrays")
    if (feature.min is not None or feature.max is not None) and feature.dtype not in NUMERIC:
        raise ValueError(f"min and max are for {sorted(NUMERIC)}, not for dtype {feature.dtype}")
    if feature.min is not None and feature.max is not None and feature.min > feature.max:
        raise ValueError(f"min {plain(feature.min)} is above max {plain(feature.max)}")
    ends = (feature.min, feature.max)
    if feature.dtype == "int" and None not in ends and math.ceil(ends[0] or 0) > math.floor(ends[1] or 0):
        raise ValueError(f"there is no whole number between min {feature.min} and max {feature.max}")
    lengths = (feature.min_length, feature.max_length, feature.regex)
    if any(v is not None for v in lengths) and feature.dtype != "string":
        raise ValueError(f"min_length, max_length and regex are for dtype string, not {feature.dtype}")
    if feature.text and (feature.dtype != "string" or feature.allowed is not None or feature.advances is not None):
        raise ValueError("text: true is for dtype string without allowed values: a text is read, not looked up")
    if feature.min_length is not None and feature.max_length is not None and feature.min_length > feature.max_length:
        raise ValueError(f"min_length {feature.min_length} is above max_length {feature.max_length}")
    if feature.max_missing is not None and not feature.nullable:
        raise ValueError("max_missing needs nullable: true")
    if feature.dtype == "image" and len(feature.shape) != 3:
        raise ValueError("an image needs shape: [height, width, channels]")
    if feature.shape and feature.dtype not in NUMERIC:
        raise ValueError(f"a shape is for {sorted(NUMERIC)}, not for dtype {feature.dtype}")
    if feature.shape and (feature.allowed is not None or feature.unique):
        raise ValueError("allowed and unique are for single values; a value with a shape has min and max")
    _allowed_fit(feature.dtype, feature.allowed, "allowed")


def _check_label(label: Label) -> None:
    """It has classes or is a number, and a cell with many classes can be read."""
    if label.min is not None and label.max is not None and label.min > label.max:
        raise ValueError(f"min {label.min:g} is above max {label.max:g}")
    if label.classes is None and label.dtype not in ("int", "float"):
        raise ValueError(f"a label of dtype {label.dtype} needs classes: [...]")
    if label.classes is not None:
        if len(label.classes) < (2 if label.boxes is None else 1) or len(set(label.classes)) != len(label.classes):
            raise ValueError("classes needs at least two different values")
        if label.min is not None or label.max is not None:
            raise ValueError("min and max are for a label without classes")
        _allowed_fit(label.dtype, label.classes, "classes")
    if label.boxes is not None and (label.many or label.classes is None or label.dtype != "string"):
        raise ValueError("boxes needs classes: [...] of texts, one of them for each box, and no many: true")
    _many_can_be_written(label)


def _many_can_be_written(label: Label) -> None:
    if not label.many:
        if label.columns:
            raise ValueError("columns is for a label with many: true")
        return
    if label.classes is None or label.dtype not in ("string", "int"):
        raise ValueError("many: true needs classes: [...] of dtype string or int")
    if label.columns and len(label.columns) != len(label.classes):
        raise ValueError(f"columns names {len(label.columns)} columns for {len(label.classes)} classes")
    for text in map(str, label.classes):
        if label.separator in text or text == NO_CLASS or text != text.strip():
            raise ValueError(f"class {text!r} cannot be told apart in a cell; choose another separator or name")


def _allowed_fit(dtype: str, values: tuple[Scalar, ...] | None, field: str) -> None:
    """Listed values, of a field of that name, are values of the dtype that can be told apart."""
    kinds: dict[str, tuple[type, ...]] = {"string": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}
    if values is None:
        return
    if dtype not in kinds:
        raise ValueError(f"{field} is for {sorted(kinds)}, not for dtype {dtype}")
    if not values:
        raise ValueError(f"{field} needs at least one value")
    for value in values:
        if value == "":
            raise ValueError(f"{field}: an empty text counts as missing; leave it out and say nullable: true")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field}: {value} is no value that can be told apart; leave it out")
        if not isinstance(value, kinds[dtype]) or (isinstance(value, bool) and dtype != "bool"):
            raise ValueError(f'{field}: {value!r} is not a {dtype}; quote texts such as "yes" or "1"')
        if dtype == "int" and isinstance(value, int) and not fits_int64(value):
            raise ValueError(f"{field}: {value} has more than 64 bits; use dtype string, and quote it")
