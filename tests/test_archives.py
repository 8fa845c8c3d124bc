"""The files of an archive, of each kind that the known sets are published as."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from cnnkit.data.sources.archives import read_archive

_FILES = {"photos/dog/2.jpg": bytes(300_000), "photos/cat/1.jpg": b"one", "README": b"text"}
_TAR_MODES = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def _write_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("photos") if hasattr(archive, "mkdir") else archive.writestr("photos/", b"")
        for name, content in _FILES.items():
            archive.writestr(name, content)


def _write_tar(path, mode):
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo("photos")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in _FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture(params=["zip", *_TAR_MODES])
def archive(request, tmp_path):
    path = tmp_path / "x"  # the kind is recognised by the content, not by the name
    if request.param == "zip":
        _write_zip(path)
    else:
        _write_tar(path, _TAR_MODES[request.param])
    return path


def test_the_wanted_files_come_in_the_order_of_the_archive(archive):
    found = list(read_archive(archive, lambda name: name.startswith("photos/")))
    assert found == [(name, _FILES[name]) for name in ("photos/dog/2.jpg", "photos/cat/1.jpg")]


def test_folders_are_not_files(archive):
    assert dict(read_archive(archive, lambda name: True)) == _FILES


def test_progress_counts_the_bytes_of_the_archive(archive):
    seen = []
    list(read_archive(archive, lambda name: True, lambda done, total: seen.append((done, total))))
    size = archive.stat().st_size
    assert len(seen) == len(_FILES)
    assert all(0 < done <= total == size for done, total in seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_no_unwanted_file_is_read(archive):
    assert list(read_archive(archive, lambda name: False)) == []
