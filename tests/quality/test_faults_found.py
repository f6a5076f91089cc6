"""The fault catalogue: spoiled batches are found, clean ones are left alone."""

import pytest
from clean_sources import SOURCES, sources
from fault_catalogue import FAULTS, Batch
from made_sources import all_sources
from scoring import Score, contract_of, score_clean, score_faults, verdict

from components.quality.checking.check import check_file

CLEAN_DRAWS = 210
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
def test_faults_are_found_and_clean_rows_left_alone(tmp_path):
    """Every kind on the first sources, every fifth on those made later; ``publish.py`` does all of all."""
    score = Score()
    whole, known = {source.name for source in sources()}, all_sources()
    for number, source in enumerate(known):
        contract, clean = contract_of(source, tmp_path)
        every = slice(None) if source.name in whole else slice(number % 5, None, 5)
        score_faults(source, contract, clean, tmp_path, score, every)
        score_clean(source, contract, tmp_path, CLEAN_DRAWS // len(known), score)
    assert score.share("critical", "warning") >= 0.9
    assert score.share("critical") >= 0.6
    assert score.clean_share("critical") <= 0.02, score.alarms
    assert score.clean_share("critical", "warning") <= 0.15, score.alarms
