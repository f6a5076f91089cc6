"""A builder of our own, prepared without a network, read back and counted."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import AsGiven, TfdsSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable

pytestmark = pytest.mark.slow

SIZES = {"train": 1_200, "test": 300}
COLUMNS = {
    c.name: c
    for c in (
        Column("image", "image", (2, 3, 1)),
        Column("kind", "string"),
        Column("text", "string"),
        Column("number", "float"),
        Column("vector", "float", (2,)),
    )
}


def prepare(folder: Path, file_format: str, sizes: dict[str, int] = SIZES) -> None:
    import tensorflow_datasets as tfds

    class Shapes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Small pictures."""

        pkg_dir_path = folder
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(2, 3, 1)),
                "label": tfds.features.ClassLabel(names=["round", "flat"]),
                "text": tfds.features.Text(),
                "number": np.float32,
                "vector": tfds.features.Tensor(shape=(2,), dtype=np.float32),
            }
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split, rows) for split, rows in sizes.items()}

        def _generate_examples(self, split, rows):
            for n in range(rows):
                yield (
                    f"{split}{n}",
                    {
                        "image": np.full((2, 3, 1), n % 256, dtype=np.uint8),
                        "label": n % 2,
                        "text": f"Nr {n} ü",
                        "number": n / 2,
                        "vector": [n, -n],
                    },
                )

    Shapes(data_dir=folder, file_format=file_format).download_and_prepare()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    prepare(folder, "tfrecord")
    return folder


def source(folder: Path, **changes) -> TfdsSource:
    return TfdsSource(**{"name": "shapes", "data_dir": str(folder), "columns": {"label": "kind"}, **changes})


def test_every_row_comes_and_values_are_right(prepared):
    found = source(prepared)
    assert found.splits() == ("train", "test")
    for split, rows in SIZES.items():
        frame = pl.concat(list(found.frames(Wanted(COLUMNS), split))).sort("number")
        assert frame.height == rows
        assert frame.schema == {
            "image": pl.Array(pl.UInt8, 6),
            "kind": pl.String,
            "text": pl.String,
            "number": pl.Float64,
            "vector": pl.Array(pl.Float32, 2),
        }
        assert frame["number"].to_list() == [n / 2 for n in range(rows)]
        assert frame["text"].to_list() == [f"Nr {n} ü" for n in range(rows)]
        assert frame["kind"].to_list() == [("round", "flat")[n % 2] for n in range(rows)]
        assert frame["image"].to_list()[257] == [1] * 6
        assert frame["vector"].to_list()[7] == [7.0, -7.0]


def test_small_batches(prepared, monkeypatch):
    monkeypatch.setattr("kilnworks.components.sources.base.BATCH_ROWS", 77)
    batches = list(source(prepared).frames(Wanted(COLUMNS), "test"))
    assert [b.height for b in batches] == [77, 77, 77, 69]


def test_slices_of_splits(prepared):
    found = source(prepared, parts={"train": "train[:75%]", "val": "train[75%:]", "test": "test"})
    rows = {s: sum(f.height for f in found.frames(Wanted(COLUMNS), s)) for s in found.splits()}
    assert rows == {"train": 900, "val": 300, "test": 300}


@pytest.mark.parametrize(
    ("sizes", "given"),
    [
        ({"train": 90, "validation": 20}, {"train": 90, "val": 20}),
        ({"train": 90}, {"train": 90}),
        ({"labelled": 60, "more": 30}, {"train": 90}),
    ],
)
def test_splits_are_found_by_their_names(tmp_path, sizes, given):
    prepare(tmp_path, "tfrecord", sizes)
    found = source(tmp_path)
    assert {s: sum(f.height for f in found.frames(Wanted(COLUMNS), s)) for s in found.splits()} == given


def test_ingest(prepared, tmp_path):
    contract = parse_contract(
        "{name: shapes, features: {image: {dtype: image, shape: [2, 3, 1]}, number: {dtype: float}},"
        " ignore: [text, vector], label: {name: kind, dtype: string, classes: [round, flat]}}"
    )
    examples = ingest(IngestConfig(contract=contract, source=source(prepared), split=AsGiven()), tmp_path)
    assert {s: examples.rows(s) for s in ("test",)} == {"test": 300}
    assert examples.rows("train") + examples.rows("val") == 1_200 and examples.rows("val") > 60


@pytest.mark.parametrize("where", ["shapes/1.0.0", "moved"])
def test_a_prepared_folder_is_read_wherever_it_lies(prepared, tmp_path, where):
    folder = prepared / where
    if where == "moved":
        folder = shutil.copytree(prepared / "shapes/1.0.0", tmp_path / "moved")
    there, here = source(folder), source(prepared)
    assert there.fingerprint() == here.fingerprint()
    assert there.column_names() == here.column_names()
    with pytest.raises(DataUnreadable, match="the folder holds shapes"):
        source(folder, name="others").column_names()


def test_where_tensorflow_datasets_looks_we_look(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert TfdsSource(name="shapes").fingerprint() == source(prepared).fingerprint()
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared / "nothing"))
    with pytest.raises(DataUnreadable, match="no file or folder") as caught:
        TfdsSource(name="shapes").column_names()
    assert "$TFDS_DATA_DIR" in str(caught.value)


