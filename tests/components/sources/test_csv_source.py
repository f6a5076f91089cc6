from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.sources import CsvSource, NumberFormat, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataInvalid, DataUnreadable

COLUMNS = {n: Column(n, d) for n, d in (("a", "int"), ("b", "float"), ("c", "string"))}
WANTED = Wanted(COLUMNS)


def write(path: Path, text: str | bytes) -> CsvSource:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvSource(path=str(path))


def read(source, wanted=WANTED) -> pl.DataFrame:
    return pl.concat(list(source.frames(wanted)))


def test_values_and_dtypes(tmp_path):
    frame = read(write(tmp_path / "x.csv", "b,a,c\n1.5,1,x\n,2,\nNaN,3,NA\ninf,-4,1.0\n"))
    assert frame.columns == ["a", "b", "c"]
    assert frame.schema == {"a": pl.Int64, "b": pl.Float64, "c": pl.String}
    assert frame["a"].to_list() == [1, 2, 3, -4]
    assert frame["b"].to_list() == [1.5, None, None, float("inf")]
    assert frame["c"].to_list() == ["x", None, "NA", "1.0"], "NA is a text where texts are wanted"


def test_slow_path_gives_what_the_fast_path_gives(tmp_path):
    rows = [(n, n / 4, f"t{n}") for n in range(500)]
    fast = write(tmp_path / "fast.csv", "a,b,c\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    slow = write(tmp_path / "slow.csv", "a,b,c\n" + "".join(f" {a}.0 ,{b},{c}\n" for a, b, c in rows))
    assert read(fast).equals(read(slow))


def test_texts_for_missing_numbers(tmp_path):
    frame = read(write(tmp_path / "x.csv", "a,b,c\n1,NA,x\nnull,2,y\n"))
    assert frame["a"].to_list() == [1, None]
    assert frame["b"].to_list() == [None, 2.0]


def test_blank_lines_are_no_rows_and_count_as_lines(tmp_path):
    text = "a,b,c\n\n1,2,x\n,,\n\n3,4,y\n\n"
    assert read(write(tmp_path / "x.csv", text))["a"].to_list() == [1, 3]
    with pytest.raises(DataUnreadable, match=r"'bad' \(line 6 of"):
        read(write(tmp_path / "x.csv", text.replace("3,4", "bad,4")))
    single = Wanted({"a": Column("a", "int")})
    assert read(write(tmp_path / "x.csv", "a\n1\n\n2\n"), single)["a"].to_list() == [1, None, 2]


def test_decimal_comma_and_separator(tmp_path):
    (tmp_path / "x.csv").write_text('a;b;c\n1;"1,5";x\n2;2,25;y\n')
    frame = read(CsvSource(path=str(tmp_path / "x.csv"), separator=";", decimal_comma=True))
    assert frame["b"].to_list() == [1.5, 2.25]


def test_quoted_line_breaks_count_in_the_line_of_the_message(tmp_path):
    source = write(tmp_path / "x.csv", 'a,b,c\n1,1,"two\nlines"\n2,2,x\nthree,3,y\n')
    with pytest.raises(DataUnreadable) as error:
        read(source)
    assert "column 'a'" in error.value.got and "'three' (line 5 of" in error.value.got


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "latin-1", "utf-8"])
def test_encodings(tmp_path, encoding):
    (tmp_path / "x.csv").write_bytes("a,b,c\n1,2,Zürich\n".encode(encoding))
    assert read(CsvSource(path=str(tmp_path / "x.csv"), encoding=encoding))["c"].to_list() == ["Zürich"]


def test_byte_order_mark(tmp_path):
    assert read(write(tmp_path / "x.csv", b"\xef\xbb\xbfa,b,c\n1,2,x\n"))["a"].to_list() == [1]


def test_compressed(tmp_path):
    import gzip

    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b,c\n1,2,x\n"))
    assert read(CsvSource(path=str(tmp_path / "x.csv.gz")))["a"].to_list() == [1]


def test_folder_and_glob_are_read_in_order_of_names(tmp_path):
    write(tmp_path / "2.csv", "a,b,c\n2,2,y\n")
    write(tmp_path / "1.csv", "a,b,c\n1,1,x\n")
    for path in (tmp_path, tmp_path / "*.csv"):
        assert read(CsvSource(path=str(path)))["a"].to_list() == [1, 2]


