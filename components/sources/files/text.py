"""Text files of rows: opened whatever their encoding and compression, looked at once, and then left to Polars."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kilnworks.components.sources.files.content import HEAD, MARKS, cut_off, read_head, refuse_empty, refuse_other
from kilnworks.components.sources.files.endings import gzipped
from kilnworks.components.sources.files.layout import Layout, layout_of
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    from kilnworks.components.sources.files.survey import Survey

CHUNK = 2**18
"""Bytes that are looked at together."""
LONGEST_HEADER = 2**24
"""Bytes within which the header must end."""


@dataclass(frozen=True)
class TextFile:
    """A text file and how it is written.

    Attributes:
        path: of the file.
        encoding: name of the encoding, as Python knows it.
        separator: between the fields, unless the file's own first line says otherwise.
    """

    path: Path
    encoding: str = "utf-8"
    separator: str = ","

    def layout(self) -> Layout:
        """How the file begins.

        Raises:
            DataUnreadable: it is missing, empty, something else than text, or bytes of another encoding.
        """
        head = read_head(self.path)
        refuse_empty(self.path, head)
        if not self.encoding.startswith(("utf-16", "utf-32")) and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            refuse_other(self.path, head, "csv")
        size = HEAD
        while True:
            start, whole = self._start(size)
            if whole or size >= LONGEST_HEADER or len(start.strip().splitlines()) > 1:
                return layout_of(start, self.separator, self.path)
            size *= 16

    def inspect(self, layout: Layout) -> Survey:
        """Count the fields of every line. Raises ``DataUnreadable`` for bytes of another encoding."""
        from kilnworks.components.sources.files.survey import survey

        with self._reading() as chunks:
            return survey(chunks, layout)

    def refuse_ragged(self, layout: Layout) -> None:
        """Raise ``DataUnreadable`` for lines with another number of fields, open quotes, or bytes that are 0."""
        from kilnworks.components.sources.files.survey import refuse_ragged

        refuse_ragged(self.inspect(layout), layout, self.path)

    def content(self) -> Path | io.BytesIO:
        """What Polars reads: the path of a UTF-8 file, else its text as UTF-8 in memory."""
        if self.encoding == "utf-8" and not gzipped(self.path.name):
            return self.path.absolute()
        with self._reading() as chunks:
            return io.BytesIO(b"".join(chunks))

    def _start(self, size: int) -> tuple[str, bool]:
        """The first bytes as text, and whether that is all."""
        with self._opened() as handle:
            data = handle.read(size)
            whole = len(data) < size
        codec = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        try:
            return codecs.getincrementaldecoder(codec)().decode(data, final=whole), whole
        except UnicodeDecodeError as error:
            raise wrong_encoding(self.path, self.encoding, data, error.start) from None

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as raw:
                if gzipped(self.path.name):
                    with gzip.open(raw) as packed:
                        yield packed  # type: ignore[misc]
                else:
                    yield raw
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
            raise cut_off(self.path, error) from None

    @contextmanager
    def _reading(self) -> Iterator[Iterator[bytes]]:
        """The bytes in UTF-8, chunk by chunk."""
        with self._opened() as handle:
            yield self._utf8(handle)

    def _utf8(self, handle: BinaryIO) -> Iterator[bytes]:
        plain = self.encoding == "utf-8"
        decoder = codecs.getincrementaldecoder(self.encoding)()
        lines = 0
        while chunk := handle.read(CHUNK):
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise wrong_encoding(self.path, self.encoding, error.object, error.start, lines) from None
            lines += chunk.count(b"\n")
            yield chunk if plain else text.encode()
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise DataUnreadable(
                f"{self.path} ends within a character", f"text in {self.encoding}", "copy or write the file again"
            ) from None


def wrong_encoding(file: Path, encoding: str, content: bytes, at: int, lines: int = 0) -> DataUnreadable:
    """The error for bytes that are not of the encoding, with the line and a guess at the right one."""
    line = lines + content.count(b"\n", 0, at) + 1
    guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") and not lines else "cp1252"
    return DataUnreadable(
        f"{file}: line {line} holds bytes that are not {encoding}",
        f"text in {encoding}",
        f"save the file as UTF-8, or set the source's `encoding`, for example to {guess}",
    )


def marked_encoding(file: Path) -> str | None:
    """The encoding that a byte order mark announces; None where there is no mark."""
    head = read_head(file)[:4]
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
