"""Facts of the wire have one place."""

import re
from pathlib import Path

import numpy as np

from kilnworks.schemas.wire import MISSING, MISSING_INT

ROOT = Path(__file__).parents[2]
FACTS = {
    "a missing int": re.compile(r"^\w*MISSING\w*\s*(:.*)?=\s*-\(?2\*\*63", re.M),
    "a place in a model": re.compile(r"\"assets\.extra\"|'assets\.extra'"),
    "a mask": re.compile(r"\"[^\"]*\((masked|hidden|sensitive)\)\"|\"\*\*\*\""),
}


def test_nobody_else_writes_them_down():
    rooms = ("components", "pipelines", "dags", "schemas", "kilnworks")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py") if path.name != "wire.py"]
    found = [(str(path.relative_to(ROOT)), name) for path in files for name, fact in FACTS.items()
             if fact.search(path.read_text())]  # fmt: skip
    assert found == [] and len(files) > 300


def test_what_is_missing_fits_its_dtype():
    for dtype, value in MISSING.items():
        if dtype != "string":
            held = np.array([value], dtype)
            assert np.isnan(held[0]) if dtype == "float32" else held[0] == value
    assert MISSING["int64"] == MISSING_INT == np.iinfo(np.int64).min
