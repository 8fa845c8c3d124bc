"""A web server on this machine that can resume, break off, refuse and redirect on demand."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What the server sends, and what it saw.

    Args:
        content: of every path.
        ranges: whether it sends the rest of a file on request.
        cut_after: bytes after which it closes the connection; one entry an answer, then never.
        statuses: of the answers, one after another; then 200 and 206.
        redirect: paths that lead elsewhere.
        length: whether it says how much comes.
        headers: of each answer, besides others.
        slow: seconds after each half of an answer.
        asked: the Range of every request so far.
        sent: bytes of content so far.
        url: its address, once it runs.
    """

    content: bytes = b""
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: dict[str, str] = field(default_factory=dict)
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0
    url: str = ""


@contextmanager
def serve(web):
    """Run the server while the block runs; `web.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _answer(self, web)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args):
            """Say nothing when the other side went away."""

    server = Server(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler, web):
    asked = handler.headers.get("Range")
    web.asked.append(asked)
    if handler.path in web.redirect:
        handler.send_response(302)
        handler.send_header("Location", web.redirect[handler.path])
        handler.end_headers()
        return
    status = web.statuses.pop(0) if web.statuses else 200
    if status >= 400:
        handler.send_error(status)
        return
    begin = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and web.ranges else 0
    handler.send_response(206 if begin else 200)
    body, total = web.content[begin:], len(web.content)
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
    for name, value in web.headers.items():
        handler.send_header(name, value)
    if web.length:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if web.cut_after:
        body = body[: web.cut_after.pop(0)]
    for half in (body[: len(body) // 2], body[len(body) // 2 :]):
        web.sent += len(half)  # first, so that who has the bytes finds them counted
        handler.wfile.write(half)
        handler.wfile.flush()
        time.sleep(web.slow)
