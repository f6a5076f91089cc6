"""The decision record: its sentence, its file, and the way back."""

import json
from pathlib import Path

import pytest

from kilnworks.schemas.decision import Comparand, DecisionRecord, read_decision


def record(**changes: object) -> DecisionRecord:
    checks = (
        Comparand(name="auc", measured=0.71, comparison=">=", wanted=0.8, passed=False, note="on 100 rows"),
        Comparand(name="log_loss", measured=0.41, comparison="<=", wanted=0.5, passed=True),
        Comparand(name="brier", measured=None, comparison="<=", wanted=0.2, passed=False),
        Comparand(name="state", measured="LOADING", comparison="is", wanted="AVAILABLE", passed=False),
    )
    values = {"gate": "evaluation", "passed": False, "rule": "the limits", "checks": checks, "inputs": {"model": "ab"}}
    return DecisionRecord(**{**values, **changes})


def test_the_headline_names_what_was_not_kept() -> None:
    assert record().headline == (
        "evaluation gate closed: auc 0.71 is below 0.8 (on 100 rows); brier is undefined and should be at most 0.2; "
        "state LOADING is not AVAILABLE"
    )
    kept = record().checks[1]
    assert record(passed=True, checks=(kept,)).headline == "evaluation gate passed: log_loss 0.41 is at most 0.5"
    assert record(checks=(), reason="nobody asked").headline == "evaluation gate closed: nobody asked"
    assert record(checks=()).headline == "evaluation gate closed: the limits"


def test_the_file_opens_with_the_headline_and_reads_back_equal(tmp_path: Path) -> None:
    path = record().write(tmp_path)
    assert path.name == "decision.json"
    content = json.loads(path.read_text())
    assert next(iter(content)) == "headline"
    assert content["headline"] == record().headline
    assert read_decision(tmp_path) == record()
    with pytest.raises(FileNotFoundError):
        read_decision(tmp_path / "elsewhere")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="verdict"):
        record(verdict="x")
