"""Files with bytes cut, changed, doubled and put in: every outcome is rows or one of our errors, never a library's."""

import gzip
import io
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.retraining.landing import count_rows
from kilnworks.components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.images import decode_image
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import KilnworksError
from tests.effort import tries

COLUMNS = {"a": Column("a", "int"), "b": Column("b", "string"), "c": Column("c", "float")}
CONTRACT = Contract.model_validate(
    {"name": "c", "features": {"a": {"dtype": "int"}, "b": {"dtype": "string"}, "c": {"dtype": "float"}}}
)
FRAME = pl.DataFrame({"a": range(40), "b": ["x,é", 'say "so"'] * 20, "c": [0.5, None] * 20})


def _written(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _npz(buffer):
    np.savez(buffer, a=np.arange(40), b=np.array(["x", "y"] * 20), c=np.linspace(0, 1, 40))


def _picture(form):
    pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
    return _written(lambda buffer: Image.fromarray(pixels).save(buffer, form))


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in FRAME.to_dicts()).encode()
CSV = FRAME.write_csv().encode()
WHOLE = {
    "csv": CSV,
    "csv.gz": gzip.compress(CSV),
    "jsonl": LINES,
    "jsonl.gz": gzip.compress(LINES),
    "parquet": _written(FRAME.write_parquet),
    "npz": _written(_npz),
}
SOURCES = {"csv": CsvSource, "jsonl": JsonLinesSource, "parquet": ParquetSource, "npz": NpzSource}
IMAGES = {form: _picture(form) for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")}

change = st.tuples(
    st.sampled_from(["cut", "drop", "change", "double", "insert"]),
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.binary(min_size=1, max_size=8),
)
changes = st.lists(change, min_size=1, max_size=3)


def broken(data, some):
    for how, where, length, new in some:
        at = where % (len(data) + 1)
        match how:
            case "cut":
                data = data[:at]
            case "drop":
                data = data[:at] + data[at + length :]
            case "change":
                data = data[:at] + new + data[at + len(new) :]
            case "double":
                data = data[: at + length] + data[at:]
            case "insert":
                data = data[:at] + new + data[at:]
    return data


def outcome(read):
    """Rows, or an error of ours with words; whatever else is raised fails the test, a panic too."""
    try:
        return read()
    except KilnworksError as error:
        assert error.got and error.wanted
        return None


@pytest.mark.slow
@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=tries(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(some=changes)
@example(some=[("change", 0, 1, b"\r")])
@example(some=[("change", 0, 1, b"\r\x80")])
def test_tables(tmp_path, form, some):
    path = tmp_path / f"x.{form}"
    path.write_bytes(broken(WHOLE[form], some))
    source = SOURCES[form.removesuffix(".gz")](path=str(path))
    outcome(lambda: list(source.frames(Wanted(COLUMNS, any_extra=True))))
    outcome(lambda: read_file(path))
    assert check_file(CONTRACT, path).rows >= 0
    assert count_rows(path, path.name) >= 0


@pytest.mark.parametrize("form", IMAGES)
@settings(max_examples=tries(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(some=changes)
def test_images(form, some):
    found = outcome(lambda: decode_image(broken(IMAGES[form], some), (8, 8, 3), "x"))
    assert found is None or found.pixels.shape == (8, 8, 3)


def test_whole_files_are_read_as_they_were_written(tmp_path):
    for form, data in WHOLE.items():
        path = tmp_path / f"x.{form}"
        path.write_bytes(data)
        source = SOURCES[form.removesuffix(".gz")](path=str(path))
        frame = pl.concat(source.frames(Wanted(COLUMNS)))
        assert (frame["a"].to_list() == list(range(40)) and len(read_file(path)[0]) == count_rows(path, path.name)) or (
            form == "npz"
        )