def test_message_names_the_right_file_of_several(tmp_path):
    write(tmp_path / "1.csv", "a,b,c\n1,1,x\n2,2,x\n")
    write(tmp_path / "2.csv", "a,b,c\n3,3,x\n4,oops,y\n")
    with pytest.raises(DataUnreadable, match=r"'oops' \(line 3 of .*2\.csv\)"):
        read(CsvSource(path=str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("a,b,c\n", "a header and no rows"),
        ("a,b,c\n1,2,x\n1,2,x,3\n", "line 3 has 4 fields"),
        ("a,b,c\n1,oops,x\n", "column 'b': a text that is not a number: 'oops' (line 2"),
        ("a,b,c\n1.5,1,x\n", "column 'a': a text that is not a whole number within 64 bits: '1.5' (line 2"),
        ("a,b,c\n99999999999999999999,1,x\n", "99999999999999999999"),
        ("a,b,c\n1,2,Z\xfcrich\n".encode("latin-1"), "line 2 holds bytes that are not utf-8"),
        ("a,b,c\n1,2,x\n".encode("utf-16"), "bytes that are not utf-8"),
    ],
)
def test_broken_files(tmp_path, content, words):
    with pytest.raises(DataUnreadable) as error:
        read(write(tmp_path / "x.csv", content))
    assert words in error.value.got
    assert error.value.wanted and error.value.fix


def test_a_number_written_otherwise_leads_to_the_number_formats(tmp_path):
    with pytest.raises(DataUnreadable) as error:
        read(write(tmp_path / "x.csv", 'a,b,c\n1,"1,5",x\n'))
    assert "'1,5' (line 2" in error.value.got and "`numbers` in the contract" in error.value.fix


def test_each_column_has_its_own_way_of_writing_numbers(tmp_path):
    (tmp_path / "x.csv").write_text('a;b;c;d\n1,272;1.5;"$ 3.000,25";1.272\n315;2.25;$7;x\n')
    formats = {"a": NumberFormat(thousands=","), "c": NumberFormat(decimal=",", thousands=".", unit="$")}
    wanted = Wanted({"a": Column("a", "int"), "b": Column("b", "float"), "c": Column("c", "float")}, frozenset("d"))
    source = CsvSource(path=str(tmp_path / "x.csv"), separator=";", number_formats=formats)
    assert read(source, wanted).to_dict(as_series=False) == {"a": [1272, 315], "b": [1.5, 2.25], "c": [3000.25, 7.0]}


def test_a_number_in_another_way_of_writing_is_refused_and_never_another_number(tmp_path):
    (tmp_path / "x.csv").write_text("a;b\n1,5;1\n1.272;2\n")
    source = CsvSource(path=str(tmp_path / "x.csv"), separator=";", decimal_comma=True)
    with pytest.raises(DataUnreadable) as error:
        read(source, Wanted({"a": Column("a", "float"), "b": Column("b", "int")}))
    assert "column 'a'" in error.value.got and "'1.272' (line 3" in error.value.got
    assert "written as 1234,5" in error.value.wanted


def test_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "churn.csv", "a\n1\n")
    with pytest.raises(DataUnreadable) as error:
        CsvSource(path=str(tmp_path / "chrun.csv")).files()
    assert "churn.csv" in error.value.fix


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a,b", ["column 'c' is missing"]),
        ("a,b,c,d", ["column 'd' is not in the contract"]),
        ("A,b,c", ["column 'a' is missing (there is a column 'A': renamed?)"]),
        ("a,b,c,a", ["column 'a' is there twice"]),
    ],
)
def test_wrong_columns(tmp_path, header, words):
    with pytest.raises(DataInvalid) as error:
        read(write(tmp_path / "x.csv", header + "\n" + ",".join("1" * len(header.split(","))) + "\n"))
    assert all(word in error.value.got for word in words)
    assert error.value.details["failures"]


def test_ignored_and_optional_columns(tmp_path):
    source = write(tmp_path / "x.csv", "a,b,d\n1,2,3\n")
    columns = {**COLUMNS, "c": Column("c", "string", optional=True)}
    assert read(source, Wanted(columns, frozenset({"d"}))).columns == ["a", "b"]
    assert read(source, Wanted(columns, any_extra=True)).columns == ["a", "b"]


