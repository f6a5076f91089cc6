"""How many devices a batch is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kilnworks.components.learning.strategy import Devices, worth


@pytest.mark.parametrize(
    ("batch", "devices", "fewest", "count"),
    [
        (128, 8, 256, 1),
        (511, 8, 256, 1),
        (512, 8, 256, 2),
        (2048, 8, 256, 8),
        (1024, 8, 256, 4),
        (1026, 8, 256, 3),
        (1021, 8, 256, 1),
        (128, 8, 32, 4),
        (128, 1, 32, 1),
        (64, 2, 32, 2),
    ],
)
def test_known(batch: int, devices: int, fewest: int, count: int) -> None:
    assert worth(batch, devices, fewest)[0] == count


@given(st.integers(1, 5000), st.integers(1, 16), st.integers(1, 600))
def test_parts_are_equal_and_large_enough_and_no_more_devices_would_do(batch: int, devices: int, fewest: int) -> None:
    count, why = worth(batch, devices, fewest)
    allowed = [n for n in range(2, devices + 1) if batch % n == 0 and batch / n >= fewest]
    assert count == max(allowed, default=1)
    assert str(batch) in why or devices == 1


def test_the_reason_is_told() -> None:
    assert worth(1021, 4, 256)[1] == (
        "a batch of 1021 rows cannot be cut into equal parts for 2 to 4 devices; "
        "more than one device needs at least 256 each"
    )
    assert worth(64, 1, 256)[1] == "there is one device"


def test_what_a_device_is_worth_depends_on_the_data() -> None:
    assert Devices().fewest_rows(images=False) == 256
    assert Devices().fewest_rows(images=True) == 32
    assert Devices(min_replica_batch=7).fewest_rows(images=True) == 7
    with pytest.raises(ValidationError, match="min_replica_batch is for strategy auto, not for mirrored"):
        Devices(strategy="mirrored", min_replica_batch=64)
