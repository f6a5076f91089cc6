"""A clean file becomes a contract that a person can read."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.dates.finding import find_dates
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.contracts.infer_rules import limits
from kilnworks.components.quality.screening.columns.dates import parse_dates
from kilnworks.components.quality.screening.columns.kinds import describe
from kilnworks.schemas.contract import dump_contract, parse_contract
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName
from tests.effort import some
from tests.quality.clean_sources import orders, patients


@pytest.fixture(scope="module")
def inferred(tmp_path_factory):
    path = tmp_path_factory.mktemp("infer") / "orders.csv"
    orders(2000, 0).to_csv(path, index=False)
    return infer_contract(path, label="returned")


@pytest.mark.slow
def test_orders_are_understood(inferred):
    f = inferred.features
    assert inferred.name == "orders" and inferred.key == "order_id"
    assert f["country"].allowed == ("CZ", "DE", "ES", "FR", "IT", "PL")
    assert f["unit_price"].dtype == "float" and f["unit_price"].min == 0.0 and f["unit_price"].max > 400
    assert f["quantity"].dtype == "int"
    assert f["weight_kg"].nullable and 0.07 < f["weight_kg"].max_missing < 0.2
    assert f["ordered_at"].dtype == "datetime" and f["shipped_on"].dtype == "datetime"
    assert f["note"].dtype == "string" and f["note"].allowed is None
    assert inferred.label is not None and inferred.label.classes == ("no", "yes")
    assert "order_id" not in f


@pytest.mark.slow
def test_the_contract_survives_yaml(inferred):
    text = dump_contract(inferred)
    assert parse_contract(text) == inferred
    readable = text[: text.index("reference:")]
    assert len(readable.splitlines()) < 40


@pytest.mark.slow
def test_patients_are_understood(tmp_path):
    path = tmp_path / "p-1.csv"
    patients(1000, 0).to_csv(path, index=False)
    contract = infer_contract(path, label="readmitted")
    assert contract.name == "p_1" and contract.key == "patient_no"
    assert contract.features["smoker"].dtype == "bool"
    assert contract.features["admitted"].dtype == "datetime"
    assert contract.features["ward"].allowed == (110, 120, 205, 310)
    assert contract.label is not None and contract.label.classes == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", some(["parquet", "jsonl"], ["parquet"]))
def test_other_formats_give_the_same_contract(tmp_path, inferred, suffix):
    frame = pl.from_pandas(orders(2000, 0))
    path = tmp_path / f"orders.{suffix}"
    frame.write_parquet(path) if suffix == "parquet" else frame.write_ndjson(path)
    contract = infer_contract(path, label="returned")
    assert contract.key == inferred.key
    assert {n: f.dtype for n, f in contract.features.items()} == {n: f.dtype for n, f in inferred.features.items()}


@pytest.mark.parametrize(
    ("values", "task", "dtype", "classes"),
    [
        (["0", "1"], None, "int", (0, 1)),
        (["a", "b", "c"], None, "string", ("a", "b", "c")),
        (["True", "False"], None, "bool", (False, True)),
        (["0.5", "1.5", "2.5"], None, "float", None),
        ([str(i) for i in range(40)], None, "int", None),
        ([str(i) for i in range(25)], "classification", "int", tuple(range(25))),
        (["0", "1"], "regression", "int", None),
    ],
)
def test_the_task_follows_from_the_label(tmp_path, values, task, dtype, classes):
    path = tmp_path / "x.csv"
    pl.DataFrame({"x": np.arange(200) * 1.5, "y": [values[i % len(values)] for i in range(200)]}).write_csv(path)
    label = infer_contract(path, label="y", task=task).label
    assert label is not None and label.dtype == dtype and label.classes == classes


def test_mistakes_are_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},2\n" for i in range(30)))
    with pytest.raises(UnknownName, match="lable"):
        infer_contract(path, label="lable")
    with pytest.raises(ConfigError, match="class"):
        infer_contract(path, label="b", task="classification")
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataUnreadable, match="1 rows"):
        infer_contract(path)


@pytest.mark.slow
def test_sensitive_values_are_not_kept(tmp_path):
    path = tmp_path / "x.csv"
    frame = patients(300, 0)
    frame.to_csv(path, index=False)
    contract = infer_contract(path, label="readmitted", sensitive=["name"])
    assert contract.features["name"].sensitive
    assert contract.reference is not None
    assert not any(name in str(contract.reference.statistics) for name in ("Anna", "Müller"))


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-01-31", "2024-02-01"], "iso"),
        (["2024-01-31 10:00:00", "2024-01-31 10:00:00.5"], "iso"),
        (["2024-01-31T10:00:00Z"], "iso"),
        (["31.01.2024"], "%d.%m.%Y"),
        (["13/01/2024", "02/01/2024"], "%d/%m/%Y"),
        (["01/13/2024", "01/02/2024"], "%m/%d/%Y"),
        (["10-20", "20-30"], None),
        (["12.5", "13.7"], None),
    ],
)
def test_dates_are_recognised(texts, form):
    found = find_dates("when", pl.Series(texts))
    assert (found.how.format if found else None) == form


def test_dates_with_an_offset_are_read_as_utc():
    seconds = parse_dates(pl.Series(["1970-01-01T02:00:05+02:00", None]), DateFormat())
    assert seconds[0] == 5.0 and np.isnan(seconds[1])


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("id", [str(i * 3) for i in range(100)], "key"),
        ("income", [str(i * 7919 % 10007) for i in range(100)], "number"),
        ("code", [f"{i:05d}" for i in range(50)] * 2, "category"),
        ("amount", ["1.5", "NA", "2.5"] * 30, "number"),
        ("note", [f"word{i} and more words {i}" for i in range(100)], "text"),
        ("uuid", [f"{i:08x}-ab" for i in range(100)], "key"),
    ],
)
def test_kinds(name, values, kind):
    assert describe(name, pl.Series(values)).kind == kind


def test_limits_stop_at_natural_ends():
    r = np.random.default_rng(3)
    fees = np.round(np.where(r.random(3000) < 0.3, r.uniform(18, 26, 3000), r.uniform(40, 119, 3000)), 2)
    ages = np.clip(r.normal(58, 18, 3000), 18, 99).round()
    assert limits(fees)[0] == 0.0 and limits(ages)[0] == 0.0
    assert limits(r.choice([0.0, 0.05, 0.1, 0.2], 3000, p=[0.6, 0.2, 0.15, 0.05])) == (0.0, 1.0)
    assert limits(np.clip(r.normal(70, 25, 3000), 0, 100)) == (0.0, 100.0)
    high = limits(ages)[1]
    assert high is not None and high > 110


def test_what_is_counted_from_one_is_never_below_nought_and_limits_of_whole_numbers_are_whole(tmp_path):
    """Rooms of 745 houses, from 1 to 8 and mostly three: the range used to be -7.7 to 17."""
    rooms = np.repeat([1.0, 2, 3, 4, 5, 6, 8], [10, 100, 330, 230, 60, 11, 4])
    low, high = limits(rooms)
    assert low is not None and low < 0, "as numbers of any kind, degrees for one, they might go on below 0"
    assert limits(rooms, whole=True) == (0.0, high)
    path = tmp_path / "houses.csv"
    pl.DataFrame(
        {"rooms": rooms.astype(int), "score": rooms.astype(int) + 30, "y": np.arange(745) % 7 * 1.5}
    ).write_csv(path)
    features = infer_contract(path, label="y").features
    assert features["rooms"].min == 0 and features["rooms"].max == high
    ends = [features["score"].min, features["score"].max]
    assert all(end is not None and float(end).is_integer() for end in ends)


@pytest.mark.parametrize("rows", [60, 300, 3000])
def test_limits_are_not_drawn_through_the_tail_of_a_clean_column(rows):
    r = np.random.default_rng(4)
    draws = [
        lambda n: r.normal(3, 1, n),
        lambda n: r.normal(4, 1, n).round(),
        lambda n: r.laplace(8, 1, n),
        lambda n: 5 - r.exponential(1, n),
        lambda n: r.beta(6, 3, n) * 1.3 - 0.2,
    ]
    for draw in draws:
        broken = []
        for _ in range(20):
            low, high = limits(draw(rows))
            fresh = draw(20_000)
            broken.append(((fresh < low) | (fresh > (np.inf if high is None else high))).mean())
        assert np.mean(broken) < 5e-4


def test_limits_of_neighbours_that_resemble_each_other_are_drawn_wider():
    r = np.random.default_rng(7)
    degrees = np.repeat(np.abs(r.normal(14, 5, 100)), 30) + r.normal(0, 1.5, 3000)
    low, _ = limits(np.maximum(degrees, 0.1))
    assert low is not None and low < -5
