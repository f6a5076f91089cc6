"""How a version is published, whichever way it comes to be the champion."""

from pydantic import Field

from kilnworks.schemas.config import Config


class Publishing(Config):
    """What has to be true before a published version is the champion, and what is kept."""

    server: str | None = None
    """``host:port`` (gRPC) of a model server that watches the base path and must have the version AVAILABLE."""
    server_seconds: float = Field(default=60.0, gt=0)
    """How long the server may take, in seconds."""
    poll_seconds: float = Field(default=0.2, gt=0)
    """Pause between two questions to the server, in seconds."""
    keep: int = Field(default=5, ge=1)
    """Newest versions to keep. Champions and labelled versions stay in any case."""
    labels: tuple[str, ...] = ("stable", "canary")
    """Labels of the server whose versions are never deleted."""
    lock_seconds: float = Field(default=600.0, gt=0)
    """How long to wait for another deployment of the same model, in seconds."""
