"""The predict command in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import cnnkit


def image_folder(run):
    return cnnkit.load_config(run.config).data.source


def run_predict(*words, stdin=None, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "cnnkit", "predict", *map(str, words)],
        input=stdin, capture_output=True, check=False, cwd=cwd,
    )  # fmt: skip
