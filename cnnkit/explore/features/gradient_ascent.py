"""Make pictures that maximise the channels of a layer, by gradient ascent on the pixels.

Source: Olah, Mordvintsev & Schubert 2017, "Feature Visualization", distill.pub/2017/
feature-visualization. The objective is the mean of a channel's map. To avoid fine noise, at each
step the picture is shifted, the gradient is slightly blurred, and the picture is pulled towards
grey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.model_graph import Step, run_steps

_STEPS = 96
_BATCH = 8  # pictures
_STEP_LEVELS = 4.0  # root mean square of a step, in levels of 0 to 255
_PULL = 0.01  # share of the distance to grey that each step goes back
_MOVE_SHARE = 1 / 16  # largest shift, as a share of the picture's side
_GREY = 127.5
_NOISE = 12  # standard deviation of the first picture, in levels


def climbed_pictures(
    steps: Sequence[Step],
    position: int,
    channels: Sequence[int],
    *,
    seed: int,
    advance: Callable[[int], None] = lambda done: None,
) -> NDArray:
    """Return pictures (len(channels), height, width, image channels) uint8 of the model's size.

    Args:
        steps: the graph of the model.
        position: position of the convolutional layer in the graph.
        channels: channels of this layer. For each one, the mean of its map before the activation is
            made large.
        seed: seed of the first picture (noise around grey) and of the shifts. The picture of a
            channel does not depend on which other channels are asked for.
        advance: called with the number of pictures that are done.
    """
    step = _step(steps, position)
    pictures = []
    for start in range(0, len(channels), _BATCH):
        batch = list(channels[start : start + _BATCH])
        pictures.append(_climb(step, steps, position, batch, seed))
        advance(start + len(batch))
    return np.concatenate(pictures)


def _climb(
    step: Callable[..., Any], steps: Sequence[Step], position: int, channels: list[int], seed: int
) -> NDArray:
    from cnnkit.backend import tf  # here, because the import takes seconds

    shape = steps[0].shape
    wanted = tf.one_hot(channels, steps[position].shape[-1])
    random = np.random.default_rng(seed)
    noise = random.normal(_GREY, _NOISE, (1, *shape)).astype(np.float32)
    # The same start for all, so that pictures differ by their channels alone.
    pictures = tf.constant(np.repeat(noise, len(channels), axis=0))
    most = [max(1, round(side * _MOVE_SHARE)) for side in shape[:2]]
    for _ in range(_STEPS):
        # Random shifts: a pattern that excites the channel at one place only is averaged away.
        move = [int(random.integers(-far, far + 1)) for far in most]
        pictures = step(pictures, tf.constant(move), wanted)
    return np.round(np.clip(np.asarray(pictures), 0, 255)).astype(np.uint8)


def _step(steps: Sequence[Step], position: int) -> Callable[..., Any]:
    """Return a function that makes one step: (pictures, shift, one-hot channels) -> pictures."""
    from cnnkit.backend import tf  # here, because the import takes seconds

    # The last batch may be smaller, for which the step must not be compiled again.
    @tf.function(reduce_retracing=True)
    def step(pictures: Any, move: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            moved = tf.roll(pictures, move, axis=[1, 2])
            maps = run_steps(steps, moved, until=position, before=True)[-1]
            means = tf.reduce_mean(tf.cast(maps, tf.float32), axis=[1, 2])
            # Pictures do not influence each other, so one sum gives the slope of each of them.
            total = tf.reduce_sum(means * wanted)
        # Without the blur, fine noise would grow faster than shapes.
        slope = _blurred(tape.gradient(total, pictures))
        # All steps have the same size, no matter how steep the slope is.
        size = tf.sqrt(tf.reduce_mean(slope**2, axis=[1, 2, 3], keepdims=True))
        # The slope is 0 everywhere if a channel does not react, and 0 / 0 would be NaN.
        climbed = pictures + _STEP_LEVELS * tf.math.divide_no_nan(slope, size)
        return tf.clip_by_value(climbed + _PULL * (_GREY - climbed), 0, 255)

    return step


def _blurred(pictures: Any) -> Any:
    """Return the pictures blurred by 1 2 1 in both directions; the edge is repeated."""
    from cnnkit.backend import tf  # here, because the import takes seconds

    padded = tf.pad(pictures, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    down = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 4
