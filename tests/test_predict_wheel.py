"""`cnnkit-predict`: predicts like `cnnkit`, in an environment without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from predict_command import image_folder, run_predict

_SCRIPT = Path(__file__).parent.parent / "scripts" / "build_predict_wheel.py"


@pytest.mark.slow
def test_the_light_wheel_predicts_the_same_and_says_what_it_lacks(trained_run, tmp_path):
    done = subprocess.run(
        [sys.executable, _SCRIPT, tmp_path], capture_output=True, text=True, check=True
    )
    wheel = Path(done.stdout.strip())
    venv.create(tmp_path / "light", with_pip=True)
    programs = tmp_path / "light" / "bin"

    def light(*words):
        return subprocess.run([programs / words[0], *words[1:]], capture_output=True, text=True)

    assert light("pip", "install", "--quiet", str(wheel)).returncode == 0
    for missing in ("tensorflow", "keras", "pydantic", "sklearn", "matplotlib", "yaml"):
        assert light("python", "-c", f"import {missing}").returncode == 1

    words = [image_folder(trained_run), "--model", trained_run.folder, "--format", "csv"]
    answers = light("cnnkit", "predict", *map(str, words))
    assert answers.returncode == 0, answers.stderr
    assert answers.stdout.encode() == run_predict(*words).stdout
    code = (
        "import cnnkit, sys\n"
        "model = cnnkit.load_run(sys.argv[1])\n"
        "print([answer.answer for answer in model.predict([sys.argv[2]])][0])"
    )
    answer = light("python", "-c", code, str(trained_run.folder), image_folder(trained_run))
    assert answer.stdout.strip() == answers.stdout.splitlines()[1].split(",")[1], answer.stderr

    refused = light("cnnkit", "train", str(trained_run.config), "--json")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "`pip install cnnkit` brings it" in json.loads(refused.stdout)["error"]
