import hashlib
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import AsGiven, ByHash, CsvSource, GivenSplits, ImageFolderSource, ParquetSource
from kilnworks.schemas.errors import ConfigError, ContractError, DataInvalid, DataUnreadable, UnknownName
from tests.components.sources.data_makers import PEOPLE, image_folder, people, people_frame, write_png

IMAGES = (
    "{name: pets, features: {image: {dtype: image, shape: [6, 8, 3]}}, "
    "label: {name: label, dtype: string, classes: [cat, dog]}}"
)


def make(tmp_path: Path, frame: pl.DataFrame, **changes):
    frame.write_csv(tmp_path / "x.csv")
    config = IngestConfig(**{"contract": people(), "source": CsvSource(path=str(tmp_path / "x.csv")), **changes})
    return ingest(config, tmp_path / "out")


def rows(examples) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(examples.files(split)) for split in examples.splits)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def test_nothing_is_lost_and_dtypes_are_those_of_the_contract(tmp_path):
    frame = people_frame()
    examples = make(tmp_path, frame)
    assert examples.splits == ("train", "val", "test")
    assert sum(examples.rows(split) for split in examples.splits) == frame.height
    assert rows(examples).sort("id").equals(frame)
    assert examples.contract == people()


def test_the_same_data_gives_the_same_bytes(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make(tmp_path / name, people_frame(2_000), rows_per_shard=600)
        monkeypatch.setattr("kilnworks.components.sources.base.BATCH_ROWS", 170)
    one, two = digests(tmp_path / "one" / "out"), digests(tmp_path / "two" / "out")
    assert one == two and len(one) > 4, "where batches end does not show"


def test_shards_hold_at_most_the_rows_asked_for(tmp_path):
    examples = make(tmp_path, people_frame(2_000), rows_per_shard=300)
    heights = [pl.read_parquet(file).height for file in examples.files("train")]
    assert len(heights) > 3 and set(heights[:-1]) == {300} and 0 < heights[-1] <= 300


def test_values_that_break_rules_pass_unharmed(tmp_path):
    frame = people_frame(50).with_columns(
        age=pl.when(pl.col("id") == "p00007").then(150).otherwise(pl.col("age")),
        city=pl.when(pl.col("id") == "p00008").then(pl.lit("Atlantis")).otherwise(pl.col("city")),
        income=pl.when(pl.col("id") == "p00009").then(float("inf")).otherwise(pl.col("income")),
    )
    assert rows(make(tmp_path, frame)).sort("id").equals(frame)


def test_nan_becomes_missing(tmp_path):
    frame = people_frame(30).with_columns(income=pl.lit(float("nan")))
    assert rows(make(tmp_path, frame))["income"].null_count() == 30


def test_wrong_type_names_column_line_and_value(tmp_path):
    text = people_frame(20).write_csv().splitlines()
    text[5] = text[5].replace("p00004,", "p00004,old")
    (tmp_path / "x.csv").write_text("\n".join(text))
    with pytest.raises(DataUnreadable) as error:
        ingest(IngestConfig(contract=people(), source=CsvSource(path=str(tmp_path / "x.csv"))), tmp_path / "out")
    assert "column 'age'" in error.value.got and "line 6 of" in error.value.got


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop("age"), "column 'age' is missing"),
        (lambda f: f.rename({"age": "Age"}), "there is a column 'Age': renamed?"),
        (lambda f: f.with_columns(pl.lit(1).alias("height")), "column 'height' is not in the contract"),
    ],
)
def test_columns(tmp_path, change, words):
    with pytest.raises(DataInvalid) as error:
        make(tmp_path, change(people_frame(20)))
    assert words in error.value.got


def test_train_and_test_in_two_files_with_val_cut_from_train(tmp_path):
    people_frame(400).write_csv(tmp_path / "train.csv")
    people_frame(100, seed=1).with_columns(pl.col("id").str.replace("p", "q")).write_parquet(tmp_path / "test.parquet")
    source = GivenSplits(
        train=CsvSource(path=str(tmp_path / "train.csv")), test=ParquetSource(path=str(tmp_path / "test.parquet"))
    )
    examples = ingest(IngestConfig(contract=people(), source=source, split=AsGiven(val=0.2)), tmp_path / "out")
    assert examples.splits == ("train", "val", "test")
    assert examples.rows("test") == 100 and examples.rows("train") + examples.rows("val") == 400
    assert 50 < examples.rows("val") < 110


