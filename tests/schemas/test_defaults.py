"""Settings that somebody has chosen: against defaults of the class, of the place, and of another kind."""

from collections.abc import Mapping
from typing import Literal

from kilnworks.schemas.config import Config, Secret
from kilnworks.schemas.defaults import not_default


class Adam(Config):
    kind: Literal["adam"] = "adam"
    rate: float = 0.001
    clip: float | None = None


class Sgd(Config):
    kind: Literal["sgd"] = "sgd"
    rate: float = 0.1
    momentum: float = 0.0


class Whole(Config):
    name: str
    epochs: int = 10
    units: tuple[int, ...] = (64, 32)
    optimizer: Adam | Sgd = Adam(rate=0.01)
    schedule: Sgd | None = None
    by_name: Mapping[str, Adam] = {}
    key: Secret | None = None


def test_what_is_required_is_named_and_a_default_is_not():
    assert not_default(Whole(name="a")) == {"name": "a"}
    assert not_default(Whole(name="a", epochs=10, units=[64, 32])) == {"name": "a"}
    assert not_default(Whole(name="a", epochs=3, units=(8,))) == {"name": "a", "epochs": 3, "units": [8]}


def test_a_config_inside_is_compared_with_the_one_in_its_place():
    chosen = not_default(Whole(name="a", optimizer=Adam()))
    assert chosen == {"name": "a", "optimizer.rate": 0.001}, "the default of its class, and not that of the place"


def test_another_kind_is_named_and_compared_with_its_own_defaults():
    chosen = not_default(Whole(name="a", optimizer=Sgd(momentum=0.9), schedule=Sgd(), by_name={"x": Adam(rate=2)}))
    assert chosen == {
        "name": "a", "optimizer.kind": "sgd", "optimizer.momentum": 0.9, "schedule.kind": "sgd",
        "by_name.x.kind": "adam", "by_name.x.rate": 2.0,
    }  # fmt: skip
    assert not_default(Whole(name="a", optimizer=Adam(rate=0.01, clip=1))) == {"name": "a", "optimizer.clip": 1.0}


def test_a_secret_is_masked():
    assert not_default(Whole(name="a", key=Secret("open sesame"))) == {"name": "a", "key": "***"}
