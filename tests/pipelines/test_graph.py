"""Pipelines are checked when they are made, and say what exists."""

import pytest

from kilnworks.pipelines.core.graph import Champion, Pipeline, Step
from kilnworks.schemas.errors import ConfigError, UnknownName, WiringError
from tests.pipelines.chain import AddConfig, MakeConfig, Number, add, chain, make, other


def broken(config: MakeConfig) -> None:
    """No component: makes nothing."""


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([Step("a", make, MakeConfig()), Step("a", make, MakeConfig())], "two steps"),
        ([Step("a-b", make, MakeConfig())], "letters"),
        ([Step("a", make, AddConfig())], "MakeConfig"),
        ([Step("a", add, AddConfig())], "number"),
        ([Step("one", make, MakeConfig()), Step("b", add, AddConfig(), {"number": "onee"})], "did you mean 'one'"),
        ([Step("a", other, MakeConfig()), Step("b", add, AddConfig(), {"number": "a"})], "makes Other"),
        ([Step("a", add, AddConfig(), {"number": "b"}), Step("b", add, AddConfig(), {"number": "a"})], "cycle"),
        ([Step("a", broken, MakeConfig())], "no component"),
    ],
)
def test_wrong_wiring_fails_when_it_is_made(steps, says):
    with pytest.raises(WiringError, match=says):
        Pipeline("p", tuple(steps))


def test_steps_are_ordered_by_their_inputs():
    steps = chain().steps
    assert [s.name for s in Pipeline("p", steps[::-1]).steps] == ["one", "two", "three"]


def test_inputs_from_another_run_are_no_edges():
    step = Step("a", add, AddConfig(), {"number": Champion("chain", "one")})
    assert Pipeline("p", (step,)).edges() == {"a": ()}


def test_overrides_reach_one_step():
    configured = chain().configured({"two.add": 7})
    assert configured["two"].config == AddConfig(add=7)
    assert configured["three"].config == AddConfig()


@pytest.mark.parametrize(
    ("key", "kind", "says"),
    [("tow.add", UnknownName, "did you mean 'two'"), ("two.ad", ConfigError, "ad"), ("two", ConfigError, "STEP.FIELD")],
)
def test_wrong_overrides_are_refused(key, kind, says):
    with pytest.raises(kind, match=says):
        chain().configured({key: 1})


def test_slices():
    assert chain().between("two", None) == {"two", "three"}
    assert chain().between(None, "two") == {"one", "two"}
    assert chain().between("two", "two") == {"two"}


def test_signature_is_read_from_annotations():
    signature = chain()["two"].signature
    assert dict(signature.inputs) == {"number": Number}
    assert signature.wants_context
    assert not chain()["one"].signature.wants_context
