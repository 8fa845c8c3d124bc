"""What all requests of a server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.serving.batching import Batching
from cnnkit.serving.explainer import Explainer
from cnnkit.serving.limits import Limits
from cnnkit.serving.request_body import BodyReader
from cnnkit.serving.request_log import RequestLog
from cnnkit.serving.served_models import ServedModels
from cnnkit.serving.serving_metrics import ServingMetrics


@dataclass(eq=False)
class ServingState:
    """The parts of a server.

    Args:
        models: that are loaded.
        limits: of requests.
        metrics: counts.
        log: lines about requests.
        batching: answers images.
        bodies: reads requests.
        explainer: draws explanations in a process of its own.
        how: what the user says about models that cnnkit did not write.
        is_draining: whether the server is about to end.
    """

    models: ServedModels
    limits: Limits
    metrics: ServingMetrics
    log: RequestLog
    batching: Batching
    bodies: BodyReader
    explainer: Explainer
    how: HowToRead
    is_draining: bool = False


def state_of(request: Request) -> ServingState:
    """Return the state of the server that got a request."""
    return request.app.state.serving


def note(request: Request, **facts: Any) -> None:
    """Add facts to the line of a request in the log."""
    request.scope["state"]["facts"].update(facts)
