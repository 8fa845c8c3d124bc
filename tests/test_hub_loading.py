"""Where a TF Hub module is found: folders, handles, the errors if there is none."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hub_modules import answers_of

from cnnkit.errors import UsageError
from cnnkit.model.backbones.hub.hub_backbone import hub_backbone


def test_a_local_folder_needs_no_tensorflow_hub(hub_folder, tmp_path):
    code = (
        "import sys; from cnnkit.model.backbones.hub.hub_backbone import hub_backbone\n"
        "backbone = hub_backbone(sys.argv[1], (12, 12), 3)\n"
        "print([name for name in ('tensorflow_hub', 'tf_keras', 'pkg_resources')"
        " if name in sys.modules])"
    )
    words = [
        sys.executable,
        "-W",
        "error",
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        code,
        str(hub_folder),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_the_error_for_a_path_that_is_not_a_module_names_the_path(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "module.tgz").write_bytes(b"")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/saved_model.pb").write_bytes(b"no protobuf")
    for name, message in (
        ("nothing", "there is no folder"),
        ("empty", "has no saved_model.pb, so it is not"),
        ("module.tgz", "is an archive. Unpack it"),
        ("damaged", "TensorFlow cannot load"),
    ):
        with pytest.raises(UsageError, match=message) as raised:
            hub_backbone(str(tmp_path / name), (8, 8), 3)
        assert str(tmp_path / name) in str(raised.value)


def test_the_error_for_a_module_without_its_variables_names_the_module(hub_folder, tmp_path):
    shutil.copytree(hub_folder, tmp_path / "half", ignore=shutil.ignore_patterns("*.index"))
    with pytest.raises(UsageError, match="TensorFlow cannot load .*half"):
        hub_backbone(str(tmp_path / "half"), (12, 12), 3)


def test_the_error_without_a_network_says_where_to_put_the_module(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    handle = "https://127.0.0.1:9/module/1"  # where nothing listens
    with pytest.raises(UsageError) as raised:
        hub_backbone(handle, (12, 12), 3)
    place = f"{tmp_path}/{hashlib.sha1(handle.encode()).hexdigest()}/"
    assert f"{handle} cannot be downloaded: " in str(raised.value)
    assert place in str(raised.value)
    assert "TFHUB_MODEL_LOAD_FORMAT" in str(raised.value)


def test_a_handle_finds_a_module_that_was_put_there(hub_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    handle = "https://127.0.0.1:9/module/1"
    shutil.copytree(hub_folder, tmp_path / hashlib.sha1(handle.encode()).hexdigest())
    by_handle = hub_backbone(handle, (12, 12), 3)
    np.testing.assert_array_equal(
        answers_of(by_handle), answers_of(hub_backbone(str(hub_folder), (12, 12), 3))
    )


def test_the_error_without_tensorflow_hub_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(UsageError, match="setuptools<81"):
        hub_backbone("https://127.0.0.1:9/module/1", (12, 12), 3)
