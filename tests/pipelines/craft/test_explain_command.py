"""``explain`` as a user calls it: rows of a file, words of a text in order, and nothing of a sensitive feature."""

import re

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main

CONTRACT = """
name: reviews
features:
  body: {dtype: string, text: true}
  stars: {dtype: float}
  writer: {dtype: string, sensitive: true}
label: {name: liked, dtype: string, classes: ["no", "yes"]}
"""
DEFINITION = """
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.text import Text
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised

REVIEWS = supervised(
    "reviews",
    IngestConfig(contract="FOLDER/reviews.yaml", source=CsvSource(path="FOLDER/reviews.csv")),
    TrainConfig(
        model=Text(core="gru", word_dropout=0.1, word_size=8, recurrent_units=8, units=(8,)),
        epochs=6,
        batch=16,
        optimizer=Adam(learning_rate=0.02),
        early_stopping=None,
    ),
)
"""
SAID = {"yes": "splendid", "no": "dreadful"}


def reviews(rows: int) -> pl.DataFrame:
    """One word among five others decides; stars go with it a little."""
    random = np.random.default_rng(0)
    liked = np.array(["no", "yes"])[np.arange(rows) % 2]
    others = ["a", "film", "about", "people", "in", "town", "by", "night"]
    bodies = [" ".join(random.permutation([SAID[one], *random.choice(others, 5)])) for one in liked]
    writers = [f"hush{n % 30}" for n in range(rows)]
    stars = random.normal(size=rows) + (liked == "yes")
    return pl.DataFrame({"body": bodies, "stars": stars, "writer": writers, "liked": liked})


@pytest.mark.slow
def test_words_of_a_file_are_explained_and_sensitive_values_are_not_shown(tmp_path, monkeypatch, capsys):
    reviews(300).write_csv(tmp_path / "reviews.csv")
    (tmp_path / "reviews.yaml").write_text(CONTRACT)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "reviews.py").write_text(DEFINITION.replace("FOLDER", str(tmp_path)))
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("kilnworks.pipelines.cli.running.finish_run", lambda run: run.path / "report.html")
    assert main(["run", "reviews", "--run-id", "r1", "--to", "model"]) == 0
    capsys.readouterr()
    asked = pl.DataFrame({
        "body": ["a splendid film by zebras", "a dreadful film by night", "a film"],
        "stars": [0.5, 0.5, 0.5],
        "writer": ["hush1", "hush2", "hush3"],
    })  # fmt: skip
    asked.write_csv(tmp_path / "new.csv")
    assert main(["explain", "reviews", "--rows", str(tmp_path / "new.csv"), "--count", "2"]) == 0
    out = capsys.readouterr().out
    assert "leans on body" in out and "row 2" in out and "row 3" not in out and "writer (masked)" in out
    page = (tmp_path / "store" / "explanations" / "reviews" / "r1.html").read_text()
    assert "Row 2" in page and "Row 3" not in page and "hush" not in page + out
    good, bad = (
        re.findall(r'<span class="([a-z]+)\d" title="[^"]+">([^<]+)</span>', words)
        for words in re.findall(r'<p class="words">(.*?)</p>', page)
    )
    assert [word for _, word in good] == ["a", "splendid", "film", "by", "(unknown)"]
    assert ("for", "splendid") in good and ("against", "dreadful") in bad
    assert main(["explain", "reviews", "--split", "yesterday"]) != 0
    assert "split" in capsys.readouterr().err
