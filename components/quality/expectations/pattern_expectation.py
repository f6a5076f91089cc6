"""An expectation of our own: texts match a regular expression in the one language of ``kilnworks.schemas.patterns``.

The library's own takes the language of whatever runs it: of Python or RE2 on pandas, of Java on Spark, of the database
in SQL, with other meanings of the end of a text, of digits and of letters. This one asks Polars, also in the workers of
Spark. In a database it takes the database's language; ``engines/sql.py`` gives SQLite ours.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kilnworks.schemas.patterns import anchored, matches

NAME = "expect_column_values_to_match_pattern"


@cache
def register() -> None:
    """Make the expectation known to Great Expectations, which registers a class when it is made; once a process."""
    from great_expectations.execution_engine import (
        PandasExecutionEngine,
        SparkDFExecutionEngine,
        SqlAlchemyExecutionEngine,
    )
    from great_expectations.expectations.core import ExpectColumnValuesToMatchRegex
    from great_expectations.expectations.metrics.map_metric_provider import (
        ColumnMapMetricProvider,
        column_condition_partial,
    )

    class ColumnValuesMatchPattern(ColumnMapMetricProvider):
        """Which values match, on each engine."""

        condition_metric_name = "column_values.match_pattern"
        condition_value_keys = ("regex",)

        @column_condition_partial(engine=PandasExecutionEngine)
        def _pandas(cls, column: Any, regex: str, **kwargs: Any) -> Any:
            return on_pandas(column, regex)

        @column_condition_partial(engine=SqlAlchemyExecutionEngine)
        def _sqlalchemy(cls, column: Any, regex: str, **kwargs: Any) -> Any:
            return column.regexp_match(anchored(regex))

        @column_condition_partial(engine=SparkDFExecutionEngine)
        def _spark(cls, column: Any, regex: str, **kwargs: Any) -> Any:
            return on_spark(column, regex)

    class ExpectColumnValuesToMatchPattern(ExpectColumnValuesToMatchRegex):
        """Expect each text to match a regular expression of Rust from its start."""

        map_metric = "column_values.match_pattern"


def on_pandas(column: Any, pattern: str) -> Any:
    """Which texts of a pandas series match, as a series of booleans with its index."""
    import pandas as pd
    import polars as pl

    texts = pl.Series([value if isinstance(value, str) else None for value in column.to_list()], dtype=pl.String)
    return pd.Series(matches(texts, pattern).fill_null(False).to_numpy(), index=column.index)


def on_spark(column: Any, pattern: str) -> Any:
    """The same as an expression of Spark: the workers ask Polars, batch by batch."""
    import pandas as pd
    from pyspark.sql.functions import pandas_udf

    def matched(texts: Any) -> Any:
        return on_pandas(texts, pattern)

    matched.__annotations__ = {"texts": pd.Series, "return": pd.Series}
    return pandas_udf(matched, "boolean")(column)
