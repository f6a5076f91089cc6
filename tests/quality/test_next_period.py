"""Files of the next period are left alone, and what goes wrong in columns that advance is found."""

from collections import Counter
from pathlib import Path

import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from tests.quality.next_faults import later_of, next_faults
from tests.quality.next_period import KINDS
from tests.quality.scoring import score_next, verdict

SOME = ("retail_orders", "water_meters", "odometers")
"""Kinds that are looked at in every run; `make nightly` takes all."""


def test_there_are_enough_kinds():
    assert len(KINDS) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOME)
def test_the_next_period_is_not_a_fault(kind, tmp_path):
    assert [p for p in score_next(kind, 0, tmp_path) if p.verdict == "critical"] == []


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(4))
def test_next_periods_of_every_kind(part, tmp_path):
    """At most 2 % are stopped, also where the clean file is in random order (odd seeds)."""
    found = [p for kind in list(KINDS)[part::4] for seed in (0, 1) for p in score_next(kind, seed, tmp_path)]
    stopped = [p for p in found if p.verdict == "critical"]
    assert len(stopped) <= 0.02 * len(found), stopped


@pytest.mark.parametrize(
    "part", [pytest.param(i, marks=pytest.mark.slow if i == 0 else pytest.mark.nightly) for i in range(4)]
)
def test_faults_in_columns_that_advance_are_found(part, tmp_path):
    contracts, verdicts, missed = {}, Counter(), []
    kinds = sorted({f.kind for f in next_faults()})[part::4]
    for fault in (f for f in next_faults() if f.kind in kinds):
        first, later, label = later_of(fault)
        if fault.kind not in contracts:
            contracts[fault.kind] = infer_contract(_written(first, tmp_path), label=label)
        found = verdict(check_file(contracts[fault.kind], _written(later, tmp_path))) or "missed"
        verdicts[found] += 1
        missed += [f"{fault.kind}.{fault.column} {fault.what}: {found}"] if found != "critical" else []
    assert verdicts["critical"] >= 0.9 * verdicts.total(), missed
    assert verdicts["missed"] <= 0.06 * verdicts.total(), missed


def _written(frame, folder: Path) -> Path:
    frame.to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"
