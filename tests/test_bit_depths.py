"""Pictures of 1 to 32 bits per sample: black is 0 and white is 255, whatever the depth."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from images import data_config, file_bytes
from PIL import Image
from PIL.ImageFile import ImageFile

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.check.image_faults import facts_of
from cnnkit.data.decoding.bit_depths import own_range, proposed_range, read_samples
from cnnkit.data.decoding.sample_depths import sample_depth
from cnnkit.data.image_facts import image_facts
from cnnkit.data.image_file import LocalFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError
from cnnkit.model.model_info import ModelInfo


def grey(height, width, **changes):
    return PixelSettings((height, width), "grayscale", **changes)


def tiff(values, bits, *, order="<", white_is_zero=False, deflate=False, tile=0, more=()):
    """Return a TIFF of (height, width) or (height, width, 3) whole numbers."""
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else 3
    rows = values.reshape(height, -1)
    if tile:
        blocks = [rows[y : y + tile, x : x + tile] for y in (0, tile) for x in (0, tile)]
    else:
        blocks = [rows]
    packed = [packed_bits(block, bits, order) for block in blocks]
    if deflate:
        packed = [zlib.compress(block) for block in packed]
    photometric = 2 if samples == 3 else 0 if white_is_zero else 1
    tags = [(256, width), (257, height), (258, bits), (259, 8 if deflate else 1)]
    tags += [(262, photometric), (277, samples)]
    if tile:
        tags += [(322, tile), (323, tile), (324, None), (325, None)]
    else:
        tags += [(273, None), (278, height), (279, None)]
    tags = sorted([*tags, *more])
    start = 8 + 2 + 12 * len(tags) + 4
    offsets = [start + sum(map(len, packed[:i])) for i in range(len(packed))]
    lists = start + sum(map(len, packed))
    body, extra = b"", b""
    for tag, value in tags:
        values_of = {273: offsets, 324: offsets, 279: map(len, packed), 325: map(len, packed)}
        numbers = list(values_of[tag]) if value is None else [value]
        content = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            content, extra = struct.pack(f"{order}I", lists + len(extra)), extra + content
        body += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + content
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + body + struct.pack(f"{order}I", 0) + b"".join(packed) + extra


def packed_bits(rows, bits, order):
    if bits == 16:
        return rows.astype(f"{order}u2").tobytes()
    single = (rows[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def ramp(bits, height=32, width=32, channels=None):
    """Return numbers from black to white of a depth, and the levels of 8 bits that they are."""
    shape = (height, width) if channels is None else (height, width, channels)
    highest = (1 << bits) - 1
    values = np.linspace(0, highest, int(np.prod(shape))).round().astype(np.int64).reshape(shape)
    values[0, 0], values[-1, -1] = 0, highest
    return values, np.floor(values * 255 / highest + 0.5).astype(int)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
@pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
@pytest.mark.parametrize(
    "form", [{}, {"deflate": True}, {"tile": 16}, {"tile": 16, "deflate": True}]
)
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_tiffs_of_every_depth(bits, order, form, white_is_zero):
    values, expected = ramp(bits)
    data = tiff(values, bits, order=order, white_is_zero=white_is_zero, **form)
    found = read_pixels(data, grey(32, 32))[..., 0].astype(int)
    assert np.abs(found - (255 - expected if white_is_zero else expected)).max() <= (bits != 8)


@pytest.mark.parametrize("bits", [4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
def test_colour_tiffs_of_every_depth(bits, order, deflate):
    values, expected = ramp(bits, channels=3)
    data = tiff(values, bits, order=order, deflate=deflate)
    if bits == 4 and deflate:
        return
    found = read_pixels(data, PixelSettings((32, 32))).astype(int)
    assert np.abs(found - expected).max() <= (bits != 8)


def test_odd_widths_are_padded_to_whole_bytes():
    values, expected = ramp(12, 5, 7)
    assert np.array_equal(read_pixels(tiff(values, 12), grey(5, 7))[..., 0], expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_a_twelve_bit_tiff_is_applied(orientation):
    values, expected = ramp(12, 8, 8)
    found = read_pixels(tiff(values, 12, more=[(274, orientation)]), grey(8, 8))[..., 0]
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    assert np.array_equal(found, np.rot90(expected, turns))


def png(values, significant=None):
    """Return a PNG of 16 bits, grey or in colours, with an sBIT chunk."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    if significant:
        chunks.append((b"sBIT", bytes([significant] * channels)))
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


