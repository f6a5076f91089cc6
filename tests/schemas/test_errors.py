"""Errors as values that go to another process."""

import pickle

import pytest

from kilnworks.schemas.errors import ConfigError, DataInvalid, KilnworksError, UnknownName


@pytest.mark.parametrize(
    "error",
    [
        KilnworksError("got", "wanted", "fix", {"a": 1}),
        ConfigError("got"),
        UnknownName("step", "trian", ["train", "test"]),
        DataInvalid("got", "wanted", "fix", [{"column": "x"}]),
    ],
)
def test_an_error_is_the_same_in_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and again.record() == error.record()
