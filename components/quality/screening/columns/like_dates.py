"""Dates that read in two orders are read like those of another column, where that one tells its order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.schemas.dates import DateFormat


def with_like_dates(specs: Mapping[str, Spec]) -> dict[str, Spec]:
    """The columns, those of dates that read in several ways in the order of the others.

    Columns of which some row tells the order decide; where there are none, those that the rows are sorted by. Where
    such columns differ, nothing is decided.
    """
    found = dict(specs)
    open_ones = {name: spec for name, spec in specs.items() if spec.rivals and not spec.by_order}
    orders = {order(form) for spec in open_ones.values() for form in (spec.written, *spec.rivals)}
    for sure in (False, True):
        told = {
            order(spec.written): name
            for name, spec in specs.items()
            if spec.date_format and name not in open_ones and spec.by_order is sure
        }
        told = {one: name for one, name in told.items() if one in orders}
        if len(told) == 1:
            [(wanted, column)] = told.items()
            return found | {name: _like(spec, wanted, column) for name, spec in open_ones.items()}
    return found


def order(how: DateFormat) -> str:
    """``dmy``, ``mdy`` or ``ymd``; other letters for formats that have no day and month by number."""
    return "".join(re.findall(r"%([ymdYbBj])", how.format)).lower()


def _like(spec: Spec, wanted: str, column: str) -> Spec:
    """The column read in the wanted order, if it can be."""
    readings = (spec.written, *spec.rivals)
    chosen = next((form for form in readings if order(form) == wanted), None)
    if chosen is None:
        return spec
    rivals = tuple(form for form in readings if form != chosen)
    return replace(spec, date_format=chosen.format, first_year=chosen.first_year, rivals=rivals, as_in=column)