TWELVE, LEVELS = ramp(12, 8, 64)
STATED = {
    "TIFF MaxSampleValue": (tiff(TWELVE, 16, more=[(281, 4095)]), LEVELS),
    "TIFF SMaxSampleValue": (tiff(TWELVE, 16, more=[(341, 4095)]), LEVELS),
    "TIFF white is zero": (
        tiff(TWELVE, 16, white_is_zero=True, more=[(281, 4095)]),
        255 - LEVELS,
    ),
    "PNG sBIT, low bits": (png(TWELVE, 12), LEVELS),
    "PNG sBIT, shifted up": (png(TWELVE << 4, 12), LEVELS),
    "PNG sBIT, repeated": (png(TWELVE << 4 | TWELVE >> 8, 12), LEVELS),
    "PGM maxval": (b"P5 64 8 4095\n" + TWELVE.astype(">u2").tobytes(), LEVELS),
    "plain PGM": (
        b"P2 64 8 4095\n" + " ".join(map(str, TWELVE.ravel())).encode() + b"\n",
        LEVELS,
    ),
}


@pytest.mark.parametrize("case", STATED)
def test_a_range_that_the_file_states_is_used(case):
    data, expected = STATED[case]
    found = read_pixels(data, grey(8, 64))[..., 0].astype(int)
    assert np.abs(found - expected).max() <= 1
    assert own_range(read_samples(data)) is None


def test_the_largest_sample_of_one_picture_is_not_its_range():
    values = np.full((8, 8), 3000)
    assert read_pixels(tiff(values, 16, more=[(281, 3000)]), grey(8, 8))[0, 0, 0] == 12
    assert read_pixels(tiff(values, 16, more=[(281, 1023)]), grey(8, 8))[0, 0, 0] == 12


COLOURS, COLOUR_LEVELS = ramp(12, 8, 8, channels=3)
SIGNED = (TWELVE - 1024).astype(np.int32)
FLOATS = (TWELVE / 4095 * 2 - 1).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "sample_range", "expected"),
    [
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16))), (0, 4095), LEVELS),
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16)), "TIFF"), (0, 4095), LEVELS),
        (tiff(TWELVE, 16, white_is_zero=True), (0, 4095), 255 - LEVELS),
        (tiff(TWELVE, 12), (0, 4095), LEVELS),
        (b"P5 64 8 4095\n" + TWELVE.astype(">u2").tobytes(), (0, 4095), LEVELS),
        (file_bytes(Image.fromarray(SIGNED), "TIFF"), (-1024, 3071), LEVELS),
        (file_bytes(Image.fromarray(FLOATS), "TIFF"), (-1, 1), LEVELS),
        (png(COLOURS), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, order=">"), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, deflate=True), (0, 4095), COLOUR_LEVELS),
        (tiff(COLOURS, 16, order=">", deflate=True), (0, 4095), COLOUR_LEVELS),
    ],
)  # fmt: skip
def test_the_setting_gives_black_and_white(data, sample_range, expected):
    mode = "rgb" if expected.ndim == 3 else "grayscale"
    settings = PixelSettings(expected.shape[:2], mode, sample_range=sample_range)
    found = read_pixels(data, settings).astype(int)
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1


def test_samples_outside_the_setting_become_black_and_white():
    values = np.array([[0, 99, 100, 150, 200, 201, 65535]], np.uint16)
    found = read_pixels(file_bytes(Image.fromarray(values)), grey(1, 7, sample_range=(100, 200)))
    assert found[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255, 255]


def test_alpha_stays_as_it_is():
    values = np.zeros((1, 2, 4), np.int64)
    values[..., :3], values[0, 1, 3] = 2000, 65535
    settings = PixelSettings((1, 2), sample_range=(0, 4000), background=9)
    assert read_pixels(png(values), settings)[0, :, 0].tolist() == [9, 128]


