"""A NumPy archive whose one array of the right form is called otherwise than the model's feature."""

from __future__ import annotations

import logging
import math

from kilnworks.components.sources import NpzSource
from kilnworks.components.sources.base import Source
from kilnworks.schemas.contract import Contract

LOG = logging.getLogger(__name__)


def with_named_arrays(source: Source, contract: Contract) -> Source:
    """The source with the array that must be meant, where one feature is missing and one unknown array has its form.

    A feature of single values is not looked for: a column of keys has the same form.

    Args:
        source: of the rows; any but a ``NpzSource`` comes back as it is.
        contract: of the model.
    """
    if not isinstance(source, NpzSource):
        return source
    there = source.column_names()
    missing = [name for name in contract.features if name not in there]
    if len(missing) != 1 or not contract.features[missing[0]].shape:
        return source
    shapes = source.shapes()  # reads every array, also those that nobody wants
    size = math.prod(contract.features[missing[0]].shape)
    unknown = [n for n, (shape, _) in shapes.items() if n not in contract.columns and math.prod(shape[1:]) == size]
    if len(unknown) != 1:
        return source
    LOG.warning("%s: array %r is taken for %r", source, unknown[0], missing[0])
    own = {name: name for name in contract.features if name in shapes}
    return source.model_copy(update={"arrays": {**own, missing[0]: unknown[0]}})
