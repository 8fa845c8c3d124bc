"""Read the EXIF orientation of a JPEG, and turn a picture upright, with operations of TensorFlow.

Source: the Exif 2.32 standard, sections 4.5 and 4.6; the TIFF 6.0 specification, section 2.
"""

from __future__ import annotations

from cnnkit.backend import tf

_APP1, _START_OF_SCAN = 0xE1, 0xDA
_EXIF = (0x45, 0x78, 0x69, 0x66, 0, 0)  # "Exif" and two zeros
_ORIENTATION_TAG = 0x0112
_MOST_SEGMENTS = 64  # of a JPEG before its picture
_MOST_ENTRIES = 512  # of a directory of tags
# For the orientations 1 to 8: whether rows become columns, and which of (down, right) are mirrored
# then.
_TURNS = (
    (False, False, False), (False, False, True), (False, True, True), (False, True, False),
    (True, False, False), (True, False, True), (True, True, True), (True, True, False),
)  # fmt: skip


def exif_orientation(content: tf.Tensor) -> tf.Tensor:
    """Return the orientation, 1 to 8; 1 (upright) for other files, and if there is none.

    Args:
        content: the bytes of a file, a string.
    """
    data = tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32)
    found = tf.cond(tf.io.is_jpeg(content), lambda: _orientation_of_jpeg(data), lambda: 1)
    return tf.where((found >= 1) & (found <= 8), found, 1)


def upright(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Return a picture (height, width, channels) turned as its orientation says."""

    def turned(sideways: bool, down: bool, right: bool) -> tf.Tensor:
        result = tf.transpose(picture, [1, 0, 2]) if sideways else picture
        axes = [axis for axis, mirrored in enumerate((down, right)) if mirrored]
        return tf.reverse(result, axes) if axes else result

    branches = [lambda turn=turn: turned(*turn) for turn in _TURNS]
    result = tf.switch_case(orientation - 1, branches)
    result.set_shape([None, None, picture.shape[2]])
    return result


def mirrored_axes(orientation: tf.Tensor) -> tf.Tensor:
    """Return for height and width whether `upright` mirrors them, as float32 (2,) of 0 and 1."""
    mirrored = [[float(down), float(right)] for _, down, right in _TURNS]
    return tf.gather(tf.constant(mirrored), orientation - 1)


def _orientation_of_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the first EXIF segment, 0 if there is none."""

    def is_before_exif(place: tf.Tensor) -> tf.Tensor:
        is_segment = (_byte(data, place) == 0xFF) & (_byte(data, place + 1) != _START_OF_SCAN)
        return is_segment & ~_is_exif(data, place)

    (place,) = tf.while_loop(
        is_before_exif,
        lambda place: (place + 2 + _number(data, place + 2, 2, is_little=False),),
        (tf.constant(2),),  # after the mark that begins every JPEG
        maximum_iterations=_MOST_SEGMENTS,
    )
    return tf.cond(_is_exif(data, place), lambda: _orientation_of_tiff(data, place + 10), lambda: 0)


def _is_exif(data: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    is_exif = _byte(data, place + 1) == _APP1
    for index, letter in enumerate(_EXIF):
        is_exif &= _byte(data, place + 4 + index) == letter
    return is_exif


def _orientation_of_tiff(data: tf.Tensor, begin: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the first directory of an EXIF block, 0 if it is not there."""
    is_little = _byte(data, begin) == ord("I")  # II: Intel's order of bytes, MM: Motorola's
    directory = begin + _number(data, begin + 4, 4, is_little)
    number = tf.clip_by_value(_number(data, directory, 2, is_little), 0, _MOST_ENTRIES)
    entries = directory + 2 + 12 * tf.range(number)
    is_it = _number(data, entries, 2, is_little) == _ORIENTATION_TAG
    # A value of two bytes stands in the first two of the four for the value.
    return tf.reduce_max(
        tf.where(is_it, _number(data, entries + 8, 2, is_little), 0), keepdims=True
    )[0]


def _number(data: tf.Tensor, place: tf.Tensor, size: int, is_little: tf.Tensor | bool) -> tf.Tensor:
    """Return the number of `size` bytes at a place, or at each of several places."""
    parts = [_byte(data, place + index) for index in range(size)]
    little = tf.add_n([part * 256**index for index, part in enumerate(parts)])
    big = tf.add_n([part * 256**index for index, part in enumerate(reversed(parts))])
    return tf.where(is_little, little, big)


def _byte(data: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Return the byte at a place, or at each of several; 0 after the end of the file."""
    is_inside = (place >= 0) & (place < tf.size(data))
    return tf.where(is_inside, tf.gather(data, tf.where(is_inside, place, 0)), 0)
