"""Read the body of a request, within the limits of bytes and of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from cnnkit.serving.limits import MEGA, Limits
from cnnkit.serving.refusal import Refusal, busy


class BodyReader:
    """Reads bodies, and knows how many bytes of them are in memory.

    Args:
        limits: of one body, of all together, and of the time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[bytes]:
        """Give the body to the block, and count its bytes until the block ends.

        Raises:
            Refusal: it is too large (413) or too slow (408), or there are too many (429).
            starlette.requests.ClientDisconnect: the client went away.
        """
        chunks: list[bytes] = []
        try:
            seconds = self._limits.request_seconds
            try:
                await asyncio.wait_for(self._read(request, chunks), seconds)
            except asyncio.TimeoutError:
                text = f"The request did not arrive within {seconds:g} seconds."
                raise Refusal(408, text, kind="timeout") from None
            yield b"".join(chunks)
        finally:
            self._held -= sum(map(len, chunks))

    async def _read(self, request: Request, chunks: list[bytes]) -> None:
        most = self._limits.body_bytes
        stated = request.headers.get("content-length", "")
        size = int(stated) if stated.isdecimal() and len(stated) < 20 else 0
        if size > most:
            raise self._too_large()
        if self._held + size > self._limits.held_bytes:
            raise busy("Other requests fill the memory. Try again.")
        size = 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            self._held += len(chunk)
            if size > most:
                raise self._too_large()
            if self._held > self._limits.held_bytes:
                raise busy("Other requests fill the memory. Try again.")

    def _too_large(self) -> Refusal:
        most = self._limits.body_bytes / MEGA
        return Refusal(
            413, f"The request is larger than {most:g} MB. Send fewer or smaller images.",
            kind="too_large",
        )  # fmt: skip
