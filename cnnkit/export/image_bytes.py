"""Turn the bytes of image files into pixels with operations of TensorFlow.

They become a part of a SavedModel, so that a server takes photographs as they are. It is the only
place that does not use the one function for pixels, `read_pixels`: Pillow cannot be a part of a
graph. How much the pixels differ is measured at each export.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnkit.backend import tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.export.exif_in_graph import exif_orientation, upright

_BITS = 28  # the place of a BMP's bits per pixel
_GREY = (0.299, 0.587, 0.114)  # of red, green and blue; ITU-R BT.601, as Pillow has it


def pixels_function(settings: PixelSettings) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from the bytes of files to their pixels.

    It takes JPEG, PNG, GIF (the first frame), WebP, and BMP without a palette. It applies the EXIF
    orientation of a JPEG, puts transparent pixels on the background, and resizes as the settings
    say.

    Returns:
        A function from strings (num_images,) to uint8 (num_images, height, width, channels).
    """

    def pixels(content: tf.Tensor) -> tf.Tensor:
        picture = upright(_decoded(content, settings), exif_orientation(content))
        return tf.cast(tf.clip_by_value(tf.round(_resized(picture, settings)), 0, 255), tf.uint8)

    spec = tf.TensorSpec(settings.shape, tf.uint8)
    return lambda contents: tf.map_fn(pixels, contents, fn_output_signature=spec)


def _decoded(content: tf.Tensor, settings: PixelSettings) -> tf.Tensor:
    """Return the picture (height, width, channels) as float32, without transparency."""

    def jpeg() -> tf.Tensor:
        # This method is that of Pillow; TensorFlow's default is faster and less exact.
        decoded = tf.io.decode_jpeg(
            content, channels=settings.channels, dct_method="INTEGER_ACCURATE"
        )
        return tf.cast(decoded, tf.float32)

    def other() -> tf.Tensor:
        with tf.control_dependencies([_no_palette(content)]):
            data = tf.identity(content)
        decoded = tf.io.decode_image(data, channels=0, expand_animations=False)
        decoded.set_shape([None, None, None])
        return _without_transparency(tf.cast(decoded, tf.float32), settings)

    picture = tf.cond(tf.io.is_jpeg(content), jpeg, other)
    picture.set_shape([None, None, settings.channels])
    return picture


def _no_palette(content: tf.Tensor) -> tf.Operation:
    """Return a check that fails for a BMP with a palette, of which TensorFlow makes grey levels."""
    is_bmp = tf.strings.substr(content, 0, 2) == b"BM"
    bits = tf.strings.substr(content + b"\0" * 30, _BITS, 1)
    has_palette = is_bmp & tf.reduce_any(bits == tf.constant([b"\x01", b"\x04", b"\x08"]))
    message = "A BMP with a palette cannot be read here. Send it as PNG or JPEG."
    return tf.debugging.Assert(~has_palette, [message])


def _without_transparency(picture: tf.Tensor, settings: PixelSettings) -> tf.Tensor:
    """Return a picture of 1 to 4 channels over the background, with the wanted channels."""
    number = tf.shape(picture)[2]
    has_alpha = tf.equal(number % 2, 0)  # 2: grey with alpha, 4: red, green, blue with alpha
    opacity = tf.cond(has_alpha, lambda: picture[..., -1:] / 255, lambda: picture[..., :1] * 0 + 1)
    colours = picture[..., : number - tf.cast(has_alpha, tf.int32)]
    colours = tf.round(colours * opacity + settings.background * (1 - opacity))
    # One channel becomes three equal ones.
    colours = tf.broadcast_to(colours, [*tf.unstack(tf.shape(colours)[:2]), 3])
    if settings.channels == 3:
        return colours
    return tf.floor(tf.reduce_sum(colours * tf.constant(_GREY), axis=-1, keepdims=True) + 0.5)


def _resized(picture: tf.Tensor, settings: PixelSettings) -> tf.Tensor:
    """Return float32 (height, width, channels) by the run's resize policy."""
    height, width = settings.image_size
    wanted = tf.constant([height, width], tf.float32)
    shown = tf.cast(tf.shape(picture)[:2], tf.float32)
    scales = wanted / shown
    if settings.resize == "stretch":
        return _scaled(picture, (height, width), scales, tf.zeros(2))
    if settings.resize == "crop":
        scale = tf.fill([2], tf.reduce_max(scales))
        return _scaled(picture, (height, width), scale, (wanted - shown * scale) / 2)
    inner = tf.clip_by_value(tf.round(shown * tf.reduce_min(scales)), 1, wanted)
    size = tf.cast(inner, tf.int32)
    scaled = _scaled(picture, size, inner / shown, tf.zeros(2))
    before = tf.cast(tf.round((wanted - inner) / 2), tf.int32)
    after = [height, width] - size - before
    paddings = tf.stack([[before[0], after[0]], [before[1], after[1]], [0, 0]])
    padded = tf.pad(scaled, paddings, constant_values=float(settings.background))
    return tf.ensure_shape(padded, settings.shape)


def _scaled(
    picture: tf.Tensor, size: tuple[int, int] | tf.Tensor, scale: tf.Tensor, shift: tf.Tensor
) -> tf.Tensor:
    """Return part of a picture at a size.

    The filter is as wide as the pixels that become one, as in Pillow.

    Args:
        picture: (height, width, channels).
        size: (height, width) of the result.
        scale: of height and width.
        shift: (down, right) of the scaled picture, in pixels of the result.
    """
    return tf.raw_ops.ScaleAndTranslate(
        images=picture[tf.newaxis],
        size=size,
        scale=scale,
        translation=shift,
        kernel_type="triangle",
        antialias=True,
    )[0]
