"""Turn a decoded picture upright and bring it to the requested size."""

from __future__ import annotations

from PIL import Image

Transpose = Image.Transpose

SIDEWAYS = (
    Transpose.TRANSPOSE,
    Transpose.TRANSVERSE,
    Transpose.ROTATE_90,
    Transpose.ROTATE_270,
)


def resize_upright(
    picture: Image.Image,
    extent: tuple[float, float],
    turn: Transpose | None,
    image_size: tuple[int, int],
    *,
    resize: str,
    background: int,
) -> Image.Image:
    """Return the picture at a size.

    It is resized first and turned afterwards, when it is small.

    Args:
        picture: mode RGB or L, as it is stored.
        extent: (width, height) of the part that is shown, from the top left corner of the picture.
            A JPEG that is decoded at a smaller size gets a complete last column and row: 121 pixels
            at an eighth are 16 pixels wide, of which 15.125 are shown.
        turn: the turn that brings the picture upright; None if it is upright.
        image_size: (height, width) of the result.
        resize: stretch, crop or pad.
        background: grey level of what pad adds.
    """
    height, width = image_size
    if resize == "stretch":
        return _scaled(picture, (width, height), (0, 0, *extent), turn)
    # The requested size is that of the upright picture.
    shown = extent[::-1] if turn in SIDEWAYS else extent
    scales = width / shown[0], height / shown[1]
    if resize == "crop":
        kept = width / max(scales), height / max(scales)
        return _scaled(picture, (width, height), _middle(extent, kept, turn), turn)
    # Rounding up must not make the picture larger than its canvas.
    inner_width = min(width, _at_least_one(shown[0] * min(scales)))
    inner = inner_width, min(height, _at_least_one(shown[1] * min(scales)))
    colour = (background,) * len(picture.getbands())
    canvas = Image.new(picture.mode, (width, height), colour)
    place = round((width - inner[0]) / 2), round((height - inner[1]) / 2)
    canvas.paste(_scaled(picture, inner, (0, 0, *extent), turn), place)
    return canvas


def _at_least_one(side: float) -> int:
    return max(1, round(side))


def _middle(
    extent: tuple[float, float], kept: tuple[float, float], turn: Transpose | None
) -> tuple[float, float, float, float]:
    """Return the centred box (left, top, right, bottom) in the stored picture."""
    box_width, box_height = kept[::-1] if turn in SIDEWAYS else kept
    # Within the picture: Pillow refuses a box that reaches out of it by a rounding error.
    left = max((extent[0] - box_width) / 2, 0)
    top = max((extent[1] - box_height) / 2, 0)
    return left, top, min(left + box_width, extent[0]), min(top + box_height, extent[1])


def _scaled(
    picture: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    turn: Transpose | None,
) -> Image.Image:
    """Return a part of the stored picture, upright, with `size` (width, height)."""
    stored_size = size[::-1] if turn in SIDEWAYS else size
    # Pillow widens the filter when it reduces a picture, so every pixel counts.
    scaled = picture.resize(stored_size, Image.Resampling.BILINEAR, box=box)
    return scaled if turn is None else scaled.transpose(turn)