def test_image_folder_with_splits(tmp_path):
    image_folder(tmp_path / "pets", ("train", "test"))
    contract = tmp_path / "pets.yaml"
    contract.write_text(IMAGES)
    source = ImageFolderSource(path=str(tmp_path / "pets"))
    examples = ingest(IngestConfig(contract=contract, source=source, split=AsGiven(val=0)), tmp_path / "out")
    assert examples.splits == ("train", "test")
    frame = pl.read_parquet(examples.files("train"))
    of_files = {f"image__{part}": pl.Int64 for part in ("height", "width", "channels")} | {"image__dtype": pl.String}
    assert frame.schema == {"image": pl.Array(pl.UInt8, 144), "label": pl.String, **of_files}


def test_broken_png_stops_and_is_named(tmp_path):
    image_folder(tmp_path / "pets")
    write_png(tmp_path / "pets" / "cat" / "000.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "pets.yaml").write_text(IMAGES)
    config = IngestConfig(contract=tmp_path / "pets.yaml", source=ImageFolderSource(path=str(tmp_path / "pets")))
    with pytest.raises(DataUnreadable, match=r"cat/000\.png"):
        ingest(config, tmp_path / "out")


def test_an_empty_split_is_written_and_left_to_validation(tmp_path):
    examples = make(tmp_path, people_frame(3))
    assert 0 in [examples.rows(split) for split in examples.splits]
    assert all(pl.read_parquet(examples.files(s)).height == examples.rows(s) for s in examples.splits)


def test_contract_by_path_and_by_value_are_the_same_config(tmp_path):
    (tmp_path / "people.yaml").write_text(PEOPLE)
    source = {"kind": "csv", "path": "x.csv"}
    by_path = IngestConfig(contract=str(tmp_path / "people.yaml"), source=source)
    assert by_path == IngestConfig(contract=people(), source=source)
    with pytest.raises(ContractError, match="no contract file"):
        IngestConfig(contract=tmp_path / "none.yaml", source=source)


def test_identity_follows_the_bytes_and_not_the_place(tmp_path):
    people_frame(20).write_csv(tmp_path / "x.csv")
    people_frame(20).write_csv(tmp_path / "y.csv")
    one, two = (IngestConfig(contract=people(), source=CsvSource(path=str(tmp_path / n))) for n in ("x.csv", "y.csv"))
    assert one.identity() == two.identity()
    people_frame(21).write_csv(tmp_path / "y.csv")
    assert one.identity() != two.identity()
    assert one.identity() != one.updated({"split.salt": 3}).identity()


def test_settings_by_dotted_path_can_change_the_kind_of_source(tmp_path):
    config = IngestConfig(contract=people(), source=CsvSource(path="x.csv"), split=ByHash())
    assert config.updated({"source.path": "z.csv"}).source == CsvSource(path="z.csv")
    changed = config.updated({"source": {"kind": "parquet", "path": "z"}})
    assert changed.source == ParquetSource(path="z")
    with pytest.raises(ConfigError, match="pfad"):
        config.updated({"source.pfad": "z.csv"})


def test_unknown_check_is_refused_before_reading(tmp_path):
    tree = people().model_dump(mode="json")
    tree["checks"] = [{"expectation": "expect_column_meen_to_be_between", "kwargs": {"column": "age"}}]
    config = IngestConfig(contract=people().model_validate(tree), source=CsvSource(path=str(tmp_path / "none.csv")))
    with pytest.raises(UnknownName, match="expect_column_mean_to_be_between"):
        ingest(config, tmp_path / "out")


def test_importing_the_step_imports_nothing_heavy():
    heavy = ["polars", "numpy", "pandas", "pyarrow", "tensorflow", "great_expectations", "PIL", "sklearn"]
    steps = "kilnworks.components.ingest, kilnworks.components.validate"
    code = f"import sys, {steps}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
