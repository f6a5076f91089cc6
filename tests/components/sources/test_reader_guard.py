"""What libraries raise of broken bytes: a panic that is no ``Exception``, an ``EOFError`` that looks like Ctrl-C."""

import gzip
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.retraining.landing import count_rows
from kilnworks.components.sources import CsvSource, JsonLinesSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.files.guard import reading
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import DataUnreadable, StoreError

CONTRACT = parse_contract("{name: t, features: {x: {dtype: int}}, label: null}")


def cut(path: Path) -> Path:
    """A gzip archive without its end."""
    text = "x\n" if "csv" in path.name else ""
    text += "".join(f"{i}\n" if "csv" in path.name else f'{{"x": {i}}}\n' for i in range(5000))
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[: len(packed) // 2])
    return path


def test_a_panic_of_polars_is_an_error_about_the_file():
    with pytest.raises(DataUnreadable) as found, reading("rows.parquet", "a whole Parquet file"):
        raise pl.exceptions.PanicException("range end index 9 out of range\nat lib.rs")
    assert found.value.got == "rows.parquet: range end index 9 out of range"
    assert found.value.wanted == "a whole Parquet file" and found.value.fix


@pytest.mark.parametrize("error", [EOFError(), EOFError("Compressed file ended before the end-of-stream marker")])
def test_the_end_of_a_file_is_no_end_of_input(error):
    with pytest.raises(DataUnreadable) as found, reading("a.gz", "all of it"):
        raise error
    assert found.value.got == "a.gz: it is cut off"


def test_an_error_of_ours_and_a_stop_go_through_as_they_are():
    for error in (StoreError("full"), KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(error)), reading("a", "b"):
            raise error


@pytest.mark.parametrize("form", ["csv.gz", "jsonl.gz"])
def test_every_reader_of_a_cut_archive_says_so(tmp_path, form):
    file = cut(tmp_path / f"rows.{form}")
    source = (CsvSource if "csv" in form else JsonLinesSource)(path=str(file))
    with pytest.raises(DataUnreadable, match="is cut off"):
        list(source.frames(Wanted({"x": Column("x", "int")})))
    report = check_file(CONTRACT, file)
    assert not report.success and "is cut off" in str(report)
    assert count_rows(file, file.name) == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv.gz", "jsonl.gz"])
def test_no_command_takes_a_cut_archive_for_ctrl_c(tmp_path, form):
    file = cut(tmp_path / f"rows.{form}")
    command = [sys.executable, "-m", "kilnworks", "contract", "infer", str(file), "-o", str(tmp_path / "t.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is cut off" in done.stderr and "to do:" in done.stderr
    assert "interrupted" not in done.stderr and "Traceback" not in done.stderr


def test_an_end_of_input_that_no_reader_caught_is_not_called_interrupted(monkeypatch):
    """``click`` turns every ``EOFError`` into an abort; only a person's own end of input is one."""
    import typer

    from kilnworks.pipelines.cli import app

    def broken(**_: object) -> None:
        raise typer.Abort from EOFError("cut")

    monkeypatch.setattr(app, "_commands", lambda: broken)
    with pytest.raises(EOFError, match="cut"):
        app.main([])
