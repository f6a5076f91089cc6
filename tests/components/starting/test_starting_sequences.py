"""What ``new`` decides about rows that hold a sequence, from every kind of file that can hold one."""

import json

import numpy as np
import polars as pl
import pytest

from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName

ROWS, STEPS, CHANNELS = 120, 6, 2


def arrays(gaps: bool = True) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    sound = draw.normal(size=(ROWS, STEPS, CHANNELS)).astype(np.float32)
    if gaps:
        sound[::3, 4:] = np.nan
    return {"sound": sound, "who": np.arange(ROWS) % 3, "room": np.arange(ROWS) % 7}


def write(folder, kind: str, **columns) -> str:
    path = folder / f"rows.{kind}"
    if kind == "npz":
        np.savez(path, **columns)
    elif kind == "parquet":
        pl.DataFrame({n: pl.Series(v) for n, v in columns.items()}).write_parquet(path)
    else:
        lines = [{n: v[i].tolist() for n, v in columns.items()} for i in range(ROWS)]
        path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return str(path)


@pytest.mark.parametrize("kind", ["npz", "parquet", "jsonl"])
def test_a_sequence_is_found_in_every_kind_of_file(tmp_path, kind) -> None:
    recipe = start("r", write(tmp_path, kind, **arrays()), label="who")
    assert recipe.model.kind == "sequence" and recipe.contract.label.classes == (0, 1, 2)
    sound = recipe.contract.features["sound"]
    assert sound.shape == (STEPS, CHANNELS) and sound.dtype == "float" and sound.nullable
    assert recipe.contract.ignore == ("room",) and recipe.rows == ROWS
    said = {d.what: (d.choice, d.why) for d in recipe.decisions}
    assert said["sequence"] == ("sound", "6 steps of 2 channels") and said["task"][0] == "3 classes of who"
    written = definition("r", recipe, tmp_path, tmp_path / "schemas/contracts/r.yaml")
    assert "SequenceModel(core=" in written and "SequenceAugmentation(" in written


def test_a_label_is_guessed_and_steps_that_are_all_there_may_not_be_missing(tmp_path) -> None:
    recipe = start("r", write(tmp_path, "npz", **arrays(gaps=False)))
    assert recipe.contract.label.name == "room" and not recipe.contract.features["sound"].nullable
    assert any(d.what == "label" and d.flagged for d in recipe.decisions)


def test_a_label_that_is_none_is_refused(tmp_path) -> None:
    path = write(tmp_path, "npz", **arrays())
    with pytest.raises(UnknownName, match="whom"):
        start("r", path, label="whom")
    np.savez(tmp_path / "alone.npz", sound=arrays()["sound"])
    with pytest.raises(ConfigError, match="every column has several values a row"):
        start("r", str(tmp_path / "alone.npz"))


@pytest.mark.parametrize("kind", ["npz", "parquet", "jsonl"])
def test_a_label_may_be_a_number_with_fractions(tmp_path, kind) -> None:
    sound = arrays(gaps=False)["sound"]
    recipe = start("r", write(tmp_path, kind, sound=sound, size=np.linspace(-1, 2, ROWS)), label="size")
    assert recipe.contract.label.dtype == "float" and recipe.contract.label.classes is None
    assert recipe.contract.description.startswith(f"{ROWS} rows from ")


def test_labels_as_keras_has_them_and_as_they_are_asked_for(tmp_path) -> None:
    columns = arrays(gaps=False)
    path = write(tmp_path, "npz", sound=columns["sound"], who=columns["who"][:, None].astype(np.float32))
    assert start("r", path).contract.label.classes == (0, 1, 2)
    assert start("r", path, task="regression", time="none").contract.label.classes is None
    with pytest.raises(ConfigError, match="--time at, and sound holds a sequence"):
        start("r", path, time="at")
    with pytest.raises(ConfigError, match="--positive 1, and a label with 3 classes"):
        start("r", path, positive="1")


@pytest.mark.parametrize(
    ("label", "task", "told"),
    [
        (np.ones(ROWS, int), None, "label who has one class, 1"),
        (np.full(ROWS, np.nan), None, "label who has no value"),
        (np.full(ROWS, "x"), "regression", "who holds texts"),
        (np.linspace(0, 1, ROWS), "classification", "who holds fractions"),
        (np.arange(ROWS).astype("datetime64[D]"), None, "label who holds Datetime"),
    ],
    ids=["one class", "nothing", "texts", "fractions", "moments"],
)
def test_a_label_of_which_nothing_can_be_learned_is_refused(tmp_path, label, task, told) -> None:
    with pytest.raises(ConfigError, match=told):
        start("r", write(tmp_path, "npz", sound=arrays()["sound"], who=label), label="who", task=task)


def test_lists_of_different_lengths_are_no_sequence(tmp_path) -> None:
    from kilnworks.components.starting.sequences.shapes import sequence_columns

    lines = [{"sound": [[1.0, 2.0]] * (4 + i % 2), "who": i % 2} for i in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    assert sequence_columns(str(tmp_path / "rows.jsonl"), "jsonl") == {}


def test_fields_of_many_kinds_and_broken_files_are_no_sequence(tmp_path) -> None:
    from kilnworks.components.starting.sequences.shapes import sequence_columns

    values = [[1, 2], 3, {"b": 1}, "x", None, [[[1.0, 2.0]] * 4] * 4, [[1.0, 2.0]] * 4]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"a": v, "b": 10**30}) + "\n" for v in values))
    assert sequence_columns(str(tmp_path / "rows.jsonl"), "jsonl") == {}
    deep = pl.DataFrame({"a": [values[5]] * 3, "b": [values[6]] * 3, "c": pl.Series(np.zeros((3, 5, 2)))})
    deep.write_parquet(tmp_path / "rows.parquet")
    assert sequence_columns(str(tmp_path / "rows.parquet"), "parquet") == {"b": (4, 2), "c": (5, 2)}
    (tmp_path / "rows.parquet").write_bytes((tmp_path / "rows.parquet").read_bytes()[:-20])
    with pytest.raises(DataUnreadable, match=r"rows\.parquet"):
        sequence_columns(str(tmp_path / "rows.parquet"), "parquet")
