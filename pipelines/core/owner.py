"""The one host that publishes, approves, retrains and prunes in a remote store.

Version numbers, the ledger of retrainings and what may be removed are guarded by locks of one machine. So the first
host that needs them writes ``owner.json`` into the store, once, and every other one is refused. A host is a mirror:
what keeps the mirror (``$KILNWORKS_MIRROR``) stays the same host. All other steps, and all that only looks, work from
any host.
"""

import json
import socket
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from kilnworks.pipelines.core.os_errors import explained
from kilnworks.pipelines.core.store import Store, now
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import NotTheOwner
from kilnworks.schemas.files import read_json, write_json

OWNER = "owner.json"
"""In the remote store: who it is."""
HOST = ".host.json"
"""In the mirror: the id of this host."""


@dataclass(frozen=True)
class Host:
    """One host: an id of its mirror, the name that people know it by, and since when it is the owner."""

    id: str
    name: str
    since: str


def require_owner(store: Store, action: str) -> None:
    """Go on where this host may do something that only one may; be that one where there is none yet.

    Args:
        store: any; a local one has no other hosts.
        action: what is about to be done, as ``deploying churn``.

    Raises:
        NotTheOwner: another host is the owner.
    """
    if store.remote is None:
        return
    mine = this_host(store.root)
    if store.remote.create(OWNER, json.dumps(asdict(mine)).encode()):
        return
    owner = owner_of(store)
    if owner is not None and owner.id != mine.id:
        raise NotTheOwner(
            f"{action} from this host ({mine.name}): the store {store.remote.shown} belongs to {owner.name} since "
            f"{owner.since}, whose version numbers, approvals and ledgers no other host can see",
            f"one host that publishes, approves, retrains and prunes: {owner.name}, with its mirror",
            f"do it there (here, steps before it run with --to STEP); if {owner.name} is gone for good, remove {OWNER} "
            "from the store and try again",
        )


def follow_published(store: Store) -> None:
    """Let the mirror hold the versions that are published in a remote store; nothing on the host that publishes."""
    if store.remote is None:
        return
    owner = owner_of(store)
    if owner is None:
        store.remote.pull_versions("serving")
    elif owner.id != this_host(store.root).id:
        store.remote.follow_versions("serving")


def owner_of(store: Store) -> Host | None:
    """The owner of a remote store; None while there is none."""
    remote = store.remote
    return Host(**json.loads(remote.read(OWNER))) if remote is not None and remote.exists(OWNER) else None


def this_host(mirror: Path) -> Host:
    """The host that the mirror stands for."""
    path = mirror / HOST
    if not path.is_file():
        with explained(mirror), private_files():
            write_json(path, {"id": uuid.uuid4().hex}, durable=True)
    return Host(read_json(path)["id"], socket.gethostname(), now())
