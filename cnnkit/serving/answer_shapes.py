"""The shapes of answers, for the OpenAPI document, and JSON responses that can be sent always."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cnnkit.serving.refusal import Refusal


class JsonAnswer(Response):
    """JSON in ASCII: a class name may have bytes that are no text, which UTF-8 cannot write."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the value as JSON."""
        return json.dumps(content, separators=(",", ":")).encode()


def refused(refusal: Refusal) -> JsonAnswer:
    """Return the answer for a refusal."""
    headers = {}
    if refusal.retry_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_seconds)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JsonAnswer(refusal.facts, refusal.status, headers)


class Failure(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="What came, what is allowed, what to do.")
    kind: str = Field(description="What sort of failure it is, for programs.")


class ClassProbability(BaseModel):
    """A class with its probability."""

    model_config = ConfigDict(populate_by_name=True)

    class_: str = Field(alias="class")
    probability: float


class ImageAnswer(BaseModel):
    """The answer for one image, as a line of `cnnkit predict --format jsonl`."""

    path: str = Field(description="The name of the file in a form, otherwise `-`.")
    prediction: str | None = Field(
        None, description="The class, or `unknown`; missing if the image cannot be read."
    )
    probability: float | None = Field(None, description="Of the most probable class.")
    reason: str | None = Field(None, description="Why the answer is `unknown`.")
    distance: float | None = Field(
        None, description="From the training images, of a calibrated model."
    )
    top: list[ClassProbability] | None = None
    error: str | None = Field(None, description="Why the image cannot be read.")
    kind: str | None = Field(None, description="The kind of fault.")


class Predictions(BaseModel):
    """The answers of a request, in the order of its images."""

    model: str
    version: int
    predictions: list[ImageAnswer]
    error: str | None = Field(None, description="Set if no image could be read; the status is 422.")
    kind: str | None = None


class Explanation(BaseModel):
    """What speaks for a class in an image."""

    model_config = ConfigDict(populate_by_name=True)

    model: str
    version: int
    prediction: str = Field(description="The most probable class.")
    class_: str = Field(alias="class", description="The class that is explained.")
    probability: float = Field(description="Of the class that is explained.")
    method: str
    layer: str | None
    highest_at: tuple[float, float] = Field(
        description="The highest place of the map: from the top and from the left, from 0 to 1."
    )
    note: str | None = Field(description="What is unusual about the map.")
    overlay: str = Field(description="The map on the image: a PNG file in base64.")


class LayerMaps(BaseModel):
    """What one layer, or the activation of one, makes of an image."""

    name: str
    kind: str
    shape: tuple[int, int, int] = Field(description="Height, width, channels.")
    channels: list[int] = Field(description="In the picture: the most active ones.")
    low: float = Field(description="The number that is black in the picture.")
    high: float = Field(description="The number that is white in the picture.")
    maps: str = Field(description="The channels, one below the other: a PNG file in base64.")


class FeatureMaps(BaseModel):
    """What each layer makes of an image."""

    model: str
    version: int
    image: str = Field(description="As the network sees it: a PNG file in base64.")
    layers: list[LayerMaps]


class ModelFacts(BaseModel):
    """One version of a model."""

    name: str
    version: int
    classes: list[str]
    image_size: tuple[int, int] = Field(description="Height and width in pixels.")
    color_mode: str
    resize: str
    calibrated: bool
    format: str
    sha256: str = Field(description="Of the model file.")
    loaded: str = Field(description="When it was loaded.")


class LimitFacts(BaseModel):
    """What the server takes."""

    body_bytes: int
    image_pixels: int
    request_images: int
    queue_images: int
    request_seconds: float


class Models(BaseModel):
    """The models of the server; the newest version of the first name is the default."""

    models: list[ModelFacts]
    limits: LimitFacts


class Status(BaseModel):
    """How the server is."""

    status: str
