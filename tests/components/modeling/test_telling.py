"""The n-grams that a report names are those whose effects are the largest, and of a hashed text there are none."""

from functools import partial

import numpy as np
import pytest

from kilnworks.components.charts.terms import terms, visible
from kilnworks.components.features.kinds.text import TextPlan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.texts.telling import telling
from kilnworks.components.tasks.binary import Binary
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.words import figure

CONTRACT = Contract.model_validate(
    {
        "name": "m",
        "features": {"body": {"dtype": "text"}},
        "label": {"name": "y", "dtype": "string", "classes": ["ham", "spam"]},
    }
)


@pytest.mark.parametrize("hashed", [False, True], ids=["words", "hashed"])
def test_terms_by_effect(hashed):
    named = {} if hashed else {"words": ("free", "the", "patch"), "pieces": (" fr", "pa")}
    one = TextPlan(form="ngrams", length=5, characters=(2, 3), most_characters=9, buckets=4 if hashed else 0, **named)
    plan = TransformPlan(contract=CONTRACT, rows=1, features={"body": one})
    model = Bag().network(plan.encoded, Binary(label=CONTRACT.label))
    layer = model.get_layer("effects_body")
    effects = np.zeros(layer.embeddings.shape, np.float32)
    effects[3:6] = [[1, 3], [0, 0], [-2, 0]]
    ratio = np.ones(layer.ratio.shape, np.float32)
    ratio[3] = 2
    layer.embeddings.assign(effects)
    layer.ratio.assign(ratio)
    found = telling(model, plan, ("ham", "spam"))
    words = {f["towards"]: f["terms"] for f in found if f["of"] == "words"}
    assert words == ({} if hashed else {"spam": [["free", 3.5]], "ham": [["patch", -1.0]]})


def test_terms_are_escaped_and_edges_shown():
    drawn = terms([("<b>", 2.0), (" a ", 1.0)], "words")
    assert "<b>" not in drawn
    assert "&lt;b&gt;" in drawn
    assert visible(" a ") == "\N{OPEN BOX}a\N{OPEN BOX}"


def test_long_terms_end_where_there_is_room_and_prices_are_written_out():
    """`Chicago Independents` stood out of the picture, and a mean price was 2.27e+05."""
    drawn = terms([("Chicago Independents", 226900.0)], "words", told=partial(figure, digits=3))
    assert ">Chicago Independ…<" in drawn and ">227,000<" in drawn
    assert "Chicago Independents: +227,000" in drawn


@pytest.mark.parametrize(("signed", "bars"), [(True, 3), (False, 2)])
def test_what_is_below_zero_has_a_number_and_a_bar_only_where_it_is_an_effect(signed, bars):
    drawn = terms([("up", 2.0), ("none", 0.0), ("down", -3.0)], "falls", signed=signed)
    assert drawn.count("<rect") == bars and "-3.00" in drawn
