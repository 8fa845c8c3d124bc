"""Load models again when their files change, and new versions when they appear."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cnnkit.errors import CnnkitError, reason_of
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.serving.limits import Limits
from cnnkit.serving.model_sources import ModelSource
from cnnkit.serving.request_log import RequestLog
from cnnkit.serving.served_models import (
    FileState,
    ServedModel,
    ServedModels,
    file_state,
    load_served,
)
from cnnkit.serving.serving_metrics import ServingMetrics

_SECONDS = 1.0  # between two looks at the files


class Reloading:
    """Compares the files with what is loaded, again and again.

    A file that changes is loaded when it was the same in two looks one after the other: it may
    still be written. If it cannot be loaded, the earlier model goes on.

    Args:
        sources: what the user named.
        models: that are loaded.
        limits: how many workers there are.
        how: what the user says about models that cnnkit did not write.
        metrics: counts.
        log: lines about what was loaded.
    """

    def __init__(
        self,
        sources: list[ModelSource],
        models: ServedModels,
        limits: Limits,
        how: HowToRead,
        metrics: ServingMetrics,
        log: RequestLog,
    ) -> None:
        self._sources, self._models, self._limits = sources, models, limits
        self._how, self._metrics, self._log = how, metrics, log
        self._seen: dict[tuple[str, int], FileState] = {}
        self._failed: dict[tuple[str, int], FileState] = {}

    async def run(self) -> None:
        """Look at the files until the task is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Look at the files once, and load what has changed."""
        for source in self._sources:
            try:
                files = source.files(_say_nothing)
                states = {version: file_state(path) for version, path in files.items()}
            except (CnnkitError, OSError):  # it is being moved or written; the model goes on
                continue
            loaded = self._models.versions(source.name)
            for version, path in files.items():
                state = states[version]
                if version in loaded and loaded[version].state == state:
                    continue
                key = (source.name, version)
                if self._seen.get(key) == state and self._failed.get(key) != state:
                    self._load(source.name, version, path, state)
                self._seen[key] = state
            if source.version is None:
                self._forget(loaded, set(files))

    def _load(self, name: str, version: int, path: Path, state: FileState) -> None:
        try:
            model = load_served(name, version, path, self._limits.workers, self._how, _say_nothing)
        except (CnnkitError, OSError) as error:
            self._failed[name, version] = state
            self._metrics.reloads.labels(name, "failed").inc()
            self._log.event("reload_failed", model=name, version=version, error=reason_of(error))
            return
        self._models.put(model)
        self._metrics.reloads.labels(name, "loaded").inc()
        self._metrics.loaded.labels(name, version).set_to_current_time()
        self._log.event("loaded", model=name, version=version, sha256=model.sha256)

    def _forget(self, loaded: dict[int, ServedModel], there: set[int]) -> None:
        """Take versions away whose folders are gone, but never the last one."""
        if there & set(loaded):
            for version in set(loaded) - there:
                self._models.remove(loaded[version])
                self._log.event("removed", model=loaded[version].name, version=version)


def _say_nothing(sentence: str) -> None:
    """Leave out what was said when the server started."""
