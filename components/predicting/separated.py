"""How a text file that somebody hands over is written, where that is not as the training data are."""

from __future__ import annotations

from collections.abc import Collection

from kilnworks.components.sources import CsvSource
from kilnworks.components.sources.files.endings import TABULATED
from kilnworks.components.sources.files.text import marked_encoding

DELIMITERS = ",;\t|"


def separated(source: CsvSource, names: Collection[str]) -> CsvSource:
    """The source with the separator by which its header holds these columns, and the encoding that its mark announces.

    The source's own separator comes first; it stays where no other one gives all columns.

    Args:
        source: of one file, or of a folder, of which the first file is looked at.
        names: columns that are needed; where none is given, tabulators are taken from the ending.
    """
    first = source.files()[0]
    if marked_encoding(first) == "utf-16":
        source = source.model_copy(update={"encoding": "utf-16"})
    likely = "\t" if first.name.lower().endswith(TABULATED) else source.separator
    for separator in dict.fromkeys((likely, source.separator, *DELIMITERS)):
        other = source.model_copy(update={"separator": separator})
        if set(names) <= set(other.column_names()):
            return other
    return source
