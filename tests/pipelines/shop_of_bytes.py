"""A step whose model is a few bytes.

It has a file of its own: a run reads all that its steps' code stands on, and a file of tests stands on every command.
"""

from pathlib import Path

from kilnworks.schemas.artifacts import Servable
from kilnworks.schemas.config import Config
from kilnworks.schemas.files import write_json
from tests.components.deploying.deploying_models import FILES


class ExportConfig(Config):
    """Settings of a servable of a few bytes."""

    mark: str = "a"
    data: str = ""
    window: dict[str, str] | None = None


def export(config: ExportConfig, out: Path) -> Servable:
    """A servable whose files hold its mark."""
    for name in FILES:
        (out / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (out / "model" / name).write_text(f"{config.mark}{config.data}{config.window}")
    write_json(out / "servable.json", {"metrics": {}, "signatures": {}})
    return Servable(out)
