"""scripts/predict_ray.py on a cluster of two local processes: the rows of predict, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from places import ROOT
from predict_command import image_folder, run_predict

pytestmark = pytest.mark.slow
pytest.importorskip("ray")
_SCRIPT = ROOT / "scripts" / "predict_ray.py"
_NUM_SLOW = 250  # images that take a while to decode, so that there is time to kill something


@pytest.fixture(scope="module")
def photos(trained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index, path in enumerate(sorted(Path(image_folder(trained_run)).rglob("*.png"))):
        (folder / f"{index}.png").write_bytes(path.read_bytes())
    (folder / "broken.png").write_bytes(b"no image")
    os.symlink("nowhere.png", os.fsencode(folder) + b"/lost\xe9.png")
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    Image.fromarray(noise).save(folder / "large.png")
    for number in range(_NUM_SLOW):
        os.link(folder / "large.png", folder / f"slow{number}.png")
    return folder


@pytest.fixture(scope="module")
def whole(trained_run, photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "answers.csv"
    run_predict(photos, "-o", output, "--model", trained_run.folder)
    return output.read_bytes()


def start(run, *words):
    command = [sys.executable, _SCRIPT, *words, "--model", run.folder, "--actors", "2"]
    # Ray lets its workers wait for all other programs, which on a busy computer takes long.
    environment = {**os.environ, "RAY_worker_niceness": "0"}
    return subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for_answers(process, partial, number):
    end = time.monotonic() + 120
    while not partial.exists() or partial.read_bytes().count(b"\n") < number:
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
        time.sleep(0.05)


def test_the_file_is_that_of_predict_also_if_an_actor_is_killed(
    trained_run, photos, whole, tmp_path
):
    output = tmp_path / "answers.csv"
    process = start(trained_run, photos, "-o", output)
    wait_for_answers(process, tmp_path / "answers.csv.partial", 20)
    actors = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.name().startswith("ray::MapWorker") or "MapWorker" in " ".join(child.cmdline())
    ]
    assert len(actors) == 2
    actors[0].kill()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and "of which 2 could not be read" in errors
    assert output.read_bytes() == whole


def test_a_killed_program_is_resumed_without_computing_answers_again(
    trained_run, photos, whole, tmp_path
):
    output, partial = tmp_path / "answers.csv", tmp_path / "answers.csv.partial"
    process = start(trained_run, photos, "-o", output)
    wait_for_answers(process, partial, 50)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    lines = partial.read_text().split("\n")
    facts = json.loads(lines[1])
    facts["probabilities"].reverse()  # comes back, because it is not computed again
    lines[1] = json.dumps(facts)
    partial.write_text("\n".join(lines))
    process = start(trained_run, photos, "-o", output, "--resume")
    process.communicate(timeout=300)
    pairs = zip(output.read_bytes().split(b"\n"), whole.split(b"\n"), strict=True)
    different = [row for row, other in pairs if row != other]
    assert len(different) == 1 and different[0].startswith(facts["path"].encode())


def test_what_cannot_travel_is_refused(trained_run, photos, tmp_path):
    archive = tmp_path / "a.zip"
    subprocess.run([sys.executable, "-m", "zipfile", "-c", archive, photos / "0.png"], check=True)
    process = start(trained_run, archive, "-o", tmp_path / "answers.csv")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "unpack them" in errors and "Traceback" not in errors
