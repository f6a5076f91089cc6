"""The fault catalogue: spoiled batches are found, clean ones are left alone."""

import pytest

from kilnworks.components.quality.screening.check import check_file
from tests.quality.clean_sources import SOURCES
from tests.quality.fault_catalogue import FAULTS, Batch
from tests.quality.made_sources import all_sources
from tests.quality.scoring import Score, contract_of, score_clean, score_fault, score_faults, verdict

CLEAN_DRAWS = 210
EVERY = 3
"""So many faults of the catalogue for one that is looked at in every run; `make nightly` takes all, on all sources."""
TELLING = (
    "unit_changed_in_a_tenth_of_the_rows",
    "label_shuffled",
    "column_shifted_by_one_row",
    "training_rows_come_back",
    "total_no_longer_the_sum",
    "several_small_shifts",
    "joined_twice",
    "encoding_read_wrongly",
)


def test_the_catalogue_is_large_enough():
    assert len(FAULTS) >= 40


@pytest.mark.slow
def test_faults_that_simple_profiles_miss_stop_the_pipeline(tmp_path):
    import numpy as np

    orders = SOURCES[0]
    contract, clean = contract_of(orders, tmp_path)
    missed = []
    for name in TELLING:
        frame = orders.draw(1000, 7).reset_index(drop=True)
        spoiled = FAULTS[name](Batch(frame, clean, orders.label, np.random.default_rng(7)))
        path = tmp_path / "b.csv"
        path.write_bytes(spoiled) if isinstance(spoiled, bytes) else spoiled.to_csv(path, index=False)
        if verdict(check_file(contract, path)) != "critical":
            missed.append(name)
    assert missed == []


@pytest.mark.slow
def test_faults_are_found_on_one_source_and_clean_rows_left_alone(tmp_path):
    """Each on the first source that has a place for it, the next fault from the next source on."""
    score, numbers = Score(), range(0, len(FAULTS), EVERY)
    sources, others = all_sources()[::2], all_sources()[1::2]
    known = {source.name: contract_of(source, tmp_path) for source in sources}
    for number in numbers:
        first = number % len(sources)
        places = (*sources[first:], *sources[:first], *others)
        assert any(
            score_fault(number, one, *(known.get(one.name) or contract_of(one, tmp_path)), tmp_path, score)
            for one in places
        )
    for source in sources:
        score_clean(source, known[source.name][0], tmp_path, 3, score)
    assert len(score.faults) == len(numbers)
    assert score.share("critical", "warning") >= 0.9
    assert score.share("critical") >= 0.8
    assert score.clean_share("critical") <= 0.03, score.alarms


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(2))
def test_faults_are_found_and_clean_rows_left_alone(part, tmp_path):
    """All of all, in two halves of the sources; ``publish.py`` writes the table of it."""
    score = Score()
    for source in all_sources()[part::2]:
        contract, clean = contract_of(source, tmp_path)
        score_faults(source, contract, clean, tmp_path, score)
        score_clean(source, contract, tmp_path, CLEAN_DRAWS // len(all_sources()), score)
    assert score.share("critical", "warning") >= 0.94
    assert score.share("critical") >= 0.84
    assert score.clean_share("critical") <= 0.02, score.alarms
    assert score.clean_share("critical", "warning") <= 0.15, score.alarms
