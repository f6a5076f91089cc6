"""``contract check`` judges rows as a run does: rows without a label, rows to be set aside, large files."""

import math

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.files import large
from kilnworks.schemas.contract import Contract, Feature, Label

CONTRACT = Contract(
    name="c",
    key="id",
    features={
        "x": Feature(dtype="float", max=9),
        "code": Feature(dtype="int", unique=True),
        "b": Feature(dtype="bool"),
    },
    label=Label(name="y", dtype="string", classes=("no", "yes")),
)
ROWS = {"id": ["a", "b", "c", "d"], "x": [1.0, 2.0, 3.0, 4.0], "code": [1, 2, 3, 4], "b": [True, False, True, True]}
ROWS |= {"y": ["no", "yes", "no", "yes"]}


def found(contract, path):
    return {(f.column, f.rule): (f.severity, f.rows) for f in check_file(contract, path).failures}


@pytest.fixture(params=["whole", "in slices"])
def written(request, tmp_path, monkeypatch):
    """Writes a table and gives its path; it is read whole, or as a file too large for that."""
    if request.param == "in slices":
        monkeypatch.setattr(large, "ROWS", 0)
        monkeypatch.setattr(large, "SLICE", 3)

    def write(**changes):
        pl.DataFrame(ROWS | changes).write_parquet(tmp_path / "rows.parquet")
        return tmp_path / "rows.parquet"

    return write


def test_clean_rows_pass(written):
    assert check_file(CONTRACT, written()).failures == ()


def test_a_row_without_a_label_or_key_is_critical(written):
    assert found(CONTRACT, written(y=["no", None, "", "yes"])) == {("y", "not null"): ("critical", (2, 3))}
    assert found(CONTRACT, written(id=["a", "b", None, "d"])) == {("id", "not null"): ("critical", (3,))}


def test_infinity_is_critical_and_values_twice_are_found(written):
    assert [key[0] for key in found(CONTRACT, written(x=[1.0, math.inf, 3.0, 4.0]))] == ["x", "x"]
    assert found(CONTRACT, written(code=[1, 2, 3, 1])).keys() == {("code", "unique")}
    assert found(CONTRACT, written(id=["a", "b", "c", "a"])).keys() == {("id", "keys are unique")}


def test_bad_rows_within_the_share_are_a_warning_where_a_run_sets_them_aside(written):
    path = written(y=["no", None, "no", "yes"], x=[1.0, 99.0, 3.0, 4.0])
    few = CONTRACT.model_copy(update={"on_bad_rows": "quarantine", "max_quarantined": 0.25})
    assert check_file(few, path).success
    assert set(found(few, path).values()) == {("warning", (2,))}
    fewer = few.model_copy(update={"max_quarantined": 0.2})
    assert not check_file(fewer, path).success


def test_texts_mean_missing_or_nothing_as_a_source_reads_them(tmp_path):
    nullable = {n: f.model_copy(update={"nullable": True}) for n, f in CONTRACT.features.items()}
    contract = CONTRACT.model_copy(update={"features": nullable})
    (tmp_path / "rows.csv").write_text("id,x,code,b,y\na,NA,1,yes,no\nb,2,3.0,T,yes\nc,null,,0,no\n")
    assert check_file(contract, tmp_path / "rows.csv").failures == ()
    (tmp_path / "rows.csv").write_text("id,x,code,b,y\na,1,1.5,yes,no\nb,2,3,maybe,yes\n")
    assert found(contract, tmp_path / "rows.csv") == {
        ("code", "values are of type int"): ("critical", (1,)),
        ("b", "values are of type bool"): ("critical", (2,)),
    }


def test_a_label_is_judged_strictly_beside_statistics_too(tmp_path):
    random = np.random.default_rng(0)
    clean = pl.DataFrame({"x": random.normal(size=400), "y": random.choice(["no", "yes"], 400)})
    clean.write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv", label="y")
    assert check_file(contract, tmp_path / "clean.csv").success
    clean.with_columns(y=pl.when(pl.int_range(400) == 7).then(None).otherwise("y")).write_csv(tmp_path / "new.csv")
    assert found(contract, tmp_path / "new.csv")["y", "not null"] == ("critical", (8,))
