"""First pipelines for columns of numbers that float32 cannot hold."""

import random
from pathlib import Path

import pytest

from components.starting.table import start_with_table
from schemas.errors import ConfigError


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
