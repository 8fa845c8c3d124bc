"""Archives: the harmless ones unpack whole, each kind of evil or damaged one is refused."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from cnnkit.data.sources import archives
from cnnkit.data.sources.archives import read_files, unpack
from cnnkit.errors import DataError

_FILES = {"photos/cat/1.jpg": b"one", "photos/dog/2.jpg": bytes(300_000), "README": b"text"}
_TAR_MODES = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def _zip(path, files, *, edit=lambda info: None, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            edit(info)
            archive.writestr(info, content)
    return path


def _tar(path, files, *, mode="w", edit=lambda info: None, **options):
    with tarfile.open(path, mode, **options) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            edit(info)
            archive.addfile(info, io.BytesIO(content))
    return path


def _make(kind, path, files):
    if kind == "zip":
        return _zip(path, files)
    return _tar(path, files, mode=_TAR_MODES[kind])


def _below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    return tmp_path / "a" / "b"


def _refused(archive, folder, reason):
    with pytest.raises(DataError, match=reason) as caught:
        unpack(archive, folder)
    assert str(caught.value).startswith(str(archive))
    assert _below(folder) == {}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["b"]


@pytest.mark.parametrize("kind", ["zip", *_TAR_MODES])
def test_every_kind_is_known_by_its_content_and_unpacks_whole(kind, tmp_path, folder):
    archive = _make(kind, tmp_path / "misnamed.bin", _FILES.items())
    told = []
    unpack(archive, folder, progress=lambda done, total: told.append((done, total)))
    assert _below(folder) == _FILES
    assert told[-1] == (300_007, 300_007)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_only_wanted_files_are_written_under_the_names_that_are_asked_for(kind, tmp_path, folder):
    archive = _make(kind, tmp_path / "x", _FILES.items())
    unpack(archive, folder, place=lambda name: name[7:] if name.startswith("photos/") else None)
    assert _below(folder) == {"cat/1.jpg": b"one", "dog/2.jpg": bytes(300_000)}
    with pytest.raises(DataError, match="none of the files that are looked for"):
        unpack(archive, folder, place=lambda name: None)
    assert dict(read_files(archive, ["README", "photos/cat/1.jpg"])) == {
        "README": b"text",
        "photos/cat/1.jpg": b"one",
    }


def test_names_of_windows_and_folders_and_dots_are_read(tmp_path, folder):
    files = [("./", b""), (".\\cat\\1.jpg", b"1"), ("./dog//2.jpg", b"2")]
    unpack(_zip(tmp_path / "x.zip", files), folder)
    assert _below(folder) == {"cat/1.jpg": b"1", "dog/2.jpg": b"2"}


def test_a_tar_of_folders_with_names_that_are_no_utf8_unpacks(tmp_path, folder):
    name = b"caf\xe9/1.jpg".decode("utf-8", "surrogateescape")
    source = tmp_path / "source"
    (source / name).parent.mkdir(parents=True)
    (source / name).write_bytes(b"1")
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(source, ".")
    unpack(tmp_path / "x.tar", folder)
    assert (folder / name).read_bytes() == b"1"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "C:\\evil",
        "c:evil",
        "..\\evil",
        "\\\\host\\evil",
        "a/..",
    ],
)
def test_a_name_that_leads_out_is_refused_before_anything_is_written(kind, name, tmp_path, folder):
    archive = _make(kind, tmp_path / "x", [("good.jpg", b"1"), (name, b"2")])
    _refused(archive, folder, "leads out of the folder")


def test_a_folder_that_leads_out_is_refused(tmp_path, folder):
    _refused(_zip(tmp_path / "x.zip", [("../evil/", b"")]), folder, "leads out of the folder")


def test_a_name_with_a_nul_is_refused(tmp_path, folder):
    archive = _zip(tmp_path / "x.zip", [("good_jpg", b"1")])
    archive.write_bytes(archive.read_bytes().replace(b"good_jpg", b"goo\0.jpg"))
    _refused(archive, folder, r"'goo\\x00.jpg' in it leads out of the folder")


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ],
)
def test_links_and_devices_of_a_tar_are_refused(kind, tmp_path, folder):
    def edit(info):
        if info.name == "evil":
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    archive = _tar(tmp_path / "x.tar", [("good.jpg", b"1"), ("evil", b"")], edit=edit)
    _refused(archive, folder, "'evil' in it is a link or a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_of_a_zip_are_refused(kind, tmp_path, folder):
    def edit(info):
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16

    archive = _zip(tmp_path / "x.zip", [("evil", b"/etc/passwd")], edit=edit)
    _refused(archive, folder, "'evil' in it is a link or a device")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("a/1.jpg", "a/1.jpg", "it holds 'a/1.jpg' twice"),
        ("a/1.jpg", "a/./1.jpg", "it holds 'a/1.jpg' twice"),
        ("a/1.jpg", "A/1.JPG", "'A/1.JPG' beside 'a/1.jpg', which is the same on some systems"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg", "which is the same on some systems"),
        ("a/b", "a/b/1.jpg", "'a/b' in it is a file, and 'a/b/1.jpg' needs a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_of_one_place_are_refused(kind, first, second, reason, tmp_path, folder):
    archive = _make(kind, tmp_path / "x", [(first, b"1"), (second, b"2")])
    _refused(archive, folder, reason)


def test_an_encrypted_file_is_refused(tmp_path, folder):
    archive = _zip(tmp_path / "x.zip", [("1.jpg", b"1")])
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag in the file's own header, and in the list at the end
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    _refused(archive, folder, "'1.jpg' in it is encrypted")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_a_bomb_is_refused_by_its_size(kind, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED_BYTES", 1_000_000)
    archive = _make(kind, tmp_path / "x", [(f"{number}.bmp", bytes(2_000_000)) for number in "12"])
    assert archive.stat().st_size < 20_000
    _refused(archive, folder, "would unpack to more than .*; it may be a bomb")


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    archive = _zip(tmp_path / "x.zip", [("1.bmp", bytes(2_000_000))])
    said = struct.pack("<I", 2_000_000)
    assert archive.read_bytes().count(said) == 2
    archive.write_bytes(archive.read_bytes().replace(said, struct.pack("<I", 1000)))
    with pytest.raises(DataError, match=r"'1.bmp' in it cannot be read \(Bad CRC-32"):
        unpack(archive, tmp_path)
    assert sum(map(len, _below(tmp_path).values())) < 10_000


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path, folder):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 200_000_000
    with gzip.open(tmp_path / "x.tgz", "wb", compresslevel=1) as stream:
        stream.write(tarfile.TarInfo("1.jpg").tobuf())
        stream.write(header.tobuf())
        stream.write(bytes(2_000_000))
    _refused(tmp_path / "x.tgz", folder, "a header of 200,000,000 bytes")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files_are_refused(kind, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    archive = _make(kind, tmp_path / "x", [(f"{number}.jpg", b"") for number in range(4)])
    _refused(archive, folder, "it holds more than 3 files and folders")


def test_more_than_the_disk_holds_is_not_begun(tmp_path, folder, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=299_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    archive = _zip(tmp_path / "x.zip", [("1.jpg", bytes(300_000))])
    _refused(archive, folder, "it needs 300,000 bytes, and .* has room for 299,999")


@pytest.mark.parametrize("kind", ["zip", *_TAR_MODES])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.85])
def test_an_archive_that_is_cut_off_is_refused(kind, share, tmp_path):
    noise = np.random.default_rng(0).bytes(50_000)
    files = [(f"{number}.jpg", noise[number * 10_000 :][:10_000]) for number in range(5)]
    archive = _make(kind, tmp_path / "x", files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"x (cannot be unpacked|is not unpacked)"):
        unpack(archive, tmp_path / "out")


def test_a_tar_that_is_cut_off_between_two_files_is_refused(tmp_path, folder):
    archive = _tar(tmp_path / "x.tar", [("1.jpg", b"1"), ("2.jpg", b"2")])
    archive.write_bytes(archive.read_bytes()[:1024])
    _refused(archive, folder, r"a header in it cannot be read \(it ends too early\)")


def test_a_changed_byte_of_a_file_is_noticed(tmp_path, folder):
    noise = np.random.default_rng(0).bytes(10_000)
    archive = _zip(tmp_path / "x.zip", [("1.jpg", noise)])
    content = bytearray(archive.read_bytes())
    content[5000] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="'1.jpg' in it cannot be read"):
        unpack(archive, folder)


def test_what_is_no_archive_or_not_there_is_named(tmp_path, folder):
    (tmp_path / "x.zip").write_text("<html>")
    _refused(tmp_path / "x.zip", folder, "cannot be unpacked: it is no zip or tar archive")
    _refused(tmp_path / "y.zip", folder, "cannot be unpacked: No such file or directory")
