"""Settings: frozen, strict, overridden by path."""

import pytest

from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError


class Inner(Config):
    units: tuple[int, ...] = (64, 64)
    rate: float = 0.1


class Outer(Config):
    epochs: int = 3
    inner: Inner = Inner()


def test_override_by_path_is_checked_and_leaves_the_original_alone():
    outer = Outer()
    changed = outer.updated({"epochs": 5, "inner.units": [8]})
    assert changed == Outer(epochs=5, inner=Inner(units=(8,)))
    assert outer == Outer()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epoch": 5}, "epoch"),
        ({"inner.width": 5}, "width"),
        ({"epochs": "many"}, "many"),
        ({"out.units": 1}, "epochs, inner"),
    ],
)
def test_a_wrong_override_is_refused(changes, says):
    with pytest.raises(ConfigError, match=says):
        Outer().updated(changes)


def test_identity_differs_when_a_value_does():
    assert Outer().identity() == Outer().identity()
    assert Outer().identity() != Outer(inner=Inner(rate=0.2)).identity()


def test_the_nearest_name_is_offered():
    with pytest.raises(ConfigError, match="did you mean 'epochs'") as caught:
        Outer().updated({"epoch": 5})
    assert "one of: epochs, inner" in str(caught.value)
