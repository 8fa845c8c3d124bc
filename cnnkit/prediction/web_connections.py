"""Connections to web servers: only to addresses that were checked, and never for too long."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    IncompleteRead,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from cnnkit.prediction.network_places import Place, ip_addresses
from cnnkit.text import count_of, duration_text

MOST_SECONDS = 60.0  # for one image, with redirects and all attempts
SILENT_SECONDS = 15.0  # without a connection or a byte
_WATCH_SECONDS = 0.2
_MOST_IDLE = 32
# What urllib3, http.client and ssl raise for servers that do not do what they should.
_FAILURES = (HTTPError, http.client.HTTPException, OSError)


class FetchError(Exception):
    """An attempt failed; the text is the reason.

    Args:
        reason: why.
        is_passing: whether another attempt may succeed.
        kind: of the error that the user sees; by default it says the same.
    """

    def __init__(self, reason: str, *, is_passing: bool = False, kind: str = "") -> None:
        super().__init__(reason)
        self.is_passing = is_passing
        self.kind = kind or ("unreachable" if is_passing else "unreadable_file")


class Watch:
    """Ends what a thread waits for when its time is over, also with a server that sends drops.

    Args:
        end: the time, by `time.monotonic`.
        stopped: ends it, too.
    """

    def __init__(self, end: float, stopped: threading.Event) -> None:
        self._end, self._stopped = end, stopped
        self._done = threading.Event()
        self.connection: HTTPConnection | None = None
        self._is_over = False

    def __enter__(self) -> Watch:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(_WATCH_SECONDS):
            if self._stopped.is_set() or time.monotonic() > self._end:
                self._is_over = True
                sock = self.connection and self.connection.sock
                if sock:
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)  # whoever waits for it goes on at once

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Put into words what servers and networks do inside a block."""
        try:
            yield
        except _FAILURES as error:
            if self._is_over:
                reason = f"it took more than {duration_text(MOST_SECONDS)}"
                raise FetchError(reason, kind="unreachable") from error
            is_passing = not isinstance(error, ssl.SSLCertVerificationError | DecodeError)
            raise FetchError(_reason(error), is_passing=is_passing) from error


class WebConnections:
    """Opens connections, and keeps those that are not in use for the next image of their server.

    They are closed when nobody has this object any more.

    Args:
        allow_private: whether they may lead to this computer or into a private network.
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._idle: list[tuple[tuple[str, str, int], HTTPConnection]] = []
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def to(self, place: Place, watch: Watch) -> Iterator[HTTPConnection]:
        """Give a connection to a server for one answer, which has to be read to its end.

        Raises:
            AddressError: the server's name cannot be looked up, or it is in a private network.
            FetchError: no address of the server answers.
        """
        connection = self._kept(place) or self._new(place, watch)
        watch.connection = connection
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _MOST_IDLE:
            self._idle.append((place[:3], connection))
        else:
            connection.close()

    def _new(self, place: Place, watch: Watch) -> HTTPConnection:
        failure = FetchError("the server has no address")
        for address in ip_addresses(place, allow_private=self._allow_private):
            watch.connection = connection = _unconnected(address, place)
            try:
                with watch.explaining():
                    connection.connect()
            except FetchError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _kept(self, place: Place) -> HTTPConnection | None:
        while self._idle:
            try:
                server, connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                return None
            if server == place[:3] and connection.is_connected:
                return connection
            connection.close()
        return None


def _close(idle: list[tuple[tuple[str, str, int], HTTPConnection]]) -> None:
    for _, connection in idle:
        connection.close()


def _unconnected(address: str, place: Place) -> HTTPConnection:
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=SILENT_SECONDS)
    return HTTPSConnection(
        address,
        place.port,
        timeout=SILENT_SECONDS,
        ssl_context=_trust(),
        server_hostname=place.host,
    )


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads a hundred certificates, so only once


def _reason(error: Exception) -> str:
    is_timeout = isinstance(error, TimeoutError | ConnectTimeoutError | ReadTimeoutError)
    if is_timeout and not isinstance(error, NewConnectionError):  # which is one by inheritance
        return f"the server sent nothing for {duration_text(SILENT_SECONDS)}"
    if isinstance(error, DecodeError):
        return "its compression is damaged"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the server is not valid: {error.verify_message}"
    cause = _cause(error)
    if isinstance(cause, IncompleteRead):
        return f"the connection ended after {count_of(int(cause.partial), 'byte')}"
    reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"the connection failed: {reason}"


def _cause(error: BaseException) -> BaseException:
    """Return what urllib3 has wrapped."""
    if isinstance(error, ProtocolError) and isinstance(error.args[-1], Exception):
        return error.args[-1]
    return error.__cause__ if isinstance(error.__cause__, OSError) else error
