"""Operations to test with their arguments, noisy pictures, and two ways to change them."""

from __future__ import annotations

import hashlib

import numpy as np

from cnnkit.augmentation import build_augmentation
from cnnkit.backend import tf
from cnnkit.config.calls import Call
from cnnkit.data.pixels import PixelSettings

RGB = PixelSettings((20, 24))
GRAY = PixelSettings((20, 24), "grayscale")
ARGUMENTS = {
    "random_brightness": {"factor": 0.3},
    "random_color_degeneration": {"factor": 0.5},
    "random_color_jitter": {"brightness_factor": 0.3, "saturation_factor": 0.3, "hue_factor": 0.2},
    "random_contrast": {"factor": 0.5},
    "random_crop": {"height": 12, "width": 14},
    "random_hue": {"factor": 0.5},
    "random_invert": {"factor": [0.5, 0.5]},
    "random_posterization": {"factor": 4},
    "random_rotation": {"factor": 0.2},
    "random_saturation": {"factor": 0.5},
    "random_sharpness": {"factor": 0.5},
    "random_shear": {"x_factor": 0.3, "y_factor": 0.3},
    "random_translation": {"height_factor": 0.2, "width_factor": 0.2},
    "random_zoom": {"height_factor": 0.3},
    "solarization": {"addition_factor": 0.5, "threshold_factor": 0.5},
}
REPEATED_CALLS = (
    Call("random_flip", {}),
    Call("random_zoom", {"height_factor": 0.3}),
    Call("random_resized_crop", {}),
    Call("random_elastic_transform", {}),  # a Keras layer
    Call("random_perspective", {}),
    Call("random_hue", {"factor": 0.3}),
    Call("random_erasing", {}),
)


def call(name, **arguments):
    return Call(name, arguments)


def build(name, settings=RGB, **arguments):
    return build_augmentation([Call(name, arguments or ARGUMENTS.get(name, {}))], settings)


def noise(settings=RGB, seed=0):
    return np.random.default_rng(seed).integers(20, 200, settings.shape, dtype=np.uint8)


def pictures(settings=RGB, number=7):
    """Return one picture many times, so that all later differences come from the keys."""
    return np.stack([noise(settings)] * number)


def hashes(number):
    return [hashlib.sha256(bytes([index])).hexdigest() for index in range(number)]


def changed(augment, images, *, epoch=0):
    """Change the pictures one by one."""
    return np.stack(
        [
            augment.change_one(image, seed=0, epoch=epoch, sha256=digest)
            for image, digest in zip(images, hashes(len(images)), strict=True)
        ]
    )


def in_pipeline(augment, images, *, batch_size=4, threads=4):
    """Change the pictures in parallel with `tf.data`."""

    def first(batch, indices):
        digests = [hashes(len(images))[index] for index in indices]
        keys = augment.keys(0, 0, digests, np.zeros(len(digests), int))
        return augment.on_host(batch, keys), keys

    def change(batch, indices):
        shape = batch.shape
        batch, keys = tf.numpy_function(first, [batch, indices], (tf.uint8, tf.uint64))
        return augment.in_graph(tf.ensure_shape(batch, shape), keys)

    numbered = tf.data.Dataset.from_tensor_slices((images, np.arange(len(images))))
    batches = numbered.batch(batch_size).map(change, num_parallel_calls=threads)
    return np.concatenate([batch.numpy() for batch in batches])


ROTATION = call("random_rotation", factor=[0.07, 0.07])
SHIFT = call("random_translation", height_factor=[0.1, 0.1], width_factor=[-0.2, -0.2])
