"""Spaces of an environment as a contract, and observations as arrays by feature.

==================  ==============================================
space               feature
==================  ==============================================
Box of floats       ``float`` of its shape; min and max where all of it is bounded
Box of bytes        ``image`` where it is [H, W, C] with 1, 3 or 4 channels, else ``int``
Box of ints         ``int`` of its shape
Discrete            ``int``, from ``min`` to ``max``
MultiDiscrete       ``int`` of its shape, from 0
MultiBinary         ``int`` of its shape, 0 or 1
Dict of these       a feature for each key
==================  ==============================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kilnworks.schemas.contract import Contract, Feature, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

OBSERVATION, ACTION = "observation", "action"
"""The feature of an observation that has no parts with names, and the label."""
SEEN = "What is seen before the action."
"""Of each feature: an environment says no more of its observations."""


def contract_of(name: str, environment: Any, described: str) -> Contract:
    """The contract of observations and actions of a ``gymnasium.Env``.

    Args:
        name: of the contract.
        environment: whose spaces count.
        described: what it is, for the reader.

    Raises:
        ConfigError: an action that is not one of some, or an observation that no feature can hold.
    """
    first, count = actions_of(environment)
    return Contract(
        name=name,
        description=described,
        features={
            key: _feature(key, space).model_copy(update={"description": SEEN})
            for key, space in parts(environment.observation_space).items()
        },
        label=Label(
            name=ACTION, dtype="int", classes=tuple(range(first, first + count)), learned=False,
            description="What was done; a policy learns from rewards, not from this.",
        ),
    )  # fmt: skip


def actions_of(environment: Any) -> tuple[int, int]:
    """The first action, and how many there are. Raises ``ConfigError`` for a space that is not Discrete."""
    import gymnasium

    space = environment.action_space
    if not isinstance(space, gymnasium.spaces.Discrete) or space.n < 2:
        raise ConfigError(
            f"action space {space}", "Discrete(n) with n of at least 2: one of some actions",
            "wrap the environment so that an action is the number of one, e.g. of some steps of a continuous one",
        )  # fmt: skip
    return int(space.start), int(space.n)


def parts(space: Any) -> dict[str, Any]:
    """The spaces of an observation by feature."""
    import gymnasium

    return dict(space.spaces) if isinstance(space, gymnasium.spaces.Dict) else {OBSERVATION: space}


def arrays_of(observation: Any, features: Mapping[str, str]) -> dict[str, np.ndarray]:
    """An observation as arrays by feature; ``features`` says their dtypes in NumPy."""
    import numpy as np

    found = observation if isinstance(observation, Mapping) else {OBSERVATION: observation}
    return {name: np.asarray(found[name], dtype) for name, dtype in features.items()}


def stacked(observations: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Observations under one another, [n, *shape] by feature."""
    import numpy as np

    return {name: np.stack([one[name] for one in observations]) for name in observations[0]}


def dtypes_of(space: Any) -> dict[str, str]:
    """The dtype of each feature of an observation: ``float32``, ``int64`` or ``uint8``."""
    kinds = {"float": "float32", "image": "uint8", "int": "int64"}
    return {name: kinds[_feature(name, one).dtype] for name, one in parts(space).items()}


def _feature(name: str, space: Any) -> Feature:
    """See the table above."""
    import gymnasium
    import numpy as np

    kind = gymnasium.spaces
    match space:
        case kind.Discrete():
            return Feature(dtype="int", min=int(space.start), max=int(space.start + space.n - 1))
        case kind.MultiDiscrete():
            return Feature(dtype="int", shape=space.nvec.shape, min=0, max=int(space.nvec.max()) - 1)
        case kind.MultiBinary():
            return Feature(dtype="int", shape=space.shape, min=0, max=1)
        case kind.Box():
            if space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[-1] in (1, 3, 4):
                return Feature(dtype="image", shape=space.shape)
            whole = np.issubdtype(space.dtype, np.integer)
            low, high = (float(end) if np.isfinite(end) else None for end in (space.low.min(), space.high.max()))
            bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
            if not bounded:
                low = high = None
            return Feature(dtype="int" if whole else "float", shape=space.shape, min=low, max=high)
    raise ConfigError(
        f"{name!r} is observed as {space}", "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these",
        "wrap the environment, e.g. with gymnasium.wrappers.FlattenObservation",
    )  # fmt: skip