def test_pictures_of_eight_bits_are_not_changed_by_the_setting():
    data = file_bytes(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    found = read_pixels(data, grey(16, 16, sample_range=(0, 100)))
    assert np.array_equal(found, read_pixels(data, grey(16, 16)))


def test_the_setting_is_stored_with_the_model_and_in_the_config():
    settings = PixelSettings.of(data_config("x", sample_range=[0, 4095]))
    assert settings.sample_range == (0, 4095)
    info = ModelInfo(("a", "b"), settings, "softmax")
    assert ModelInfo.from_json(info.to_json()) == info
    assert "sample_range" not in PixelSettings((4, 4)).to_dict()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({278: 1}, "1 of 8 strips"),
        ({257: 327_688, 278: 1}, "1 of 327,688 strips"),
        ({256: 64, 257: 327_688, 322: 16, 323: 16, 324: None}, "1 of 81,924 tiles"),
        ({284: 2, 277: 3, 262: 2, 258: 8}, "1 of 3 strips"),
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_tiff_that_lists_too_few_parts_is_refused_and_not_black(bits, changes, missing):
    tags = {256: 8, 257: 8, 258: bits, 259: 1, 262: 1, 273: None, 277: 1, 278: 8} | changes
    start = 8 + 2 + 12 * len(tags) + 4
    entries = [(tag, start if value is None else value) for tag, value in sorted(tags.items())]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II" + struct.pack("<HIH", 42, 8, len(tags)) + body + bytes(4) + b"\x77" * 200
    with pytest.raises(ImageError, match=f"incomplete: its header lists {missing}") as caught:
        read_pixels(data, grey(8, 8))
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("compression", [5, 8, 32946, 32773])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_small_tiff_that_claims_many_pixels_is_refused_at_once(compression, bits, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)  # would take seconds, and gigabytes of memory
    values = np.zeros((4, 4), int)
    data = bytearray(tiff(values, bits, deflate=True, more=[(700, compression)]))
    for tag, value in ((256, 16_711_688), (257, 8), (278, 8), (259, compression)):
        at = data.index(struct.pack("<HHI", tag, 4, 1))
        data[at + 8 : at + 12] = struct.pack("<I", value)
    with pytest.raises(ImageError, match=r"bytes cannot hold 16,711,688 x 8 pixels") as caught:
        read_pixels(bytes(data), grey(8, 8))
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_of_one_colour_that_is_packed_very_tightly_is_read(compression):
    data = file_bytes(Image.new("L", (3000, 2000)), "TIFF", compression=compression)
    assert read_pixels(data, grey(4, 4)).max() == 0


def test_the_rows_of_a_twelve_bit_tiff_may_end_inside_a_byte():
    for width in (1, 2, 3, 7, 9, 17):
        values, levels = ramp(12, 5, width)
        for bits, used in ((12, values), (11, values >> 1)):
            found = read_pixels(tiff(used, bits), grey(5, width))[..., 0].astype(int)
            assert np.abs(found - levels).max() <= (bits < 12)


def test_a_twelve_bit_tiff_that_is_too_large_says_how_large():
    header = bytearray(tiff(TWELVE, 12))
    for tag in (256, 257, 278):
        at = header.index(struct.pack("<HHI", tag, 4, 1))
        header[at + 8 : at + 12] = struct.pack("<I", 13_000)
    with pytest.raises(
        ImageError, match="claims 13,000 x 13,000 pixels of 12 bits.*; save it with"
    ):
        read_pixels(bytes(header), grey(8, 8))


def test_a_broken_twelve_bit_tiff_is_an_image_error():
    good = tiff(TWELVE, 12, deflate=True)
    for end in range(4, len(good), 7):
        with pytest.raises(ImageError):
            read_pixels(good[:end], grey(8, 64))
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(good)
        for place in random.integers(2, 200, 3):
            broken[place] = random.integers(256)
        try:
            assert read_pixels(bytes(broken), grey(8, 64)).shape == (8, 64, 1)
        except ImageError as error:
            assert str(error)
            assert "object at" not in str(error)


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(190, (0, 255)), (256, (0, 1023)), (4095, (0, 4095)), (16383, (0, 16383)), (16384, None)],
)
def test_the_proposed_range_is_that_of_the_smallest_camera(highest, expected):
    assert proposed_range(highest) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (file_bytes(Image.new("RGB", (2, 2))), ""),
        (file_bytes(Image.new("RGB", (2, 2)), "JPEG"), ""),
        (file_bytes(Image.new("L", (2, 2)), "TIFF"), ""),
        (file_bytes(Image.new("P", (2, 2)), "GIF"), ""),
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16))), "wide"),
        (tiff(TWELVE, 16), "wide"),
        (tiff(COLOURS, 16), "wide"),
        (tiff(TWELVE, 12), "stated"),
        (tiff(TWELVE, 16, more=[(281, 4095)]), "stated"),
        (b"P5 2 1 4095 " + bytes(4), "stated"),
        (b"P5 2 1 255 " + bytes(2), ""),
        (b"no image", ""),
        (tiff(TWELVE, 16)[:40], ""),
    ],
)
def test_the_header_shows_the_depth_of_the_samples(data, expected):
    assert sample_depth(data) == expected


