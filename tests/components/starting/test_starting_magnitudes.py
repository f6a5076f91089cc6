"""First pipelines for columns of numbers that float32 cannot hold."""

import random
from pathlib import Path

import pytest

from kilnworks.components.starting.table import start_with_table
from kilnworks.schemas.errors import ConfigError


def table(folder: Path, x: float, y: float, head: str = "mass,tone,y") -> str:
    """A file of rows in which ``y`` follows ``mass``, both in these units."""
    draw = random.Random(1)
    lines = [head]
    for _ in range(300):
        mass = draw.gauss(0, 1)
        lines.append(f"{mass * x},{draw.choice('abc')},{(mass + draw.gauss(0, 2)) * y}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "rows.csv")


def test_a_column_beyond_float32_is_left_out_with_the_reason(tmp_path: Path) -> None:
    """It is no constant."""
    recipe = start_with_table("t", table(tmp_path, 1e300, 1), "csv", label="y")
    assert list(recipe.contract.features) == ["tone"]
    (left,) = [d for d in recipe.decisions if d.what == "left out"]
    assert "not a finite number of at most 3.4e+38 in 300 of 300 rows" in left.why


@pytest.mark.parametrize(("unit", "words"), [(1e300, "300 of 300 values are not"), (1e33, "standard deviation of")])
def test_a_label_that_no_model_can_learn_is_refused(tmp_path: Path, unit: float, words: str) -> None:
    """And the advice is followed."""
    with pytest.raises(ConfigError, match=words) as refused:
        start_with_table("t", table(tmp_path, 1, unit), "csv", label="y")
    assert "another unit" in refused.value.fix
    assert start_with_table("t", table(tmp_path, 1, 1), "csv", label="y").contract.label.classes is None


def test_numbers_near_nought_do_not_stop_anything(tmp_path: Path) -> None:
    """Squares of 1e-300 are 0."""
    recipe = start_with_table("t", table(tmp_path, 1e-300, 1), "csv", label="y")
    assert "mass" in recipe.contract.features


@pytest.mark.parametrize("lead", ["", "-3", "0.5"])
def test_whole_numbers_that_only_float64_holds_are_named_with_what_they_become(tmp_path: Path, lead: str) -> None:
    """Unsigned codes beyond 2**63 in fewer than half of the rows, beside small, negative or broken numbers."""
    draw = random.Random(2)
    codes = [str(2**63 + 2**12 + 1 + i) if i % 3 == 0 else str(draw.randrange(9)) for i in range(300)]
    codes[1] = lead or codes[1]
    lines = ["code,tone,y", *(f"{code},{draw.choice('abc')},{draw.choice('uv')}" for code in codes)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    recipe = start_with_table("t", str(tmp_path / "rows.csv"), "csv", label="y")
    (said,) = [d for d in recipe.decisions if d.what == "numbers?"]
    rounded = [code for code in codes[::3] if int(float(code)) != int(code)]
    assert said.flagged and f"{len(rounded)} whole numbers" in said.choice
    assert f"{rounded[0]} are rounded, to {int(float(rounded[0]))}" in said.choice
    assert "dtype: string" in said.why


def test_whole_numbers_that_int64_holds_are_not_named(tmp_path: Path) -> None:
    draw = random.Random(2)
    codes = [2**62 + 1 + i if i % 3 == 0 else draw.randrange(9) for i in range(300)]
    lines = ["code,tone,y", *(f"{code},{draw.choice('abc')},{draw.choice('uv')}" for code in codes)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    recipe = start_with_table("t", str(tmp_path / "rows.csv"), "csv", label="y")
    assert recipe.contract.features["code"].dtype == "int"
    assert not [d for d in recipe.decisions if d.what == "numbers?"]
