"""Dates of a client are sent as seconds, whatever their unit in memory."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks_client import examples, messages, tensors
from kilnworks_client.errors import RequestInvalid

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))


def known(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)


@pytest.mark.slow
@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(["s", "ms", "us", "ns"]))
def test_every_unit_of_numpy_and_python_dates_are_seconds(moments, unit):
    wanted = [known(moment) for moment in moments]
    stamped = np.array(moments, f"datetime64[{unit}]")
    aware = [m.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=-7))) for m in moments]
    for value in (stamped, moments, aware, np.array(moments, object)):
        assert tensors.as_array(value).dtype == np.int64
        assert tensors.from_proto(tensors.to_proto(value)).tolist() == wanted
        sent = messages.Example.FromString(examples.serialize({"when": value}))
        assert list(sent.features.feature["when"].int64_list.value) == wanted


def test_missing_days_and_shapes():
    nat = np.array([["NaT"], ["1970-01-02"]], "datetime64[ns]")
    assert tensors.as_array(nat).tolist() == [[-(2**63)], [86_400]]
    assert tensors.as_array([date(1969, 12, 31)]).tolist() == [-86_400]
    assert tensors.as_array(datetime(1970, 1, 1, 0, 0, 1, 999_999)).tolist() == 1


def test_durations_and_mixtures_are_refused():
    for value in (np.array([5], "timedelta64[s]"), [date(2024, 1, 1), "2024-01-01"], [date(2024, 1, 1), 5]):
        with pytest.raises(RequestInvalid):
            tensors.to_proto(value)
