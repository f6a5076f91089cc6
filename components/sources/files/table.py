"""A text file of rows as it stands: every column as text, none guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.files.layout import Layout, refuse_repeated, unnamed_words
from kilnworks.components.sources.files.notes import say
from kilnworks.components.sources.files.text import TextFile

if TYPE_CHECKING:
    import polars as pl


def read_texts(file: TextFile, rows: int | None = None) -> pl.DataFrame:
    """The first ``rows`` rows, or all; columns without a name are passed over, and that is said.

    Raises:
        DataUnreadable: the file is missing, empty or broken, or a line has another number of fields.
        DataInvalid: a column is there twice.
    """
    import polars as pl

    layout = file.layout()
    refuse_repeated(layout.names, file.path)
    if rows is None:
        file.refuse_ragged(layout)
    if told := unnamed_words(layout.names):
        say(f"{file.path}: {told} and {'is' if told.startswith('column ') else 'are'} passed over")
    with reading(file.path, "a CSV file that can be read", "correct the file"):
        texts = dict.fromkeys(layout.physical, pl.String())
        return scan_rows(file.content(), layout, texts, n_rows=rows).select(layout.named).collect()


def scan_rows(content: Any, layout: Layout, dtypes: Mapping[str, Any], **settings: Any) -> pl.LazyFrame:
    """The rows of a text in UTF-8, not read yet.

    Args:
        content: path or bytes.
        layout: how the text begins; its columns get the names ``layout.physical``.
        dtypes: of every column, by those names.
        settings: of ``polars.scan_csv``.
    """
    import polars as pl

    alone = len(layout.names) == 1  # where a blank line is a row, so that Polars must see the header
    return pl.scan_csv(
        content,
        separator=layout.separator,
        eol_char=layout.line_end,
        has_header=alone,
        skip_lines=layout.skipped if alone else layout.above,
        schema=dtypes,
        infer_schema=False,
        glob=False,
        **settings,
    )
