"""`cnnkit serve`: the answers of `cnnkit predict`, over HTTP."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from predict_command import image_folder, run_predict
from servers import form, serving

pytest_plugins = ["browser_fixtures"]

_GREY = bytes.fromhex(  # a GIF of one pixel
    "47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b"
)


@pytest.fixture(scope="module")
def server(trained_run):
    with serving("--model", f"tiny={trained_run.folder}") as running:
        yield running


@pytest.fixture(scope="module")
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))


def expected(trained_run, images, topk):
    """Return what `cnnkit predict` says."""
    words = [*images, "--model", trained_run.folder, "--format", "jsonl", "--topk", topk]
    rows = [json.loads(line) for line in run_predict(*words).stdout.splitlines()]
    return [{**row, "path": Path(row["path"]).name} for row in rows]


def test_answers_are_those_of_predict(server, trained_run, images):
    status, value = server.predict(*images[:5], query="?topk=3")
    assert status == 200 and (value["model"], value["version"]) == ("tiny", 1)
    assert value["predictions"] == expected(trained_run, images[:5], 3)


def test_a_calibrated_model_says_unknown_as_predict_does(calibrated_run, photographs):
    with serving("--model", f"colours={calibrated_run.folder}") as server:
        status, value = server.predict(*photographs, query="?topk=2")
        assert status == 200
        rows = value["predictions"]
        assert rows == expected(calibrated_run, photographs, 2)
        unknown = [row for row in rows if row["prediction"] == "unknown"]
        assert 0 < len(unknown) < len(rows)
        assert all(row["reason"] and row["distance"] > 0 for row in unknown)
        assert all("reason" not in row for row in rows if row not in unknown)

        images = [{"b64": base64.b64encode(path.read_bytes()).decode()} for path in photographs]
        question = json.dumps({"signature_name": "serving_bytes", "instances": images})
        answers = server.ask("/v1/models/colours:predict", question)[2]["predictions"]
        assert [each["class_name"] for each in answers] == [row["prediction"] for row in rows]
        for answer, row in zip(answers, rows, strict=True):
            assert answer["distance"] == pytest.approx(row["distance"], abs=1e-5)

        assert server.ask("/model")[2]["models"][0]["calibrated"] is True
        counted = 'cnnkit_images_total{model="colours",outcome="unknown",version="1"} '
        assert f"{counted}{2 * len(unknown)}.0" in server.ask("/metrics")[2].decode()


def test_one_image_comes_as_a_form_as_bytes_or_as_json(server, trained_run, images):
    image = images[3].read_bytes()
    (wanted,) = expected(trained_run, [images[3]], 1)
    text = base64.b64encode(image).decode()
    bodies = [
        form([images[3]]),
        (image, {"Content-Type": "image/png"}),
        (image, {"Content-Type": "application/octet-stream"}),
        (image, {"Content-Type": "application/x-www-form-urlencoded"}),  # curl --data-binary
        (image, {}),
        (json.dumps({"images": [text]}), {"Content-Type": "application/json"}),
        (
            json.dumps({"images": [f"data:image/png;base64,{text}"]}),
            {"Content-Type": "application/json; charset=utf-8"},
        ),
    ]
    for body, headers in bodies:
        status, _, value = server.ask("/predict", body, method="POST", headers=headers)
        assert status == 200, value
        (row,) = value["predictions"]
        assert {**row, "path": ""} == {**wanted, "path": ""}


def test_an_image_that_cannot_be_read_has_its_error_in_its_place(server, images):
    status, value = server.predict(images[0], b"no image", images[1])
    assert status == 200
    assert [row.get("kind") for row in value["predictions"]] == [None, "not_an_image", None]
    assert "prediction" not in value["predictions"][1]

    status, value = server.predict(images[0].read_bytes()[:60])
    assert status == 422 and value["kind"] == value["predictions"][0]["kind"] == "truncated"
    assert value["error"].startswith("The image cannot be read: ")


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "words"),
    [
        (b"", {}, "", 422, "no image"),
        (b"hello", {"Content-Type": "text/plain"}, "", 415, "application/json"),
        (b"{", {"Content-Type": "application/json"}, "", 400, "not JSON"),
        (b"[]", {"Content-Type": "application/json"}, "", 422, "list of images"),
        (b'{"images": [1]}', {"Content-Type": "application/json"}, "", 400, "images[0]"),
        (b'{"images": ["*"]}', {"Content-Type": "application/json"}, "", 400, "not base64"),
        (b"[" * 100_000, {"Content-Type": "application/json"}, "", 400, "not JSON"),
        (b"x", {"Content-Type": "multipart/form-data"}, "", 400, "boundary"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=a"}, "", 400, "form"),
        (b"--a\r\n\r\nx", {"Content-Type": "multipart/form-data; boundary=a"}, "", 400, "cut off"),
        (_GREY, {}, "?topk=0", 422, "topk"),
        (_GREY, {}, "?model=dogs", 404, "no model dogs"),
        (_GREY, {}, "?version=7", 404, "tiny has no version 7. It has 1"),
    ],
)
def test_what_is_wrong_is_said(server, body, headers, query, status, words):
    found, _, value = server.ask(f"/predict{query}", body, method="POST", headers=headers)
    assert found == status and words in value["error"], value
    assert value["kind"]


def test_the_server_says_what_it_has(server, trained_run):
    assert server.ask("/health")[2] == {"status": "ok"}
    assert server.ask("/ready")[2] == {"status": "ready"}
    _, _, value = server.ask("/model")
    (model,) = value["models"]
    assert model["name"] == "tiny" and model["classes"] == list(trained_run.class_names())
    assert value["limits"]["request_images"] == 32
    status, _, value = server.ask("/nowhere")
    assert status == 404 and value["kind"] == "usage"
    status, headers, _ = server.ask("/predict")
    assert status == 405 and headers["Allow"] == "POST"


def test_metrics_count_and_the_log_tells_no_names(server, images):
    server.predict(images[0], b"secret words")
    _, headers, text = server.ask("/metrics")
    assert headers["Content-Type"].startswith("text/plain")
    lines = text.decode().splitlines()
    assert 'cnnkit_images_total{model="tiny",outcome="not_an_image",version="1"}' in str(lines)
    server.wait_for(lambda: any(line.get("path") == "/metrics" for line in server.log))
    entry = [line for line in server.log if line.get("path") == "/predict"][-1]
    assert {"time", "milliseconds"} <= set(entry)
    assert (entry["status"], entry["images"], entry["model"]) == (200, 2, "tiny")
    assert images[0].name not in str(server.log) and "secret" not in str(server.log)


def test_predictions_need_no_tensorflow(server, images):
    assert server.predict(images[0])[0] == 200
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("this system does not say which libraries a process has")
    assert "litert" in maps.read_text() and "libtensorflow" not in maps.read_text()
