"""What is decided about tables, each decision on a table made for it."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.sources import ByHash, ByTime, CsvSource, SqlSource
from kilnworks.components.starting.columns import left_out
from kilnworks.components.starting.label import find_label, task_of
from kilnworks.components.starting.leakage import find_suspects
from kilnworks.components.starting.open_data import kind_of, open_table
from kilnworks.components.starting.start import start
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName
from kilnworks.schemas.number_format import NumberFormat
from tests.components.starting.starting_tables import table

COMMA = NumberFormat(decimal=",")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The recipe for a semicolon-separated file of the odd table, two rows of it without a label."""
    path = tmp_path_factory.mktemp("odd") / "orders.csv"
    frame = table().with_columns(bought=pl.when(pl.int_range(pl.len()) % 600 == 5).then(None).otherwise("bought"))
    frame.write_csv(path, separator=";")
    return start("orders", str(path))


def said(recipe, what):
    return {d.choice: d.why for d in recipe.decisions if d.what == what}


@pytest.mark.slow
def test_label_task_and_features(odd):
    label = odd.contract.label
    assert (label.name, label.classes) == ("bought", ("no", "yes"))
    assert next(d for d in odd.decisions if d.what == "label").flagged
    assert list(odd.contract.features) == ["seen_at", "spent", "city", "member", "shop_id"]
    assert odd.contract.features["member"].dtype == "bool"
    assert odd.transform.features["shop_id"].encode == "embedding"


@pytest.mark.slow
def test_columns_are_left_out_with_evidence(odd):
    out = said(odd, "left out")
    assert odd.contract.key == "order_id" and out["order_id"].startswith("key")
    assert out["version"] == "constant: always 'v1'"
    assert out["flag"] == "nearly constant: all but 2 of 1,200 rows are alike"
    assert out["remark"].startswith("free text: 100%")
    leak = said(odd, "leak, left out")
    assert "alone it tells bought with AUC 1.0000" in leak["receipt"]
    assert set(odd.contract.ignore) == {"version", "flag", "remark", "receipt"}


@pytest.mark.slow
def test_time_and_how_the_file_is_written(odd):
    assert odd.contract.time == "seen_at" and isinstance(odd.split, ByTime)
    assert isinstance(odd.source, CsvSource)
    assert (odd.source.separator, odd.contract.dates["seen_at"].format) == (";", "%d.%m.%Y %H:%M")
    assert odd.transform.datetimes == "moment" and odd.transform.shares


@pytest.mark.slow
def test_rules_warn_and_rows_without_a_label_are_set_aside(odd):
    assert {f.severity for f in odd.contract.features.values()} == {"warning"}
    assert all(f.nullable for f in odd.contract.features.values())
    assert odd.contract.on_bad_rows == "quarantine"
    assert 2 / 1200 < odd.contract.max_quarantined < 0.02
    assert said(odd, "set aside") == {"2 of 1,200 rows, 0.17%": "2: bought is missing"}


@pytest.mark.slow
def test_a_model_is_sized_by_the_rows_with_a_label(tmp_path):
    bought = pl.when(pl.int_range(pl.len()) < 2000).then(None).otherwise("bought")
    table(3000).with_columns(bought=bought).write_csv(tmp_path / "orders.csv")
    recipe = start("orders", str(tmp_path / "orders.csv"))
    assert recipe.rows == 1000 and (recipe.training["batch"], recipe.training["refit"]) == (32, 2)
    (line,) = [d for d in recipe.decisions if d.what == "set aside"]
    assert line.flagged and line.choice.startswith("2,000 of 3,000 rows")


def test_numbers_with_a_decimal_comma_and_words_for_missing(tmp_path):
    r = np.random.default_rng(0)
    prices = [f"{v:.2f}".replace(".", ",") for v in r.random(200) * 9]
    ages = ["?" if i % 9 == 0 else str(v) for i, v in enumerate(r.integers(20, 60, 200))]
    frame = pl.DataFrame({"price": prices, "age": ages, "target": r.normal(size=200).round(3)})
    frame = frame.with_columns(target=pl.col("target").cast(pl.String).str.replace(".", ",", literal=True))
    frame.write_csv(tmp_path / "x.csv", separator=";")
    recipe = start("x", str(tmp_path / "x.csv"))
    assert recipe.contract.label.classes is None and recipe.training["monitor"] == "val_rmse"
    assert recipe.contract.numbers == {"price": COMMA, "target": COMMA} and "?" in recipe.source.null_values
    assert {n: f.dtype for n, f in recipe.contract.features.items()} == {"price": "float", "age": "int"}
    assert isinstance(recipe.split, ByHash)


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"a": [1, 2], "Label": [0, 1], "z": [3, 4]}, "Label"),
        ({"a": [1, 2], "is_target": [0, 1], "z": [3, 4]}, "is_target"),
        ({"a": [1, 2], "z": [0, 1]}, "z"),
        ({"z": [0, 1], "constant": [1, 1]}, "z"),
    ],
)
def test_label_guess(columns, wanted):
    from kilnworks.components.quality.screening.columns.kinds import describe

    frame = pl.DataFrame({n: v * 30 for n, v in columns.items()})
    specs = {n: describe(n, frame[n]) for n in frame.columns}
    name, decision = find_label(frame, specs, None)
    assert name == wanted and decision.flagged
    assert find_label(frame, specs, "z") == ("z", None)
    with pytest.raises(UnknownName, match="no column 'label'"):
        find_label(frame, specs, "label")


