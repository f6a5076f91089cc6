"""A column of dates is read in one way by every room: sources of each kind, prediction files, contract check."""

from datetime import datetime

import polars as pl
import pytest

from kilnworks.components.predicting.rows import request_frames
from kilnworks.components.quality.contracts.diff import diff_contracts
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.contracts.json_schema import export_json_schema
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.sources import CsvSource, JsonLinesSource, ParquetSource, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.window import as_window, in_window
from kilnworks.schemas.contract import Contract, dump_contract, parse_contract
from kilnworks.schemas.errors import ContractError, DataUnreadable

KINDS = {".csv": CsvSource, ".jsonl": JsonLinesSource, ".parquet": ParquetSource}
TEXTS = ["01/02/98", "12/31/00", "1/5/24"]
MOMENTS = [datetime(1998, 1, 2), datetime(2000, 12, 31), datetime(2024, 1, 5)]


def contract(dates, **more) -> Contract:
    features = {"when": {"dtype": "datetime"}, "size": {"dtype": "float"}}
    return Contract.model_validate({"name": "c", "features": features, "dates": dates, **more})


def write(path, values):
    frame = pl.DataFrame({"when": values, "size": [float(k) for k in range(len(values))]})
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[path.suffix](path)
    return path


def read(path, of: Contract):
    frames = KINDS[path.suffix](path=str(path)).frames(Wanted(contract_columns(of)))
    return pl.concat(frames)["when"].to_list()


@pytest.mark.parametrize("ending", list(KINDS))
@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (TEXTS, {"when": {"format": "%m/%d/%y", "first_year": 1969}}),
        ([883_699_200, 978_220_800, 1_704_412_800], {"when": "epoch s"}),
        ([883_699_200_000, 978_220_800_000, 1_704_412_800_000], {"when": "epoch ms"}),
        ([19980102, 20001231, 20240105], {"when": "%Y%m%d"}),
        (["1998-01-02", "2000-12-31T02:00:00+02:00", "2024-01-05T00:00Z"], {}),
    ],
)
def test_each_source_and_the_rows_to_predict_are_read_alike(tmp_path, ending, values, dates):
    of = contract(dates)
    path = write(tmp_path / f"rows{ending}", values)
    assert read(path, of) == MOMENTS
    assert pl.concat(request_frames(path, of))["when"].to_list() == MOMENTS
    assert check_file(of, path).success


@pytest.mark.slow
@pytest.mark.parametrize("ending", list(KINDS))
@pytest.mark.parametrize("late", ["13/02/24", "02/30/24", "01/02/2024", "soon"])
def test_a_later_file_that_does_not_fit_is_refused_with_place_and_value(tmp_path, ending, late):
    of = contract({"when": "%m/%d/%y"})
    path = write(tmp_path / f"rows{ending}", [*TEXTS, late])
    with pytest.raises(DataUnreadable) as caught:
        read(path, of)
    assert "'when'" in str(caught.value) and repr(late) in str(caught.value) and "%m/%d/%y" in str(caught.value)
    with pytest.raises(DataUnreadable):
        list(request_frames(path, of))
    assert not check_file(of, path).success


def test_numbers_without_a_unit_are_refused_and_the_advice_works(tmp_path):
    path = write(tmp_path / "rows.csv", [883_699_200, 978_220_800])
    with pytest.raises(DataUnreadable, match=r'dates: \{when: \{format: "epoch s"\}\}'):
        read(path, contract({}))
    assert read(path, contract({"when": {"format": "epoch s"}})) == MOMENTS[:2]


def test_the_advice_for_texts_names_the_format_that_reads_them(tmp_path):
    path = write(tmp_path / "rows.csv", ["13/02/2024", "14/02/2024"])
    with pytest.raises(DataUnreadable, match=r"written as %d/%m/%Y, say so"):
        read(path, contract({}))
    impossible = write(tmp_path / "rows.csv", ["2023-02-29", "2023-02-28"])
    with pytest.raises(DataUnreadable, match=r"a date that exists.*\n.*\n *to do: *correct the values"):
        read(impossible, contract({}))


