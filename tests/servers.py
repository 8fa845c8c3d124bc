"""`cnnkit serve` in a process of its own, and the requests of clients."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_BOUNDARY = "cnnkit-test-boundary"


@dataclass(eq=False)
class Server:
    """A server that runs.

    Args:
        process: it.
        notes: lines on stderr so far.
        log: lines on stdout so far, as JSON values.
        url: its address.
    """

    process: subprocess.Popen
    notes: list[str] = field(default_factory=list)
    log: list[dict] = field(default_factory=list)
    url: str = ""

    def ask(self, path, body=None, *, method=None, headers=None, timeout=60):
        """Return (status, headers, value) of a request of its own connection."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"), path, body, headers or {}
            )
            return answer_of(connection)
        finally:
            connection.close()

    def predict(self, *images, query="", **options):
        """Return (status, value) for images in a form."""
        body, headers = form(images)
        status, _, value = self.ask(f"/predict{query}", body, headers=headers, **options)
        return status, value

    def stop(self, seconds=60):
        """End it as a system would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def wait_for(self, condition, seconds=60):
        """Wait until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.notes
            assert time.monotonic() < end, (self.notes, self.log[-10:])
            time.sleep(0.02)


def answer_of(connection):
    """Return (status, headers, value) of the answer that comes next on a connection."""
    answer = connection.getresponse()
    text = answer.read()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status, answer.headers, json.loads(text) if is_json else text


def form(images):
    """Return (body, headers) of a form with images: paths, or bytes."""
    parts = []
    for image in images:
        name, content = (
            ("image", image) if isinstance(image, bytes) else (image.name, image.read_bytes())
        )
        head = f'Content-Disposition: form-data; name="image"; filename="{name}"'
        parts.append(f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    body = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    return body, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


@contextmanager
def serving(*words, environment=None):
    """Run `cnnkit serve` with some options on a free port while the block runs."""
    command = [sys.executable, "-m", "cnnkit", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    server = Server(process)
    readers = [
        threading.Thread(target=lambda: [server.log.append(json.loads(x)) for x in process.stdout]),
        threading.Thread(target=lambda: [server.notes.append(x.rstrip()) for x in process.stderr]),
    ]
    for reader in readers:
        reader.start()
    try:
        server.wait_for(lambda: any(x.startswith("listening on ") for x in server.notes))
        server.url = server.notes[-1].removeprefix("listening on ")
        yield server
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
