"""`GET /model`, `/health`, `/ready` and `/metrics`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from starlette.responses import Response

from cnnkit.serving.answer_shapes import JsonAnswer, LimitFacts, Models, Status
from cnnkit.serving.serving_state import state_of

open_router = APIRouter()  # without an API key: what starts and watches servers has none
router = APIRouter()


@open_router.get("/health", response_model=Status)
async def health() -> JsonAnswer:
    """Say that the server runs."""
    return JsonAnswer({"status": "ok"})


@open_router.get(
    "/ready",
    response_model=Status,
    responses={503: {"model": Status, "description": "The server is about to end"}},
)
async def ready(request: Request) -> JsonAnswer:
    """Say whether new requests may be sent: not any more when the server is about to end."""
    if state_of(request).is_draining:
        return JsonAnswer({"status": "draining"}, 503)
    return JsonAnswer({"status": "ready"})


@router.get("/model", response_model=Models)
async def model(request: Request) -> JsonAnswer:
    """List the models with their classes, and the limits of requests."""
    state = state_of(request)
    limits = asdict(state.limits)
    return JsonAnswer(
        {
            "models": [each.as_dict() for each in state.models.all()],
            "limits": {name: limits[name] for name in LimitFacts.model_fields},
        }
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format"}},
)
async def metrics(request: Request) -> Response:
    """Return counts and times for Prometheus."""
    state = state_of(request)
    state.metrics.queue.set(state.batching.num_waiting)
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
