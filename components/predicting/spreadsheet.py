"""Texts of a table that a spreadsheet would compute as formulas, written so that it shows them.

A spreadsheet takes a cell of a CSV file that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, quoted or not. An
apostrophe before it makes it a text (OWASP, "CSV Injection").
"""

import polars as pl

_FORMULA = r"^[\s\x00]*[=+\-@＝＋－＠]|^[\t\r\n]"
"""A text that some spreadsheet computes; blanks, tabs and full-width signs before or for the sign count as well."""
_NUMBER = r"^[+\-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+\-]?\d+)?$"


def shown_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with an apostrophe before each text, and each name of a column, that would be a formula.

    Columns of numbers, and numbers written as texts (``-5``, ``+1e3``), stay as they are.
    """
    texts = [name for name, dtype in frame.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum)]
    quoted = frame.with_columns(_quoted(pl.col(name).cast(pl.String)).alias(name) for name in texts)
    names = pl.Series(frame.columns, dtype=pl.String).to_frame("name").select(_quoted(pl.col("name"))).to_series()
    return quoted.rename(dict(zip(frame.columns, names, strict=True)))


def _quoted(text: pl.Expr) -> pl.Expr:
    formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(formula).then(pl.concat_str(pl.lit("'"), text)).otherwise(text)
