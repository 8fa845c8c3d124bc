"""The one pixel path against a plain reference, over every mode, size and orientation."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from images import file_bytes
from PIL import Image

from cnnkit.data.pixels import PixelSettings, read_pixels

# How NumPy turns stored pixels (height, width, ...) upright, by EXIF orientation.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}
CHANNELS = {"1": 0, "L": 0, "P": 0, "I;16": 0, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}


@st.composite
def cases(draw):
    mode = draw(st.sampled_from([*CHANNELS, "P transparent"]))
    # TIFF has no transparent palette entry; PNG has no CMYK.
    kind = {"CMYK": "TIFF", "P transparent": "PNG"}.get(mode) or draw(
        st.sampled_from(["PNG", "TIFF"])
    )
    return {
        "mode": mode,
        "kind": kind,
        "width": draw(st.integers(1, 40)),
        "height": draw(st.integers(1, 40)),
        "seed": draw(st.integers(0, 2**16)),
        "orientation": draw(st.sampled_from([*TURNS])),
        "settings": PixelSettings(
            image_size=(draw(st.integers(1, 24)), draw(st.integers(1, 24))),
            color_mode=draw(st.sampled_from(["rgb", "grayscale"])),
            resize=draw(st.sampled_from(["stretch", "crop", "pad"])),
            background=draw(st.integers(0, 255)),
        ),
    }


def stored_picture(mode, width, height, seed):
    """Return a picture of noise in a mode, as a file stores it."""
    random = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), dtype=np.uint16))
    if mode == "1":
        return Image.fromarray(
            random.integers(0, 2, (height, width), dtype=np.uint8) * 255
        ).convert("1", dither=Image.Dither.NONE)
    shape = (height, width, CHANNELS[mode[0] if mode.startswith("P") else mode])
    values = random.integers(0, 256, shape if shape[2] else shape[:2], dtype=np.uint8)
    if not mode.startswith("P"):
        return Image.frombytes(mode, (width, height), values.tobytes())
    picture = Image.frombytes("P", (width, height), values.tobytes())
    picture.putpalette(random.integers(0, 256, 768, dtype=np.uint8).tobytes())
    if mode == "P transparent":
        picture.info["transparency"] = int(values[0, 0])
    return picture


def plain_colors(picture, background):
    """Return float (height, width, 3): the visible colours, by textbook formulas."""
    values = np.asarray(picture)
    if picture.mode == "I;16":
        return np.repeat(np.rint(values / 257)[..., None], 3, axis=2)
    if picture.mode == "1":
        return np.repeat(values[..., None] * 255.0, 3, axis=2)
    if picture.mode == "L":
        return np.repeat(values[..., None].astype(float), 3, axis=2)
    if picture.mode == "CMYK":
        ink = values[..., :3].astype(float) / 255
        return np.rint(255 * (1 - ink) * (1 - values[..., 3:] / 255.0))
    if picture.mode == "P":
        palette = np.array(picture.getpalette(), float).reshape(-1, 3)
        alpha = (values != picture.info.get("transparency", -1))[..., None].astype(float)
        return alpha * palette[values] + (1 - alpha) * background
    colors = values.astype(float)
    if picture.mode == "LA":
        colors = colors[..., [0, 0, 0, 1]]
    if colors.shape[2] == 3:
        return colors
    alpha = colors[..., 3:] / 255
    return np.rint(alpha * colors[..., :3] + (1 - alpha) * background)


def plain_resize(colors, settings):
    """Return the reference of the resize policies: Pillow's filter on one whole picture."""
    height, width = settings.image_size
    picture = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
    if settings.color_mode == "grayscale":
        picture = picture.convert("L")
    scales = (width / picture.width, height / picture.height)
    if settings.resize == "stretch":
        return picture.resize((width, height), Image.Resampling.BILINEAR)
    if settings.resize == "crop":
        kept = (width / max(scales), height / max(scales))
        left, top = (picture.width - kept[0]) / 2, (picture.height - kept[1]) / 2
        box = (max(0, left), max(0, top), left + kept[0], top + kept[1])
        box = (*box[:2], min(box[2], picture.width), min(box[3], picture.height))
        return picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
    inner = [max(1, round(side * min(scales))) for side in picture.size]
    inner = [min(side, limit) for side, limit in zip(inner, (width, height), strict=True)]
    canvas = Image.new("L", (width, height), settings.background).convert(picture.mode)
    canvas.paste(
        picture.resize(inner, Image.Resampling.BILINEAR),
        (round((width - inner[0]) / 2), round((height - inner[1]) / 2)),
    )
    return canvas


@settings(max_examples=400, deadline=None)
@given(cases())
@example(
    {
        "mode": "RGBA", "kind": "PNG", "width": 1, "height": 1, "seed": 1, "orientation": 6,
        "settings": PixelSettings((3, 5), resize="pad", background=0),
    }
)  # fmt: skip
def test_pixels_are_those_of_a_plain_reference(case):
    stored = stored_picture(case["mode"], case["width"], case["height"], case["seed"])
    exif = Image.Exif()
    exif[0x0112] = case["orientation"]
    data = file_bytes(stored, case["kind"], exif=exif)
    found = read_pixels(data, case["settings"])
    upright = TURNS[case["orientation"]](plain_colors(stored, case["settings"].background))
    expected = np.asarray(plain_resize(upright, case["settings"]), int).reshape(found.shape)
    # One level for the rounding of alpha and CMYK, one more where a filter adds it up.
    assert np.abs(found.astype(int) - expected).max() <= 2


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(64, 700),
    height=st.integers(64, 700),
    side=st.integers(8, 64),
    orientation=st.sampled_from([*TURNS]),
    grey=st.booleans(),
)
def test_scaled_decoding_of_a_jpeg_stays_near_the_full_decoding(
    width, height, side, orientation, grey
):
    """Smooth pictures, so that only a wrong place, turn or scale can make a difference."""
    rows, columns = np.mgrid[0:height, 0:width]
    values = np.stack([rows * 255 / height, columns * 255 / width, np.full_like(rows, 90.0)], 2)
    picture = Image.fromarray(values.astype(np.uint8)).convert("L" if grey else "RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_pixels(
        file_bytes(picture, "JPEG", quality=95, exif=exif), PixelSettings((side, side))
    )
    upright = TURNS[orientation](np.asarray(picture.convert("RGB")))
    whole = Image.fromarray(np.ascontiguousarray(upright))
    expected = np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR), int)
    assert np.abs(found.astype(int) - expected).mean() < 2
