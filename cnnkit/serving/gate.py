"""What surrounds each request: its time, its line in the log, and the end of its connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnkit.serving.serving_state import ServingState

_LINGER_SECONDS = 5


class Gate:
    """ASGI middleware.

    A client that sends a large body reads the answer only when it has sent everything. So if the
    answer comes earlier, the rest of the body is read and thrown away for a while before the
    connection is closed; otherwise the client would see a broken connection and no answer.

    Args:
        app: what answers.
        state: of the server.
    """

    def __init__(self, app: ASGIApp, state: ServingState) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._state)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.note()


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, state: ServingState) -> None:
        self._scope, self._receive, self._send, self._state = scope, receive, send, state
        self._begin = time.perf_counter()
        self._is_read = False
        self._status = 499  # the client went away before there was an answer
        self._facts: dict[str, Any] = {}
        scope.setdefault("state", {})["facts"] = self._facts

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self._is_read = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            has_body = _has_body(self._scope)
            self._is_read = self._is_read or not has_body
            if not self._is_read or self._state.is_draining:
                MutableHeaders(scope=message)["connection"] = "close"
        elif not message.get("more_body") and not self._is_read:
            await self._send({**message, "more_body": True})
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._read_rest(), _LINGER_SECONDS)
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _read_rest(self) -> None:
        while not self._is_read:
            await self.receive()

    def note(self) -> None:
        route = self._scope.get("route")
        path = getattr(route, "path", None) or "other"
        seconds = time.perf_counter() - self._begin
        metrics = self._state.metrics
        metrics.requests.labels(path, self._status).inc()
        metrics.request_seconds.labels(path).observe(seconds)
        self._state.log.event(
            "request",
            method=self._scope["method"],
            path=path,
            status=self._status,
            milliseconds=round(1000 * seconds, 1),
            **self._facts,
        )


def _has_body(scope: Scope) -> bool:
    headers: dict[bytes, Any] = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
