"""A component that uses secrets as a user's own would, and a library that repeats them in its error."""

from pathlib import Path

from pydantic import Field

from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config, Secret, SecretUrl


class Called(Artifact):
    pass


class CallConfig(Config):
    url: SecretUrl
    token: Secret | None = None
    options: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    fails: bool = False


def call(config: CallConfig, out: Path) -> Called:
    """Writes how many secrets it has seen; fails as a driver does, which repeats its URL."""
    secrets = [config.url.reveal(), config.token.reveal() if config.token else ""]
    if config.fails:
        raise ConnectionError(f"{config.note} cannot open {secrets[0]} with {secrets[1]!r} and {config.options}")
    seen = "".join("1" for secret in secrets if secret and "${" not in secret and "sqlite" not in secret)
    (out / "used.txt").write_text(str(len(config.options)) if config.options else seen)
    return Called(out)
