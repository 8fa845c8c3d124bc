"""Recognize files that cannot be read by their first bytes, and say what to do with them."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from cnnkit.text import count_of, first_few

HEAD_BYTES = 4096  # are enough to recognize any of the formats
_USUAL = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # JPEG and PNG


class ForeignFormat(NamedTuple):
    """A format that cannot be read.

    Args:
        name: what messages call one file of it, with its article.
        plural: what messages call several files of it.
        advice: how to make a picture of it that can be read; `{it}` is the file or the files.
        magic: a pattern of the first bytes; None if these are not enough.
        extensions: that such files usually have.
    """

    name: str
    plural: str
    advice: str
    magic: bytes | None
    extensions: tuple[str, ...]

    def begins(self, data: bytes) -> bool:
        """Tell whether a file with these bytes begins like one of this format."""
        return self.magic is not None and re.match(self.magic, data, re.S) is not None

    def sentence(self) -> str:
        """Return why one file cannot be read and what to do, as the text of an error."""
        return f"it is {self.name}, which cannot be read; {self.advice.format(it='it')}"

    def note(self, paths: Sequence[str]) -> str:
        """Return a sentence about the files of this format that are ignored."""
        what = count_of(len(paths), self.name.partition(" ")[2], self.plural)
        advice = self.advice.format(it="it" if len(paths) == 1 else "them")
        return f"Ignored: {what} ({first_few(sorted(paths))}), which cannot be read; {advice}."


def _format(
    name: str, plural: str, advice: str, magic: bytes | None, extensions: str
) -> ForeignFormat:
    return ForeignFormat(name, plural, advice, magic, tuple(extensions.split()))


HEIC = _format(
    "a HEIC picture, as phones write them",
    "HEIC pictures, as phones write them",
    'run `pip install "cnnkit[heif]"` to read {it}',
    # An AVIF, which can be read, may begin with mif1 as well; it then names avif a little later.
    rb".{4}ftyp(hei[cxms]|hev[cxms]|(mif1|msf1)(?!.{0,60}avi[fs]))",
    ".heic .heif .hif",
)
CAMERA_RAW = _format(
    "a camera raw file",
    "camera raw files",
    "develop {it} to JPEG or TIFF with the program of the camera, darktable or RawTherapee",
    # Canon, Olympus, Panasonic, Fujifilm, Sigma, Minolta. Other makers write a TIFF: see
    # `is_raw_preview`.
    rb"II\*\0.{4}CR|.{4}ftypcrx |II\x1a\0.{4}HEAPCCDR|IIR[OS]|MMOR|IIU\0|FUJIFILMCCD|FOVb|\0MRM",
    ".3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mef .mrw .nef .nrw .orf .pef .raf .raw .rw2 "
    ".rwl .srw .x3f",
)
_FORMATS = (
    HEIC,
    CAMERA_RAW,
    _format(
        "a JPEG XL picture",
        "JPEG XL pictures",
        "convert {it} to PNG, for example with `djxl`",
        rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
        ".jxl",
    ),
    _format(
        "a DICOM file of a medical device",
        "DICOM files of a medical device",
        "convert {it} to PNG or TIFF, for example with `dcm2img` of DCMTK",
        rb".{128}DICM",
        ".dcm .dicom",
    ),
    _format(
        "a PDF document",
        "PDF documents",
        "make pictures of the pages, for example with `pdftoppm -png`",
        rb"\s{0,8}%PDF-",
        ".pdf",
    ),
    _format(
        "an SVG drawing",
        "SVG drawings",
        "convert {it} to PNG, for example with Inkscape or `rsvg-convert`",
        rb"(\xef\xbb\xbf)?\s{0,64}<(svg|!DOCTYPE svg|(\?xml|!--).{0,2000}<svg)",
        ".svg .svgz",
    ),
    _format(
        "a PostScript program (EPS)",
        "PostScript programs (EPS)",
        "convert {it} to PNG if you trust {it} (PostScript is not run, because that is not safe)",
        rb"%!PS|\x04%!PS|\xc5\xd0\xd3\xc6",
        ".eps .ps .epsf",
    ),
    _format(
        "a Windows metafile",
        "Windows metafiles",
        "convert {it} to PNG, for example with Inkscape or LibreOffice",
        rb"\xd7\xcd\xc6\x9a\0\0|\x01\0\0\0.{36} EMF",
        ".wmf .emf",
    ),
    _format(
        "a film",
        "films",
        "take single pictures from {it}, for example with `ffmpeg -i film frame-%05d.png`",
        rb".{4}ftyp(isom|iso[2-9]|mp4|M4V|avc1|qt  |3gp|dash)|\x1a\x45\xdf\xa3|RIFF.{4}AVI "
        rb"|\0\0\x01[\xb3\xba]|.{4}(moov|mdat|wide)",
        ".3gp .avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv",
    ),
    _format(
        "a sound of another format than WAV",
        "sounds of another format than WAV",
        "convert {it}, for example with `ffmpeg -i sound.mp3 sound.wav`",
        rb"ID3|fLaC|OggS|\xff[\xfb\xf3\xf2]|.{4}ftypM4A |FORM.{4}AIF[FC]|RIFX.{4}WAVE|RF64",
        ".aac .aif .aiff .flac .m4a .mp3 .oga .ogg .opus .wma",
    ),
    _format(
        "a file of a microscope (CZI, LIF or ND2)",
        "files of a microscope (CZI, LIF or ND2)",
        "export the pictures as TIFF, for example with Fiji",
        rb"ZISRAWFILE|\x70\0\0\0.{4}\x2a|\xda\xce\xbe\x0a",
        ".czi .lif .nd2",
    ),
    _format(
        "a file of numbers (HDF5 or NumPy)",
        "files of numbers (HDF5 or NumPy)",
        "write the pictures as PNG or TIFF files",
        rb"\x89HDF\r\n|\x93NUMPY",
        ".h5 .hdf .hdf5 .mat .npy .npz",
    ),
    _format(
        "a project of a drawing program",
        "projects of a drawing program",
        "export {it} as PNG or JPEG",
        rb"gimp xcf ",
        ".xcf .kra .clip .ai .psb .afphoto",
    ),
)
_BY_EXTENSION = {extension: each for each in _FORMATS for extension in each.extensions}


def can_read_heic() -> bool:
    """Tell whether the package that decodes HEIC is installed."""
    return importlib.util.find_spec("pi_heif") is not None


def foreign_format(head: bytes) -> ForeignFormat | None:
    """Return the format of a file that cannot be read, by its first bytes; None for others.

    >>> foreign_format(b"%PDF-1.7").name
    'a PDF document'
    """
    if head.startswith(_USUAL):  # most images, for which no pattern has to be tried
        return None
    for each in _FORMATS:
        if each.begins(head[:HEAD_BYTES]):
            return None if each is HEIC and can_read_heic() else each
    return None


def foreign_file(path: str) -> ForeignFormat | None:
    """Return the format of a file that is not used, by its content or its extension, or None.

    Only a file whose extension names such a format is opened, and one without an extension: the
    files next to the images of a large data set are many, and most of them are text.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension and extension not in _BY_EXTENSION:
        return None
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return _BY_EXTENSION.get(extension)
    found = foreign_format(head)
    # A camera raw file of most makers is a TIFF by its first bytes.
    if found is None and extension in CAMERA_RAW.extensions and head[:4] in (b"II*\0", b"MM\0*"):
        return CAMERA_RAW
    return found
