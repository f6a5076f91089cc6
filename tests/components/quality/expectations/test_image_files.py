"""What files of images held before they were brought to the contract's shape: kept, checked, shown."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.reporting.sections.data import _facts
from kilnworks.components.sources import (
    AsGiven,
    ByHash,
    GivenSplits,
    ImageFolderSource,
    ImageListSource,
    NpzSource,
    ParquetSource,
    Wanted,
)
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.starting.pictures.file_checks import usual_range
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import Contract, load_contract, parse_contract
from kilnworks.schemas.errors import ContractError, DataInvalid

GREY = """
name: grey
key: file
features: {image: {dtype: image, shape: [8, 8, 1]}}
label: {name: label, dtype: string, classes: [dark, light]}
"""
ODD = {"dark/small.png": "height", "light/colour.png": "channels", "light/deep.png": "dtype"}


def grey_folder(root: Path, each: int = 30) -> Path:
    """Grey images of 8 x 8 pixels in two classes; one of 3 x 20, one in colour, one of 16 bits a sample."""
    r = np.random.default_rng(0)
    for label, level in (("dark", 20), ("light", 200)):
        (root / label).mkdir(parents=True)
        for n in range(each):
            save(root / label / f"{n:02d}.png", r.integers(level, level + 20, (8, 8), dtype=np.uint8))
    save(root / "dark/small.png", r.integers(0, 40, (3, 20), dtype=np.uint8))
    save(root / "light/colour.png", r.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    save(root / "light/deep.png", r.integers(50_000, 65_536, (8, 8), dtype=np.uint16))
    return root


def save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)


def with_checks(*checks: str) -> Contract:
    return parse_contract(f"{GREY}checks: [{', '.join(checks)}]")


def ingested(source, contract: Contract, out: Path) -> Examples:
    return ingest(IngestConfig(contract=contract, source=source, split=ByHash(salt=3)), out)


def judged(examples: Examples, out: Path) -> dict[str, dict]:
    """Broken rules by name, over all splits, with the sum of the rows."""
    found = validate(ValidateConfig(drift=False), examples, out).validation["outcomes"]
    broken: dict[str, dict] = {}
    for one in (o for o in found if not o["success"]):
        before = broken.setdefault(one["rule"], {**one, "unexpected": 0})
        before["unexpected"] += one["unexpected"] or 0
    return broken


def table_of(folder: Path) -> ImageListSource:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    pl.DataFrame({"file": files, "label": [f.split("/")[0] for f in files]}).write_csv(folder / "list.csv")
    return ImageListSource(path=str(folder / "list.csv"))


def encoded_in_parquet(folder: Path, out: Path) -> ParquetSource:
    files = sorted(folder.rglob("*.png"))
    columns = {
        "file": [f.relative_to(folder).as_posix() for f in files],
        "label": [f.parent.name for f in files],
        "image": [f.read_bytes() for f in files],
    }
    pl.DataFrame(columns).write_parquet(out)
    return ParquetSource(path=str(out))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "list", "parquet"])
def test_odd_files_are_warned_of_and_named(tmp_path, kind):
    folder = grey_folder(tmp_path / "images")
    source = {
        "folder": lambda: ImageFolderSource(path=str(folder)),
        "list": lambda: table_of(folder),
        "parquet": lambda: encoded_in_parquet(folder, tmp_path / "rows.parquet"),
    }[kind]()
    examples = ingested(source, parse_contract(GREY), tmp_path / "examples")
    broken = judged(examples, tmp_path / "checked")
    assert {rule: (one["severity"], one["unexpected"], one["column"]) for rule, one in broken.items()} == {
        f"image: {part}": ("warning", 1, "image") for part in ODD.values()
    }
    shown = json.loads((tmp_path / "checked" / "sample_rows.json").read_text())
    assert {row["cells"][one["names"].index("file")] for one in shown for row in one["rows"]} == set(ODD)


@pytest.mark.slow
def test_a_contract_says_what_files_it_takes(tmp_path):
    contract = with_checks(
        "{expectation: expect_column_values_to_be_between, kwargs: {column: image__width, max_value: 19}}",
        "{expectation: expect_column_values_to_be_in_set, kwargs: {column: image__channels, value_set: [1, 3]}}",
        "{expectation: expect_column_values_to_be_in_set, kwargs: {column: image__dtype, value_set: [uint8, uint16]}}",
        "{expectation: expect_column_min_to_be_between, kwargs: {column: image__height, min_value: 2}}",
    )
    folder = grey_folder(tmp_path / "images")
    examples = ingested(ImageFolderSource(path=str(folder)), contract, tmp_path / "examples")
    with pytest.raises(DataInvalid, match=r"image \[\w+\]: image__width is at most 19"):
        validate(ValidateConfig(), examples, tmp_path / "checked")
    found = json.loads((tmp_path / "checked" / "validation.json").read_text())
    assert found["counts"] | {"rules": 0, "kept": 0} == {
        "rules": 0,
        "kept": 0,
        "critical": 1,
        "warning": 0,
        "could_not_check": 0,
    }


@pytest.mark.slow
@pytest.mark.parametrize("batch_rows", [7, 1000])
def test_checks_see_the_files_whatever_the_batches(tmp_path, batch_rows):
    between = "{{expectation: expect_column_{}_to_be_between, kwargs: {{column: image__{}, {}: {}}}}}"
    contract = with_checks(
        between.format("max", "height", "max_value", 8),
        between.format("max", "width", "max_value", 8),
        between.format("mean", "max", "min_value", 0),
        between.format("unique_value_count", "channels", "max_value", 1),
    )
    source = ImageFolderSource(path=str(grey_folder(tmp_path)))
    frame = pl.concat(list(source.frames(Wanted(contract_columns(contract)))))
    rows = {"train": rows_of_frame(frame, batch_rows)}
    outcomes = [o for one in check_splits(rows, contract, suites_of(contract, ("train",))) for o in one.outcomes]
    own = {o.rule: (o.success, o.could_not_check) for o in outcomes if o.rule.startswith("check")}
    assert own == {
        "check 1: image__height": (True, False),
        "check 2: image__width": (False, False),
        "check 3: image__max": (True, False),
        "check 4: image__channels": (False, False),
    }


@pytest.mark.slow
def test_pixels_without_files_are_checked_as_they_are(tmp_path):
    pixels = np.zeros((60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", image=pixels, id=np.arange(60), label=np.array(["dark", "light"] * 30))
    exact = "{{expectation: expect_column_values_to_be_in_set, kwargs: {{column: image__{}, value_set: [{}]}}}}"
    contract = with_checks(exact.format("height", 8), exact.format("channels", 1), exact.format("dtype", "uint8"))
    contract = contract.model_copy(update={"key": "id"})
    examples = ingested(NpzSource(path=str(tmp_path / "a.npz")), contract, tmp_path / "examples")
    assert judged(examples, tmp_path / "checked") == {}


@pytest.mark.slow
def test_profile_and_report_tell_of_the_files(tmp_path):
    folder = grey_folder(tmp_path / "images")
    source = GivenSplits(train=ImageFolderSource(path=str(folder)))
    contract = parse_contract(GREY)
    examples = ingest(
        IngestConfig(contract=contract, source=source, split=AsGiven(val=0, test=0)), tmp_path / "examples"
    )
    checked = validate(ValidateConfig(), examples, tmp_path / "checked")
    told = checked.profile["train"]["features"]["image"]
    assert [told["files"]["height"][k] for k in ("min", "max")] == [3, 8]
    assert told["files"]["channels"]["top_values"] == [{"value": "1", "count": 62}, {"value": "3", "count": 1}]
    facts = dict(_facts({"train": told}, masked=False)["rows"])
    assert facts["file width"] == ["8 to 20"] and facts["file dtype"] == ["uint8, uint16"]
    assert facts["file channels"] == ["1, 3"]


@pytest.mark.slow
def test_sizes_of_sensitive_images_are_masked(tmp_path):
    contract = parse_contract(GREY.replace("shape: [8, 8, 1]", "shape: [8, 8, 1], sensitive: true"))
    source = ImageFolderSource(path=str(grey_folder(tmp_path / "images")))
    checked = validate(ValidateConfig(), ingested(source, contract, tmp_path / "examples"), tmp_path / "checked")
    broken = [o for o in checked.validation["outcomes"] if not o["success"]]
    assert {s for o in broken for s in o["samples"]} == {"(masked)"} and len(broken) == 3
    assert json.loads((tmp_path / "checked" / "sample_rows.json").read_text()) == []
    assert "min" not in checked.profile["train"]["features"]["image"]["files"]["height"]


def test_name_of_a_files_column_is_not_free():
    with pytest.raises(ContractError, match="'image__height': checks use this name"):
        parse_contract("{name: x, features: {image: {dtype: image, shape: [8, 8, 1]}, image__height: {dtype: int}}}")


@pytest.mark.parametrize("dtype", ["image", "int"])
def test_a_tensor_without_a_range_has_no_rule_on_it(dtype):
    contract = parse_contract(f"{{name: x, features: {{t: {{dtype: {dtype}, shape: [2, 2, 1]}}}}}}")
    stored = np.zeros((5, 4), dtype=np.uint8 if dtype == "image" else np.int64)
    rows = {"train": rows_of_frame(pl.DataFrame({"t": stored}))}
    checked = check_splits(rows, contract, suites_of(contract, ("train",)))
    assert all(outcome.success for one in checked for outcome in one.outcomes)


def command(*arguments) -> Result:
    return CliRunner().invoke(contract_app, [str(a) for a in arguments])


def inferred(folder: Path, out: Path, *options: str) -> Contract:
    result = command("infer", folder, "-o", out, *options)
    assert result.exit_code == 0, result.output
    return load_contract(out)


def found_by_check(contract: Path, data: Path) -> set[tuple[str, str, str]]:
    result = command("check", contract, data, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == (0 if found["success"] else 1)
    return {(f["column"], f["severity"], f["rule"]) for f in found["failures"]}


def test_infer_learns_what_files_are_usual(tmp_path):
    contract = inferred(grey_folder(tmp_path / "images"), tmp_path / "c.yaml")
    assert [check.kwargs for check in contract.checks] == [
        {"column": "image__height", "min_value": 8, "max_value": 8},
        {"column": "image__width", "min_value": 8, "max_value": 8},
    ]
    assert contract.features["image"].shape == (8, 8, 1)
    assert {check.severity for check in contract.checks} == {"warning"}
    assert contract.name == "images" and contract.label.classes == ("dark", "light")


@pytest.mark.slow
def test_check_of_a_folder_names_what_is_odd(tmp_path):
    folder = grey_folder(tmp_path / "images")
    (tmp_path / "c.yaml").write_text(GREY)
    assert found_by_check(tmp_path / "c.yaml", folder) == {
        ("image", "warning", f"file {words}")
        for words in (
            "is at least 4 pixels high (the model takes 8)",
            "has 1 channel, as the model takes",
            "has samples of 8 bits (uint8)",
        )
    }
    result = command("check", tmp_path / "c.yaml", folder)
    assert result.exit_code == 0 and all(name in result.output for name in ("small.png", "colour.png", "deep.png"))


def test_check_of_images_that_cannot_be_used(tmp_path):
    folder = grey_folder(tmp_path / "images")
    (tmp_path / "c.yaml").write_text(GREY)
    (folder / "dark" / "00.png").write_bytes(b"")
    assert found_by_check(tmp_path / "c.yaml", folder) == {(None, "critical", "the file can be read")}
    assert found_by_check(tmp_path / "c.yaml", tmp_path / "nowhere") == {(None, "critical", "the file can be read")}
    (folder / "dark" / "00.png").unlink()
    (folder / "light").rename(folder / "bright")
    assert ("label", "critical", "is one of dark, light") in found_by_check(tmp_path / "c.yaml", folder)


def test_check_of_a_table_of_images(tmp_path):
    folder = grey_folder(tmp_path / "images")
    table_of(folder)
    (tmp_path / "c.yaml").write_text(GREY)
    assert len(found_by_check(tmp_path / "c.yaml", folder / "list.csv")) == 3
    (folder / "other.csv").write_text("file,kind\ndark/00.png,dark\n")
    assert found_by_check(tmp_path / "c.yaml", folder / "other.csv") == {("label", "critical", "column is present")}


def test_options_that_images_do_not_have(tmp_path):
    folder = grey_folder(tmp_path / "images")
    for options in (("--time", "t"), ("--task", "regression"), ("--sensitive", "imag")):
        assert command("infer", folder, "-o", tmp_path / "c.yaml", *options).exit_code != 0
    assert inferred(folder, tmp_path / "c.yaml", "--sensitive", "image").features["image"].sensitive


def test_usual_sizes():
    assert usual_range([8] * 29 + [3]) == (8, 8)
    low, high = usual_range(np.random.default_rng(0).lognormal(5, 0.6, 600).astype(int).tolist())
    later = np.random.default_rng(1).lognormal(5, 0.6, 10_000)
    assert ((later < low) | (later > high)).mean() < 0.002 and low > 8 and high < 3000


@pytest.mark.slow
def test_rows_set_aside_keep_what_their_files_held(tmp_path):
    contract = GREY.replace("shape: [8, 8, 1]", "shape: [8, 8, 1], min: 20")
    contract = parse_contract(contract + "on_bad_rows: quarantine\nmax_quarantined: 0.1")
    source = ImageFolderSource(path=str(grey_folder(tmp_path / "images")))
    checked = validate(ValidateConfig(), ingested(source, contract, tmp_path / "examples"), tmp_path / "checked")
    aside = pl.concat([pl.read_parquet(f) for f in (tmp_path / "checked" / "quarantine").rglob("*.parquet")])
    kept = pl.concat([pl.read_parquet(f) for split in checked.splits for f in checked.files(split)])
    assert kept.height + aside.height == 63 and set(kept.columns) < set(aside.columns)
    assert aside.filter(file="dark/small.png")["image__width"].to_list() == [20] and set(kept["image__width"]) == {8}