def test_the_range_that_applies_is_said_once_also_for_cached_pixels(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    contents = {
        "a.png": file_bytes(Image.fromarray(TWELVE.astype(np.uint16))),
        "b.tif": tiff(TWELVE, 16),
        "c.tif": tiff(TWELVE, 12),
        "cut.tif": tiff(TWELVE + 1, 16)[:-9],
        "d.png": file_bytes(Image.new("L", (8, 8), 7)),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [LocalFile(tmp_path / name) for name in contents]

    def notes(names=tuple(contents), **changes):
        said = []
        chosen = [file for file in files if Path(file).name in names]
        open_pixels(chosen, grey(8, 8, **changes), note=said.append)
        return [sentence for sentence in said if sentence.startswith("samples: ")]

    expected = (
        "samples: 3 pictures of more than 8 bits; black is 0 and white is 65535, except in 1 file "
        "that states its own. If your camera has another range, set data.sample_range; `cnnkit "
        "data stats` shows the samples."
    )
    assert notes() == [expected]
    assert notes() == [expected]
    assert notes(sample_range=(0, 4095)) == [
        "samples: 3 pictures of more than 8 bits; black is 0 and white is 4095 (data.sample_range)."
    ]
    assert notes(["c.tif"]) == [
        "samples: 1 picture of more than 8 bits; black and white are those that each file states."
    ]
    assert notes(["d.png"]) == []


@pytest.mark.parametrize("sample_range", [None, (0, 4095)])
@pytest.mark.parametrize(
    "data",
    [
        file_bytes(Image.fromarray(TWELVE.astype(np.uint16))),
        file_bytes(Image.fromarray(TWELVE.astype(np.uint16)), transparency=4095),
        tiff(TWELVE, 16, white_is_zero=True),
        tiff(TWELVE, 12, more=[(274, 6)]),
        tiff(COLOURS, 16),
        file_bytes(Image.new("RGB", (9, 7), (1, 2, 3))),
    ],
)
def test_samples_that_were_read_before_give_the_same_pixels(data, sample_range):
    settings = PixelSettings((8, 16), sample_range=sample_range)
    found = read_pixels(data, settings, read_samples(data))
    assert np.array_equal(found, read_pixels(data, settings))


@pytest.mark.parametrize("examine", [facts_of, lambda file: image_facts([file], grey(8, 8))])
@pytest.mark.parametrize(
    "picture", [TWELVE.astype(np.uint16), np.zeros((8, 8, 3), np.uint8)], ids=["16", "8"]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_is_decoded_once_to_be_examined(tmp_path, monkeypatch, examine, picture, kind):
    path = tmp_path / "a"
    content = picture.copy()
    content[..., 0] = 9  # not one colour, for which another look at the whole picture is needed
    content[0] = 200
    path.write_bytes(file_bytes(Image.fromarray(content), kind))
    decoded = []
    prepare = ImageFile.load_prepare
    monkeypatch.setattr(
        ImageFile, "load_prepare", lambda image: decoded.append(image) or prepare(image)
    )
    examine(LocalFile(path))
    assert len(decoded) == 1
