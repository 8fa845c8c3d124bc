"""The REST interface of TensorFlow Serving, so that its clients work: predict, status, metadata.

The signatures are those of the SavedModel that `cnnkit export` writes, so that both give the same.

Source: https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from cnnkit.model.calibrated_layers import DISTANCE, PROBABILITIES
from cnnkit.prediction import Prediction
from cnnkit.serving.answer_shapes import Failure, JsonAnswer
from cnnkit.serving.batching import Image
from cnnkit.serving.refusal import Refusal
from cnnkit.serving.request_images import decoded_base64, parsed_json
from cnnkit.serving.served_models import ServedModel
from cnnkit.serving.serving_state import note, state_of

router = APIRouter(prefix="/v1/models/{name}", tags=["TensorFlow Serving"])

_SIGNATURES = {"serving_default": "image", "serving_bytes": "image_bytes"}  # and their inputs
_CLASS = "class_name"
_LONG_BODY = 200_000  # bytes; parsing more takes milliseconds, in which other requests wait
Name = Annotated[str, Path(description="Of the model.")]
Version = Annotated[int, Path(ge=1, le=10**18, description="Of the model.")]
_Row = list[Any] | dict[str, Any]


class TensorFlowServingRequest(BaseModel):
    """Images in rows (`instances`) or in columns (`inputs`).

    Each is `{"b64": "..."}`, an encoded image, or pixels (height, width, channels) from 0 to 255.
    """

    signature_name: str = "serving_default"
    instances: list[_Row] | None = Field(None, min_length=1)
    inputs: list[_Row] | dict[str, list[_Row]] | None = None


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": TensorFlowServingRequest.model_json_schema()}},
    }
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure} for status in (400, 401, 404, 408, 413, 422, 429, 503)
}
_NO_MODEL: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure} for status in (401, 404, 422)
}


@router.post(":predict", openapi_extra=_BODY, responses=_FAILURES)
async def predict_newest(request: Request, name: Name) -> JsonAnswer:
    """Answer images with the newest version of a model."""
    return await _predict(request, state_of(request).models.find(name))


@router.post("/versions/{version}:predict", openapi_extra=_BODY, responses=_FAILURES)
async def predict_version(request: Request, name: Name, version: Version) -> JsonAnswer:
    """Answer images with one version of a model."""
    return await _predict(request, state_of(request).models.find(name, version))


@router.get("", responses=_NO_MODEL)
async def status(request: Request, name: Name) -> JsonAnswer:
    """List the versions of a model, which are all available."""
    return _status(sorted(state_of(request).models.versions(name)))


@router.get("/versions/{version}", responses=_NO_MODEL)
async def status_of_version(request: Request, name: Name, version: Version) -> JsonAnswer:
    """Say that a version of a model is available."""
    return _status([state_of(request).models.find(name, version).version])


@router.get("/metadata", responses=_NO_MODEL)
async def metadata(request: Request, name: Name) -> JsonAnswer:
    """Describe the input and the outputs of the newest version of a model."""
    return _metadata(state_of(request).models.find(name))


@router.get("/versions/{version}/metadata", responses=_NO_MODEL)
async def metadata_of_version(request: Request, name: Name, version: Version) -> JsonAnswer:
    """Describe the input and the outputs of a version of a model."""
    return _metadata(state_of(request).models.find(name, version))


async def _predict(request: Request, served: ServedModel) -> JsonAnswer:
    state = state_of(request)
    most = state.limits.request_images
    async with state.bodies.reading(request) as body:
        if len(body) > _LONG_BODY:
            images, in_rows = await asyncio.to_thread(_images_in, body, served, most)
        else:
            images, in_rows = _images_in(body, served, most)
        found = await state.batching.answers(served, ["-"] * len(images), images)
    note(request, model=served.name, version=served.version, images=len(found))
    for place, prediction in enumerate(found):
        if prediction.error is not None:
            text = f"{'instances' if in_rows else 'inputs'}[{place}]: {prediction.error}."
            raise Refusal(400, text, kind=prediction.kind or "damaged")
    rows = [_outputs(prediction) for prediction in found]
    return JsonAnswer({"predictions": rows} if in_rows else {"outputs": _columns(rows)})


def _images_in(body: bytes, served: ServedModel, most: int) -> tuple[list[Image], bool]:
    """Return the images of a request, and whether they come in rows."""
    value = parsed_json(body)
    if not isinstance(value, dict) or ("instances" in value) == ("inputs" in value):
        raise Refusal(400, 'Send an object with either "instances" (rows) or "inputs" (columns).')
    signature = value.get("signature_name") or "serving_default"
    if signature not in list(_SIGNATURES):  # which may be anything, so it is not looked up
        known = " and ".join(_SIGNATURES)
        raise Refusal(400, f"There is no signature {ascii(signature)[:80]}, only {known}.")
    in_rows = "instances" in value
    place = "instances" if in_rows else "inputs"
    images = value[place]
    if not in_rows and isinstance(images, dict):
        images = _only_value(images, place)
    if not isinstance(images, list) or not images:
        raise Refusal(400, f"{place}: expected a list of images.")
    if len(images) > most:
        text = f"{place}: {len(images)} images, at most {most} are taken. Send several requests."
        raise Refusal(413, text, kind="too_many")
    shape = served.info.pixels.shape
    return [_image(each, f"{place}[{i}]", shape) for i, each in enumerate(images)], in_rows


def _image(value: Any, place: str, shape: tuple[int, int, int]) -> Image:
    if isinstance(value, dict) and "b64" not in value:
        value = _only_value(value, place)
    if isinstance(value, dict) and "b64" in value:
        return decoded_base64(value["b64"], place)
    return _pixels(value, place, shape)


def _only_value(value: dict[str, Any], place: str) -> Any:
    """Return the value of the one input, whatever its name is."""
    if len(value) != 1:
        raise Refusal(400, f'{place}: expected one input, such as {{"image": ...}}.')
    return next(iter(value.values()))


def _pixels(value: Any, place: str, shape: tuple[int, int, int]) -> NDArray:
    try:
        pixels = np.array(value)
    except ValueError:  # rows of different lengths, or too deep
        pixels = np.array(None)
    if pixels.shape != shape or pixels.dtype.kind != "i":
        raise Refusal(
            400,
            f'{place}: expected {{"b64": "..."}} or whole numbers in the shape '
            f"({', '.join(map(str, shape))}).",
        )
    if pixels.min() < 0 or pixels.max() > 255:
        raise Refusal(400, f"{place}: pixels are from 0 to 255.")
    return pixels.astype(np.uint8)


def _outputs(found: Prediction) -> dict[str, Any]:
    outputs = {PROBABILITIES: found.probabilities.tolist(), _CLASS: found.answer}
    return outputs if found.distance is None else {**outputs, DISTANCE: found.distance}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _status(versions: list[int]) -> JsonAnswer:
    fine = {"error_code": "OK", "error_message": ""}
    found = [{"version": str(each), "state": "AVAILABLE", "status": fine} for each in versions]
    return JsonAnswer({"model_version_status": found})


def _metadata(served: ServedModel) -> JsonAnswer:
    info = served.info
    outputs = {
        PROBABILITIES: _tensor("DT_FLOAT", PROBABILITIES, -1, len(info.class_names)),
        _CLASS: _tensor("DT_STRING", _CLASS, -1),
    }
    if info.calibration is not None:
        outputs[DISTANCE] = _tensor("DT_FLOAT", DISTANCE, -1)
    of_pixels, of_bytes = _SIGNATURES.items()
    inputs = {
        of_pixels: _tensor("DT_UINT8", of_pixels[1], -1, *info.pixels.shape),
        of_bytes: _tensor("DT_STRING", of_bytes[1], -1),
    }
    signatures = {
        signature: {
            "inputs": {name: tensor},
            "outputs": outputs,
            "method_name": "tensorflow/serving/predict",
        }
        for (signature, name), tensor in inputs.items()
    }
    name, version = served.name, str(served.version)
    return JsonAnswer(
        {
            "model_spec": {"name": name, "signature_name": "", "version": version},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
    )


def _tensor(dtype: str, name: str, *sizes: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    shape = {"dim": dimensions, "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": f"{name}:0"}
