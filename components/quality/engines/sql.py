"""Great Expectations inside a database: the rows of a table or query are checked where they are.

Only counts, samples of values that break a rule, and figures such as a mean leave the database. Texts without a
character count as missing, as everywhere. Nothing is written: the query is used as it stands, without a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kilnworks.components.quality.expectations.gx import evaluate, load_gx
from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.results import RESULT_FORMAT
from kilnworks.components.quality.expectations.rule import WHOLE, Rule
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.expectations.run_gx import Checked, check_whole, read_results
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.schemas.config import SecretUrl
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable
from kilnworks.schemas.words import listed

SPLIT = "train"
"""A table has no splits; it is checked like the split that a model learns from."""
KINDS = {
    "int": {"int"},
    "float": {"float", "int"},
    "bool": {"bool", "int"},
    "string": {"string"},
    "datetime": {"datetime", "string"},
}
"""Dtype of the contract -> kinds of values that hold it. SQLite keeps times as texts and truth as numbers."""
_PYTHON = {"bool": "bool", "int": "int", "float": "float", "Decimal": "float", "str": "string"}
_PYTHON |= {"datetime": "datetime", "date": "datetime"}
_SQLITE = {"integer": "int", "real": "float", "text": "string", "blob": "bytes"}


def check_in_database(url: str | SecretUrl, query: str, contract: Contract) -> list[Checked]:
    """The rules of a contract on a table or query, and on its number of rows.

    Args:
        url: SQLAlchemy URL; with references as ``SecretUrl`` takes them.
        query: a SELECT, or the name of a table.
        contract: of scalar features; a database holds no tensors.

    Raises:
        DataUnreadable: the database does not answer, or not to this query.
        DataInvalid: a column of the contract is not there.
        ConfigError: the contract has tensors, or the driver is not installed.
    """
    tensors = [name for name, feature in contract.features.items() if feature.shape]
    if tensors:
        raise ConfigError(f"{', '.join(tensors)}: tensors", "scalar features", "check tensors after ingest")
    import sqlalchemy

    with _connected(url) as (engine, connection):
        source = _source(connection, query)
        _refuse_missing_columns(connection, source, contract)
        kinds = {name: _kinds(connection, source, name) for name in contract.columns}
        rules = [rule for rule in rules_of(contract) if rule.applies_to(SPLIT)]
        typed = [_type_outcome(rule, kinds, contract) for rule in rules if _is_about_type(rule)]
        suite = compile_suite(f"{contract.name} {SPLIT}", [rule for rule in rules if not _is_about_type(rule)])
        engine.load_batch_data("rows", _batch(engine, connection, source, contract))
        results = evaluate(engine, suite.expectation_configurations, RESULT_FORMAT)
        rows = int(connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {source}")).scalar_one())
    checked = read_results(results, SPLIT, suite, contract)
    about_rows = [rule for rule in rules_of(contract) if rule.applies_to(WHOLE) and rule.column is None]
    whole = check_whole({SPLIT: rows}, {}, contract, compile_suite(f"{contract.name} {WHOLE}", about_rows))
    return [Checked(SPLIT, (*typed, *checked.outcomes), checked.result), whole]


def rows_checked(checked: Sequence[Checked]) -> dict[str, int]:
    """Rows of the table, by the name of its split."""
    found = [outcome.checked for one in checked if one.split == SPLIT for outcome in one.outcomes]
    return {SPLIT: max((rows for rows in found if rows is not None), default=0)}


def _is_about_type(rule: Rule) -> bool:
    """Types are looked up in the database itself: its names for them differ, and a query has none."""
    return rule.name.endswith(": dtype")


def _type_outcome(rule: Rule, kinds: Mapping[str, set[str]], contract: Contract) -> Outcome:
    column = rule.column or ""
    feature, label = contract.features.get(column), contract.label
    dtype = feature.dtype if feature is not None else label.dtype if label is not None else "string"
    found = kinds[column]
    return Outcome(
        rule=rule.name,
        text=rule.text,
        expectation=rule.expectation,
        column=column,
        split=SPLIT,
        severity=rule.severity,
        success=found <= KINDS[dtype],
        observed=", ".join(sorted(found)) or None,
        description=rule.description,
    )


def _refuse_missing_columns(connection: Any, source: str, contract: Contract) -> None:
    import sqlalchemy

    found = list(connection.execute(sqlalchemy.text(f"SELECT * FROM {source} LIMIT 0")).keys())
    lacking = [name for name in contract.columns if name not in found]
    if lacking:
        raise DataInvalid(
            f"the query has no column {', '.join(map(repr, lacking))}; it has {listed(found)}",
            f"the columns of contract {contract.name!r}",
            "add them to the query, or rename them there",
        )


def _kinds(connection: Any, source: str, column: str) -> set[str]:
    """Kinds of the values of a column; what a column is declared as, where the database keeps to it."""
    import sqlalchemy

    name = connection.dialect.identifier_preparer.quote_identifier(column)
    if connection.dialect.name == "sqlite":
        query = f"SELECT DISTINCT typeof({name}) FROM {source} WHERE {name} IS NOT NULL"
        return {_SQLITE[row[0]] for row in connection.execute(sqlalchemy.text(query))}
    query = f"SELECT {name} FROM {source} WHERE {name} IS NOT NULL LIMIT 1"
    types = [type(row[0]).__name__ for row in connection.execute(sqlalchemy.text(query))]
    return {_PYTHON.get(name, name) for name in types}


def _batch(engine: Any, connection: Any, source: str, contract: Contract) -> Any:
    """The columns of the contract as a sub-query; texts without a character and NaN are NULL there."""
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData

    quote = connection.dialect.identifier_preparer.quote_identifier
    columns = []
    for name in contract.columns:
        feature, text = contract.features.get(name), quote(name)
        if feature is not None and feature.dtype == "string":
            text = f"NULLIF({text}, '')"
        elif feature is not None and feature.dtype == "float" and connection.dialect.name == "postgresql":
            text = f"NULLIF(CAST({text} AS double precision), 'NaN')"
        columns.append(f"{text} AS {quote(name)}")
    query = f"SELECT {', '.join(columns)} FROM {source}"
    return SqlAlchemyBatchData(engine, query=query, create_temp_table=False)


@contextmanager
def _connected(url: str | SecretUrl) -> Iterator[tuple[Any, Any]]:
    """Great Expectations' engine and a connection to the database."""
    load_gx()
    import sqlalchemy
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine

    address = url if isinstance(url, SecretUrl) else SecretUrl(url)
    where = str(address).rpartition("@")[2]
    try:
        database = sqlalchemy.create_engine(address.reveal())
        if database.dialect.name == "sqlite":
            sqlalchemy.event.listen(database, "connect", _with_patterns)
    except (sqlalchemy.exc.ArgumentError, ImportError) as error:
        raise ConfigError(f"{where}: {error}", "an SQLAlchemy URL whose driver is installed", "correct it") from None
    try:
        with database.connect() as connection:
            yield SqlAlchemyExecutionEngine(engine=database), connection
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise DataUnreadable(f"{where}: {reason}", "a query that the database answers", "check url and query") from None
    finally:
        database.dispose()


def _with_patterns(connection: Any, record: Any) -> None:
    """Give a connection of SQLite, which has no regular expressions, those of our rules."""
    import polars as pl

    def found(pattern: str, text: str | None) -> bool | None:
        return None if text is None else pl.Series([str(text)]).str.contains(pattern).item()

    connection.create_function("regexp", 2, found, deterministic=True)


def _source(connection: Any, query: str) -> str:
    """The query in brackets, or the table's name, as something to select from."""
    query = query.strip().rstrip(";")
    if any(blank in query for blank in " \n\t"):
        return f"({query}) AS given"
    quote = connection.dialect.identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in query.split("."))
