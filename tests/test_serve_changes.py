"""Servers that are stopped, overloaded, or get another model: no request is lost."""

from __future__ import annotations

import http.client
import io
import shutil
import signal
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from predict_command import image_folder
from servers import answer_of, form, serving

from cnnkit.model.model_info import append_info, read_appended_info


@pytest.fixture(scope="module")
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))


@pytest.fixture(scope="module")
def slow_image():
    """An image that takes a while to decode."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    Image.fromarray(np.tile(noise, (60, 60, 1))).save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def clients(server, image, number=6):
    """Clients that ask again and again on connections that stay open, until the server ends them.

    Gives the list of answers: (status, value), or the error of a request that got none.
    """
    answers, stopped = [], threading.Event()
    place, (body, headers) = urlsplit(server.url), form([image])

    def ask():
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        connection.connect()
        while not stopped.is_set():
            try:
                connection.request("POST", "/predict", body, headers)
                status, sent, value = answer_of(connection)
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, error))
                break
            answers.append((status, value))
            if sent.get("Connection") == "close":
                break
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_every_request_is_answered(trained_run, images, number):
    with serving("--model", trained_run.folder) as server, clients(server, images[0]) as answers:
        server.wait_for(lambda: len(answers) > 30)
        server.process.send_signal(number)
        assert server.process.wait(timeout=60) == 0
    assert {status for status, _ in answers} == {200}
    assert [line["event"] for line in server.log if line["event"] != "request"] == [
        *("started", "draining", "ended")
    ]


def test_work_that_has_begun_is_finished(trained_run, slow_image):
    answers = []
    with serving("--model", trained_run.folder, "--drain", "0") as server:
        asking = threading.Thread(target=lambda: answers.append(server.predict(*[slow_image] * 16)))
        asking.start()
        server.wait_for(lambda: b"cnnkit_queue_images 0.0" not in server.ask("/metrics")[2])
        assert server.stop() == 0
        asking.join()
    ((status, value),) = answers
    assert status == 200 and len(value["predictions"]) == 16


def test_while_it_drains_the_server_says_that_it_is_not_ready(trained_run):
    with serving("--model", trained_run.folder, "--drain", "30") as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: server.ask("/ready")[0] == 503)
        _, headers, value = server.ask("/ready")
        assert value == {"status": "draining"} and headers["Connection"] == "close"
        assert server.ask("/health")[0] == 200


def test_a_full_queue_is_429_and_who_waits_is_answered(trained_run, slow_image):
    words = ("--workers", 1, "--max-batch", 1, "--max-images", 4, "--max-queue", 4)
    with serving("--model", trained_run.folder, *words) as server:
        answers = []
        body, headers = form([slow_image] * 4)

        def ask():
            answers.append(server.ask("/predict", body, headers=headers))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for status, _, _ in answers} == {200, 429}
        for status, headers, value in answers:
            if status == 429:
                assert headers["Retry-After"] == "1" and value["kind"] == "busy"
            else:
                assert len(value["predictions"]) == 4
        assert server.ask("/health")[0] == 200


def test_answers_that_take_too_long_are_given_up(trained_run, slow_image, images):
    words = ("--workers", 1, "--timeout", "0.5")
    with serving("--model", trained_run.folder, *words) as server:
        status, value = server.predict(*[slow_image] * 32)
        assert status == 503 and value["kind"] == "timeout"
        # What nobody waits for any more is not computed.
        server.wait_for(lambda: server.predict(images[0])[0] == 200, seconds=10)


def with_class_names(model, target, names):
    """Write a copy of a `.tflite` with other names, at once."""
    fresh = target.with_name("fresh")
    shutil.copyfile(model, fresh)
    with warnings.catch_warnings():  # the archive then has two files of one name
        warnings.simplefilter("ignore", UserWarning)
        append_info(fresh, replace(read_appended_info(model), class_names=names))
    fresh.replace(target)


def classes_of(server):
    return server.ask("/model")[2]["models"][0]["classes"]


def test_a_model_that_changes_is_loaded_without_losing_a_request(trained_run, images, tmp_path):
    model = tmp_path / "model.tflite"
    shutil.copyfile(trained_run.tflite, model)
    old = trained_run.class_names()
    new = tuple(f"new {name}" for name in old)
    with serving("--model", f"m={model}") as server, clients(server, images[0]) as answers:
        for names in (new, old, new):
            with_class_names(trained_run.tflite, model, names)
            server.wait_for(lambda wanted=list(names): classes_of(server) == wanted)
        number = len(answers)
        server.wait_for(lambda: len(answers) > number + 20)
    assert {status for status, _ in answers} == {200}
    found = [value["predictions"][0]["prediction"] for _, value in answers]
    assert found[0] in old and found[-1] in new
    assert sum(line["event"] == "loaded" for line in server.log) == 3


def test_a_file_that_cannot_be_loaded_changes_nothing(trained_run, images, tmp_path):
    model = tmp_path / "model.tflite"
    shutil.copyfile(trained_run.tflite, model)
    with serving("--model", f"m={model}") as server:
        model.write_bytes(b"half a model")
        server.wait_for(lambda: any(line["event"] == "reload_failed" for line in server.log))
        assert server.predict(images[0])[0] == 200
        model.unlink()
        time.sleep(2.5)  # two looks at a file that is gone
        assert server.predict(images[0])[0] == 200
        with_class_names(trained_run.tflite, model, trained_run.class_names())
        server.wait_for(lambda: any(line["event"] == "loaded" for line in server.log))
    assert sum(line["event"] == "reload_failed" for line in server.log) == 1


def test_versions_come_and_go(trained_run, images, tmp_path):
    for number in (3, 10):
        (tmp_path / "models" / str(number)).mkdir(parents=True)
        shutil.copyfile(trained_run.tflite, tmp_path / "models" / str(number) / "model.tflite")
    (tmp_path / "models" / "notes").mkdir()
    with serving("--model", f"m={tmp_path / 'models'}") as server:

        def versions():
            return [each["version"] for each in server.ask("/model")[2]["models"]]

        assert sorted(versions()) == [3, 10]
        assert server.predict(images[0])[1]["version"] == 10
        assert server.predict(images[0], query="?version=3")[1]["version"] == 3
        shutil.copytree(trained_run.folder, tmp_path / "models" / "11")
        shutil.rmtree(tmp_path / "models" / "3")
        server.wait_for(lambda: sorted(versions()) == [10, 11])
        assert server.predict(images[0])[1]["version"] == 11
        assert server.predict(images[0], query="?version=3")[0] == 404
