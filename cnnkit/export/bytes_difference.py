"""Measure how the pixels that TensorFlow decodes differ from those of `read_pixels`."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnkit.backend import tf
from cnnkit.config import load_config
from cnnkit.data.file_bytes import read_file
from cnnkit.data.other_spellings import PathSpelling
from cnnkit.data.scored_images import image_at, source_folder
from cnnkit.data.sound_names import num_sounds
from cnnkit.errors import ImageError
from cnnkit.export.original import Original
from cnnkit.model.calibrated_layers import PROBABILITIES


def bytes_difference(saved: Any, original: Original) -> dict[str, Any]:
    """Compare what a SavedModel makes of image files with what cnnkit makes of them.

    Args:
        saved: the module of a SavedModel; its functions `decode` and `from_pixels` are used.
        original: whose stored images are read from their files again.

    Returns:
        `num_images`, the mean and the largest difference of a pixel (of 255 levels), the largest
        difference of a probability, and `top1_agreement`; empty if no file can be read.
    """
    golden = original.golden
    data = load_config(original.run.config).data
    root, spelling = source_folder(data.source, data.shapes), PathSpelling()
    paths = golden.paths.tolist()
    if original.has_sounds:
        original.note(
            "saved_model: its signature serving_bytes reads pictures but not WAV files. "
            "predict_saved_model.py makes the pixels of a sound, for serving_default."
        )
    pictures = [row for row, path in enumerate(paths) if not num_sounds([path])]
    rows, decoded = [], []
    for row in pictures:
        path = paths[row]
        try:
            content = read_file(image_at(root, path, spelling))
            decoded.append(saved.decode(tf.constant([content])).numpy()[0])
        except ImageError:  # the file is gone
            continue
        except tf.errors.InvalidArgumentError:  # of a kind that TensorFlow cannot decode
            continue
        rows.append(row)
    if len(rows) < len(pictures):
        of_all = f"{len(pictures) - len(rows)} of the {len(pictures)} stored images"
        original.note(
            f"saved_model: the files of {of_all} are gone, or of a kind that TensorFlow cannot "
            "decode, so the signature for files was not compared on them."
        )
    if not rows:
        return {}
    pixels = np.stack(decoded)
    difference = np.abs(pixels.astype(int) - golden.pixels[rows])
    found = saved.from_pixels(tf.constant(pixels))[PROBABILITIES].numpy()
    expected = saved.from_pixels(tf.constant(golden.pixels[rows]))[PROBABILITIES].numpy()
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    return {
        "num_images": len(rows),
        "mean_pixel_difference": round(float(difference.mean()), 3),
        "max_pixel_difference": int(difference.max()),
        "max_difference": float(np.abs(found - expected).max()),
        "top1_agreement": float(same.mean()),
    }
