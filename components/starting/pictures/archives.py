"""A NumPy archive as a source, in parts where the names of its arrays say so."""

from __future__ import annotations

import re

from kilnworks.components.sources import GivenSplits, NpzSource

PARTS = {"train": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
"""Words before or behind the name of an array that say of which part it is."""


def archive_of(data: str) -> NpzSource | GivenSplits:
    """An archive; in parts, where its arrays are called ``x_train``, ``y_train``, ``x_test``, ``y_test`` or alike."""
    names = NpzSource(path=data).column_names()
    parts: dict[str, dict[str, str]] = {}
    for name in names:
        match = re.fullmatch(rf"(.+)_({'|'.join(PARTS)})|({'|'.join(PARTS)})_(.+)", name)
        if match is None:
            return NpzSource(path=data)
        column, part = (match[1], match[2]) if match[1] else (match[4], match[3])
        if parts.setdefault(PARTS[part], {}).setdefault(column, name) != name:  # x_val and x_valid
            return NpzSource(path=data)
    if "train" not in parts or len(parts) < 2 or any(p.keys() != parts["train"].keys() for p in parts.values()):
        return NpzSource(path=data)
    sources = {part: NpzSource(path=data, arrays=arrays) for part, arrays in parts.items()}
    return GivenSplits(train=sources["train"], val=sources.get("val"), test=sources.get("test"))
