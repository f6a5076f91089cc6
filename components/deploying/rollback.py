"""Going back: a model that was live before is published again, as a new version, and becomes the champion.

A version number is never used twice, so servers that load the newest version take the old model up like any other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kilnworks.components.deploying.availability import wait_available
from kilnworks.components.deploying.publish import clean, publish, withdraw
from kilnworks.components.deploying.settings import Publishing
from kilnworks.components.deploying.versions import locked, reserve
from kilnworks.schemas.champion import ChampionRecord, Decided, moves, read_champion, write_champion
from kilnworks.schemas.errors import DeployFailed, StoreError, UnknownName
from kilnworks.schemas.published import ledger, published


@dataclass(frozen=True)
class Former:
    """A version that may be taken up again.

    Attributes:
        version: its number; its files are below the base path.
        run_id: the run that made it.
    """

    version: int
    run_id: str


def roll_back(
    store: Path, pipeline: str, version: int | None, decided: Decided, settings: Publishing
) -> ChampionRecord:
    """Publish an earlier version again and move the champion to it.

    Args:
        store: local root of the store.
        pipeline: whose champion.
        version: the one to go back to; None: the one that was live before the champion.
        decided: who wants it, and why.
        settings: how long to wait for the base path, and the server that must have the version.

    Raises:
        UnknownName: no champion; no such version among those that are still published.
        StoreError: the folder of the published versions is no longer there.
        DeployFailed: that version is the champion, nothing was live before it, or the base path stayed locked;
            the server did not take the version up, which was withdrawn: the champion has not changed.
    """
    champion = read_champion(store, pipeline)
    base = Path(champion.path).parent
    if not base.is_dir():
        raise StoreError(f"{base} is gone", "the folder of its published versions", f"run {pipeline} again")
    with locked(base, settings.lock_seconds):
        clean(base)
        former = _former(store, base, read_champion(store, pipeline), version)
        new = reserve(
            base, {"pipeline": pipeline, "run_id": former.run_id, "store": str(store), "copy_of": former.version}
        )
        path = publish(base / str(former.version), base, new)
        try:
            wait_available(settings, champion.model, new)
        except BaseException:
            withdraw(base, new)
            raise
        since = datetime.now(UTC).isoformat(timespec="seconds")
        record = ChampionRecord(pipeline, former.run_id, champion.model, new, str(path), since, str(store))
        write_champion(store, record, decided)
    return record


def _former(store: Path, base: Path, champion: ChampionRecord, version: int | None) -> Former:
    """The version to go back to."""
    if version == champion.version:
        raise DeployFailed(
            f"version {version} of {champion.model} is the champion already",
            f"another one of {_listed(base)}",
            "nothing was changed",
        )
    runs = {int(entry["version"]): str(entry["run_id"]) for entry in ledger(base)["published"]}
    runs |= {int(move["version"]): str(move["run_id"]) for move in moves(store, champion.pipeline)}
    if version is None:
        version = _live_before(store, base, champion)
    if version not in published(base):
        raise UnknownName(f"published version of {champion.model}", str(version), map(str, published(base)))
    return Former(version, runs.get(version, ""))


def _live_before(store: Path, base: Path, champion: ChampionRecord) -> int:
    """The newest version that was live, is of another run than the champion, and is still published.

    Release 0.1.0 recorded no moves: what it published was live, in the order of its ledger.
    """
    there = published(base)
    before = [entry for entry in ledger(base)["published"] if entry["pipeline"] == champion.pipeline]
    for move in reversed([*before, *moves(store, champion.pipeline)]):
        if move["run_id"] != champion.run_id and move["version"] in there:
            return int(move["version"])
    raise DeployFailed(
        f"nothing was live for {champion.pipeline} before version {champion.version}, or it was deleted",
        f"a version to go back to: {_listed(base)}",
        "name one with --to; `kilnworks runs` shows the runs, and `kilnworks promote` publishes one again",
    )


def _listed(base: Path) -> str:
    return ", ".join(map(str, published(base)))
