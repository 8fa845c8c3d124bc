"""Pictures and documents that are not read are named, with what to do."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from click.testing import CliRunner
from images import file_bytes, noise, write_classes

from cnnkit.cli import main
from cnnkit.data.decoding import foreign_formats
from cnnkit.data.decoding.foreign_formats import foreign_file, foreign_format
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.folders import read_folder
from cnnkit.errors import ImageError

SETTINGS = PixelSettings((24, 40))
NAMED = {
    "a HEIC picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a HEIC picture, as phones": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "a camera raw file": b"II*\0\x10\0\0\0CR\x02\0",
    "a camera raw file, which": b"FUJIFILMCCD-RAW 0201",
    "a JPEG XL picture": b"\xff\x0a\xfa\x7f",
    "a JPEG XL picture, which": b"\0\0\0\x0cJXL \r\n\x87\n",
    "a DICOM file": bytes(128) + b"DICM",
    "a PDF document": b"%PDF-1.7",
    "an SVG drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "an SVG drawing, which": b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>",
    "a PostScript program": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "a Windows metafile": b"\xd7\xcd\xc6\x9a\0\0",
    "a film": b"\0\0\0\x18ftypmp42",
    "a file of a microscope": b"ZISRAWFILE",
    "a file of numbers": b"\x93NUMPY\x01\0",
    "a project of a drawing program": b"gimp xcf file",
}


@pytest.mark.parametrize("words", NAMED)
def test_formats_that_cannot_be_read_are_named_with_what_to_do(words, monkeypatch):
    monkeypatch.setattr(foreign_formats, "can_read_heic", lambda: False)
    with pytest.raises(ImageError, match="it is " + words) as caught:
        read_pixels(NAMED[words] + bytes(64), SETTINGS)
    assert caught.value.kind == "unread_format"
    assert "{" not in str(caught.value)


def test_other_xml_and_avif_are_not_taken_for_them():
    assert foreign_format(b"<?xml version='1.0'?><annotation/>") is None
    assert foreign_format(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") is None
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "TGA", "PCX"):
        assert foreign_format(file_bytes(noise(), kind)) is None


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}, {262: 32803}])
def test_the_preview_of_a_camera_raw_file_is_not_taken_for_the_picture(tags):
    data = file_bytes(
        noise(), "TIFF", tiffinfo={key: value for key, value in tags.items() if key != 262}
    )
    if 262 in tags:
        data = data.replace(
            struct.pack("<HHIHH", 262, 3, 1, 2, 0), struct.pack("<HHIHH", 262, 3, 1, 32803, 0)
        )
    with pytest.raises(ImageError):
        read_pixels(data, SETTINGS)


def test_ignored_files_of_a_folder_are_named(tmp_path):
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "cat" / "a.dcm").write_bytes(bytes(128) + b"DICM")
    for name in ("b.nef", "c.nef"):
        (tmp_path / "dog" / name).write_bytes(b"MM\0*" + bytes(40))
    notes = read_folder(tmp_path).notes
    assert notes == (
        "Ignored: 1 DICOM file of a medical device (cat/a.dcm), which cannot be read; convert it "
        "to PNG or TIFF, for example with `dcm2img` of DCMTK.",
        "Ignored: 2 camera raw files (dog/b.nef, dog/c.nef), which cannot be read; develop them to "
        "JPEG or TIFF with the program of the camera, darktable or RawTherapee.",
    )


def test_a_sidecar_file_is_not_opened(tmp_path, monkeypatch):
    (tmp_path / "a.xml").write_text("<svg/>")
    (tmp_path / "b.svg").write_text("<svg/>")
    assert foreign_file(str(tmp_path / "a.xml")) is None
    assert foreign_file(str(tmp_path / "b.svg")).name == "an SVG drawing"


@pytest.mark.parametrize(
    "files",
    [
        ["cat/1.dcm", "dog/IM2"],
        ["1.dcm", "IM2"],
        ["train/cat/1.dcm", "train/dog/2.dcm"],
        ["train/cat/1.png", "train/dog/2.png", "test/cat/3.dcm"],
    ],
)
@pytest.mark.parametrize("words", [["init", "{}"], ["train", "a.yaml", "--dry-run"]])
def test_a_folder_of_files_that_cannot_be_read_says_what_they_are(tmp_path, files, words):
    folder = tmp_path / "scans"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        content = file_bytes(noise()) if name.endswith(".png") else bytes(128) + b"DICM"
        (folder / name).write_bytes(content)
    Path("a.yaml").write_text(
        f"data: {{source: {folder}, image_size: 8}}\nmodel: {{layers: [flatten]}}\n"
    )
    done = CliRunner().invoke(main, [word.format(folder) for word in words])
    assert done.exit_code == 1
    assert "DICOM file" in done.stderr and "with `dcm2img` of DCMTK." in done.stderr
