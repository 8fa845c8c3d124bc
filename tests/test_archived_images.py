"""Images in zip and tar archives get the answers of the unpacked files; damage is told."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from predict_command import image_folder

import cnnkit
from cnnkit.data.sources.ignored import Ignored
from cnnkit.prediction import archived_images
from cnnkit.prediction.archived_images import with_archives
from cnnkit.prediction.find_images import NoImages


@pytest.fixture
def photos(trained_run, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(image_folder(trained_run), folder)
    (folder / "notes.txt").write_text("no image")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "1.png").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize(
    ("format_", "ending"),
    [
        ("zip", "zip"),
        ("tar", "tar"),
        ("gztar", "tar.gz"),
        ("bztar", "tar.bz2"),
        ("xztar", "tar.xz"),
    ],
)
def test_an_archive_gives_the_answers_of_its_files(trained_run, photos, tmp_path, format_, ending):
    archive = shutil.make_archive(str(tmp_path / "packed"), format_, photos)
    assert archive.endswith(ending)
    model = cnnkit.load_run(trained_run.folder)
    found = {answer.path: answer for answer in model.predict([archive])}
    expected = model.predict([photos])
    assert len(found) == len(expected) > 3
    for answer in expected:
        name = Path(answer.path).relative_to(photos)
        twin = next(found[path] for path in found if path.endswith(f"/{name}"))
        assert twin.path.startswith(f"{archive}/")
        assert np.array_equal(twin.probabilities, answer.probabilities)


def test_what_is_no_image_is_told(photos, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", photos)
    ignored = Ignored()
    assert all(str(image).endswith(".png") for image in with_archives([archive], ignored))
    assert {Path(path).name for path, _ in ignored.rows()} == {"notes.txt", "1.png"}


@pytest.mark.parametrize("cut", [300, 700, 1500])  # in a header, or in the data after it
def test_a_truncated_archive_ends_with_an_error(photos, tmp_path, cut):
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "tar", photos))
    names = [str(image) for image in with_archives([str(archive)], Ignored())]
    with tarfile.open(archive) as packed:
        begin = packed.getmember(f"./{Path(names[3]).relative_to(archive)}").offset
    archive.write_bytes(archive.read_bytes()[: begin + cut])
    *whole, last = with_archives([str(archive)], Ignored())
    assert [str(image) for image in whole][:3] == names[:3] and len(whole) in (3, 4)
    assert re.search("after . images: (unexpected end of data|.* header)", last.reason)


@pytest.mark.parametrize("ending", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_damaged_byte_of_a_compressed_archive_is_an_error(photos, tmp_path, ending):
    archive, content = tmp_path / f"packed.{ending}", bytes(range(256)) * 64
    noise = np.random.default_rng(0).bytes(60_000)  # so that the damage is in the data of an image
    if ending == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as packed:
            packed.writestr("1.png", noise)
            packed.writestr("2.png", content)
    else:
        with tarfile.open(archive, f"w:{ending.removeprefix('tar.')}") as packed:
            for name, data in (("1.png", noise), ("2.png", content)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))
    damaged = bytearray(archive.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 64] = bytes(64)
    archive.write_bytes(damaged)
    found = list(with_archives([str(archive)], Ignored()))
    assert any(isinstance(image, NoImages) for image in found)


def test_damaged_encrypted_and_huge_members_are_errors_of_their_own(photos, tmp_path, monkeypatch):
    good = next(photos.rglob("*.png")).read_bytes()
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("1.png", "damaged.png", "encrypted.png", "../../etc/2.png"):
            packed.writestr(name, good + name.encode())
        packed.writestr("huge.png", b"\0" * 2_000_000, zipfile.ZIP_DEFLATED)
    content = bytearray(archive.read_bytes())
    local, central = (content.find(b"encrypted.png", n) for n in (0, content.index(b"PK\1\2")))
    content[content.index(b"damaged.png") + 40] ^= 255  # in its stored bytes
    content[local - 24] |= 1  # the flag "encrypted", in front of the name and in the directory
    content[central - 38] |= 1
    archive.write_bytes(content)
    monkeypatch.setattr(archived_images, "_MOST_BYTES", 1_000_000)
    found = {str(image): image for image in with_archives([str(archive)], Ignored())}
    assert list(found) == [
        f"{archive}/{name}"
        for name in ("1.png", "damaged.png", "encrypted.png", "../../etc/2.png", "huge.png")
    ]
    one, damaged, encrypted, outside, huge = found.values()
    assert one.read_bytes() == good + b"1.png"
    assert "cannot be unpacked" in damaged.reason and "CRC" in damaged.reason
    assert "password" in encrypted.reason
    assert outside.read_bytes().startswith(good)
    assert "2.0 MB" in huge.reason


@pytest.mark.parametrize(
    ("encoding", "says_utf8"), [("utf-8", True), ("utf-8", False), ("cp437", False)]
)
def test_names_in_a_zip_are_read_as_they_were_written(photos, tmp_path, encoding, says_utf8):
    archive, good = tmp_path / "packed.zip", next(photos.rglob("*.png")).read_bytes()
    name = "süß/1.png"
    place_holder = "x" * len(name.encode(encoding))
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(name if says_utf8 else place_holder, good)
    content = archive.read_bytes().replace(place_holder.encode(), name.encode(encoding))
    archive.write_bytes(content)
    (image,) = with_archives([str(archive)], Ignored())
    assert str(image) == f"{archive}/{name}"
    assert image.read_bytes() == good


def test_a_link_in_an_archive_is_an_error(photos, tmp_path):
    archive, good = tmp_path / "packed.tar", next(photos.rglob("*.png"))
    with tarfile.open(archive, "w") as packed:
        packed.add(good, "1.png")
        for name, kind in (("2.png", tarfile.LNKTYPE), ("3.png", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "1.png"
            packed.addfile(link)
    one, *links = with_archives([str(archive)], Ignored())
    assert one.read_bytes() == good.read_bytes()
    assert [str(link) for link in links] == [f"{archive}/2.png", f"{archive}/3.png"]
    assert all("link" in link.reason for link in links)


def test_an_archive_without_images_and_a_false_one_are_errors(trained_run, tmp_path):
    empty, false = tmp_path / "empty.tar", tmp_path / "false.zip"
    with tarfile.open(empty, "w") as packed:
        packed.addfile(tarfile.TarInfo("notes.txt"), io.BytesIO())
    false.write_bytes(b"no archive at all")
    one, other = cnnkit.load_run(trained_run.folder).predict([empty, false])
    assert one.error == "the archive contains no images"
    assert "the archive is damaged" in other.error
