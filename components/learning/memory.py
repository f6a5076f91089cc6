"""How the memory that a streamed training may use is shared out.

::

    memory_mb    1/4  rows being mixed (``buffer_mb``, at most 256 MiB)
                 1/4  the same once more while the next ones are read
                 1/4  blocks of steps: one in use, two ready, one in the making
                 1/8  a chunk of the validation split
                 rest allocators that keep what was freed
"""

from __future__ import annotations

from dataclasses import dataclass

from kilnworks.components.learning.settings import FitSettings

MIB = 2**20
LEAST = 64 * MIB
"""What there is at least."""
LARGEST_BUFFER = 256 * MIB
"""Mixing more rows does not train better, since each round holds a part of everything."""
BLOCKS = 4
"""Blocks that exist at the same time."""


@dataclass(frozen=True)
class StreamMemory:
    """Bytes for the parts of a streamed training.

    Attributes:
        buffer: raw rows that are mixed at a time.
        block: one block of steps, raw and encoded.
        chunk: rows of the validation split that are held at a time, raw and encoded.
    """

    buffer: int
    block: int
    chunk: int

    @classmethod
    def of(cls, settings: FitSettings) -> StreamMemory:
        """Share out what the settings allow."""
        total = max(LEAST, int(settings.memory_mb * MIB))
        buffer = int(settings.buffer_mb * MIB) if settings.buffer_mb else min(LARGEST_BUFFER, total // 4)
        return cls(max(1, buffer), total // 4 // BLOCKS, total // 8)
