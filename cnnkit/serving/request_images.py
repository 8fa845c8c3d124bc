"""The encoded images in the body of a request: a form, JSON, or the image itself."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cnnkit.serving.refusal import Refusal

# It logs what it cannot read, byte by byte.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

RAW_TYPES = ("application/octet-stream", "application/x-www-form-urlencoded")
_UNNAMED = "-"


@dataclass(frozen=True)
class RequestImages:
    """The images of one request.

    Args:
        names: of the files, as far as the client gave them; otherwise `-`.
        images: their bytes.
    """

    names: list[str]
    images: list[bytes]

    def check_number(self, most: int) -> RequestImages:
        """Return the same.

        Raises:
            Refusal: there is no image (422), or more than `most` (413).
        """
        if not self.images:
            text = "There is no image in the request. Send one as a file of a form, or as the body."
            raise Refusal(422, text)
        if len(self.images) > most:
            text = f"There are {len(self.images)} images in the request, at most {most} are taken."
            raise Refusal(413, f"{text} Send several requests.", kind="too_many")
        return self


def images_in(body: bytes, content_type: str) -> RequestImages:
    """Return the images of a request.

    Args:
        body: of the request.
        content_type: `multipart/form-data`, whose parts are images; `application/json`, an object
            with a list of `images` in base64; or `image/...`, `audio/...`, or anything that does
            not say what it is: the body is the image, or a sound.

    Raises:
        Refusal: the body is not what its type says (400), or of another type (415).
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _of_form(body, content_type)
    if kind == "application/json":
        return _of_json(body)
    if not kind or kind.startswith(("image/", "audio/")) or kind in RAW_TYPES:
        return RequestImages([_UNNAMED], [body]) if body else RequestImages([], [])
    raise Refusal(
        415,
        f"The content type {ascii(kind[:80])} is not taken. Send multipart/form-data, image/*, "
        "audio/*, application/octet-stream or application/json.",
    )


def parsed_json(body: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        Refusal: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from error


def decoded_base64(text: Any, place: str) -> bytes:
    """Return the bytes of a text in base64, which may begin like a data URL.

    Args:
        text: what the client sent.
        place: where it was, for the message.

    Raises:
        Refusal: it is no base64.
    """
    if not isinstance(text, str):
        raise Refusal(400, f"{place}: expected a text in base64.")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    text = "".join(text.split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, f"{place}: this is not base64.") from error


def _of_json(body: bytes) -> RequestImages:
    value = parsed_json(body)
    images = value.get("images") if isinstance(value, dict) else None
    if not isinstance(images, list):
        text = 'Send an object with a list of images in base64: {"images": ["iVBORw0..."]}.'
        raise Refusal(422, text)
    found = [decoded_base64(each, f"images[{place}]") for place, each in enumerate(images)]
    return RequestImages([_UNNAMED] * len(found), found)


def _of_form(body: bytes, content_type: str) -> RequestImages:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refusal(400, "The content type multipart/form-data lacks its boundary.")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Refusal(400, "The body is not a form as multipart/form-data.") from error
    if not form.is_complete:
        raise Refusal(400, "The form is cut off: its closing boundary is missing.")
    return RequestImages(form.names, [bytes(part) for part in form.parts])


class _Form:
    """Collects the parts of a form: the parser calls its methods."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parts: list[bytearray] = []
        self.is_complete = False
        self._header = self._value = b""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self.names.append(_UNNAMED)
        self.parts.append(bytearray())

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1] += data[start:end]

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            name = parse_options_header(self._value)[1].get(b"filename", b"")
            self.names[-1] = name.decode(errors="replace") or _UNNAMED
        self._header = self._value = b""

    def _end(self) -> None:
        self.is_complete = True
