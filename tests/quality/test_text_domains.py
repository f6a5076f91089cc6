"""The bench of texts on other domains: which rows it takes, how it cuts them, and what it says of two models."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bench.first.domains import FILES, PACKAGE, Line, apart, baselines, cut, kept, rated, read, table

LINES = "1_1\t0.5\tA good one. \r\n1_2\t-0.45\tNeither.\r\n2_1\t-2\tA bad one.\r\n2_2\t3.1\tA good one.\r\n"


def test_what_was_rated_near_zero_and_copies_are_left_out() -> None:
    found = rated(LINES)
    assert found.to_dict("records") == [
        {"document": "1", "body": "A good one.", "kind": "good"},
        {"document": "2", "body": "A bad one.", "kind": "bad"},
    ]


def test_all_domains_are_read_from_the_source_package(tmp_path: Path) -> None:
    inner = packed({f"hutto_ICWSM_2014/{name}_GroundTruth.txt": LINES.encode() for name in FILES.values()})
    outer = packed({f"{PACKAGE}/additional_resources/hutto_ICWSM_2014.tar.gz": inner})
    (tmp_path / "package.tar.gz").write_bytes(outer)
    found = read(tmp_path / "package.tar.gz")
    assert list(found) == list(FILES) and all(len(frame) == 2 for frame in found.values())
    with pytest.raises(SystemExit, match=r"no file .*other.tar.gz: run the first command at the top"):
        read(tmp_path / "other.tar.gz")


def packed(files: dict[str, bytes]) -> bytes:
    """A tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_a_document_lies_on_one_side_of_the_cut() -> None:
    frame = pd.DataFrame({"document": [str(i // 3) for i in range(300)], "body": [str(i) for i in range(300)]})
    train, judging = cut(frame)
    assert len(train) == 240 and len(judging) == 60
    assert not set(train["document"]) & set(judging["document"])
    assert sorted([*train["body"], *judging["body"]]) == sorted(frame["body"])


def test_the_interval_is_of_the_difference_on_the_same_rows() -> None:
    random = np.random.default_rng(0)
    truth = random.random(400) < 0.5
    weak, strong = (truth + random.normal(0, spread, 400) for spread in (2.0, 0.5))
    assert apart(truth, weak, weak) == (0.0, 0.0)
    low, high = apart(truth, strong, weak)
    assert 0 < low < roc_auc_score(truth, strong) - roc_auc_score(truth, weak) < high
    assert apart(truth, weak, strong) == pytest.approx((-high, -low))


def test_the_other_model_learns_which_words_are_good() -> None:
    train = pd.DataFrame({"body": ["a good film", "a bad film"] * 10, "kind": ["good", "bad"] * 10})
    for scores in baselines(train, {"goods": pd.DataFrame({"body": ["bad", "good"]})})["goods"]:
        assert scores[0] < 0.5 < scores[1]


def test_a_line_is_a_row_of_the_table(tmp_path: Path) -> None:
    assert kept(tmp_path / "none.jsonl") == []
    line = Line("films", 8056, "goods", 2977, 0.81, 0.7949, 0.0049, 0.03, 60.0)
    assert table([line])[2:] == ["| films (8,056) | goods (2,977) | 0.795 | 0.810 | +0.005 to +0.030 |"]
