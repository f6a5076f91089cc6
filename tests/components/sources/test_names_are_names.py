"""A name is a name: no character of a path is a pattern; the bytes that are fingerprinted are those that are read."""

import ast
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.predicting.rows import file_source, request_frames
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.sources import CsvSource, ImageFolderSource, JsonLinesSource, NpzSource, ParquetSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.starting.start import start
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataUnreadable
from tests.components.sources.data_makers import image_folder

ROOT = Path(__file__).parents[3]
NAMES = (
    "a[1]",
    "a*",
    "a?",
    "a{1,2}",
    "a 1",
    "a%20b",
    "a#b",
    "Zürich-東京",
    "-a",
    "~a",
    "a=1;b",
    "a'b",
    "$HOME",
    "a\\b",
)
NEIGHBOURS = ("a1", "ab", "a2", "a b")
"""What those names would also match, were they patterns."""
COLUMNS = {"x": Column("x", "int")}
FORMS = ("csv", "csv.gz", "jsonl", "parquet", "npz")
SOURCES = {"csv": CsvSource, "csv.gz": CsvSource, "jsonl": JsonLinesSource, "parquet": ParquetSource, "npz": NpzSource}


def write(path: Path, values: list[int]) -> None:
    import gzip

    name = path.name
    if name.endswith((".csv", ".csv.gz")):
        text = ("x,y\n" + "".join(f"{v},{v}\n" for v in values)).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps({"x": v, "y": v}) + "\n" for v in values))
    elif name.endswith(".parquet"):
        with path.open("wb") as handle:
            pl.DataFrame({"x": values, "y": values}).write_parquet(handle)
    else:
        with path.open("wb") as handle:
            np.savez(handle, x=np.array(values), y=np.array(values))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_files_and_folders_of_every_name(tmp_path, monkeypatch, name, form):
    folder = tmp_path / name
    for place in (tmp_path, folder):
        place.mkdir(exist_ok=True)
        for other in NEIGHBOURS:
            write(place / f"{other}.{form}", [1, 1])
    file = folder / f"{name}.{form}"
    write(file, [7, 8])
    monkeypatch.chdir(folder)
    for path in (str(file), f"./{file.name}", os.path.relpath(file)):
        source = SOURCES[form](path=path)
        read = pl.concat(source.frames(Wanted(COLUMNS, any_extra=True)))
        assert read["x"].to_list() == [7, 8]
        bytes_read = hashlib.sha256(hashlib.sha256(file.read_bytes()).digest()).hexdigest()
        assert source.fingerprint() == bytes_read
    if form != "npz":
        for other in NEIGHBOURS:
            (folder / f"{other}.{form}").unlink()
        read = pl.concat(SOURCES[form](path=str(folder)).frames(Wanted(COLUMNS, any_extra=True)))
        assert read["x"].to_list() == [7, 8]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_predict_and_check_read_the_file_of_that_name(tmp_path, form):
    contract = Contract.model_validate(
        {"name": "c", "features": {"x": {"dtype": "int", "min": 5}}, "ignore": ["y"], "label": None}
    )
    for name in NAMES:
        write(tmp_path / f"{name}.{form}", [7, 8])
    for name in NEIGHBOURS:
        write(tmp_path / f"{name}.{form}", [1, 1])
    for name in NAMES:
        file = tmp_path / f"{name}.{form}"
        assert pl.concat(request_frames(file, contract))["x"].to_list() == [7, 8]
        assert check_file(contract, file).success and check_file(contract, file).rows == 2
    assert not check_file(contract, tmp_path / f"a1.{form}").success


def test_a_name_that_is_gone_is_missing_and_no_pattern(tmp_path):
    write(tmp_path / "sales1.csv", [1])
    for make in (lambda p: CsvSource(path=str(p)).files(), file_source, lambda p: start("t", str(p))):
        with pytest.raises(DataUnreadable, match="no file or folder"):
            make(tmp_path / "sales[1].csv")
    with pytest.raises(DataUnreadable, match="no file or folder"):
        file_source(tmp_path / "sales*.csv")


def test_a_glob_has_a_star_and_counts_from_the_folder_that_exists(tmp_path):
    folder = tmp_path / "in[1]"
    folder.mkdir()
    for name in ("b-2", "b-1", "c-1", "_b-3"):
        write(folder / f"{name}.csv", [ord(name[0])])
    assert [p.name for p in CsvSource(path=str(folder / "b-*.csv")).files()] == ["b-1.csv", "b-2.csv"]
    write(folder / "b-*.csv", [0])
    assert [p.name for p in CsvSource(path=str(folder / "b-*.csv")).files()] == ["b-*.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_images_and_contracts(tmp_path, name):
    image_folder(tmp_path / name)
    source = ImageFolderSource(path=str(tmp_path / name))
    wanted = Wanted({"label": Column("label", "string")}, any_extra=True)
    assert set(pl.concat(source.frames(wanted))["label"]) == {"cat", "dog"}
    write(tmp_path / f"{name}.csv", list(range(30)))
    assert infer_contract(tmp_path / f"{name}.csv").reference.rows == 30


@pytest.mark.slow
def test_no_reader_of_polars_takes_a_path_for_a_pattern():
    """``glob=False`` in every call, in the whole tree."""
    wrong = []
    for path in (p for room in ("components", "pipelines", "dags") for p in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            name = node.func.attr
            told = {keyword.arg for keyword in node.keywords}
            in_memory = node.args and ast.unparse(node.args[0]).startswith("io.BytesIO(")
            if (
                name in ("scan_parquet", "read_parquet", "scan_csv", "read_csv")
                and not in_memory
                and "glob" not in told
            ):
                wrong.append(f"{path}:{node.lineno}")
            if name in ("read_parquet_schema", "scan_ndjson", "read_ndjson", "read_json", "scan_ipc", "read_ipc"):
                wrong.append(f"{path}:{node.lineno}")
    assert [one for one in wrong if "spark" not in one] == []
