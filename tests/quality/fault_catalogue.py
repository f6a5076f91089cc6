"""What producers do wrong: each fault spoils a fresh batch as a mistake upstream would.

A fault takes the batch (never the clean file) and gives back a spoiled frame, or bytes where the file itself is hurt,
or None where the source has nothing that the mistake could touch.
"""

from collections.abc import Callable

from tests.quality.faults import (
    conversions,
    formats,
    labels,
    missing,
    moments,
    places,
    relations,
    repeated,
    selection,
    together,
    units,
    writing,
)
from tests.quality.faults.batch import FOUND, Batch, Spoiled

__all__ = ["FAULTS", "Batch"]

MODULES = (
    units,
    missing,
    places,
    repeated,
    writing,
    moments,
    labels,
    together,
    selection,
    relations,
    conversions,
    formats,
)
FAULTS: dict[str, Callable[[Batch], Spoiled]] = {n: f for m in MODULES for n, f in FOUND[m.__name__].items()}
"""Every fault by name; its place among them seeds its batch."""
