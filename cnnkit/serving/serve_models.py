"""Load the models that a user names, and serve them until a signal comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.runs import note_unfinished, run_around
from cnnkit.serving.application import application
from cnnkit.serving.batching import Batching
from cnnkit.serving.explainer import Explainer
from cnnkit.serving.http_server import bound_socket, run_server
from cnnkit.serving.limits import Limits
from cnnkit.serving.model_sources import Note, model_sources
from cnnkit.serving.reloading import Reloading
from cnnkit.serving.request_body import BodyReader
from cnnkit.serving.request_log import RequestLog
from cnnkit.serving.served_models import ServedModels, load_served
from cnnkit.serving.serving_metrics import ServingMetrics
from cnnkit.serving.serving_state import ServingState


@dataclass(frozen=True)
class ServerSettings:
    """What the user sets.

    Args:
        models: `NAME=RUN` each; none for the newest finished run.
        how: what is said about models that cnnkit did not write.
        runs_folder: where run names are looked up.
        host: the address to listen on.
        port: 0 for any free one.
        api_key: that requests must have; None for none.
        origins: of web pages elsewhere that may ask.
        limits: of requests.
        log_json: whether the log is JSON lines on stdout.
    """

    models: Sequence[str]
    how: HowToRead
    runs_folder: Path
    host: str
    port: int
    api_key: str | None
    origins: Sequence[str]
    limits: Limits
    log_json: bool


def serve_models(settings: ServerSettings, note: Note) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        settings: what the user sets.
        note: called with sentences for people.

    Raises:
        CnnkitError: a model cannot be loaded, or the address is taken.
    """
    limits, how = settings.limits, settings.how
    Image.MAX_IMAGE_PIXELS = limits.image_pixels // 2  # decoding accepts twice as many
    bound = bound_socket(settings.host, settings.port)  # before models are loaded
    with bound:
        sources = model_sources(settings.models, settings.runs_folder, note)
        models = ServedModels()
        for source in sources:
            for version, path in source.files(note).items():
                if run := run_around(path):
                    note_unfinished(run, note)
                models.put(load_served(source.name, version, path, limits.workers, how, note))
                note(f"model {source.name}, version {version}: {path}")
        state = _state(models, settings)
        app = application(state, api_key=settings.api_key, origins=settings.origins)
        reloading = Reloading(sources, models, limits, how, state.metrics, state.log)
        host, port = bound.getsockname()[:2]
        state.log.event("started", host=host, port=port, models=len(models.all()))
        listening = f"listening on http://{f'[{host}]' if ':' in host else host}:{port}"
        run_server(app, state, bound, lambda: note(listening), reloading.run)
    state.log.event("ended")
    state.batching.close()
    state.explainer.close()
    state.log.close()


def _state(models: ServedModels, settings: ServerSettings) -> ServingState:
    limits, how, metrics = settings.limits, settings.how, ServingMetrics()
    log = RequestLog(settings.log_json)
    for model in models.all():
        metrics.loaded.labels(model.name, model.version).set_to_current_time()
    return ServingState(
        models,
        limits,
        metrics,
        log,
        Batching(limits, metrics),
        BodyReader(limits),
        Explainer(),
        how,
    )
