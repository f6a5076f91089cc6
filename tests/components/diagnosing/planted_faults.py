"""Tables with a known fault, trained and looked at: what the verdicts are tried on."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.diagnosing.facts import Facts, Point
from kilnworks.components.diagnosing.sides import Sides
from kilnworks.components.diagnosing.validation_rows import look
from kilnworks.components.diagnosing.verdicts import Verdict, verdicts
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.reporting.reading import read_history
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import read_json
from tests.components.learning.training_examples import prepared, trained

COLUMNS = 6


def contract(columns: int = COLUMNS) -> Contract:
    return Contract.model_validate({
        "name": "planted",
        "features": {f"x{i}": {"dtype": "float"} for i in range(columns)},
        "label": {"name": "y", "dtype": "string", "classes": ["no", "yes"]},
    })  # fmt: skip


def rows(count: int, seed: int, *, columns: int = COLUMNS, curved: bool = False, sharp: float = 3.0) -> pl.DataFrame:
    """Classes by a line through two columns, or by the sign of their product; the other columns are noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, columns))
    score = x[:, 0] * x[:, 1] if curved else x[:, 0] + x[:, 1]
    label = random.random(count) < 1 / (1 + np.exp(-sharp * score))
    return frame(x, label)


def frame(x: np.ndarray, label: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({
        **{f"x{i}": x[:, i] for i in range(x.shape[1])}, "y": np.where(label, "yes", "no").astype(str)
    })  # fmt: skip


def config(**more: Any) -> TrainConfig:
    usual = {"model": Mlp(units=(32,)), "epochs": 25, "batch": 32, "optimizer": Adam(learning_rate=3e-3)}
    return TrainConfig(**{**usual, "backup_epochs": 0, **more})


class Studied:
    """One training, its facts, and its verdicts."""

    def __init__(self, root: Path, frames: dict[str, pl.DataFrame], settings: TrainConfig, name: str = "one") -> None:
        root.mkdir(parents=True, exist_ok=True)
        columns = len(frames["train"].columns) - 1
        self.given, transform = prepared(root / f"data-{name}", contract(columns), frames)
        self.model = trained(root, settings, self.given, transform, name)
        self.settings = settings

    @property
    def sides(self) -> Sides:
        found = Sides.read(read_json(self.model.path / "diagnosis.json"))
        assert found is not None
        return found

    def facts(self, points: tuple[Point, ...] = (), closer: bool = True) -> Facts:
        path = self.model.path
        health = path / "health.json"
        return Facts(
            "planted",
            "model",
            read_json(path / "training.json"),
            {},
            read_history(path / "history.csv"),
            self.sides,
            read_json(health)["findings"] if health.is_file() else [],
            points,
            **(look(self.model, self.given, 0) if closer else {}),
        )

    def verdicts(self, points: tuple[Point, ...] = (), closer: bool = True) -> dict[str, Verdict]:
        return {one.kind: one for one in verdicts(self.facts(points, closer))}
