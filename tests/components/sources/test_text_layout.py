"""How text files begin and are cut, against ``csv`` and pandas: names, blank lines, ``sep=``, line ends, ragged."""

import csv
import gzip
import io

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.predicting.rows import request_frames
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.sources import CsvSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.files.layout import layout_of
from kilnworks.components.sources.files.survey import survey
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.starting.open_data import open_table
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable, KilnworksError
from tests.effort import tries

ROWS = [("1", "x", "2.5"), ("2", "y, z", "3.5"), ("3", 'say "so"', "4.5")]
HEADER = ("a", "b", "c")
COLUMNS = {"a": Column("a", "int"), "b": Column("b", "string"), "c": Column("c", "float")}
CONTRACT = Contract.model_validate(
    {"name": "c", "features": {"a": {"dtype": "int"}, "b": {"dtype": "string"}, "c": {"dtype": "float"}}}
)


def text(delimiter=",", end="\n", header=HEADER, rows=ROWS):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end)
    writer.writerows([header, *rows])
    return buffer.getvalue()


def everywhere(path):
    """What the source, ``new``, ``contract infer`` and ``predict`` say: values, or the words of the refusal."""
    calls = (
        lambda: pl.concat(CsvSource(path=str(path)).frames(Wanted(COLUMNS, any_extra=True))),
        lambda: open_table(str(path), "csv").frame.select(HEADER),
        lambda: read_file(path)[0].select(HEADER),
        lambda: pl.concat(request_frames(path, CONTRACT)),
    )
    told = []
    for call in calls:
        try:
            told.append([tuple(map(str, row)) for row in call().rows()])
        except KilnworksError as error:
            told.append(error.got.replace(str(path), "FILE"))
    return told


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        text(),
        text(end="\r\n"),
        text(end="\r"),
        "\n" + text(),
        "\r\n  \r\n" + text(end="\r\n"),
        "sep=,\n" + text(),
        "\nsep=;\r\n" + text(";", "\r\n"),
        "sep=\t\n" + text("\t"),
        "sep=;\r" + text(";", "\r"),
        "\ufeff" + text(),
        "\ufeff\nsep=|\n" + text("|"),
        text().rstrip("\n"),
        text(rows=[ROWS[0], (), *ROWS[1:], ()]),
        text(rows=[(), (), *ROWS]),
        text(header=("", *HEADER), rows=[(str(at), *row) for at, row in enumerate(ROWS)]),
        text(header=(*HEADER, " "), rows=[(*row, "") for row in ROWS]),
        text(header=("u", "u", *HEADER), rows=[("", "", *row) for row in ROWS]),
        text(header=("n\x85o", "p\u2028q\x0b", *HEADER), rows=[("", "", *row) for row in ROWS]),
    ],
)
def test_every_command_reads_the_same(tmp_path, content):
    for name, data in (("x.csv", content.encode()), ("y.csv.gz", gzip.compress(content.encode()))):
        (tmp_path / name).write_bytes(data)
        told = everywhere(tmp_path / name)
        if '"u"' in content or content.startswith("u,"):
            assert told[0] == told[3] == [("1", "x", "2.5"), ("2", "y, z", "3.5"), ("3", 'say "so"', "4.5")]
            assert told[1] == told[2] == "FILE: column 'u' is there twice (columns 1 and 2)"
        else:
            assert told == [ROWS] * 4


def test_pandas_reads_the_same_rows(tmp_path):
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]}).to_csv(tmp_path / "x.csv")
    assert everywhere(tmp_path / "x.csv") == [[("1", "x", "0.5"), ("2", "y", "1.5")]] * 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,c\n1,x,2\n3,y\n", "FILE: line 3 has 2 fields"),
        ("\n\na,b,c\n1,x,2\n3,y\n4,z\n", "FILE: line 5 has 2 fields (2 lines differ)"),
        ('a,b,c\n1,"x\nx",2\n3,y,1,1\n4,z,1\n', "FILE: line 4 has 4 fields"),
        ("a,b,c\n1,x,2,9\n3,y,1,9\n", "FILE: all 2 rows have 4 fields, the header has 3"),
        ('a,b,c\n1,"x,2\n3,y,1\n', "FILE: the quote in line 2 is opened and never closed"),
        ('a,b,c\n1,x,2\n3,"y,1', "FILE: the quote in line 3 is opened and never closed"),
        ("a,b,c\n1,x,2\n3,y\0y,1\n", "FILE: line 3 holds a byte that is 0"),
        ("# made by a tool\na,b,c\n1,x,2\n", "FILE: line 1 begins with # and is no header"),
        ("c,b,c,a\n1,x,2,3\n", "FILE: column 'c' is there twice (columns 1 and 3)"),
        ("", "FILE is empty"),
        ("\n \n", "FILE is empty"),
        ("\ufeff", "FILE is empty"),
    ],
)
def test_every_command_refuses_in_the_same_words(tmp_path, content, words):
    (tmp_path / "x.csv").write_bytes(content.encode())
    told = everywhere(tmp_path / "x.csv")
    assert all(isinstance(one, str) and one.startswith(words) for one in told), told
    outcome = check_file(CONTRACT, tmp_path / "x.csv")
    assert not outcome.success and words.replace("FILE", "") in outcome.failures[0].seen


def test_a_header_alone_has_no_rows(tmp_path):
    (tmp_path / "x.csv").write_text("a,b,c\n")
    assert all("no rows" in one for one in everywhere(tmp_path / "x.csv"))