def test_a_source_may_write_a_column_in_its_own_way(tmp_path):
    path = write(tmp_path / "rows.csv", ["02.01.1998", "31.12.2000", "05.01.2024"])
    source = CsvSource(path=str(path), datetime_formats={"when": "%d.%m.%Y"})
    wanted = Wanted(contract_columns(contract({"when": "%m/%d/%Y"})))
    assert pl.concat(source.frames(wanted))["when"].to_list() == MOMENTS


def test_a_window_reads_the_time_column_as_the_contract_says(tmp_path):
    of = contract({"at": "%d.%m.%Y"}, time="at")
    (tmp_path / "rows.csv").write_text("at,when,size\n02.01.1998,1998-01-02,1\n31.12.2000,2000-12-31,2\n")
    source = in_window(CsvSource(path=str(tmp_path / "rows.csv")), as_window("2000-01-01/2001-01-01"), of)
    every = contract_columns(of)
    for columns in (every, {name: column for name, column in every.items() if name != "at"}):
        frame = pl.concat(source.frames(Wanted(columns, any_extra=True)))
        assert frame["when"].to_list() == MOMENTS[1:2]


def test_a_json_schema_says_how_dates_are_written():
    of = contract({"when": "epoch ms"})
    assert export_json_schema(of).tree["properties"]["when"] == {
        "type": "integer",
        "description": "(in milliseconds since 1970 UTC)",
    }
    texts = export_json_schema(contract({"when": "%m/%d/%y"})).tree["properties"]["when"]
    assert texts == {"type": "string", "description": "(written as %m/%d/%y)"}
    assert export_json_schema(contract({})).tree["properties"]["when"] == {"type": "string", "format": "date-time"}


def test_the_time_column_need_not_be_a_feature(tmp_path):
    of = contract({"at": "%d.%m.%Y"}, time="at")
    (tmp_path / "rows.csv").write_text("at,when,size\n02.01.1998,1998-01-02,1\n31.12.2000,2000-12-31,2\n")
    frame = pl.concat(CsvSource(path=str(tmp_path / "rows.csv")).frames(Wanted(contract_columns(of))))
    assert frame["at"].to_list() == frame["when"].to_list() == MOMENTS[:2]


def test_a_contract_says_the_format_reads_it_back_and_shows_the_difference():
    of = contract({"when": {"format": "%m/%d/%y", "first_year": 1930}})
    assert "dates:\n  when: {format: '%m/%d/%y', first_year: 1930}" in dump_contract(of)
    assert parse_contract(dump_contract(of)) == of
    assert [c.path for c in diff_contracts(of, contract({}))] == ["dates.when"]
    with pytest.raises(ContractError, match="no column of dates 'size2'"):
        parse_contract(dump_contract(of).replace("when: {format", "size2: {format"))
    with pytest.raises(ContractError, match="dtype float, not datetime"):
        parse_contract(dump_contract(of).replace("when: {format", "size: {format"))


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_infer_writes_the_format_and_check_reads_other_kinds_of_file_by_it(tmp_path, ending):
    days = pl.date_range(datetime(1998, 1, 1), datetime(2002, 5, 12), "8d", eager=True)
    frame = pl.DataFrame({"when": days.dt.strftime("%m/%d/%y"), "size": [float(k % 17) for k in range(len(days))]})
    frame.write_csv(tmp_path / "clean.csv")
    inferred = infer_contract(tmp_path / "clean.csv")
    assert inferred.time == "when", "sorted by the true time, over the turn of the century"
    assert inferred.dates["when"].model_dump() == {"format": "%m/%d/%y", "first_year": 1969}
    again = tmp_path / f"again{ending}"
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[ending](again)
    assert check_file(inferred, again).success
    turned = frame.with_columns(days.dt.strftime("%d/%m/%y").alias("when"))
    turned.write_csv(tmp_path / "turned.csv")
    assert not check_file(inferred, tmp_path / "turned.csv").success
