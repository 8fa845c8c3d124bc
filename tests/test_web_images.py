"""Images at web addresses: real servers that are slow, cut, refuse, redirect and lie."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from predict_command import image_folder, run_predict
from raw_server import raw_server
from web import Web, serve

import cnnkit
from cnnkit.errors import ImageError
from cnnkit.prediction import web_connections, web_images
from cnnkit.prediction.network_places import is_public
from cnnkit.prediction.web_connections import WebConnections
from cnnkit.prediction.web_images import WebImage


def web_image(url):
    return WebImage(url, WebConnections(allow_private=True))


def failure(url, image=web_image):
    with pytest.raises(ImageError) as caught:
        image(url).read_bytes()
    return str(caught.value), caught.value.kind


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(web_images, "_PAUSES_SECONDS", (0.01, 0.01))


def test_addresses_are_answered_like_their_files_and_errors_are_rows(trained_run):
    paths = sorted(Path(image_folder(trained_run)).rglob("*.png"))
    expected = cnnkit.load_run(trained_run.folder).predict(paths[:1])[0]
    with serve(Web(paths[0].read_bytes())) as web, serve(Web(b"no image")) as other:
        names = [f"{web.url}/1.png", f"{other.url}/2.png", f"{web.url}/3?size=4", str(paths[0])]
        lines = "".join(f"{name}\n" for name in names).encode()
        words = ["--json", "--allow-private-addresses", "--model", trained_run.folder]
        for done in (run_predict(*names, *words), run_predict("-", *words, stdin=lines)):
            assert done.returncode == 1
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            assert [row["path"] for row in rows] == names
            assert rows[1]["kind"] == "not_an_image"
            for row in (rows[0], rows[2], rows[3]):
                assert row["prediction"] == expected.answer
                assert row["top"] == rows[3]["top"]
    assert len(web.asked) == 4


def test_only_public_addresses_are_asked_unless_others_are_allowed(trained_run, impatient):
    with serve(Web(b"secret")) as web:
        done = run_predict(f"{web.url}/1.png", "--json", "--model", trained_run.folder)
        row = json.loads(done.stdout)
        assert "127.0.0.1 is this computer or in a private network" in row["error"]
        assert "--allow-private-addresses" in row["error"] and row["kind"] == "unreadable_file"
        port = web.url.rpartition(":")[2]
        for host in ("localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0", "127.1"):
            assert "in a private network; if" in failure(f"http://{host}:{port}/1.png", WebImage)[0]
    assert web.asked == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("64:ff9b::808:808", True),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("0.0.0.0", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False), ("::", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("ff02::1", False),
    ],
)  # fmt: skip
def test_addresses_that_embed_others_are_judged_by_them(address, expected):
    assert is_public(address) is expected


def test_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch):
    """A name that leads elsewhere the second time is not looked up a second time."""
    asked, real = [], socket.getaddrinfo

    def changing(host, port, *more, **options):
        asked.append(host)
        return real("127.0.0.1" if asked.count(host) == 1 else "127.0.0.2", port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    with serve(Web(b"content")) as web:
        port = web.url.rpartition(":")[2]
        assert web_image(f"http://photos.example:{port}/1").read_bytes() == b"content"
    assert asked.count("photos.example") == 1


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "it leads to file:///etc/passwd: it is not an address of http"),
        ("ftp://127.0.0.1/1.png", "not an address of http or https"),
        ("http://user:secret@127.0.0.1/", "with a user name or a password"),
        ("http://:x/", "it is not a valid web address"),
        ("/again", "more than 5 redirects"),
    ],
)
def test_redirects_are_checked(location, reason, impatient):
    with serve(Web(redirect={"/again": location})) as web:
        assert reason in failure(f"{web.url}/again")[0]


def test_a_redirect_into_a_private_network_is_refused(monkeypatch):
    """Only the first address counts as public, as if a server on the Internet redirected."""
    monkeypatch.setattr(
        "cnnkit.prediction.network_places.is_public", lambda address: address == "127.0.0.1"
    )
    with serve(Web(b"yes")) as web:
        port = web.url.rpartition(":")[2]
        web.redirect = {"/in": f"http://127.0.0.2:{port}/x", "/near": "/x"}
        assert WebImage(f"{web.url}/near").read_bytes() == b"yes"
        reason, _ = failure(f"{web.url}/in", WebImage)
    assert f"it leads to http://127.0.0.2:{port}/x: 127.0.0.2 is this computer or in a" in reason


def test_what_fails_for_a_while_is_tried_again_and_nothing_else(impatient):
    with serve(Web(b"content", statuses=[503, 500])) as web:
        assert web_image(f"{web.url}/1").read_bytes() == b"content"
        web.statuses += [404]
        assert failure(f"{web.url}/1") == ("the server answered 404 Not Found", "unreadable_file")
        assert len(web.asked) == 4
        web.statuses += [500, 500, 500]
        assert failure(f"{web.url}/1")[1] == "unreachable" and len(web.asked) == 7
        web.cut_after = [3]
        assert web_image(f"{web.url}/1").read_bytes() == b"content"
        web.cut_after = [3, 3, 3]
        assert failure(f"{web.url}/1")[0] == "the connection ended after 3 bytes"
    assert "the connection failed: Connection refused" in failure(f"{web.url}/1")[0]


@pytest.mark.parametrize("length", [True, False])
def test_what_is_too_large_is_not_read_to_its_end(length, monkeypatch):
    with serve(Web(b"x" * 3_000_000, length=length)) as web:
        monkeypatch.setattr(web_images, "MOST_BYTES", 1_000_000)
        assert failure(f"{web.url}/1") == ("it has more than 1.0 MB", "too_large")
        assert len(web.asked) == 1


def test_compressed_answers_are_read_and_bombs_are_not():
    bomb = gzip.compress(b"\0" * 150_000_000, 1)
    with serve(Web(gzip.compress(b"content"), headers={"Content-Encoding": "gzip"})) as web:
        assert web_image(f"{web.url}/1").read_bytes() == b"content"
        web.content = bomb
        assert failure(f"{web.url}/1") == ("it has more than 100.0 MB", "too_large")
        web.content = b"no gzip"
        assert failure(f"{web.url}/1")[0] == "its compression is damaged"


def _drops(begin):
    def serve_drops(connection):
        connection.sendall(begin)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    return serve_drops


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_server_that_sends_drops_takes_no_longer_than_one_that_is_slow(begin, monkeypatch):
    monkeypatch.setattr(web_images, "MOST_SECONDS", 0.5)
    with raw_server(_drops(begin)) as url:
        assert failure(f"{url}/1")[0] == "it took more than 60 s"


def test_a_server_that_says_nothing_is_left(impatient, monkeypatch):
    monkeypatch.setattr(web_connections, "SILENT_SECONDS", 0.1)
    calls = []
    with raw_server(lambda connection: (calls.append(1), time.sleep(1))) as url:
        assert failure(f"{url}/1")[0] == "the server sent nothing for 0.1 s"
    assert len(calls) == 3


def test_a_server_that_speaks_something_else_is_an_error(impatient):
    with raw_server(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")) as url:
        assert "the connection failed" in failure(f"{url}/1")[0]
        assert "failed" in failure(url.replace("http", "https"))[0]


def test_a_stopped_prediction_does_not_wait_for_servers():
    stopped = threading.Event()
    with raw_server(_drops(b"")) as url:
        threading.Timer(0.3, stopped.set).start()
        with pytest.raises(ImageError):
            web_image(f"{url}/1").fetch(stopped)
    assert stopped.is_set()


def test_images_of_one_server_come_through_the_same_connections():
    ports = []

    def talk(connection):
        ports.append(connection.getpeername()[1])
        while connection.recv(4096).endswith(b"\r\n\r\n"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")

    with raw_server(talk) as url:
        connections = WebConnections(allow_private=True)
        for number in range(5):
            assert WebImage(f"{url}/{number}", connections).read_bytes() == b"ab"
    assert len(ports) == 1


def test_images_are_fetched_side_by_side_and_answered_in_order(trained_run):
    together = threading.Barrier(8, timeout=20)
    content = next(Path(image_folder(trained_run)).rglob("*.png")).read_bytes()

    def talk(connection):
        connection.recv(4096)
        together.wait()  # nobody is answered before eight have asked
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)

    with raw_server(talk) as url:
        names = [f"{url}/{number}" for number in range(8)]
        model = cnnkit.load_run(trained_run.folder)
        answers = model.predict(names, allow_private_addresses=True)
    assert [answer.path for answer in answers] == names
    assert all(answer.error is None for answer in answers)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_must_be_that_of_the_server(tmp_path, monkeypatch, impatient):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    more = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *more, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def talk(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")

    with raw_server(talk) as url:
        port = url.rpartition(":")[2]
        web_connections._trust.cache_clear()
        reason, _ = failure(f"https://localhost:{port}/1")
        assert "the certificate of the server is not valid" in reason
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        web_connections._trust.cache_clear()
        assert web_image(f"https://localhost:{port}/1").read_bytes() == b"ab"
        assert "certificate" in failure(f"https://127.0.0.1:{port}/1")[0]
    web_connections._trust.cache_clear()


def test_answers_about_addresses_are_kept(trained_run, tmp_path):
    content = next(Path(image_folder(trained_run)).rglob("*.png")).read_bytes()
    output = tmp_path / "answers.csv"
    with serve(Web(content)) as web:
        names = [f"{web.url}/{number}.png" for number in range(3)]
        words = ["-o", output, "--allow-private-addresses", "--model", trained_run.folder]
        assert run_predict(*names, *words).returncode == 0
        whole = output.read_bytes()
        answers = cnnkit.load_run(trained_run.folder)
        _keep(answers.predictor, names[:2], output, content)
        web.asked.clear()
        assert run_predict(*names, *words, "--resume", "--overwrite").returncode == 0
    assert len(web.asked) == 1 and output.read_bytes() == whole


def _keep(predictor, names, output, content):
    """Leave the kept answers of a prediction that was interrupted after the first images."""
    from cnnkit.prediction.kept_answers import kept_answers
    from cnnkit.prediction.predict_images import Prediction

    names_of_classes = predictor.info.class_names
    output.unlink()
    with (
        pytest.raises(KeyboardInterrupt),
        kept_answers(output, predictor.path, names_of_classes, resume=False, overwrite=False) as k,
    ):
        [answer] = cnnkit.prediction.predict(predictor, [content])
        for name in names:
            assert k.find(name) is None
            k.add(Prediction(name, names_of_classes, answer.probabilities))
        raise KeyboardInterrupt
