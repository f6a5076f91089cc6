"""Which rules of a contract go together: in one feature, and in the label. What does not raises ``ValueError``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kilnworks.schemas.magnitudes import fits_int64, plain

if TYPE_CHECKING:
    from kilnworks.schemas.contract import Feature, Label, Scalar

NUMERIC: frozenset[str] = frozenset({"float", "int", "image"})
NO_CLASS = "(none)"
"""How a row without any class is written, where a row may have many."""


def check_feature(feature: Feature) -> None:
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
    allowed_fit(feature.dtype, feature.allowed, "allowed")


def check_label(label: Label) -> None:
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
        allowed_fit(label.dtype, label.classes, "classes")
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


def allowed_fit(dtype: str, values: tuple[Scalar, ...] | None, field: str) -> None:
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