def test_parts_are_read_by_name_and_one_that_lacks_a_column_is_refused(tmp_path):
    write(tmp_path / "1.csv", "a,b,c\n1,1,x\n")
    write(tmp_path / "2.csv", "a,c,b\n2,y,3\n")
    assert read(CsvSource(path=str(tmp_path))).rows() == [(1, 1.0, "x"), (2, 3.0, "y")]
    write(tmp_path / "2.csv", "a,c\n2,y\n")
    with pytest.raises(DataUnreadable, match=r"2\.csv lacks b; its columns are a, c"):
        read(CsvSource(path=str(tmp_path)))


def test_small_batches_give_the_same_rows(tmp_path, monkeypatch):
    text = "a,b,c\n" + "".join(f"{n},{n / 2},t{n}\n" for n in range(2_000))
    source = write(tmp_path / "x.csv", text)
    whole = read(source)
    monkeypatch.setattr("kilnworks.components.sources.base.BATCH_ROWS", 300)
    batches = list(source.frames(WANTED))
    assert len(batches) > 3 and pl.concat(batches).equals(whole)


def test_a_bad_value_in_a_late_batch_does_not_lose_or_double_rows(tmp_path, monkeypatch):
    lines = [f"{n},{n / 2},t{n}" for n in range(3_000)]
    lines[2_500] = "2500,NA,t2500"
    source = write(tmp_path / "x.csv", "a,b,c\n" + "\n".join(lines) + "\n")
    monkeypatch.setattr("kilnworks.components.sources.base.BATCH_ROWS", 300)
    frame = read(source)
    assert frame["a"].to_list() == list(range(3_000))
    assert frame["b"].null_count() == 1 and frame["b"][2_500] is None


def test_fingerprint_follows_content_alone(tmp_path):
    one = write(tmp_path / "one.csv", "a,b,c\n1,2,x\n")
    other = write(tmp_path / "other.csv", "a,b,c\n1,2,x\n")
    assert one.fingerprint() == other.fingerprint() and one.identity() == other.identity()
    assert "path" not in one.identity()
    write(tmp_path / "other.csv", "a,b,c\n1,3,x\n")
    assert one.fingerprint() != other.fingerprint()
    assert one.identity() != CsvSource(path=one.path, separator=";").identity()


def test_bytes_moved_between_files_change_the_fingerprint(tmp_path):
    for folder, parts in (("x", ("a\n1\n", "a\n2\n")), ("y", ("a\n1\na\n", "2\n"))):
        (tmp_path / folder).mkdir()
        for n, part in enumerate(parts):
            (tmp_path / folder / f"{n}.csv").write_text(part)
    assert CsvSource(path=str(tmp_path / "x")).fingerprint() != CsvSource(path=str(tmp_path / "y")).fingerprint()


def test_unknown_encoding_is_refused_when_set():
    with pytest.raises(ValueError, match="no such text encoding"):
        CsvSource(path="x.csv", encoding="utf-9")


def test_is_a_config():
    assert issubclass(CsvSource, Config)


def test_time_column_is_taken_as_found(tmp_path):
    wanted = Wanted({"t": Column("t", "time"), "a": Column("a", "int")})
    numbers = read(write(tmp_path / "x.csv", "t,a\n1700000000,1\n,2\n1700000060,3\n"), wanted)
    assert numbers["t"].to_list() == [1_700_000_000, None, 1_700_000_060]
    times = read(write(tmp_path / "x.csv", "t,a\n2024-01-31,1\n2024-02-01T10:00:00Z,2\n"), wanted)
    assert times["t"].dtype == pl.Datetime("us") and str(times["t"][1]) == "2024-02-01 10:00:00"
    with pytest.raises(DataUnreadable, match=r"'2024-01-31' \(line 3 of"):
        read(write(tmp_path / "x.csv", "t,a\n1700000000,1\n2024-01-31,2\n"), wanted)


def test_a_column_that_changes_its_kind_between_files(tmp_path):
    write(tmp_path / "1.csv", "t,a\n1700000000,1\n")
    write(tmp_path / "2.csv", "t,a\n2024-01-31,1\n")
    with pytest.raises(DataUnreadable, match=r"Int64 at first, Datetime.* from about line 2 of .*2\.csv"):
        read(CsvSource(path=str(tmp_path)), Wanted({"t": Column("t", "time"), "a": Column("a", "int")}))
