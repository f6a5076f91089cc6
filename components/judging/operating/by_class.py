"""A threshold for each class where a row may have any number of them: each class is a question of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kilnworks.components.judging.operating.points import OperatingPoint, chosen
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)


def chosen_by_class(
    point: OperatingPoint,
    truth: NDArray[np.integer],
    score: NDArray[np.floating],
    classes: Sequence[str],
    otherwise: float,
) -> tuple[tuple[float, ...], dict[str, Any]]:
    """The threshold of each class, 0 to 1, and how they were found, for ``training.json``.

    Args:
        point: the rule, applied to one class after the other.
        truth: 1 where a row has a class, [N, K], of validation rows.
        score: probabilities, [N, K].
        classes: names, K of them.
        otherwise: threshold of a class that every validation row has, or none: they tell nothing of it. A warning says
            so.

    Raises:
        DataInvalid: the rule allows no threshold for a class.
    """
    found: list[dict[str, Any]] = []
    for k, name in enumerate(classes):
        if truth[:, k].min(initial=1) == truth[:, k].max(initial=0):
            found.append({"class": name, "threshold": otherwise, "kept": True})
            continue
        try:
            threshold, told = chosen(point, truth[:, k], score[:, k])
        except DataInvalid as error:
            raise error.reworded(f"class {name!r}: {error.got}") from error
        rates = {key: told[key] for key in ("reached", "at_half")}
        found.append({"class": name, "threshold": threshold, "kept": False, **rates})
    kept = [one["class"] for one in found if one["kept"]]
    if kept:
        LOG.warning(
            "validation rows have none of, or all have, %s: %g stays the threshold",
            listed(kept, 12),
            otherwise,
        )
    told = {"rule": point.words, "rows": len(truth), "measure": point.measure, "classes": found}
    return tuple(float(one["threshold"]) for one in found), told
