"""Rows from a query of an SQL database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.schemas.config import SecretUrl
from kilnworks.schemas.errors import ConfigError, DataUnreadable
from kilnworks.schemas.masking import masked
from kilnworks.schemas.places import anchored_path

if TYPE_CHECKING:
    import polars as pl


class SqlSource(Source):
    """The rows of a query, streamed from any database that SQLAlchemy has a driver for.

    Write passwords as ``${NAME}`` or another reference that ``Secret`` knows: they are looked up when the query runs,
    and are shown and stored nowhere. Give the query an ``ORDER BY`` where the order of rows matters.
    """

    location_fields: ClassVar[tuple[str, ...]] = ("url", "query")

    kind: Literal["sql"] = "sql"
    url: SecretUrl
    """SQLAlchemy URL, e.g. ``postgresql+psycopg2://reader:${PASSWORD}@host/shop`` or ``sqlite:///shop.db``."""
    query: str = Field(min_length=1)
    """A SELECT, or the name of a table."""

    def anchored(self, root: Path) -> Self:
        """With the file of a relative ``sqlite:///`` URL below ``root``."""
        driver, mark, file = self.url.template.partition(":///")
        if not mark or not driver.startswith("sqlite") or file in ("", ":memory:") or file.startswith(("file:", "$")):
            return self
        return self.model_copy(update={"url": SecretUrl(f"{driver}:///{anchored_path(file, root)}")})

    def __str__(self) -> str:
        """The address without user and password, for messages."""
        return f"query of {masked(str(self.url).rpartition('@')[2])}"

    def files(self) -> list[Path]:
        """None: a database is no file."""
        return []

    def fingerprint(self) -> str:
        """SHA-256 over every row of the query, in the order in which they come."""
        total = hashlib.sha256()
        with self._rows() as (names, rows):
            total.update(repr(names).encode())
            for row in rows:
                total.update(repr(tuple(row)).encode())
        return total.hexdigest()

    def column_names(self, split: str | None = None) -> list[str]:
        """The columns of the query."""
        with self._rows() as (names, _):
            return names

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches by a cursor on the server, where the database has one."""
        import polars as pl

        with self._rows() as (found, rows):
            seen = 0
            schema: dict[str, Any] | None = None
            for part in rows.partitions(wanted.batch_rows):
                columns = {n: [_plain(row[found.index(n)], wanted.columns[n]) for row in part] for n in names}
                frame = pl.DataFrame(columns, schema=schema, strict=False, infer_schema_length=None)
                schema = schema or _settled(frame)
                seen += frame.height
                yield frame
        if seen == 0:
            raise DataUnreadable(f"{self} gave no row", "at least one row", "check the query")

    @contextmanager
    def _rows(self) -> Iterator[tuple[list[str], Any]]:
        """Names of the columns and the open result. Raises ``DataUnreadable`` for what the database refuses."""
        import sqlalchemy

        try:
            engine = sqlalchemy.create_engine(self.url.reveal())
        except ConfigError as error:
            raise DataUnreadable(f"{self}: {error.got}", error.wanted, error.fix) from None
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            raise DataUnreadable(
                f"{self}: {error}", "an SQLAlchemy URL whose driver is installed", "correct `url`"
            ) from None
        text = self.query if " " in self.query.strip() else f"SELECT * FROM {_quoted(engine, self.query.strip())}"
        try:
            with engine.connect().execution_options(stream_results=True, yield_per=10_000) as connection:
                result = connection.execute(sqlalchemy.text(text))
                yield list(result.keys()), result
        except sqlalchemy.exc.SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise DataUnreadable(
                f"{self}: {reason}", "a query that the database answers", "check `url` and `query`"
            ) from None
        finally:
            engine.dispose()


def _quoted(engine: Any, table: str) -> str:
    """A table's name (with schema, where there is a dot) as the database wants it."""
    return ".".join(engine.dialect.identifier_preparer.quote_identifier(part) for part in table.split("."))


def _plain(value: Any, column: Column) -> Any:
    """Decimals as floats, or as text where digits count; bytes as text where they are text; others as they are."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        exact = column.dtype in ("int", "key", "string") and value.is_finite()
        return (str(int(value)) if value == int(value) else f"{value:f}") if exact else float(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _settled(frame: pl.DataFrame) -> dict[str, Any] | None:
    """The dtypes of the first batch for those that follow; None while a column has shown no value."""
    import polars as pl

    return None if pl.Null in frame.dtypes else dict(frame.schema)
