"""The watcher of a landing folder, run by Airflow's triggerer: it makes asset events, which start DAG runs.

It keeps nothing in memory that counts: what is due stands in the ledger of the store. An event is a hint only; one that
is lost is made again, one that comes twice finds nothing left to claim.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import due
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.errors import NotTheOwner

REMIND_SECONDS = 300.0
"""How long a due run may stay unstarted until the event is made again."""


class LandingTrigger(BaseEventTrigger):
    """Makes an event when a retraining is due.

    Args:
        pipeline: name of the definition.
        policy: its ``RetrainPolicy`` as JSON values.
    """

    def __init__(self, pipeline: str, policy: dict[str, Any]) -> None:
        super().__init__()
        self.pipeline, self.policy = pipeline, policy

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as the triggerer makes it anew after every restart."""
        return "kilnworks.dags.watcher.LandingTrigger", {"pipeline": self.pipeline, "policy": self.policy}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the folder for ever. An error makes an event too: the run that it starts meets it and says so."""
        policy = RetrainPolicy.model_validate(self.policy)
        told, told_at = "", 0.0
        while True:
            key, found = await self._looked(policy)
            if key and (key != told or ("error" not in found and time.monotonic() - told_at > REMIND_SECONDS)):
                told_at = time.monotonic()
                yield TriggerEvent({"pipeline": self.pipeline, **found})
            told = key
            await asyncio.sleep(policy.poll_seconds)

    async def _looked(self, policy: RetrainPolicy) -> tuple[str, dict[str, str]]:
        """What there is to tell, and a key that changes when it does; an empty one for nothing."""
        try:
            fingerprint = await asyncio.to_thread(self._due, policy)
        except NotTheOwner as error:
            self.log.info("%s", error)
            return "", {}
        except Exception as error:
            self.log.warning("cannot look at %s: %s", policy.landing, error)
            return type(error).__name__, {"error": str(error)}
        return fingerprint or "", {"fingerprint": fingerprint or ""}

    def _due(self, policy: RetrainPolicy) -> str | None:
        """What is due, on the host that keeps the ledger. Raises ``NotTheOwner`` on another one."""
        store = open_store()
        require_owner(store, f"watching {policy.landing} for {self.pipeline}")
        return due(policy, store.root, self.pipeline, time.time())
