"""Dates of a client as a served model takes them: whole seconds since 1970 UTC."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_seconds(array: Array) -> Array:
    """``datetime64`` of any unit, or objects that are all dates, as int64 seconds; other arrays as they are.

    A fraction of a second is cut off, ``NaT`` becomes the smallest int64, which says that the value is missing. A
    datetime without an offset is UTC.
    """
    if array.dtype.kind == "M":
        return array.astype("datetime64[s]").astype(np.int64)
    if array.dtype != object or not array.size or not all(isinstance(one, date) for one in array.flat):
        return array
    return np.array([_seconds(one) for one in array.flat], np.int64).reshape(array.shape)


def _seconds(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    days = aware - EPOCH
    return days.days * 86_400 + days.seconds
