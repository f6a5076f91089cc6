"""What ``new`` writes, ``run`` can run: a first look refuses in words, or its pipeline passes the gate."""

import random
import runpy
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from kilnworks.components.ingest import ingest
from kilnworks.components.quality.rows.quarantine import set_aside
from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.recipe import Recipe
from kilnworks.components.starting.start import start
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import dump_contract
from kilnworks.schemas.errors import KilnworksError
from tests.components.starting.random_tables import Table, tables
from tests.effort import tries

HURRIED = settings(
    max_examples=tries(8),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
THOROUGH = settings(HURRIED, max_examples=tries(10))


def first_look(table: Table, folder: Path) -> Recipe | None:
    """What a first look decides, None where it refuses."""
    table.write(str(folder / "rows.csv"))
    try:
        return start("t", str(folder / "rows.csv"), label="y")
    except KilnworksError as error:
        assert str(error).strip()
        return None


def ingested(recipe: Recipe, folder: Path) -> Examples:
    """The rows as the first step of a run leaves them; contract and definition are read from their files."""
    folder = folder.resolve()
    contract, code = folder / "t.yaml", folder / "pipelines" / "t.py"
    code.parent.mkdir()
    contract.write_text(dump_contract(recipe.contract), encoding="utf-8")
    code.write_text(definition("t", recipe, folder, contract), encoding="utf-8")
    config = runpy.run_path(str(code))["T"]["examples"].config
    assert (config.contract, config.split) == (recipe.contract, recipe.split)
    return ingest(config, folder / "examples")


def refuse_gaps(examples: Examples, files: dict[str, list[Path]]) -> None:
    """Every split has rows and every class; a number is finite and varies in train; a key is never there twice."""
    contract = examples.contract
    splits = {split: pl.read_parquet(paths) for split, paths in files.items()}
    assert set(splits) == {"train", "val", "test"}
    for split, rows in splits.items():
        values = rows[contract.label.name]
        assert len(values) and not values.null_count(), split
        if contract.label.classes is not None:
            assert set(values) == set(contract.label.classes), split
        else:
            assert values.cast(pl.Float64).is_finite().all(), split
        assert contract.key is None or rows[contract.key].n_unique() == rows.height, split
    assert splits["train"][contract.label.name].n_unique() > 1


@pytest.mark.slow
@given(tables())
@HURRIED
def test_rows_of_a_first_pipeline_are_enough_in_every_split(table):
    with tempfile.TemporaryDirectory() as name:
        recipe = first_look(table, Path(name))
        if recipe is None:
            return
        examples = ingested(recipe, Path(name))
        aside = set_aside(examples, Path(name) / "checked") if recipe.contract.on_bad_rows == "quarantine" else None
        assert aside is None or aside.within
        refuse_gaps(examples, aside.files if aside else {split: examples.files(split) for split in examples.splits})


@pytest.mark.slow
@given(tables())
@THOROUGH
def test_a_first_pipeline_passes_the_gate(table):
    with tempfile.TemporaryDirectory() as name:
        recipe = first_look(table, Path(name))
        if recipe is None:
            return
        out = Path(name) / "checked"
        checked = validate(ValidateConfig(data_docs=False), ingested(recipe, Path(name)), out)
        assert checked.validation["success"]
        refuse_gaps(checked, {split: checked.files(split) for split in checked.splits})


@pytest.mark.slow
@pytest.mark.parametrize("gap", ["?", "NA", ""])
@pytest.mark.parametrize("first", [1, 2**60])
def test_a_running_number_with_gaps_is_no_key(tmp_path, gap, first):
    r = random.Random(0)
    cells = {
        "nr": [gap if i % 20 == 7 else str(first + i) for i in range(200)],
        "size": [f"{r.random():.3f}" for _ in range(200)],
        "y": [r.choice(["no", "yes"]) for _ in range(200)],
    }
    recipe = first_look(Table(cells, ""), tmp_path)
    assert recipe is not None and recipe.contract.key is None and list(recipe.contract.features) == ["size"]
    examples = ingested(recipe, tmp_path)
    refuse_gaps(examples, {split: examples.files(split) for split in examples.splits})
    whole = {**cells, "nr": [str(first + i) for i in range(200)]}
    (tmp_path / "whole").mkdir()
    assert first_look(Table(whole, ""), tmp_path / "whole").contract.key == "nr"
