"""What a server on a network meets: damaged images, random bytes, slow and broken connections.

Nothing that a client sends may end in a 5xx, in a request that hangs, or in a server that is ill.
"""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from predict_command import image_folder
from servers import form, serving

import cnnkit

_CHUNKED = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(trained_run):
    words = ("--model", f"tiny={trained_run.folder}", "--timeout", "2", "--max-megabytes", "8")
    with serving(*words, "--max-megapixels", "20") as running:
        yield running
        assert running.ask("/health")[0] == 200
        statuses = [line["status"] for line in running.log if line["event"] == "request"]
        assert statuses and max(statuses) < 500
        assert len(running.notes) == 2, running.notes  # nothing but what it said at its start


@pytest.fixture(scope="module")
def image(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))[0]


def connection_to(server):
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname, place.port), timeout=20)


def test_awkward_files_are_answered_as_predict_does(server, trained_run, shared_data, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000_000)  # half of the server's limit
    files = sorted((shared_data / "messy").iterdir())
    wanted = cnnkit.load_run(trained_run.folder).predict(files)
    for path, prediction in zip(files, wanted, strict=True):
        status, value = server.predict(path)
        (row,) = value["predictions"]
        assert (row.get("error"), row.get("kind")) == (prediction.error, prediction.kind), path
        assert status == (200 if prediction.error is None else 422)
        assert row.get("prediction") == prediction.answer


def test_random_bytes_and_damaged_images(server, image):
    rng, whole = random.Random(0), image.read_bytes()
    types = ["image/png", "application/json", "multipart/form-data; boundary=x", "text/html", ""]
    for number in range(200):
        if number % 2:
            body = rng.randbytes(rng.randint(0, 5000))
        else:
            damaged = bytearray(whole)
            for _ in range(rng.randint(1, 20)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            body = bytes(damaged[: rng.randint(1, len(damaged))])
        path = rng.choice(["/predict", "/v1/models/tiny:predict", "/predict?topk=3"])
        headers = {"Content-Type": rng.choice(types)}
        status, _, _ = server.ask(path, body, method="POST", headers=headers)
        assert status == 200 or 400 <= status < 500


def png_that_claims(width, height, content=b""):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content)


def test_bombs(server):
    stream = io.BytesIO()
    Image.new("RGB", (6000, 5000)).save(stream, "PNG")  # 30 megapixels in 90 KB
    bombs = [
        stream.getvalue(),
        png_that_claims(60_000, 60_000),
        png_that_claims(4000, 4000, zlib.compress(bytes(100_000_000))),
    ]
    # The last one is an image of 48 MB, and more than that is not unpacked.
    for bomb, wanted in zip(bombs, (422, 422, 200), strict=True):
        begin = time.monotonic()
        status, value = server.predict(bomb)
        assert status == wanted, value
        assert time.monotonic() - begin < 20
    assert server.predict(bombs[0])[1]["kind"] == "too_large"
    assert "20,000,000 pixels" in server.predict(bombs[0])[1]["error"]


def test_bodies_and_images_beyond_the_limits(server, image):
    status, _, value = server.ask("/predict", bytes(9_000_000))
    assert status == 413 and "8 MB" in value["error"]
    status, value = server.predict(*[image] * 33)
    assert status == 413 and "at most 32" in value["error"]
    # Without a length: in chunks, of which only the sum is too large.
    with closing(connection_to(server)) as connection:
        connection.sendall(_CHUNKED)
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        for _ in range(9):
            connection.sendall(chunk)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_slow_body_is_given_up(server):
    with closing(connection_to(server)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        answer = drip(connection, b"x")
        assert answer.startswith(b"HTTP/1.1 408") and b"did not arrive within 2 s" in answer
        assert b"connection: close" in answer


def test_slow_and_endless_headers_are_cut_off(server):
    with closing(connection_to(server)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX: ")
        assert drip(connection, b"x") == b""
    with closing(connection_to(server)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for _ in range(100_000):
                connection.sendall(b"X: " + b"x" * 1000 + b"\r\n")
    with closing(connection_to(server)) as silent:
        assert silent.recv(100) == b""


def drip(connection, byte):
    """Send a byte now and then until the server answers, and return all that it says."""
    connection.settimeout(0.2)
    end, answer = time.monotonic() + 15, b""
    while time.monotonic() < end:
        try:
            connection.sendall(byte)
            if not (part := connection.recv(10_000)):
                return answer
            answer += part
        except TimeoutError:
            continue
        except OSError:
            return answer
    raise AssertionError("the server waits for ever")


def test_connections_that_break_off(server, image):
    body, headers = form([image])
    head = "POST /predict HTTP/1.1\r\nHost: a\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    for length in range(1, len(whole), len(whole) // 40):
        connection = connection_to(server)
        connection.sendall(whole[:length])
        if length % 2:  # a reset, not an end
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    assert server.predict(image)[0] == 200


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/9.9",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET http://[ HTTP/1.1",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1",
        b"POST /predict HTTP/1.1\r\nContent-Length: 99999999999999999999999",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ",
        b"GET /\xff\xfe%ff%00 HTTP/1.1",
        b"GET /v1/models/%00%2e%2e HTTP/1.1",
    ],
)
def test_what_is_not_http_is_refused(server, line):
    with closing(connection_to(server)) as connection:
        connection.sendall(line + b"\r\nHost: a\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(10_000)
    assert not answer or answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.0 4")


def test_many_idle_connections_do_not_shut_others_out(server, image):
    idle = [connection_to(server) for _ in range(300)]
    try:
        assert server.predict(image)[0] == 200
        assert server.ask("/health")[0] == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.slow
def test_requests_that_schemathesis_makes_up(server, tmp_path):
    """A thousand requests over the OpenAPI document; the fixture looks for a 5xx."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis needs Python 3.11, and is not installed")
    command = [program, "run", f"{server.url}/openapi.json", "--max-examples", "60"]
    command += ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]
    command += ["--exclude-path", "/explain", "--request-timeout", "30", "--seed", "1"]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout[-6000:]
    server.wait_for(lambda: len(server.log) > 1000)
