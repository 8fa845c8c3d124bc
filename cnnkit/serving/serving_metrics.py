"""What the server counts and measures, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from cnnkit.prediction import Prediction
from cnnkit.serving.served_models import ServedModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class ServingMetrics:
    """The metrics of one server; each is an attribute."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self.requests = Counter(
            "cnnkit_requests",
            "Requests by address and status.",
            ["path", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "cnnkit_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["path"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.images = Counter(
            "cnnkit_images",
            "Images by model and outcome: answered, unknown, or the kind of fault.",
            ["model", "version", "outcome"],
            registry=registry,
        )
        self.image_seconds = Histogram(
            "cnnkit_image_seconds",
            "Seconds per image: waiting in the queue, decoding, computing.",
            ["step"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.batch_images = Histogram(
            "cnnkit_batch_images",
            "Images that a worker takes at a time.",
            registry=registry,
            buckets=_IMAGES,
        )
        self.queue = Gauge("cnnkit_queue_images", "Images that wait.", registry=registry)
        self.refused = Counter(
            "cnnkit_refused", "Requests refused by a limit.", ["reason"], registry=registry
        )
        self.loaded = Gauge(
            "cnnkit_model_loaded_seconds",
            "When a model was loaded, in Unix time.",
            ["model", "version"],
            registry=registry,
        )
        self.reloads = Counter(
            "cnnkit_reloads",
            "Attempts to load a model again, by result.",
            ["model", "result"],
            registry=registry,
        )

    def answered(
        self,
        model: ServedModel,
        predictions: Sequence[Prediction],
        *,
        waited: Iterable[float],
        decoding: float,
        computing: float,
    ) -> None:
        """Count one batch.

        Args:
            model: which one answered.
            predictions: one per image.
            waited: seconds of each image in the queue.
            decoding: seconds for all images.
            computing: seconds for all images.
        """
        self.batch_images.observe(len(predictions))
        queue, decode, compute = (
            self.image_seconds.labels(step) for step in ("queue", "decode", "compute")
        )
        for prediction, seconds in zip(predictions, waited, strict=True):
            queue.observe(seconds)
            decode.observe(decoding / len(predictions))
            compute.observe(computing / len(predictions))
            outcome = prediction.kind or ("unknown" if prediction.reason else "answered")
            self.images.labels(model.name, model.version, outcome).inc()

    def text(self) -> bytes:
        """Return all of them, in Prometheus's text format."""
        return generate_latest(self._registry)
