"""Servables to publish, and a whole publication in one call, also as a process of its own."""

import sys
from pathlib import Path

from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.schemas.artifacts import Deployment, Servable
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.files import write_json

FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001", "assets/words.txt")


def servable(directory: Path, size: int = 1000, mark: str = "m") -> Servable:
    """A directory in the layout of a SavedModel, ``size`` bytes in each file, all of them ``mark``."""
    for name in FILES:
        path = directory / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mark.encode() * size)
    write_json(directory / "servable.json", {"metrics": {"auc": {"value": 0.9}}, "signatures": {}})
    return Servable(directory)


def run_deploy(
    store: Path, made: Servable, out: Path, run: str = "r1", pipeline: str = "churn", **config
) -> Deployment:
    """The step as the core calls it."""
    out.mkdir(parents=True, exist_ok=True)
    context = RunContext(store=store, pipeline=pipeline, run_id=run, step="deployment", work=out / "work")
    return deploy(DeployConfig(**config), made, out, context)


def whole(version: Path, made: Servable) -> bool:
    """Whether a published version has every file of the servable, byte by byte."""
    return all((version / name).read_bytes() == (made.saved_model / name).read_bytes() for name in FILES)


def names(directory: Path) -> list[str]:
    """What lies in a directory, sorted."""
    return sorted(p.name for p in directory.iterdir())


if __name__ == "__main__":
    store, source, out, times = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    waits = {"server": sys.argv[5]} if sys.argv[5:] else {}
    print("ready", flush=True)
    for i in range(times):
        run_deploy(store, Servable(source), out / str(i), run=f"{out.name}-{i}", keep=1000, **waits)
