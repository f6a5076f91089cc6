"""An environment by its name: one that Gymnasium knows, or a class or function of a user's own."""

from __future__ import annotations

import difflib
import importlib.metadata
from typing import Any, Protocol, runtime_checkable

from pydantic import Field, model_validator

from kilnworks.schemas.code import PATH, Code, Options
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError, KilnworksError

LONGEST = 1000
"""Steps after which an episode is cut, where the environment itself sets no limit."""
PARTS = ("reset", "step", "observation_space", "action_space")


class Environment(Config):
    """A Gymnasium environment: ``"CartPole-v1"``, or ``"my_project.games:Maze"``, what makes one (Towers et al. 2024).

    Two are the same where id, options and the version of Gymnasium are, or the source behind an own one.
    """

    id: str
    """A name in Gymnasium's registry, or ``module:name`` of a class or function that makes an environment."""
    options: Options = Field(default_factory=dict)
    """Arguments that it is made with."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps after which an episode is cut (truncated, which is no end); by default the limit that the environment is
    registered with, else 1,000."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @property
    def code(self) -> Code | None:
        """What makes it, where it is of a user's own."""
        return Code(path=self.id, options=self.options) if PATH.match(self.id) else None

    def identity(self) -> dict[str, Any]:
        """Options, limit, and the version of Gymnasium or the source of a user's own."""
        own = self.code
        told = {"gymnasium": importlib.metadata.version("gymnasium")}
        return {**super().identity(), **told, **({"code": own.identity()} if own else {})}

    def make(self, *, pixels: bool = False) -> Any:
        """A new ``gymnasium.Env``.

        Args:
            pixels: whether ``render()`` is to give frames, uint8 [H, W, 3].

        Raises:
            ConfigError: no such environment, options that it does not take, or something that is none.
        """
        import gymnasium

        try:
            made = self._own(pixels) if self.code else self._registered(pixels)
        except KilnworksError:
            raise
        except Exception as error:
            raise ConfigError(
                f"environment {self.id} cannot be made: {type(error).__name__}: {str(error).strip()[:300]}",
                "an environment that its options make",
                "correct the options; --traceback in front of the command shows the line",
            ) from error
        missing = [name for name in PARTS if not hasattr(made, name)]
        if missing or not isinstance(made, gymnasium.Env):
            raise ConfigError(
                f"{self.id} makes {type(made).__name__}, " + (f"without {', '.join(missing)}" if missing else "no Env"),
                "a gymnasium.Env", "derive it from gymnasium.Env",
            )  # fmt: skip
        limit = self.max_steps or (None if made.spec and made.spec.max_episode_steps else LONGEST)
        return gymnasium.wrappers.TimeLimit(made, limit) if limit else made

    def _own(self, pixels: bool) -> Any:
        assert self.code is not None
        given = {"render_mode": "rgb_array"} if pixels else {}
        return self.code.call(**given)

    def _registered(self, pixels: bool) -> Any:
        import gymnasium

        try:
            mode: dict[str, Any] = {"render_mode": "rgb_array"} if pixels else {}
            return gymnasium.make(self.id, disable_env_checker=True, **mode, **self.options)
        except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound, gymnasium.error.VersionNotFound):
            known = sorted(gymnasium.registry)
        near = difflib.get_close_matches(self.id, known, n=1, cutoff=0.5)
        raise ConfigError(
            f"no environment {self.id!r}",
            "a name of Gymnasium's registry, such as CartPole-v1, or module:name of your own",
            f"did you mean {near[0]!r}?" if near else "check the name",
        )


@runtime_checkable
class PlaysIn(Protocol):
    """What plays in an environment, such as the source of an ingest step."""

    @property
    def environment(self) -> Environment:
        """Which one."""
        ...
