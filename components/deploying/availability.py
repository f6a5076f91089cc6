"""Whether a model server has a published version AVAILABLE."""

from kilnworks.components.deploying.settings import Publishing
from kilnworks.schemas.errors import DeployFailed, ServerUnavailable


def wait_available(settings: Publishing, model: str, version: int) -> None:
    """Wait until the server that the settings name has the version AVAILABLE; at once where they name none.

    Raises:
        DeployFailed: it has not, in time.
    """
    if settings.server is None:
        return
    from kilnworks.components.serving.client import Client

    try:
        with Client(settings.server) as client:
            client.wait_until_available(model, version, settings.server_seconds, settings.poll_seconds)
    except ServerUnavailable as error:
        raise DeployFailed(
            f"version {version} of {model!r} did not become AVAILABLE at {settings.server}: {error.got}",
            f"state AVAILABLE within {settings.server_seconds:g} s",
            "look at the server's log; the version was withdrawn and the champion has not changed",
            {"model": model, "version": version, "server": settings.server, "state": error.got, **error.details},
        ) from error
