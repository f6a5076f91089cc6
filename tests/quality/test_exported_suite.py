"""The exported suite in Great Expectations alone: the contract's own file passes, files that break a rule do not."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.contract import Contract, dump_contract, parse_contract
from tests import preloaded
from tests.quality.clean_sources import SOURCES
from tests.quality.fault_catalogue import FAULTS, Batch
from tests.quality.scoring import contract_of

pytestmark = pytest.mark.slow
BREAKING = {
    "key_missing": "present",
    "keys_used_for_several_rows": "unique",
    "label_missing_in_part": "present",
    "new_class": "allowed",
    "na_written_as_text_in_numbers": "dtype",
    "category_renamed": "allowed",
    "column_missing": "present",
    "column_renamed": "present",
    "label_all_one_class": "every class",
    "numbers_for_categories": "allowed",
    "header_lost": "present",
}
"""Faults that break a rule which is written in the contract, and that rule."""


def failed(contract: Contract, folder: Path, files: list[Path]) -> tuple[list[list[str] | None], str]:
    """Rules that each file breaks in a process that knows only Great Expectations, and what the export said."""
    (folder / "contract.yaml").write_text(dump_contract(contract))
    command = ["export", str(folder / "contract.yaml"), "--to", "gx", "-o", str(folder / "suite.json")]
    said = CliRunner().invoke(contract_app, command)
    assert said.exit_code == 0, said.output
    script = Path(__file__).with_name("plain_gx.py").read_text()
    command = [*preloaded.python(), "-c", script, str(folder / "suite.json"), *map(str, files)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return [found[str(file)] for file in files], said.stderr


@pytest.mark.parametrize(
    "source", [SOURCES[0], pytest.param(SOURCES[1], marks=pytest.mark.nightly)], ids=lambda s: s.name
)
def test_a_clean_file_passes_and_faults_do_not(source, tmp_path):
    contract, clean = contract_of(source, tmp_path)
    pd.read_csv(tmp_path / "clean.csv").to_parquet(tmp_path / "clean.parquet")
    files, rules = [tmp_path / "clean.csv", tmp_path / "clean.parquet"], []
    for number, (name, rule) in enumerate(BREAKING.items()):
        frame = source.draw(min(source.rows, 400), 100 + number).reset_index(drop=True)
        spoiled = FAULTS[name](Batch(frame, clean, source.label, np.random.default_rng(number)))
        if spoiled is not None:
            path = tmp_path / f"{name}.csv"
            path.write_bytes(spoiled) if isinstance(spoiled, bytes) else spoiled.to_csv(path, index=False)
            files.append(path)
            rules.append(rule)
    (csv, parquet, *broken), _ = failed(contract, tmp_path, files)
    assert csv == [] and parquet == []
    assert len(rules) > 5
    for path, rule, found in zip(files[2:], rules, broken, strict=True):
        assert found is not None and any(name.endswith(f": {rule}") for name in found), (path.name, rule, found)


TRAPS = parse_contract(
    r"""
    name: traps
    key: id
    time: at
    features:
      code: {dtype: string, allowed: ["001", "002", "010"]}
      region: {dtype: string, allowed: [NA, EU], nullable: true}
      shop: {dtype: string, allowed: ["None", some]}
      rooms: {dtype: int, nullable: true, max_missing: 0.5, min: 1}
      open: {dtype: bool}
      often: {dtype: bool, nullable: true}
      name: {dtype: string, regex: '\p{Lu}.*', max_length: 12}
      post: {dtype: string, regex: '[A-Z]{2}\d+$'}
      seen: {dtype: datetime, nullable: true}
      price: {dtype: float, min: 0}
      vector: {dtype: float, shape: [2], nullable: true}
    label: {name: bought, dtype: string, classes: ["0", "1"]}
    rows: {min: 5, max: 100}
    """
)


def trapped(rows: int = 12) -> pd.DataFrame:
    """Texts that pandas takes for numbers, truth or nothing; whole numbers with gaps; lists."""
    turn = range(rows)
    return pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in turn],
            "at": [f"2026-01-{1 + i:02d} 10:00" for i in turn],
            "code": [("001", "002", "010")[i % 3] for i in turn],
            "region": [("NA", "EU", None)[i % 3] for i in turn],
            "shop": [("None", "some")[i % 2] for i in turn],
            "rooms": pd.array([None if i % 4 == 0 else i for i in turn], dtype="Int64"),
            "open": [("yes", "no")[i % 2] for i in turn],
            "often": [(True, False, None)[i % 3] for i in turn],
            "name": ["Ärger", "Öl"] * (rows // 2),
            "post": [f"AB{i}" for i in turn],
            "seen": [None if i % 5 == 0 else f"{1 + i}.2.2026" for i in turn],
            "price": [i / 7 for i in turn],
            "vector": [[0.5, 1.5]] * rows,
            "bought": [("0", "1")[i % 2] for i in turn],
        }
    )


def test_texts_that_pandas_reads_as_something_else(tmp_path):
    clean = trapped()
    clean.to_csv(tmp_path / "clean.csv", index=False)
    clean.to_parquet(tmp_path / "clean.parquet")
    changes = {
        "code": "003",
        "rooms": 0,
        "open": "perhaps",
        "post": "ab1",
        "price": -0.5,
        "bought": "2",
        "id": "00001",
        "seen": "never",
    }
    for column, value in changes.items():
        spoiled = clean.copy()
        spoiled.loc[5, column] = value
        spoiled.to_csv(tmp_path / f"{column}.csv", index=False)
    clean.assign(rooms=clean["rooms"].astype("Float64") + 0.5).to_csv(tmp_path / "halves.csv", index=False)
    clean.head(4).to_csv(tmp_path / "few.csv", index=False)
    names = ["clean.csv", "clean.parquet", *(f"{n}.csv" for n in changes), "halves.csv", "few.csv"]
    (csv, parquet, *broken), said = failed(TRAPS, tmp_path, [tmp_path / name for name in names])
    assert csv == [] and parquet == []
    for column, found in zip(changes, broken, strict=False):
        assert found and all(name.startswith(f"{column}: ") for name in found), (column, found)
    assert broken[-2] == ["rooms: whole numbers"]
    assert "rows: count" in (broken[-1] or [])
    assert "name: matches" in said and "vector: is stored" in said and "shop: never missing" in said
    suite = json.loads((tmp_path / "suite.json").read_text())
    told = pd.read_csv(tmp_path / "clean.csv", **suite["meta"]["read_csv"])
    assert told["code"].tolist() == clean["code"].tolist() and told["shop"].isna().sum() == 0
