"""The interface of all tests: learn once from the clean rows, compare with each batch."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.advance import Advance
from kilnworks.components.quality.screening.columns.axis import Axis, is_sorted
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.files.reading import FileFacts
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.hashing import local_hashes

Learned = dict[str, Any]


@dataclass
class ProbeInput:
    """What a probe is given.

    Attributes:
        table: all rows in the order of the file.
        sample: the rows that distributions are computed from: each row content once, at most ``SAMPLE`` of them.
        sample_rows: their positions in ``table``.
        label: the column to be predicted, if any.
        time: the column that says when a row was made, if any.
        facts: what was noticed about the file.
        axis: what says the order of the rows in time, if anything.
        advances: columns whose level moves on from file to file; only how they go on is compared.
        drifts: numbers whose level changes with time; what goes with them changes, too.
    """

    table: Table
    sample: Table
    sample_rows: NDArray[np.int64]
    label: str | None
    time: str | None
    facts: FileFacts
    axis: Axis | None = None
    advances: Mapping[str, Advance] = field(default_factory=dict)
    drifts: Collection[str] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def copies(self) -> float:
        """How many rows count for one, where rows were drawn several times; 1 in most files."""
        return float(self.notes.get("copies", 1.0))

    @cached_property
    def in_order(self) -> bool:
        """Whether the rows follow one another in time, so that neighbours may resemble each other."""
        if self.notes.get("stream") is not None:
            return True
        return self.axis is not None and is_sorted(self.axis.values(self.table))

    @cached_property
    def content(self) -> NDArray[np.uint64]:
        """Fingerprint of each row's content, its keys apart; [n], or empty where there is nothing but keys."""
        names = self.table.names("number", "category", "text", "datetime")
        return local_hashes(self.table.frame.select(names)) if names else np.zeros(0, np.uint64)

    def row_numbers(self, flags: NDArray[np.bool_], limit: int = 5) -> tuple[int, ...]:
        """Numbers (from 1, below the header) of the first flagged rows of the sample."""
        return tuple((self.sample_rows[np.flatnonzero(flags)[:limit]] + 1).tolist())


class Probe(Protocol):
    """One idea of what may go wrong. Stateless; ``learned`` is JSON-serializable."""

    name: str

    def learn(self, batch: ProbeInput) -> Learned:
        """What must be remembered of the clean rows."""
        ...

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """The results of the tests of a batch against what was learned."""
        ...


def first_rows(flags: NDArray[np.bool_], limit: int = 5) -> tuple[int, ...]:
    """Numbers (from 1, below the header) of the first flagged rows."""
    return tuple((np.flatnonzero(flags)[:limit] + 1).tolist())
