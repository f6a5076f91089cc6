"""The client inside Kilnworks: the same calls, with the errors that the command line prints and steps catch."""

import asyncio

import pytest

import kilnworks_client
from kilnworks.components.serving import client
from kilnworks.schemas import errors
from kilnworks_client.errors import ClientError, ConfigError, RequestInvalid, ServerUnavailable


def test_each_error_becomes_ours_with_its_words():
    for theirs, ours in (
        (ConfigError, errors.ConfigError),
        (RequestInvalid, errors.RequestInvalid),
        (ServerUnavailable, errors.ServerUnavailable),
    ):
        with pytest.raises(ours) as raised, client.our_errors():
            raise theirs("got", "wanted", "fix", {"code": "X"})
        error = raised.value
        assert (error.got, error.wanted, error.fix, error.details) == ("got", "wanted", "fix", {"code": "X"})
        assert isinstance(error.__cause__, theirs) and theirs.retry_helps == ours.retry_helps


def test_no_error_of_the_client_is_left_out():
    assert {kind.__name__ for kind in ClientError.__subclasses__()} == {
        "ConfigError",
        "RequestInvalid",
        "ServerUnavailable",
    }


def test_every_public_method_that_may_fail_raises_ours():
    quiet = {"close"}
    for ours, theirs in ((client.Client, kilnworks_client.Client), (client.AsyncClient, kilnworks_client.AsyncClient)):
        public = {name for name in vars(theirs) if not name.startswith("_")} | {"__init__"}
        assert public - quiet == set(vars(ours)) - {"__module__", "__doc__", "__firstlineno__", "__static_attributes__"}


def test_a_request_that_makes_no_sense_and_an_address_that_is_none():
    with pytest.raises(errors.ConfigError):
        client.Client("")
    with client.Client("127.0.0.1:9") as asked, pytest.raises(errors.RequestInvalid, match="one of them"):
        asked.predict("m", {"x": [1.0]}, version=1, label="stable")

    async def main() -> None:
        async with client.AsyncClient("127.0.0.1:9") as asked:
            await asked.predict("m", {"x": [[1.0], [1.0, 2.0]]})

    with pytest.raises(errors.RequestInvalid, match="ragged"):
        asyncio.run(main())
