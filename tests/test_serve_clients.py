"""The clients in docs/examples against a real server, and explanations."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import DOCS
from predict_command import image_folder
from servers import form, serving

import cnnkit

pytest_plugins = ["browser_fixtures"]

_EXAMPLES = DOCS / "examples"
_KEY = "k3y"


@pytest.fixture(scope="module")
def server(trained_run):
    with serving(
        "--model", f"tiny={trained_run.folder}", environment={"CNNKIT_API_KEY": _KEY}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def images(trained_run):
    return sorted(Path(image_folder(trained_run)).rglob("*.png"))[:3]


@pytest.fixture(scope="module")
def wanted(trained_run, images):
    answers = cnnkit.load_run(trained_run.folder).predict(images)
    return [(answer.answer, f"{answer.top(1)[0][1]:.4f}") for answer in answers]


def run(server, *words):
    return subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        env={**os.environ, "SERVER": server.url, "CNNKIT_API_KEY": _KEY},
    )


def program(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def test_the_client_in_python(server, images, wanted, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    client = _EXAMPLES / "classify.py"
    done = run(server, sys.executable, client, *images, broken)
    lines = done.stdout.splitlines()
    assert [tuple(line.split()[1:]) for line in lines[:3]] == wanted, done.stderr
    assert "ERROR" in lines[3] and done.returncode == 1
    assert run(server, sys.executable, client, images[0]).returncode == 0


def test_the_client_in_javascript(server, images, wanted, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    done = run(server, program("node"), _EXAMPLES / "classify.mjs", *images, broken)
    lines = done.stdout.splitlines()
    assert [tuple(line.split()[1:]) for line in lines[:3]] == wanted, done.stderr
    assert "ERROR" in lines[3] and done.returncode == 1


@pytest.mark.parametrize(
    ("language", "client"), [(sys.executable, "classify.py"), ("node", "classify.mjs")]
)
def test_a_client_says_why_an_answer_is_unknown(calibrated_run, photographs, language, client):
    predictions = cnnkit.load_run(calibrated_run.folder).predict(photographs)
    with serving("--model", calibrated_run.folder) as server:
        done = run(server, program(language), _EXAMPLES / client, *photographs)
    lines = done.stdout.splitlines()
    for line, prediction in zip(lines, predictions, strict=True):
        assert line.endswith(f"  unknown  ({prediction.reason})") == (prediction.reason is not None)
    assert "unknown" in done.stdout


def test_the_client_with_curl(server, images, wanted, tmp_path):
    program("curl")
    odd = tmp_path / "a b, c;d.png"
    shutil.copy(images[0], odd)
    done = run(server, program("sh"), _EXAMPLES / "classify.sh", *images[1:], odd)
    rows = json.loads(done.stdout)["predictions"]
    found = [(row["prediction"], f"{row['probability']:.4f}") for row in rows]
    assert found == [*wanted[1:], wanted[0]] and len(rows[0]["top"]) == 3
    refused = run(server, "sh", _EXAMPLES / "classify.sh", _EXAMPLES / "classify.py")
    assert refused.returncode != 0 and "cannot be read" in refused.stdout


def test_the_client_of_tensorflow_serving(trained_run, images, wanted):
    with serving("--model", f"tiny={trained_run.folder}") as server:
        client = _EXAMPLES / "tensorflow_serving.py"
        done = run(server, sys.executable, client, "tiny", *images)
    lines = done.stdout.splitlines()
    assert [tuple(line.split()[1:]) for line in lines] == wanted, done.stderr


def explain(server, image, query="", **options):
    body, headers = form([image])
    headers["Authorization"] = f"Bearer {_KEY}"
    status, _, value = server.ask(f"/explain{query}", body, headers=headers, **options)
    return status, value


def test_explanations_are_those_of_explain(server, trained_run, images):
    status, value = explain(server, images[0], timeout=120)
    assert status == 200, value
    (found,) = cnnkit.load_run(trained_run.folder).explain([images[0]]).images
    facts = found.as_dict()
    own = {name: value[name] for name in ("prediction", "class", "method", "layer", "highest_at")}
    wanted = {**facts, **facts["maps"][0]}
    assert own == {name: wanted[name] for name in own}
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(value["overlay"]))))
    assert picture.shape == (*found.pixels.shape[:2], 3)

    other = next(name for name in trained_run.class_names() if name != value["prediction"])
    assert explain(server, images[0], f"?class={other}")[1]["class"] == other
    for query, image, words in (
        ("?class=dog", images[0], "The model has no class dog"),
        ("?method=magic", images[0], "method"),
        ("", b"no image", "not an image"),
    ):
        status, value = explain(server, image, query)
        assert status == 422 and words in value["error"]


def test_a_file_without_layers_and_a_server_without_tensorflow_say_so(
    trained_run, images, tmp_path
):
    shutil.copyfile(trained_run.tflite, tmp_path / "alone.tflite")
    with serving("--model", tmp_path / "alone.tflite") as server:
        status, value = explain(server, images[0], timeout=120)
    assert status == 422 and "run folder" in value["error"]

    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['tensorflow'] = None\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with serving("--model", trained_run.folder, environment={"PYTHONPATH": paths}) as server:
        status, value = explain(server, images[0])
        assert status == 501 and "TensorFlow" in value["error"]
        assert server.predict(images[0])[0] == 200
