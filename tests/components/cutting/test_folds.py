"""Folds are what scikit-learn's splitters make of the same units, whatever stands around them."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

from kilnworks.components.cutting.folds import folds_of, refuse_one_class
from kilnworks.schemas.errors import DataInvalid

RANDOM = np.random.default_rng(3)
CLASSES = np.array(["no"] * 83 + ["yes"] * 17)[RANDOM.permutation(100)]


def is_partition(pairs, rows):
    """Each row validates once, and trains wherever it does not validate."""
    validated = np.concatenate([val for _, val in pairs])
    return sorted(validated) == list(range(rows)) and all(
        sorted([*train, *val]) == list(range(rows)) for train, val in pairs
    )


@pytest.mark.parametrize("rows", [10, 23, 100])
def test_plain_folds_are_parts_of_equal_size_decided_by_the_seed(rows):
    pairs = folds_of("plain", 5, 0, np.arange(rows))
    assert is_partition(pairs, rows)
    sizes = [len(val) for _, val in pairs]
    assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)
    again, other = folds_of("plain", 5, 0, np.arange(rows)), folds_of("plain", 5, 1, np.arange(rows))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(pairs, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(pairs, other, strict=True))


def test_stratified_folds_have_the_share_of_each_class_as_all_rows_have_it():
    pairs = folds_of("stratified", 5, 0, np.arange(100), CLASSES)
    assert is_partition(pairs, 100)
    for _, val in pairs:
        assert abs((CLASSES[val] == "yes").sum() - 17 / 5) < 1


def test_plain_folds_do_not_look_at_classes():
    counts = [(CLASSES[val] == "yes").sum() for _, val in folds_of("plain", 5, 0, np.arange(100))]
    assert max(counts) - min(counts) > 1, "by chance they differ, which stratified ones do not"


def test_groups_stay_whole_as_in_group_k_fold():
    groups = RANDOM.integers(0, 12, 100)
    pairs = folds_of("grouped", 4, 0, groups)
    assert is_partition(pairs, 100)
    for train, val in pairs:
        assert not set(groups[train]) & set(groups[val])
    theirs = GroupKFold(4, shuffle=True, random_state=0).split(groups, groups=groups)
    sizes = [len(set(groups[val])) for _, val in pairs]
    assert sizes == [len(set(groups[val])) for _, val in theirs] == [3, 3, 3, 3]


def test_folds_by_time_are_those_of_time_series_split():
    moments = RANDOM.permutation(57)
    order = np.argsort(moments)
    for (train, val), (theirs, after) in zip(
        folds_of("time", 5, 0, moments), TimeSeriesSplit(5).split(order), strict=True
    ):
        assert set(train) == set(order[theirs]) and set(val) == set(order[after])
        assert moments[train].max() < moments[val].min()


def test_rows_of_one_moment_stay_together():
    moments = np.repeat(np.arange(6), 10)
    for train, val in folds_of("time", 5, 0, moments):
        assert len(val) == 10 and len(set(moments[val])) == 1 and moments[train].max() < moments[val].min()


def test_equal_rows_stay_together_and_nothing_hangs_on_how_they_are_named():
    units = np.repeat(np.arange(20), 2)
    pairs = folds_of("plain", 4, 7, units)
    assert is_partition(pairs, 40) and all(not set(units[train]) & set(units[val]) for train, val in pairs)
    renamed = folds_of("plain", 4, 7, 1000 - units)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(pairs, renamed, strict=True))


@pytest.mark.parametrize(
    ("by", "units", "says"),
    [
        ("plain", np.arange(4), "5 folds of 4 different rows"),
        ("grouped", np.repeat([0, 1], 50), "5 folds of 2 groups"),
        ("time", np.arange(5), "at least 6 moments"),
    ],
)
def test_too_few_to_cut_is_said(by, units, says):
    with pytest.raises(DataInvalid) as refused:
        folds_of(by, 5, 0, units)
    assert says in str(refused.value)


def test_a_class_that_is_too_rare_for_the_folds_is_named():
    with pytest.raises(DataInvalid, match="class yes has 3 rows"):
        folds_of("stratified", 5, 0, np.arange(50), np.array(["no"] * 47 + ["yes"] * 3))


def test_a_fold_with_one_class_is_named_and_data_of_one_class_are_let_through():
    classes = np.array(["a", "a", "b", "b"])
    refuse_one_class(classes, {"train": np.array([0, 2]), "val": np.array([1, 3])}, "fold 1")
    with pytest.raises(DataInvalid, match=r"fold 1: in val, all 2 rows are of class b"):
        refuse_one_class(classes, {"train": np.array([0, 2]), "val": np.array([2, 3])}, "fold 1")
    refuse_one_class(np.array(["a"] * 4), {"val": np.array([0])}, "fold 1")
