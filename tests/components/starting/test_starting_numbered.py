"""Courses whose steps are columns of their own, or rows of a plain array: found, asked about, read as one sequence."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import CsvSource, GivenSplits, NpzSource
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.pictures.archives import archive_of
from kilnworks.components.starting.sequences.numbered import numbered_columns
from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable, UnknownName

ROWS, STEPS = 120, 9
COURSE = np.random.default_rng(0).normal(size=(ROWS, STEPS)).round(3)
WHO = np.arange(ROWS) % 2


def table(folder, word="t", form="csv", **more) -> str:
    """A file with a column for each step, not in their order."""
    columns = {f"{word}{i}": COURSE[:, i] for i in reversed(range(STEPS))}
    frame = pl.DataFrame({**columns, "room": np.arange(ROWS) % 7, "who": np.where(WHO, "a", "b").astype(str), **more})
    path = folder / f"rows.{form}"
    getattr(frame, f"write_{'ndjson' if form == 'jsonl' else form}")(path)
    return str(path)


def archive(folder, width=STEPS, parts=True) -> str:
    path = folder / "rows.npz"
    x = COURSE[:, :width]
    if parts:
        np.savez(path, x_train=x[:90], y_train=WHO[:90], x_test=x[90:], y_test=WHO[90:])
    else:
        np.savez(path, x=x, y=WHO)
    return str(path)


def said(recipe) -> dict:
    return {d.what: (d.choice, d.why, d.flagged) for d in recipe.decisions}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["t0", "t1", "t2", "t3"], {"t": ("t0", "t1", "t2", "t3")}),
        (["v_10", *[f"v_0{i}" for i in range(1, 10)]], {"v": (*[f"v_0{i}" for i in range(1, 10)], "v_10")}),
        (["t0", "t1", "t3", "t4"], {}),
        (["t2", "t3", "t4", "t5"], {}),
        (["t0", "t1", "t2"], {}),
        (["1", "2", "3", "4"], {}),
        ([f"{w}{i}" for i in range(4) for w in "xy"], {w: tuple(f"{w}{i}" for i in range(4)) for w in "xy"}),
    ],
    ids=["from 0", "padded, from 1", "a gap", "from 2", "three", "no word", "two words"],
)
def test_columns_are_numbered_one_after_the_other_from_0_or_1(names, found) -> None:
    assert numbered_columns(names) == found


def test_a_table_with_numbered_columns_asks_whether_they_are_steps(tmp_path) -> None:
    recipe = start("r", table(tmp_path), label="who")
    words = "9 columns, each taken by itself; --sequence t reads them as steps of one course"
    assert said(recipe)["sequence?"] == ("t0 to t8", words, True) and recipe.model.kind == "tabular"


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_numbered_columns_are_read_as_one_sequence_in_the_order_of_their_numbers(tmp_path, form) -> None:
    recipe = start("r", table(tmp_path, "v_", form), label="who", sequences=("v",))
    assert recipe.model.kind == "sequence" and recipe.contract.features["v"].shape == (STEPS, 1)
    assert recipe.contract.ignore == ("room",) and recipe.contract.label.classes == ("a", "b")
    wanted = Wanted(contract_columns(recipe.contract), frozenset(recipe.contract.ignore))
    (frame,) = recipe.source.frames(wanted)
    np.testing.assert_array_equal(frame["v"].to_numpy(), COURSE.astype(np.float32))
    assert frame.columns == ["v", "who"]
    written = definition("r", recipe, tmp_path, tmp_path / "schemas/contracts/r.yaml")
    assert 'sequences={"v": ("v_0",' in written


@pytest.mark.parametrize(
    ("label", "dtype", "classes"),
    [
        ([i % 3 for i in range(ROWS)], "int", (0, 1, 2)),
        ([None if i % 9 == 0 else i % 3 for i in range(ROWS)], "int", (0, 1, 2)),
        ((2.5 * COURSE[:, 0]).round(4), "float", None),
        ([f"{i % 2}a" for i in range(ROWS)], "string", ("0a", "1a")),
    ],
    ids=["whole numbers", "some missing", "fractions", "texts"],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_label_beside_numbered_columns_is_what_it_holds_however_it_is_written(
    tmp_path, form, label, dtype, classes
) -> None:
    recipe = start("r", table(tmp_path, form=form, y=label), label="y", sequences=("t",))
    assert (recipe.contract.label.dtype, recipe.contract.label.classes) == (dtype, classes)


def test_steps_and_labels_with_decimal_commas_are_read_as_such(tmp_path) -> None:
    def written(values) -> list[str]:
        return [f"{value:.3f}".replace(".", ",") for value in values]

    frame = pl.DataFrame({**{f"t{i}": written(COURSE[:, i]) for i in range(STEPS)}, "y": written(COURSE[:, 0])})
    frame.write_csv(tmp_path / "rows.csv", separator=";")
    recipe = start("r", str(tmp_path / "rows.csv"), label="y", sequences=("t",))
    assert recipe.contract.label.dtype == "float"
    (read,) = recipe.source.frames(Wanted(contract_columns(recipe.contract)))
    np.testing.assert_array_equal(read["t"].to_numpy(), COURSE.astype(np.float32))
    np.testing.assert_allclose(read["y"].to_numpy(), COURSE[:, 0])
    assert 'NumberFormat(decimal=",")' in definition("r", recipe, tmp_path, tmp_path / "schemas/contracts/r.yaml")


def test_a_missing_number_is_a_step_without_a_value(tmp_path) -> None:
    holes = pl.Series([None if i % 5 == 0 else float(i) for i in range(ROWS)])
    recipe = start("r", table(tmp_path, t3=holes), label="who", sequences=("t",))
    assert recipe.contract.features["t"].nullable
    full = tmp_path / "full"
    full.mkdir()
    assert not start("r", table(full), label="who", sequences=("t",)).contract.features["t"].nullable


def test_a_table_that_lacks_a_step_or_has_text_in_it_is_refused_by_name(tmp_path) -> None:
    source = CsvSource(path=table(tmp_path), sequences={"t": tuple(f"t{i}" for i in range(STEPS + 1))})
    wanted = Wanted({"t": Column("t", "float", (STEPS + 1, 1))}, any_extra=True)
    with pytest.raises(DataInvalid, match="column 't9' is missing"):
        next(source.frames(wanted))
    path = table(tmp_path, t4=["x", *["1"] * (ROWS - 1)])
    wanted = Wanted({"t": Column("t", "float", (STEPS, 1))}, any_extra=True)
    with pytest.raises(DataUnreadable, match="'t4': a text that is not a number: 'x'"):
        next(CsvSource(path=path, sequences={"t": tuple(f"t{i}" for i in range(STEPS))}).frames(wanted))


@pytest.mark.parametrize(
    ("more", "asked", "error", "words"),
    [
        ({}, ("u",), UnknownName, "no columns with a number behind 'u'"),
        ({"t": [1.0] * ROWS}, ("t",), ConfigError, "there is a column t beside t0"),
        ({"t4": ["x"] * ROWS}, ("t",), DataInvalid, "t4 holds no numbers"),
    ],
    ids=["unknown", "the name is taken", "text"],
)
def test_what_cannot_be_one_sequence_is_refused(tmp_path, more, asked, error, words) -> None:
    with pytest.raises(error, match=words):
        start("r", table(tmp_path, **more), label="who", sequences=asked)


def test_options_that_sequences_do_not_follow_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="--time room, and t holds a sequence in each row"):
        start("r", table(tmp_path), label="who", sequences=("t",), time="room")
    assert start("r", table(tmp_path), label="who", sequences=("t",), positive="b").contract.label.classes == ("a", "b")
    with pytest.raises(ConfigError, match="--horizon 3"):
        start("r", table(tmp_path), label="who", sequences=("t",), horizon=3)


def test_an_archive_in_parts_of_plain_rows_is_a_table_that_asks(tmp_path) -> None:
    recipe = start("r", archive(tmp_path), label="y")
    assert isinstance(recipe.source, GivenSplits) and recipe.split.kind == "given" and recipe.rows == ROWS
    assert recipe.contract.features["x"].shape == (STEPS,) and recipe.model.kind == "tabular"
    assert said(recipe)["sequence?"][0] == "x: 9 numbers a row"
    few = start("r", archive(tmp_path, width=5, parts=False), label="y")
    assert said(few)["columns"] == ("x: 5 numbers a row", "", False) and "sequence?" not in said(few)


def test_an_archive_with_a_part_twice_is_not_taken_apart(tmp_path) -> None:
    parts = {f"{name}_{part}": rows for part in ("train", "val", "valid") for name, rows in (("x", COURSE), ("y", WHO))}
    np.savez(tmp_path / "twice.npz", **parts)
    assert isinstance(archive_of(str(tmp_path / "twice.npz")), NpzSource)
    np.savez(tmp_path / "once.npz", **{name: rows for name, rows in parts.items() if not name.endswith("valid")})
    assert archive_of(str(tmp_path / "once.npz")).splits() == ("train", "val")


def test_plain_rows_of_bytes_are_numbers(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (ROWS, 64)).astype(np.uint8)
    np.savez(tmp_path / "flat.npz", x=pixels, y=WHO)
    recipe = start("r", str(tmp_path / "flat.npz"), label="y")
    assert recipe.contract.features["x"].shape == (64,) and recipe.model.kind == "tabular"
    (read,) = recipe.source.frames(Wanted(contract_columns(recipe.contract)))
    np.testing.assert_array_equal(read["x"].to_numpy(), pixels.astype(np.float32))


def test_classes_written_as_ones_and_zeros_are_no_label(tmp_path) -> None:
    np.savez(tmp_path / "ones.npz", x=COURSE, y=np.eye(2)[WHO])
    with pytest.raises(ConfigError, match="every column has several values a row") as raised:
        start("r", str(tmp_path / "ones.npz"))
    assert "argmax(axis=1)" in str(raised.value)


def test_an_array_beside_several_columns_of_single_values_is_left_out_of_the_table(tmp_path) -> None:
    np.savez(tmp_path / "mixed.npz", x=COURSE, y=WHO, age=COURSE[:, 0], size=COURSE[:, 1])
    recipe = start("r", str(tmp_path / "mixed.npz"), label="y")
    assert set(recipe.contract.features) == {"age", "size"} and "x" in recipe.contract.ignore


def test_an_array_of_plain_rows_is_read_as_a_sequence_where_it_is_asked_for(tmp_path) -> None:
    recipe = start("r", archive(tmp_path), label="y", sequences=("x",))
    assert recipe.contract.features["x"].shape == (STEPS, 1) and recipe.model.kind == "sequence"
    with pytest.raises(UnknownName, match="no array of sequences 'z'"):
        start("r", archive(tmp_path), label="y", sequences=("z",))


def test_settings_of_a_source_that_are_no_sequence_are_refused() -> None:
    for steps in (("t0",), ("t0", "t0"), ("t", "t1")):
        with pytest.raises(ValueError, match="at least 2, each once, not itself"):
            CsvSource(path="x.csv", sequences={"t": steps})