def test_names_that_are_needed_are_refused_when_repeated_others_are_not(tmp_path):
    (tmp_path / "x.csv").write_text("a,n,c,n,b\n1,0,2,9,x\n")
    source = CsvSource(path=str(tmp_path / "x.csv"))
    assert pl.concat(source.frames(Wanted(COLUMNS, any_extra=True))).rows() == [(1, "x", 2.0)]
    with pytest.raises(DataInvalid, match=r"'n' is there twice \(columns 2 and 4\)"):
        list(source.frames(Wanted({**COLUMNS, "n": Column("n", "int")})))


def test_missing_values_of_a_single_column_are_rows(tmp_path):
    (tmp_path / "x.csv").write_text("a\n\n1\n\n2\n")
    source = CsvSource(path=str(tmp_path / "x.csv"))
    assert pl.concat(source.frames(Wanted({"a": COLUMNS["a"]})))["a"].to_list() == [None, 1, None, 2]


def test_lines_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "x.csv").write_text('\nsep=,\na,"b\nb",c\n\n1,x,2\noops,y,3\n')
    with pytest.raises(DataUnreadable, match=r"'oops' \(line 7 of"):
        list(CsvSource(path=str(tmp_path / "x.csv")).frames(Wanted({"a": COLUMNS["a"]}, any_extra=True)))


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_the_delimiter_of_a_file_given_to_predict(tmp_path, delimiter):
    (tmp_path / "x.csv").write_text(text(delimiter))
    for separator in (",", ";", "\t"):
        like = CsvSource(path="train.csv", separator=separator)
        frame = pl.concat(request_frames(tmp_path / "x.csv", CONTRACT, like))
        assert [tuple(map(str, row)) for row in frame.rows()] == ROWS
    (tmp_path / "u.csv").write_text(text(delimiter), encoding="utf-16")
    assert pl.concat(request_frames(tmp_path / "u.csv", CONTRACT)).height == 3


PARTS = {
    "other delimiter": ("a,b,c\n1,x,2\n", "a;b;c\n3;y;4\n", "2.csv"),
    "header in some parts only": ("a,b,c\n1,x,2\n", "3,y,4\n", "2.csv"),
    "one column less": ("a,b,c\n1,x,2\n", "a,b\n3,y\n", "2.csv"),
    "empty": ("a,b,c\n1,x,2\n", "", "2.csv is empty"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_that_differ_are_refused_by_name(tmp_path, kind):
    first, second, words = PARTS[kind]
    (tmp_path / "1.csv").write_text(first)
    (tmp_path / "2.csv").write_text(second)
    for one in everywhere(tmp_path):
        assert isinstance(one, str) and words in one


def test_parts_in_another_order_are_read_by_name(tmp_path):
    (tmp_path / "1.csv").write_text("a,b,c\n1,x,2.0\n")
    (tmp_path / "2.csv").write_text("sep=;\nc;a;b\n4.0;3;y\n")
    told = everywhere(tmp_path)
    assert told[0] == told[3] == [("1", "x", "2.0"), ("3", "y", "4.0")]
    assert "2.csv is separated by ';'" in told[1] and told[1] == told[2]
    (tmp_path / "2.csv").write_text("c,a,b\n4.0,3,y\n")
    assert everywhere(tmp_path) == [[("1", "x", "2.0"), ("3", "y", "4.0")]] * 4


@pytest.mark.parametrize(
    "content", ["\r,b,c\n1,x,2.5\n", "a\r,b,c\n1,x,2.5\n", "\n\ra,b,c\r\n1,x,2.5\r\n", "#a,b\r,c\n1,x,2\n"]
)
def test_a_carriage_return_within_the_header_is_named(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    for said in everywhere(path):
        assert "carriage return" in said, said
    assert check_file(CONTRACT, path).rows == 0


def test_a_carriage_return_within_a_row_stays_in_its_field():
    assert layout_of("#a,b\n1\r2,3\n", ",", "x").names == ("#a", "b")
    with pytest.raises(DataUnreadable, match="begins with # and is no header"):
        layout_of("#a,b\n1\r2,3,4\n", ",", "x")


fields = st.text(alphabet='ab,;"\n é', max_size=4)


@settings(max_examples=tries(60), deadline=None)
@given(
    rows=st.lists(st.lists(fields, min_size=1, max_size=4), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 7),
)
def test_survey_counts_fields_as_the_csv_module_does(rows, end, chunk):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=end).writerows([("h1", "h2", "h3"), *rows])
    content = buffer.getvalue()
    reader = csv.reader(io.StringIO(content, newline=""))
    next(reader)
    expected, line = [], 2
    for fields_found in reader:
        if fields_found:
            expected.append((line, len(fields_found)))
        line = reader.line_num + 1
    layout = layout_of(content, ",", "x")
    data = content.encode()
    found = survey((data[at : at + chunk] for at in range(0, len(data), chunk)), layout)
    wrong = [(at, count) for at, count in expected if count != 3]
    assert found.rows == len(expected) and not found.open_line
    assert found.wrong == wrong[:5] and found.wrong_count == len(wrong)
    assert found.last_short == (bool(expected) and expected[-1][1] < 3)


def test_survey_needs_no_more_memory_for_an_open_quote(tmp_path):
    import tracemalloc

    with (tmp_path / "x.csv").open("w") as handle:
        handle.write('a,b\n1,"\n')
        for _ in range(200):
            handle.write("1,2\n" * 25_000)
    file = TextFile(tmp_path / "x.csv")
    tracemalloc.start()
    with pytest.raises(DataUnreadable, match="the quote in line 2"):
        file.refuse_ragged(file.layout())
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()
