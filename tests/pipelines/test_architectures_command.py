"""``kilnworks architectures``: every one is listed, and says shapes, source and when to use it."""

import contextlib
import io
import json
import re

import pytest

from kilnworks.components.modeling.architectures import AnyModel
from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.kinds import kinds_of, members_of

KINDS = sorted(kind for model in members_of(AnyModel) for kind in kinds_of(model))


@pytest.fixture(scope="module")
def listed():
    with contextlib.redirect_stdout(io.StringIO()) as told:
        main(["architectures", "--json"])
    return json.loads(told.getvalue())


def test_all_are_there(listed):
    assert sorted(listed) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_shapes_source_and_when_to_use_it(listed, kind):
    words = listed[kind]["words"]
    assert re.search(r"\[N[^\]]*\]", words), "shapes"
    assert kind == "custom" or re.search(r"(19|20)\d\d", words), "a paper"
    assert "Use it " in words and listed[kind]["takes"]


def test_kinds_of_data_are_those_that_the_architecture_reads(listed):
    assert listed["cnn"]["takes"] == ["categories", "images", "numbers", "numbers as shares", "sequences"]
    assert listed["forecast"]["takes"] == ["columns as they are sent"] and listed["custom"]["takes"] == ["anything"]
    assert listed["forecast"]["task"] == "forecast" and listed["mlp"]["task"] == ""
    assert listed["mlp"]["settings"]["units"] == [64, 64]


def test_the_table_names_each(capsys):
    assert main(["architectures"]) == 0
    told = capsys.readouterr().out
    assert all(kind in told for kind in KINDS)
    assert "shape: [steps, channels]" in " ".join(told.split())