@pytest.mark.parametrize(
    ("values", "asked", "wanted"),
    [
        ([0, 1] * 40, None, "classification"),
        (["a", "b"] * 40, None, "classification"),
        (list(range(80)), None, "regression"),
        ([0.5, 1.25, 9.75, 3.5] * 20, None, "regression"),
        (list(range(80)), "classification", "classification"),
        ([1, 2, 3, 4] * 20, "regression", "regression"),
    ],
)
def test_task(values, asked, wanted):
    from kilnworks.components.quality.screening.columns.kinds import describe

    series = pl.Series("y", values)
    assert task_of(describe("y", series), series, asked)[0] == wanted
    with pytest.raises(ConfigError, match="--task regression"):
        texts = pl.Series("y", ["a", "b"] * 40)
        task_of(describe("y", texts), texts, "regression")


def test_suspects_by_task():
    r = np.random.default_rng(0)
    y = r.normal(size=4000)
    kinds = np.array(["a", "b", "c"])[np.digitize(y, [-0.5, 0.5])]
    frame = pl.DataFrame(
        {"copy": y * 3 + 1, "near": y + r.normal(0, 0.12, 4000), "noise": r.normal(size=4000), "y": y, "kind": kinds,
         "code": [{"a": "x", "b": "q", "c": "m"}[k] for k in kinds]}
    )  # fmt: skip
    numbers = find_suspects(frame, "y", ["copy", "near", "noise", "code"], classes=False)
    assert [(s.name, s.copy) for s in numbers] == [("copy", True), ("near", False)]
    classes = find_suspects(frame, "kind", ["code", "noise"], classes=True)
    assert [(s.name, s.copy, round(s.power, 3)) for s in classes] == [("code", True, 1.0)]
    small = frame.head(40)
    assert find_suspects(small, "y", ["copy"], classes=False) == []


@pytest.mark.slow
def test_sqlite(tmp_path):
    import sqlite3

    frame = table(300).drop("receipt")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        marks = ", ".join("?" * frame.width)
        connection.execute(f"CREATE TABLE orders ({', '.join(frame.columns)})")
        connection.executemany(f"INSERT INTO orders VALUES ({marks})", frame.rows())
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    recipe = start("orders", url, query="SELECT * FROM orders ORDER BY order_id", label="bought")
    assert isinstance(recipe.source, SqlSource) and recipe.rows == 300
    assert recipe.contract.key == "order_id" and "spent" in recipe.contract.features
    with pytest.raises(ConfigError, match="no query"):
        start("orders", url)
    with pytest.raises(DataUnreadable, match="no such table: nothing"):
        start("orders", url, query="nothing")


def test_what_data_may_be(tmp_path):
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    with pytest.raises(DataUnreadable, match="cannot tell the kind of file"):
        kind_of(str(tmp_path / "notes.pdf"))
    with pytest.raises(DataUnreadable, match="no image and no table"):
        kind_of(str(tmp_path))
    with pytest.raises(DataUnreadable, match="no file or folder"):
        kind_of(str(tmp_path / "absent.csv"))
    assert kind_of("mnist") == "tfds"
    table(50).write_parquet(tmp_path / "a.parquet")
    assert kind_of(str(tmp_path)) == kind_of(str(tmp_path / "a.parquet")) == "parquet"
    opened = open_table(str(tmp_path / "a.parquet"), "parquet")
    contract = Contract.model_validate({"name": "x", "features": {"spent": {"dtype": "float"}}, "key": "order_id"})
    assert {o.name for o in left_out(contract, opened.frame, opened.specs)} == {"order_id", "version", "flag", "remark"}


@pytest.mark.slow
def test_names_that_differ_in_nothing_but_capitals_are_named(tmp_path):
    rows = [f"{i},{i * i % 97},{'yes' if i % 3 else 'no'}" for i in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["Size,size,sold", *rows]) + "\n")
    found = [d for d in start("t", str(tmp_path / "t.csv"), label="sold").decisions if d.what == "names?"]
    assert [d.choice for d in found] == ["'Size' and 'size' are different columns"] and found[0].flagged


@pytest.mark.slow
def test_a_running_number_that_some_rows_lack_is_no_other_value_in_every_row(tmp_path):
    random = np.random.default_rng(0)
    frame = pl.DataFrame({"run": range(5, 205), "x": random.normal(size=200), "y": random.integers(0, 2, 200)})
    why = {}
    for name, gone in (("whole", ()), ("gaps", (3, 7, 11))):
        frame.with_columns(pl.when(pl.int_range(200).is_in(gone)).then(None).otherwise("run").alias("run")).write_csv(
            tmp_path / f"{name}.csv"
        )
        why[name] = said(start(name, str(tmp_path / f"{name}.csv"), label="y"), "left out")["run"]
    assert why["whole"] == "key: another value in every row"
    assert why["gaps"] == "key: another value in each of the 197 rows that have one"


def test_moments_and_numbers_alone_are_a_series(tmp_path):
    path = tmp_path / "t.csv"
    at = [datetime(2024, 1, 1) + timedelta(hours=h) for h in range(200)]
    pl.DataFrame({"hour": at, "load": [float(h % 24) + h / 1000 for h in range(200)]}).write_csv(path)
    assert list(infer_contract(path, "load").features) == ["hour"]
    with pytest.raises(ConfigError) as found:
        start("t", str(path), label="load")
    assert "nothing beside load but hour" in found.value.got and "--horizon N" in found.value.fix


def test_a_table_without_a_feature_says_what_each_column_is(tmp_path):
    path = tmp_path / "t.csv"
    pl.DataFrame({"id": range(200), "same": ["a"] * 200, "y": [0, 1] * 100}).write_csv(path)
    with pytest.raises(ConfigError) as found:
        infer_contract(path, "y")
    assert found.value.got == "no column can be a feature: same; y is the label, id is the key"
    assert "differ from row to row" in found.value.wanted and found.value.fix
