"""Labels as they are learned, and those that cannot be."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid

LABELS = {
    "binary": {"name": "y", "dtype": "string", "classes": ["no", "yes"]},
    "multiclass": {"name": "y", "dtype": "int", "classes": [3, 1, 2]},
    "regression": {"name": "y", "dtype": "float"},
}


def encoded(kind: str, values: list) -> np.ndarray:
    contract = Contract.model_validate({"name": "c", "features": {"a": {"dtype": "float"}}, "label": LABELS[kind]})
    assert choose(contract).kind == kind
    assert contract.label is not None
    return choose(contract).encode(contract.label, pl.Series(values))


def test_classes_are_positions_and_values_are_float32() -> None:
    assert encoded("binary", ["yes", "no"]).tolist() == [1, 0]
    assert encoded("binary", ["yes", "no"]).dtype == np.int32
    assert encoded("multiclass", [1, 2, 3]).tolist() == [1, 2, 0]
    assert encoded("regression", [1.5, -2.0]).dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "values", "sample"),
    [("binary", ["yes", "maybe"], "maybe"), ("binary", ["yes", None], "None"), ("multiclass", [1, 9], "9"),
     ("regression", [1.0, float("nan")], "nan"), ("regression", [1.0, float("inf")], "inf")],
)  # fmt: skip
def test_a_label_that_cannot_be_learned_is_refused(kind: str, values: list, sample: str) -> None:
    with pytest.raises(DataInvalid, match=rf"1 of 2 values.*{sample}"):
        encoded(kind, values)
