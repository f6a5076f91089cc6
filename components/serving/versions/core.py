"""Which models are served: configuration, polling of base paths, labels, and finding a version for a request."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kilnworks.components.serving.errors import invalid_argument, not_found
from kilnworks.components.serving.versions.labels import checked_labels
from kilnworks.components.serving.versions.manager import Loader, LoadSettings, VersionManager
from kilnworks.components.serving.versions.model_config import ServedModel, served_models
from kilnworks.components.serving.versions.states import StateMonitor
from kilnworks.components.serving.versions.version_source import BasePathMissing, aspired_versions
from kilnworks.components.serving.wire.values import ModelSpecRef, VersionStatus

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CoreSettings:
    """How the file system is watched and labels are checked.

    Attributes:
        poll_seconds: between two looks at the base paths; 0 = one look for each configuration; negative = none.
        labels_for_unavailable: let new labels point to versions that are not available yet.
        load: threads and retries of loads.
        check: raises ``ServingError`` for a model that may not be served.
    """

    poll_seconds: float = 1.0
    labels_for_unavailable: bool = False
    load: LoadSettings = field(default_factory=LoadSettings)
    check: Callable[[ServedModel], None] = lambda model: None


class ServerCore:
    """The served models. ``reload`` says what to serve, ``acquire`` finds a version, ``close`` unloads all."""

    def __init__(self, load: Loader, settings: CoreSettings = CoreSettings()) -> None:
        self._settings = settings
        self.monitor = StateMonitor()
        self._manager = VersionManager(load, self.monitor, settings.load)
        self.served = self._manager.served
        self.acquire = self.served.acquire
        self._lock = threading.Lock()
        self._models: tuple[ServedModel, ...] = ()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._poll, name="base-path-poll", daemon=True)
        self._thread.start()

    def reload(
        self,
        config: Any,
        timeout_seconds: float | None = None,
        given_up: Callable[[], bool] = lambda: False,
        wait: bool = True,
    ) -> None:
        """Serve exactly the models of a ``ModelServerConfig``.

        Returns when every model that is new has an available version.

        Raises:
            ServingError: a bad configuration or label (then nothing has changed), UNKNOWN when a new model ended in
                error, DEADLINE_EXCEEDED.
        """
        if config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        with self._lock:
            models = served_models(config, self._models)
            for model in models:
                self._settings.check(model)
            labels = checked_labels(models, self.monitor, self.served.labels, self._settings.labels_for_unavailable)
            since = self.monitor.events()
            new = {model.name for model in models} - {model.name for model in self._models}
            gone = {model.name for model in self._models} - {model.name for model in models}
            self._models, self.served.labels = models, labels
            for name in gone:
                self._manager.aspire(name, {})
        self._wake.set()
        if wait:
            self.monitor.wait_until_available(sorted(new), since, timeout_seconds, given_up)

    def status(self, spec: ModelSpecRef) -> tuple[VersionStatus, ...]:
        """States of a model's versions, newest first, or of the one named. A label is ignored.

        Raises: ServingError NOT_FOUND.
        """
        versions = self.monitor.versions(spec.name)
        if spec.version is not None:
            found = tuple(status for status in versions if status.version == spec.version)
            if not found:
                raise not_found(f"Could not find version {spec.version} of model {spec.name}")
            return found
        if not versions:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return versions

    def models(self) -> tuple[ServedModel, ...]:
        """The configuration in force."""
        return self._models

    def ready(self) -> bool:
        """Whether every configured model has a version that can be called."""
        return all(model.name in self.served.models for model in self._models)

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Stop polling and unload everything."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout_seconds)
        self._manager.close(timeout_seconds)

    def _poll(self) -> None:
        periodic = self._settings.poll_seconds if self._settings.poll_seconds > 0 else None
        while not self._closed:
            self._wake.wait(periodic)
            self._wake.clear()
            if not self._closed and self._settings.poll_seconds >= 0:
                self._poll_once()

    def _poll_once(self) -> None:
        """Look at every base path; when one cannot be listed, nothing changes for any model."""
        with self._lock:
            models = self._models
            try:
                wanted = aspired_versions(models)
            except BasePathMissing as error:
                _LOG.error("%s", error)
                return
            for name, versions in wanted.items():
                self._manager.aspire(name, versions)
