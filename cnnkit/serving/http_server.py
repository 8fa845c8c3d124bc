"""Run the application on uvicorn: sockets, slow clients, and an end that loses no request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cnnkit.errors import UsageError
from cnnkit.serving.serving_state import ServingState

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

_HEADER_SECONDS = 10  # at most, for the first line and the headers of a request
_HEADER_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 20


class LimitedProtocol(HttpToolsProtocol):
    """HTTP for which a request must begin soon, and with headers of a bounded size.

    Args:
        header_seconds: for the first line and the headers of a request.
    """

    def __init__(self, *args: Any, header_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._header_seconds = header_seconds
        self._header_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to count the time."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        if self._timer is None and self._is_between_requests():
            self._start_timer()
        if self._timer is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._timer is not None and self._header_bytes > _HEADER_BYTES:
            self._abort()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        self._stop_timer()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is not used, also if the client does not read its answer."""
        if self.transport.get_write_buffer_size():
            self._abort()
        super().timeout_keep_alive_handler()

    def _is_between_requests(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _start_timer(self) -> None:
        self._header_bytes = 0
        self._timer = self.loop.call_later(self._header_seconds, self._abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        self.transport.abort()


class DrainingServer(uvicorn.Server):
    """Answers requests for a while after SIGTERM, and says that connections end.

    A client may send the next request on an open connection at the moment at which the server ends;
    closing the connection at once would lose it.

    Args:
        config: of uvicorn.
        state: of the application.
        started: called when signals are heard and requests are answered.
        work: what is done beside the requests, until it is cancelled.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServingState,
        started: Callable[[], None],
        work: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__(config)
        self._state, self._call_started, self._work = state, started, work

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer requests until a signal comes."""
        task = asyncio.create_task(self._work())
        try:
            await super().serve(sockets)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer requests."""
        await super().startup(sockets)
        self._call_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End when all requests are answered."""
        self._state.is_draining = True
        self._state.log.event("draining", connections=len(self.server_state.connections))
        loop = asyncio.get_running_loop()
        end = loop.time() + self._state.limits.drain_seconds
        while loop.time() < end and not self.force_exit:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket on an address; port 0 is any free one.

    Raises:
        UsageError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror).partition(" (while ")[0]  # what follows is the address
        raise UsageError(
            f"Cannot listen on {host} port {port}: {reason}. Choose another --port or --host."
        ) from error


def _raise_open_files() -> None:
    """Let the process have as many connections as the system allows it."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run_server(
    app: ASGIApp,
    state: ServingState,
    bound: socket.socket,
    started: Callable[[], None],
    work: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Answer requests until SIGTERM or Ctrl-C.

    Args:
        app: the application.
        state: of the application.
        bound: the socket.
        started: called when signals are heard and requests are answered.
        work: what is done beside the requests, until it is cancelled.
    """
    _raise_open_files()
    header_seconds = min(_HEADER_SECONDS, state.limits.request_seconds)
    config = uvicorn.Config(
        app,
        http=partial(LimitedProtocol, header_seconds=header_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(2 * state.limits.request_seconds) + 1,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has ended
        DrainingServer(config, state, started, work).run([bound])
