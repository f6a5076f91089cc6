"""Loads and unloads versions until those that are wanted are served; gives requests a hold on a version.

One thread decides, a pool loads, requests only read an immutable map that is replaced whole.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kilnworks.components.serving.errors import Code, ServingError, expected
from kilnworks.components.serving.versions.servable import Loaded, LoadedServable, ModelVersions, Served
from kilnworks.components.serving.versions.states import AVAILABLE, END, LOADING, START, UNLOADING, StateMonitor
from kilnworks.components.serving.versions.transition import Phase, Snapshot, next_action

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.1

Loader = Callable[[str, int, str], Loaded]


@dataclass(frozen=True)
class LoadSettings:
    """How loads are tried.

    Attributes:
        threads: loads at a time.
        retries: further tries of a load that failed.
        retry_seconds: wait between tries; negative = none.
    """

    threads: int = 2
    retries: int = 5
    retry_seconds: float = 60.0


@dataclass
class _Managed:
    """One version under management; only the manager thread and its helpers change it, under the lock."""

    model: str
    version: int
    path: str
    phase: Phase = Phase.NEW
    aspired: bool = True
    tries: int = 0
    retry_at: float | None = None
    error: ServingError | None = None
    servable: LoadedServable | None = None


class VersionManager:
    """Keeps the served versions equal to the wanted ones.

    Args:
        load: makes a ``Loaded`` of (model, version, path); raises ``ServingError``.
        monitor: where states are published.
        settings: threads and retries.

    Attributes:
        served: what requests ask.
    """

    def __init__(self, load: Loader, monitor: StateMonitor, settings: LoadSettings = LoadSettings()) -> None:
        self._load, self._monitor, self._settings = load, monitor, settings
        self._changed = threading.Condition(threading.RLock())
        self._managed: dict[str, dict[int, _Managed]] = {}
        self._pending: dict[str, Mapping[int, str]] = {}
        self.served = Served()
        self._closed = False
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="load")
        self._thread = threading.Thread(target=self._manage, name="version-manager", daemon=True)
        self._thread.start()

    def aspire(self, model: str, versions: Mapping[int, str]) -> None:
        """Say which versions of a model (number -> directory) are to be served from now on; {} = none."""
        with self._changed:
            self._pending[model] = dict(versions)
            self._changed.notify_all()

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Unload everything, waiting at most this long for running requests; then stop."""
        with self._changed:
            for model in self._managed:
                self._pending[model] = {}
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._pending and not self._managed, timeout_seconds)
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._thread.join(timeout_seconds)

    def _manage(self) -> None:
        with self._changed:
            while not self._closed:
                self._flush()
                self._take_pending()
                if not self._act():
                    self._changed.notify_all()
                    self._changed.wait(_TICK_SECONDS)

    def _flush(self) -> None:
        """Forget versions that are over and no longer wanted."""
        for model, versions in list(self._managed.items()):
            for item in list(versions.values()):
                if not item.aspired and item.phase in (Phase.NEW, Phase.DONE, Phase.FAILED):
                    if item.phase is Phase.NEW:
                        self._monitor.publish(model, item.version, END)
                    del versions[item.version]
            if not versions:
                del self._managed[model]

    def _take_pending(self) -> None:
        """Apply new wishes; one that wants a version back while it unloads waits until that has ended."""
        for model, wanted in list(self._pending.items()):
            known = self._managed.setdefault(model, {})
            if any(version in known and not known[version].aspired for version in wanted):
                continue
            del self._pending[model]
            for item in known.values():
                item.aspired = item.version in wanted
            for version in sorted(wanted.keys() - known.keys()):
                known[version] = _Managed(model, version, wanted[version])
                self._monitor.publish(model, version, START)
            if not known:
                del self._managed[model]

    def _act(self) -> bool:
        """Do one step for every model; False when there was nothing to do."""
        acted = self._retry_due()
        for versions in list(self._managed.values()):
            action = next_action(Snapshot(v.version, v.phase, v.aspired) for v in versions.values())
            if action is None:
                continue
            acted = True
            item = versions[action.version]
            if action.load:
                self._start_load(item)
            else:
                self._start_unload(item)
        return acted

    def _start_load(self, item: _Managed) -> None:
        if item.phase is Phase.NEW:
            item.phase = Phase.LOADING
            self._monitor.publish(item.model, item.version, LOADING)
        self._pool.submit(self._run_load, item)

    def _retry_due(self) -> bool:
        now, acted = time.monotonic(), False
        for versions in self._managed.values():
            for item in versions.values():
                if item.retry_at is None:
                    continue
                if not item.aspired:
                    item.retry_at = None
                    self._fail(item, item.error or ServingError(Code.CANCELLED, "Loading of servable cancelled"))
                    acted = True
                elif now >= item.retry_at:
                    item.retry_at = None
                    self._start_load(item)
                    acted = True
        return acted

    def _run_load(self, item: _Managed) -> None:
        """In the pool: load, then hand the result to the manager."""
        try:
            loaded = self._load(item.model, item.version, item.path)
        except Exception as error:
            self._load_failed(item, expected(error, f"loading version {item.version} of model {item.model}"))
        else:
            self._load_done(item, loaded)

    def _load_failed(self, item: _Managed, error: ServingError) -> None:
        _LOG.error("version %d of model %s did not load: %s", item.version, item.model, error)
        with self._changed:
            item.tries += 1
            item.error = error
            if item.aspired and item.tries <= self._settings.retries:
                item.retry_at = time.monotonic() + max(0.0, self._settings.retry_seconds)
            else:
                self._fail(item, error)
            self._changed.notify_all()

    def _fail(self, item: _Managed, error: ServingError) -> None:
        item.phase, item.error = Phase.FAILED, error
        self._monitor.publish(item.model, item.version, END, error)

    def _load_done(self, item: _Managed, loaded: Loaded) -> None:
        with self._changed:
            wanted = item.aspired and not self._closed
            if wanted:
                item.servable = LoadedServable(item.model, item.version, item.path, loaded)
                item.phase = Phase.READY
                self._swap()
                self._monitor.publish(item.model, item.version, AVAILABLE)
                _LOG.info("version %d of model %s is available", item.version, item.model)
            self._changed.notify_all()
        if not wanted:
            loaded.close()
            with self._changed:
                self._fail(item, ServingError(Code.CANCELLED, "Loading of servable cancelled"))
                self._changed.notify_all()

    def _start_unload(self, item: _Managed) -> None:
        item.phase = Phase.UNLOADING
        self._monitor.publish(item.model, item.version, UNLOADING)
        self._swap()
        servable = item.servable
        assert servable is not None
        item.servable = None
        servable.retire(lambda: self._pool_or_inline(item, servable))

    def _pool_or_inline(self, item: _Managed, servable: LoadedServable) -> None:
        """Nobody holds the version any more: release it away from the request's thread."""
        try:
            self._pool.submit(self._finish_unload, item, servable)
        except RuntimeError:
            self._finish_unload(item, servable)

    def _finish_unload(self, item: _Managed, servable: LoadedServable) -> None:
        try:
            servable.loaded.close()
        finally:
            with self._changed:
                item.phase = Phase.DONE
                self._monitor.publish(item.model, item.version, END)
                _LOG.info("version %d of model %s is unloaded", item.version, item.model)
                self._changed.notify_all()

    def _swap(self) -> None:
        """Replace the map that requests read."""
        serving: dict[str, ModelVersions] = {}
        for model, versions in self._managed.items():
            ready = {
                item.version: item.servable
                for item in versions.values()
                if item.phase is Phase.READY and item.servable is not None
            }
            if ready:
                serving[model] = ModelVersions(ready, ready[max(ready)])
        self.served.models = serving
