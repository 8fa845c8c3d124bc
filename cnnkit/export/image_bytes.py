"""Turn the bytes of image files into pixels with operations of TensorFlow.

They become a part of a SavedModel, so that a server takes photographs as they are. It is the only
place that does not use the one function for pixels, `read_pixels`: Pillow cannot be a part of a
graph. How much the pixels differ is measured at each export.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnkit.backend import tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.export.exif_in_graph import exif_orientation, mirrored_axes, upright

_RATIOS = (1, 2, 4, 8)  # by which a JPEG can be decoded smaller
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
        stored, part = _decoded(content, settings)
        orientation = exif_orientation(content)
        picture = upright(stored, orientation)
        part = tf.where(orientation > 4, part[::-1], part)  # these lay on their side
        size = tf.cast(tf.shape(picture)[:2], tf.float32)
        # What the last rows and columns have too much is at the beginning of a mirrored picture.
        begin = mirrored_axes(orientation) * size * (1 - part)
        resized = _resized(picture, begin, size * part, settings)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    spec = tf.TensorSpec(settings.shape, tf.uint8)
    return lambda contents: tf.map_fn(pixels, contents, fn_output_signature=spec)


def _decoded(content: tf.Tensor, settings: PixelSettings) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a picture as it is stored, and what part of its pixels it has.

    Returns:
        The picture (height, width, channels) as float32, without transparency, and float32 (2,):
        the exact (height, width) of a JPEG that is decoded at a smaller size, divided by that of
        the picture, which is rounded up.
    """

    def jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.io.extract_jpeg_shape(content)[:2]
        # As Pillow does for `read_pixels`: at least twice the wanted size is left.
        most = tf.reduce_min(size // (2 * max(settings.image_size)))
        choice = tf.reduce_sum(tf.cast(most >= tf.constant(_RATIOS[1:]), tf.int32))
        branches = [lambda ratio=ratio: _jpeg(content, settings, ratio) for ratio in _RATIOS]
        decoded = tf.switch_case(choice, branches)
        exact = tf.cast(size, tf.float32) / tf.cast(tf.gather(_RATIOS, choice), tf.float32)
        return decoded, exact / tf.cast(tf.shape(decoded)[:2], tf.float32)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([_no_palette(content), _no_sound(content)]):
            data = tf.identity(content)
        decoded = tf.io.decode_image(data, channels=0, expand_animations=False)
        decoded.set_shape([None, None, None])
        return _without_transparency(tf.cast(decoded, tf.float32), settings), tf.ones(2)

    picture, part = tf.cond(tf.io.is_jpeg(content), jpeg, other)
    picture.set_shape([None, None, settings.channels])
    return picture, part


def _jpeg(content: tf.Tensor, settings: PixelSettings, ratio: int) -> tf.Tensor:
    # This method is that of Pillow; TensorFlow's default is faster and less exact.
    decoded = tf.io.decode_jpeg(
        content, channels=settings.channels, ratio=ratio, dct_method="INTEGER_ACCURATE"
    )
    return tf.cast(decoded, tf.float32)


def _no_palette(content: tf.Tensor) -> tf.Operation:
    """Return a check that fails for a BMP with a palette, of which TensorFlow makes grey levels."""
    is_bmp = tf.strings.substr(content, 0, 2) == b"BM"
    bits = tf.strings.substr(content + b"\0" * 30, _BITS, 1)
    has_palette = is_bmp & tf.reduce_any(bits == tf.constant([b"\x01", b"\x04", b"\x08"]))
    message = "A BMP with a palette cannot be read here. Send it as PNG or JPEG."
    return tf.debugging.Assert(~has_palette, [message])


def _no_sound(content: tf.Tensor) -> tf.Operation:
    is_riff = tf.strings.substr(content, 0, 4) == b"RIFF"
    is_wav = is_riff & (tf.strings.substr(content + b"\0" * 12, 8, 4) == b"WAVE")
    message = "A WAV file cannot be read here. Give its pixels to the signature serving_default."
    return tf.debugging.Assert(~is_wav, [message])


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


def _resized(
    picture: tf.Tensor, begin: tf.Tensor, shown: tf.Tensor, settings: PixelSettings
) -> tf.Tensor:
    """Return float32 (height, width, channels) by the run's resize policy.

    Args:
        picture: (height, width, channels), upright.
        begin: (down, right), where the part begins that is shown.
        shown: (height, width) of that part.
        settings: size, policy and background.
    """
    height, width = settings.image_size
    wanted = tf.constant([height, width], tf.float32)
    scales = wanted / shown
    if settings.resize == "stretch":
        return _scaled(picture, (height, width), scales, -begin * scales)
    if settings.resize == "crop":
        scale = tf.fill([2], tf.reduce_max(scales))
        shift = (wanted - shown * scale) / 2 - begin * scale
        return _scaled(picture, (height, width), scale, shift)
    inner = tf.clip_by_value(tf.round(shown * tf.reduce_min(scales)), 1, wanted)
    size, scale = tf.cast(inner, tf.int32), inner / shown
    scaled = _scaled(picture, size, scale, -begin * scale)
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
