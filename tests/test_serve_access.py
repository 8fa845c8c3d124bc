"""Who may ask a server: the API key, pages of other origins; and what is wrong at its start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner
from servers import serving

from cnnkit.cli import main


@pytest.fixture(scope="module")
def guarded(trained_run):
    words = ("--model", f"tiny={trained_run.folder}", "--cors", "https://example.org")
    with serving(*words, environment={"CNNKIT_API_KEY": "s3cret"}) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    ["/predict", "/explain", "/v1/models/tiny:predict", "/v1/models/tiny/versions/1:predict"],
)
def test_without_the_key_nothing_is_answered(guarded, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
        status, sent, value = guarded.ask(path, b"x" * 300_000, headers=headers)
        assert status == 401 and value["kind"] == "unauthorized"
        assert sent["WWW-Authenticate"] == "Bearer"
    # With it, a request without an image is refused for that.
    assert guarded.ask(path, b"", headers={"Authorization": "Bearer s3cret"})[0] in (400, 422)


def test_the_key_guards_what_the_server_tells_but_not_its_health(guarded):
    right = {"Authorization": "Bearer s3cret"}
    for path in ("/model", "/metrics", "/v1/models/tiny", "/v1/models/tiny/metadata"):
        assert guarded.ask(path)[0] == 401
        assert guarded.ask(path, headers=right)[0] == 200
    assert guarded.ask("/health")[0] == guarded.ask("/ready")[0] == 200


def test_a_key_in_a_file(trained_run, tmp_path):
    file = tmp_path / "key"
    file.write_text("schlüssel\n", encoding="utf-8")
    with serving("--model", trained_run.folder, "--api-key-file", file) as server:
        key = "Bearer schlüssel".encode()
        assert server.ask("/model", headers={"Authorization": key})[0] == 200
        assert server.ask("/model", headers={"Authorization": "Bearer schluessel"})[0] == 401


def test_pages_of_other_origins_may_ask_only_if_they_are_named(guarded):
    asks = {"Access-Control-Request-Method": "POST"}
    for origin, is_allowed in (("https://example.org", True), ("https://evil.example", False)):
        headers = {"Origin": origin, **asks}
        _, sent, _ = guarded.ask("/predict", method="OPTIONS", headers=headers)
        assert (sent["Access-Control-Allow-Origin"] == origin) == is_allowed
        _, sent, _ = guarded.ask("/health", headers={"Origin": origin})
        assert (sent["Access-Control-Allow-Origin"] == origin) == is_allowed


def test_without_the_option_no_origin_is_named(trained_run):
    with serving("--model", trained_run.folder) as server:
        _, sent, _ = server.ask("/health", headers={"Origin": "https://example.org"})
        assert "Access-Control-Allow-Origin" not in sent


def refused(*words):
    result = CliRunner().invoke(main, ["serve", *map(str, words)])
    assert result.exit_code == 2, result.output
    return result.output


def test_a_host_that_does_not_exist(trained_run):
    text = refused("--model", trained_run.folder, "--port", 0, "--host", "no-such-host.invalid")
    assert "no-such-host.invalid" in text and "--host" in text and "Unknown error" not in text


def test_a_port_that_is_taken(trained_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = refused("--model", trained_run.folder, "--port", port)
    assert f"port {port}" in text and "--port" in text


def test_what_is_wrong_with_models_and_options(trained_run, tmp_path):
    (tmp_path / "empty").write_text("")
    (tmp_path / "empty.tflite").write_text("")
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    folder = trained_run.folder
    for words, part in (
        (["--model", "a b=" + str(folder)], "letters, digits"),
        (["--model", "nowhere"], "nowhere"),
        (["--model", "name="], "after the = sign"),
        (["--model", folder, "--max-queue", 3], "--max-queue 3"),
        (["--model", folder, "--labels", "imagenet"], f"{trained_run.tflite} was written by"),
        (["--model", tmp_path / "empty.tflite"], f"{tmp_path / 'empty.tflite'} "),
        (["--model", folder, "--api-key-file", tmp_path / "empty"], "is empty"),
        (["--model", folder, "--api-key-file", tmp_path / "bytes"], "is not a UTF-8 text"),
    ):
        assert part in refused("--port", 0, *words)


def test_there_are_as_many_workers_as_cores_that_may_be_used(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(37)), raising=False)
    monkeypatch.setattr(
        "cnnkit.serving.serve_models.serve_models", lambda settings, note: asked.append(settings)
    )
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 0, result.output
    assert asked[0].limits.workers == 37


def test_without_the_extra_the_command_says_what_to_install(trained_run):
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from cnnkit.cli import main; main(['serve', '--port', '0', '--model', sys.argv[1]])"
    )
    command = [sys.executable, "-c", code, str(trained_run.folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and 'pip install "cnnkit[serve]"' in done.stderr
    assert "Traceback" not in done.stderr
