"""Rows asked for in requests that a server takes: every row answered once, in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.predicting.pieces import in_pieces
from kilnworks.schemas.errors import RequestInvalid


class Server:
    """Doubles numbers; refuses requests of too many rows, and negative numbers. Its words are nobody's business."""

    def __init__(self, limit: int) -> None:
        self.limit, self.sizes = limit, []

    def __call__(self, inputs):
        x = inputs["x"]
        self.sizes.append(len(x))
        if len(x) > self.limit or (x < 0).any():
            raise RequestInvalid("nein", "", "", {"code": "INVALID_ARGUMENT"})
        return {"y": x * 2}


@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 128))
def test_every_row_is_answered_once_whatever_the_limit(rows, limit, most):
    server = Server(limit)
    ask = in_pieces(server, most)
    x = np.arange(rows)
    np.testing.assert_array_equal(ask({"x": x})["y"], x * 2)
    asked = len(server.sizes)
    np.testing.assert_array_equal(ask({"x": x})["y"], x * 2)
    assert max(server.sizes[asked:], default=0) <= limit


def test_a_limit_is_learned_once():
    server = Server(100)
    ask = in_pieces(server, 1024)
    ask({"x": np.arange(1024)})
    refused = sum(size > 100 for size in server.sizes)
    ask({"x": np.arange(1024)})
    assert refused == sum(size > 100 for size in server.sizes)
    assert server.sizes[-1] == 64


@given(st.integers(1, 200), st.data())
def test_a_row_that_is_refused_alone_is_named(rows, data):
    bad = data.draw(st.integers(0, rows - 1))
    server = Server(50)
    ask = in_pieces(server, 1024)
    ask({"x": np.arange(7)})
    x = np.arange(rows)
    x[bad] = -1
    with pytest.raises(RequestInvalid, match=rf"^row {7 + bad + 1}: nein"):
        ask({"x": x})
    assert len(server.sizes) <= 2 + 2 * rows.bit_length()


def test_another_refusal_is_not_tried_again():
    asked = []

    def ask(inputs):
        asked.append(len(inputs["x"]))
        raise RequestInvalid("no such model", "", "", {"code": "NOT_FOUND"})

    with pytest.raises(RequestInvalid, match=r"^no such model"):
        in_pieces(ask, 8)({"x": np.arange(20)})
    assert asked == [8]
