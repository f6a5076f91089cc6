"""Rows of a request: which files are read, which rows are refused, and how answers are laid out."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.predicting.answers import answer_frame
from kilnworks.components.predicting.champion import champion_contract, in_process, predictions
from kilnworks.components.predicting.rows import request_frames
from kilnworks.components.sources import NpzSource
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable, RequestInvalid, StoreError
from kilnworks.schemas.files import write_json

CONTRACT = Contract.model_validate(
    {
        "name": "c",
        "key": "id",
        "features": {
            "age": {"dtype": "int", "min": 0, "max": 120},
            "plan": {"dtype": "string", "allowed": ["a", "b"], "nullable": True},
            "note": {"dtype": "string", "nullable": True, "max_length": 3, "severity": "warning"},
        },
        "label": {"name": "y", "dtype": "string", "classes": ["no", "yes"]},
    }
)


def write(path, rows: list[dict]) -> None:
    frame = pl.DataFrame(rows)
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[path.suffix](path)


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_label_and_key_may_be_absent_and_other_columns_are_passed_over(tmp_path, kind):
    file = tmp_path / f"rows{kind}"
    write(file, [{"age": 30, "plan": "a", "note": "x", "extra": 1}, {"age": 40, "plan": None, "note": "y", "extra": 2}])
    frame = pl.concat(request_frames(file, CONTRACT))
    assert frame.to_dict(as_series=False) == {"age": [30, 40], "plan": ["a", None], "note": ["x", "y"]}


def test_a_broken_rule_names_row_column_rule_and_value(tmp_path):
    file = tmp_path / "rows.csv"
    write(file, [{"age": 30, "plan": "a", "note": "x"}, {"age": 150, "plan": "z", "note": "x"}])
    with pytest.raises(RequestInvalid) as caught:
        list(request_frames(file, CONTRACT))
    text = str(caught.value)
    assert "column 'age', row 2 (got 150): must be at most 120" in text
    assert "column 'plan', row 2 (got z): must be one of a, b" in text


def test_an_array_of_the_right_form_may_have_any_name(tmp_path, caplog):
    features = {"image": {"dtype": "image", "shape": [2, 3, 1], "min": 0, "max": 255}, "age": {"dtype": "float"}}
    contract = Contract.model_validate({"name": "c", "features": features, "label": CONTRACT.label})
    pixels, age = np.arange(24, dtype=np.uint8).reshape(4, 2, 3), np.ones(4)
    np.savez(tmp_path / "a.npz", arr_0=pixels, age=age, other=np.ones((4, 5)))
    (frame,) = request_frames(tmp_path / "a.npz", contract, NpzSource(path="seen.npz", arrays={"image": "x_train"}))
    assert frame["image"].to_numpy().reshape(4, 2, 3).tolist() == pixels.tolist()
    assert frame["age"].to_list() == [1.0] * 4
    assert "array 'arr_0' is taken for 'image'" in caplog.text
    np.savez(tmp_path / "b.npz", arr_0=pixels, arr_1=pixels, age=age)
    with pytest.raises(DataInvalid, match="image"):
        list(request_frames(tmp_path / "b.npz", contract))
    np.savez(tmp_path / "c.npz", image=pixels, number_of_row=age)
    with pytest.raises(DataInvalid, match="age"):
        list(request_frames(tmp_path / "c.npz", contract))
    np.savez(tmp_path / "d.npz", image=pixels, age=age, remark=np.array({"made": "today"}, dtype=object))
    assert next(iter(request_frames(tmp_path / "d.npz", contract))).height == 4


def test_a_broken_warning_rule_goes_on(tmp_path):
    file = tmp_path / "rows.csv"
    write(file, [{"age": 30, "plan": "a", "note": "far too long"}])
    assert sum(f.height for f in request_frames(file, CONTRACT)) == 1


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("rows.csv", "age,note\n3,x\n", DataInvalid, "plan"),
        ("rows.csv", "age,plan,note\nold,a,x\n", DataUnreadable, "old"),
        ("rows.xls", "age\n", DataUnreadable, "kind of file"),
        ("rows.csv", "", DataUnreadable, "rows.csv"),
    ],
)
def test_files_that_cannot_be_asked_about(tmp_path, name, text, error, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=says):
        list(request_frames(tmp_path / name, CONTRACT))


def test_answers_have_a_column_for_every_class():
    outputs = {"probabilities": np.array([[0.25, 0.75]], "float32"), "class": np.array([b"yes"], object)}
    assert answer_frame(Binary.of(CONTRACT), outputs).to_dicts() == [
        {"class": "yes", "probability_no": 0.25, "probability_yes": 0.75}
    ]
    regression = CONTRACT.model_copy(
        update={"label": CONTRACT.label.model_copy(update={"classes": None, "dtype": "float"})}
    )
    assert answer_frame(Regression.of(regression), {"score": np.array([[1.5]])}).to_dicts() == [{"value": 1.5}]


def test_batches_are_asked_in_order(tmp_path):
    file = tmp_path / "rows.csv"
    write(file, [{"age": i % 100, "plan": "a", "note": "x"} for i in range(2500)])
    sizes = []

    def ask(inputs):
        sizes.append(len(inputs["age"]))
        yes = inputs["age"] / 100
        return {
            "probabilities": np.stack([1 - yes, yes], 1),
            "class": np.where(yes > 0.5, b"yes", b"no").astype(object),
        }

    frame = pl.concat(predictions(file, CONTRACT, ask))
    assert sizes == [1024, 1024, 452]
    assert frame["probability_yes"].to_list() == pytest.approx([i % 100 / 100 for i in range(2500)])


def test_a_champion_that_is_gone_says_what_to_run(tmp_path):
    champion = ChampionRecord("c", "r", "c", 1, str(tmp_path / "1"), "now")
    with pytest.raises(StoreError, match="run c again"):
        champion_contract(champion)
    with pytest.raises(StoreError, match="run c again"):
        in_process(champion)
    write_json(tmp_path / "1" / "assets.extra" / "contract.json", CONTRACT.model_dump(mode="json"))
    assert champion_contract(champion) == CONTRACT
