"""`POST /predict`, `POST /explain` and `POST /features`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from cnnkit.prediction import Prediction
from cnnkit.prediction.output_formats import facts_of
from cnnkit.serving.answer_shapes import (
    Explanation,
    Failure,
    FeatureMaps,
    JsonAnswer,
    Predictions,
)
from cnnkit.serving.explain_job import ExplainJob
from cnnkit.serving.features_job import FeaturesJob
from cnnkit.serving.request_images import RAW_TYPES, RequestImages, images_in
from cnnkit.serving.served_models import ServedModel
from cnnkit.serving.serving_state import note, state_of
from cnnkit.text import count_of

router = APIRouter()

ModelName = Annotated[str | None, Query(description="Which model; by default the first.")]
ModelVersion = Annotated[
    int | None, Query(ge=1, le=10**18, description="Of the model; by default the newest.")
]


class _Images(BaseModel):
    """Encoded images in base64; a data URL is taken, too."""

    images: list[Annotated[str, Field(json_schema_extra={"format": "byte"})]] = Field(min_length=1)


_FILE = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "properties": {"image": {"type": "array", "items": _FILE, "minItems": 1}},
    "required": ["image"],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": _Images.model_json_schema()},
            **{kind: {"schema": _FILE} for kind in ("image/*", "audio/*", *RAW_TYPES)},
        },
    }
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not what its content type says"},
    401: {"model": Failure, "description": "The API key is missing or wrong"},
    404: {"model": Failure, "description": "No such model"},
    408: {"model": Failure, "description": "The request arrived too slowly"},
    413: {"model": Failure, "description": "Too large, or too many images"},
    415: {"model": Failure, "description": "Another content type"},
    429: {"model": Failure, "description": "The queue is full: try again after Retry-After"},
    503: {"model": Failure, "description": "It took too long"},
}
_NO_TENSORFLOW: dict[str, Any] = {
    "model": Failure,
    "description": "TensorFlow is not installed",
}


@router.post(
    "/predict",
    response_model=Predictions,
    openapi_extra=_BODY,
    responses={**_FAILURES, 422: {"model": Predictions | Failure, "description": "No image"}},
)
async def predict(
    request: Request,
    model: ModelName = None,
    version: ModelVersion = None,
    topk: Annotated[int, Query(ge=1, le=100_000, description="Classes per image.")] = 1,
) -> JsonAnswer:
    """Answer one or several images.

    Send a form (multipart/form-data) with the images as files, the bytes of one image, or JSON. An
    image that cannot be read has an `error` in its place; if none can be read, the status is 422.
    """
    state = state_of(request)
    served = state.models.find(model, version)
    async with state.bodies.reading(request) as body:
        sent = _sent(request, body, state.limits.request_images)
        found = await state.batching.answers(served, sent.names, sent.images)
    note(request, model=served.name, version=served.version, images=len(found))
    return _answer(served, found, topk)


@router.post(
    "/explain",
    response_model=Explanation,
    openapi_extra=_BODY,
    responses={
        **_FAILURES,
        422: {"model": Failure, "description": "The image or the class cannot be explained"},
        501: _NO_TENSORFLOW,
    },
)
async def explain(
    request: Request,
    model: ModelName = None,
    version: ModelVersion = None,
    class_name: Annotated[
        str | None, Query(alias="class", description="By default the predicted one.")
    ] = None,
    method: Literal["grad-cam", "grad-cam++", "layer-cam"] = "grad-cam",
) -> JsonAnswer:
    """Show what in one image speaks for a class, as a map on the image.

    The first request takes some seconds more, because it starts TensorFlow in a process of its own.
    """
    state = state_of(request)
    served = state.models.find(model, version)
    async with state.bodies.reading(request) as body:
        sent = _sent(request, body, 1)
        job = ExplainJob(
            *(served.path, served.state, state.how, sent.images[0], method, class_name),
            image_pixels=state.limits.image_pixels,
        )
        facts = await state.explainer.do(job)
    note(request, model=served.name, version=served.version, images=1)
    return JsonAnswer({"model": served.name, "version": served.version, **facts})


@router.post(
    "/features",
    response_model=FeatureMaps,
    openapi_extra=_BODY,
    responses={
        **_FAILURES,
        422: {"model": Failure, "description": "No image, or a model without its layers"},
        501: _NO_TENSORFLOW,
    },
)
async def features(
    request: Request, model: ModelName = None, version: ModelVersion = None
) -> JsonAnswer:
    """Show what each layer makes of one image: the maps of its most active channels.

    The model must have layers: a run, a .keras file or a network by name. Like `/explain`, it needs
    TensorFlow.
    """
    state = state_of(request)
    served = state.models.find(model, version)
    async with state.bodies.reading(request) as body:
        (image,) = _sent(request, body, 1).images
        pixels = state.limits.image_pixels
        job = FeaturesJob(served.path, served.state, state.how, image, pixels)
        facts = await state.explainer.do(job)
    note(request, model=served.name, version=served.version, images=1)
    return JsonAnswer({"model": served.name, "version": served.version, **facts})


def _sent(request: Request, body: bytes, most: int) -> RequestImages:
    return images_in(body, request.headers.get("content-type", "")).check_number(most)


def _answer(served: ServedModel, found: list[Prediction], topk: int) -> JsonAnswer:
    rows = [facts_of(prediction, topk) for prediction in found]
    facts = {"model": served.name, "version": served.version, "predictions": rows}
    if any(prediction.error is None for prediction in found):
        return JsonAnswer(facts)
    first = found[0]
    several = f"None of the {count_of(len(found), 'image')} can be read."
    error = f"The image cannot be read: {first.error}." if len(found) == 1 else several
    return JsonAnswer({**facts, "error": error, "kind": first.kind}, 422)