def test_a_first_definition_knows_the_prepared_folder(prepared, tmp_path, monkeypatch):
    from kilnworks.components.starting.open_data import data_set, kind_of

    for folder in (prepared, prepared / "shapes", prepared / "shapes/1.0.0"):
        assert kind_of(str(folder)) == "tfds"
        found = data_set(str(folder))
        assert (found.name, found.data_dir) == ("shapes", str(prepared / "shapes/1.0.0"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert data_set("shapes") == TfdsSource(name="shapes", data_dir=str(prepared))
    both = shutil.copytree(prepared, tmp_path / "both")
    info = shutil.copytree(both / "shapes", both / "others") / "1.0.0/dataset_info.json"
    info.write_text(info.read_text().replace('"shapes"', '"others"'))
    with pytest.raises(DataUnreadable, match="holds 2 prepared data sets") as caught:
        data_set(str(both))
    assert "others, shapes" in str(caught.value)


def test_of_several_versions_the_newest_is_taken(tmp_path):
    from kilnworks.components.sources.tfds_folders import newest_version

    for version in ("1.9.0", "1.10.0", "incomplete.X_2.0.0"):
        place = tmp_path / "shapes" / version
        place.mkdir(parents=True)
        number = version.rpartition("_")[2]
        (place / "dataset_info.json").write_text(json.dumps({"name": "shapes", "version": number}))
    assert newest_version(tmp_path).name == "1.10.0"


def test_unknown_column_name_split_and_folder(prepared, tmp_path):
    with pytest.raises(DataInvalid, match="'vector' is not in the contract"):
        list(source(prepared).frames(Wanted({k: v for k, v in COLUMNS.items() if k != "vector"}), "test"))
    with pytest.raises(DataUnreadable, match="not prepared there"):
        source(prepared, name="shaeps").column_names()
    with pytest.raises(DataUnreadable, match="has no split 'nowhere'"):
        list(source(prepared, parts={"train": "nowhere"}).frames(Wanted(COLUMNS), "train"))
    with pytest.raises(DataUnreadable, match="no file or folder"):
        source(tmp_path / "none").column_names()


def photos(folder: Path, rows: int) -> None:
    """Pictures of 9 pixels in width and of several heights, and one class of them lighter."""
    import tensorflow_datasets as tfds

    class Photos(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Pictures of several sizes."""

        pkg_dir_path = folder
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 3), encoding_format="png")
            features = {"image": image, "label": tfds.features.ClassLabel(names=["dark", "light"])}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            light = [7 + 100 * (n % 2) + (n if n >= 5 else 0) for n in range(rows)]
            pixels = [np.full((4 + n % 5, 9, 3), light[n], np.uint8) for n in range(rows)]
            return {"train": ((n, {"image": pixels[n], "label": n % 2}) for n in range(rows))}

        def _generate_examples(self):
            raise NotImplementedError

    Photos(data_dir=folder, file_format="tfrecord").download_and_prepare()


def test_images_of_any_size_are_resized_and_known_by_their_files(tmp_path):
    photos(tmp_path, 5)
    found = TfdsSource(name="photos", data_dir=str(tmp_path), parts={"train": "train"})
    frame = pl.concat(list(found.frames(Wanted({"image": Column("image", "image", (2, 3, 1))}, any_extra=True))))
    assert sorted(set(map(tuple, frame["image"].to_list()))) == [(7,) * 6, (107,) * 6]
    assert sorted(frame["image__height"].to_list()) == [4, 5, 6, 7, 8]
    assert set(frame.select("image__width", "image__channels", "image__dtype").rows()) == {(9, 3, "uint8")}
    labels = pl.concat(list(found.frames(Wanted({"label": Column("label", "key")}, any_extra=True))))
    assert sorted(labels["label"].to_list()) == ["dark", "dark", "dark", "light", "light"]


def test_a_first_contract_for_images_of_any_size(tmp_path, monkeypatch):
    from kilnworks.components.starting.start import start

    (tmp_path / "tensorflow_datasets").mkdir()
    photos(tmp_path / "tensorflow_datasets", 60)
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = start("photos", "photos")
    assert recipe.contract.features["image"].shape == (16, 16, 3) and recipe.rows == 60
    assert [check.kwargs for check in recipe.contract.checks] == [
        {"column": "image__height", "min_value": 1, "max_value": 24},
        {"column": "image__width", "min_value": 9, "max_value": 9},
    ]


def test_parquet_format_is_refused_because_it_drops_rows(tmp_path):
    prepare(tmp_path, "parquet")
    with pytest.raises(DataUnreadable, match="drops rows"):
        source(tmp_path).column_names()


def test_rows_are_counted_against_the_metadata(tmp_path):
    prepare(tmp_path, "tfrecord")
    info = next(tmp_path.rglob("dataset_info.json"))
    info.write_text(info.read_text().replace('"1200"', '"1300"'))
    with pytest.raises(DataUnreadable, match=r"gave 1200 rows, its metadata counts 1300|1300"):
        list(source(tmp_path).frames(Wanted(COLUMNS), "train"))


def test_fingerprint_follows_the_bytes(prepared, tmp_path):
    before = source(prepared).fingerprint()
    assert source(prepared).identity() == source(prepared).identity() and "data_dir" not in source(prepared).identity()
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    assert source(copy).fingerprint() == before
    record = next(copy.rglob("*train.tfrecord*"))
    record.write_bytes(record.read_bytes()[:-1] + b"x")
    assert source(copy).fingerprint() != before
