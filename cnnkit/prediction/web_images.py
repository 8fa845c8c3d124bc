"""Images at http and https addresses: in bounded time and size, never from a private network.

Nothing is written to disk. What fails for a while, such as a busy server, is tried again.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urljoin

from urllib3.response import HTTPResponse

from cnnkit.errors import ImageError
from cnnkit.prediction.network_places import AddressError, place_of
from cnnkit.prediction.web_connections import MOST_SECONDS, FetchError, Watch, WebConnections
from cnnkit.text import shown, size_text
from cnnkit.version import VERSION

MOST_BYTES = 100_000_000  # of one image, also after decompression
_MOST_REDIRECTS = 5
_PAUSES_SECONDS = (0.5, 2.0)  # before each new attempt
# Answers of a busy server or a slow proxy; any other one would be the same the next time.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE_BYTES = 1 << 18
# Images are compressed already. What a server compresses all the same is decompressed in pieces.
_HEADERS = {"User-Agent": f"cnnkit/{VERSION}", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class WebImage:
    """An image file at an http or https address.

    Args:
        url: the address.
        connections: to its server and others.
    """

    url: str
    connections: WebConnections = field(default_factory=WebConnections, compare=False)

    def __str__(self) -> str:
        return self.url

    def read_bytes(self) -> bytes:
        """Return the encoded image.

        Raises:
            ImageError: it cannot be had, or not in time, or it is too large.
        """
        return self.fetch(threading.Event())

    def fetch(self, stopped: threading.Event) -> bytes:
        """Return the encoded image, as `read_bytes`.

        Args:
            stopped: ends the attempts as soon as it is set.
        """
        end = time.monotonic() + MOST_SECONDS
        for pause in (*_PAUSES_SECONDS, None):
            try:
                with Watch(end, stopped) as watch:
                    return self._content(watch)
            except FetchError as error:
                if not error.is_passing or pause is None or time.monotonic() + pause > end:
                    raise ImageError(str(error), kind=error.kind) from error
            if stopped.wait(pause):
                break
        raise ImageError("the prediction was stopped", kind="unreachable")

    def _content(self, watch: Watch) -> bytes:
        """Ask once, and follow redirects.

        Raises:
            FetchError: the image is not had.
        """
        url = self.url
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                return self._answer(url, watch)
            except AddressError as error:
                reason = str(error) if url == self.url else f"it leads to {shown(url)}: {error}"
                raise FetchError(reason, is_passing=error.is_passing) from error
            except _Redirect as redirect:
                url = urljoin(url, redirect.location)
        raise FetchError(f"there are more than {_MOST_REDIRECTS} redirects")

    def _answer(self, url: str, watch: Watch) -> bytes:
        place = place_of(url)
        with self.connections.to(place, watch) as connection, watch.explaining():
            headers = {"Host": place.header, **_HEADERS}
            connection.request("GET", place.target, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    raise _Redirect(answer.headers["Location"])
                return _content_of(answer)


class _Redirect(Exception):
    """The image is elsewhere."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def _content_of(answer: HTTPResponse) -> bytes:
    if answer.status != 200:
        reason = f"the server answered {answer.status} {answer.reason or ''}".rstrip()
        raise FetchError(reason, is_passing=answer.status in _PASSING)
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise _too_large()
    content = bytearray()
    while piece := answer.read(_PIECE_BYTES, decode_content=True):
        content += piece
        if len(content) > MOST_BYTES:
            raise _too_large()
    return bytes(content)


def _too_large() -> FetchError:
    return FetchError(f"it has more than {size_text(MOST_BYTES)}", kind="too_large")
