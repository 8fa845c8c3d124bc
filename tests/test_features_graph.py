"""Windows, sums and regions of numbers, against Keras and against changed pixels."""

from __future__ import annotations

import numpy as np
import pytest

from cnnkit.backend import keras
from cnnkit.errors import UsageError
from cnnkit.explore.features.image_regions import regions_of
from cnnkit.explore.features.model_graph import run_steps, steps_of
from cnnkit.explore.features.stages import path_from, stages_of

layers = keras.layers
ops = keras.ops


def _residual(x):
    y = layers.Conv2D(4, 3, padding="same")(x)
    return layers.Add()([x, layers.Conv2D(4, 3, padding="same")(y)])


def _branches(x):
    parts = [
        layers.Conv2D(2, 1)(x),
        layers.Conv2D(3, 5, padding="same")(x),
        layers.MaxPooling2D(3, strides=1, padding="same")(x),
    ]
    return layers.Concatenate()(parts)


def _squeezed(x):
    means = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Dense(4, activation="relu")(means)])


def _edge(x):
    first, last = ops.take(x, [0], axis=1), ops.take(x, [x.shape[1] - 1], axis=1)
    return layers.Conv2D(2, 3)(ops.concatenate([first, x, last], axis=1))


def _nested(x):
    inner = keras.Sequential(
        [keras.Input(tuple(x.shape[1:])), layers.Conv2D(3, 3, strides=2), layers.ReLU()],
        name="inner",
    )
    return layers.Conv2D(2, 2)(inner(x))


_START = {
    "valid": lambda x: layers.Conv2D(3, 3)(x),
    "same, even kernel": lambda x: layers.Conv2D(3, (2, 4), padding="same")(x),
    "same, stride 2": lambda x: layers.Conv2D(3, 3, strides=2, padding="same")(x),
    "same, stride 3 by 2": lambda x: layers.Conv2D(3, 5, strides=(3, 2), padding="same")(x),
    "stride beyond the kernel": lambda x: layers.Conv2D(3, 1, strides=3, padding="same")(x),
    "dilated": lambda x: layers.Conv2D(3, 3, dilation_rate=(2, 3), padding="same")(x),
    "grouped": lambda x: layers.Conv2D(4, 3, groups=2, padding="same")(layers.Conv2D(4, 1)(x)),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(x),
    "separable": lambda x: layers.SeparableConv2D(5, 3, padding="same", activation="relu")(x),
    "max pool over the edge": lambda x: layers.MaxPooling2D(3, strides=2, padding="same")(x),
    "mean pool over the edge": lambda x: layers.AveragePooling2D(3, 2, padding="same")(x),
    "pool inside": lambda x: layers.MaxPooling2D((2, 3))(x),
    "zero padding": lambda x: layers.Conv2D(2, 3)(layers.ZeroPadding2D(((1, 0), (2, 1)))(x)),
    "cropping": lambda x: layers.Conv2D(2, 3)(layers.Cropping2D(((1, 2), (0, 1)))(x)),
    "mirrored": lambda x: layers.Conv2D(2, 3)(
        ops.pad(x, [[0, 0], [2, 1], [1, 1], [0, 0]], mode="reflect")
    ),
    "edge repeated": _edge,
    "upsampled": lambda x: layers.Conv2D(2, 3)(layers.UpSampling2D(2)(x)),
    "residual": lambda x: _residual(layers.Conv2D(4, 3, strides=2, padding="same")(x)),
    "branches": _branches,
    "squeeze and excite": lambda x: _squeezed(layers.Conv2D(4, 3)(x)),
    "nested": _nested,
    "normalised": lambda x: layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(3, 3)(x))),
    "deep": lambda x: layers.MaxPooling2D(2, padding="same")(
        layers.Conv2D(3, 3, padding="same")(
            layers.MaxPooling2D(3, 2, padding="same")(layers.Conv2D(3, 3, padding="same")(x))
        )
    ),
}
_STACKS = [pytest.param(build, id=name) for name, build in _START.items()]
_SHAPE = (11, 9, 2)


def _model(build, *, positive, seed=0):
    """Return a model whose weights are all positive, or drawn around zero."""
    keras.utils.set_random_seed(seed)
    image = keras.Input(_SHAPE, dtype="uint8")
    model = keras.Model(image, layers.Flatten()(build(layers.Rescaling(0.5)(image))))
    random = np.random.default_rng(seed)
    for weight in model.weights:
        spread = random.uniform(0.5, 1.5, weight.shape)
        negative_too = spread - 1 if "kernel" in weight.name or "bias" in weight.name else spread
        weight.assign(spread if positive else negative_too)
    return model


@pytest.mark.parametrize("build", _STACKS)
def test_regions_are_the_pixels_whose_change_changes_the_number(build):
    steps = steps_of(_model(build, positive=True))
    image = np.random.default_rng(1).uniform(0, 1, _SHAPE).astype(np.float32)
    height, width, _ = _SHAPE
    changed = np.repeat(image[None], height * width, axis=0)
    changed.reshape(height * width, height * width, 2)[np.diag_indices(height * width)] += 9
    before = run_steps(steps, image[None])
    after = run_steps(steps, changed)
    for step, regions, old, new in zip(steps, regions_of(steps), before, after, strict=True):
        if len(step.shape) != 3:
            continue
        differs = (np.abs(np.asarray(new) - np.asarray(old)) > 1e-4).any(axis=-1)
        differs = differs.reshape(height, width, *differs.shape[1:])
        for row in range(step.shape[0]):
            for column in range(step.shape[1]):
                rows, columns = np.nonzero(differs[:, :, row, column])
                top, left, bottom, right = regions.box(row, column)
                if not len(rows):
                    assert top > bottom or left > right, (step.name, row, column)
                    continue
                seen = (rows.min(), columns.min(), rows.max(), columns.max())
                assert (top, left, bottom, right) == seen, (step.name, row, column)


def test_regions_are_the_gradient_footprint():
    image = keras.Input((12, 12, 1))
    x = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones")(image)
    x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Conv2D(1, 3, dilation_rate=1, kernel_initializer="ones")(x)
    from cnnkit.backend import tf

    steps = steps_of(keras.Model(image, layers.Flatten()(x)))
    pixels = tf.ones((1, 12, 12, 1))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        number = run_steps(steps, pixels, until=len(steps) - 2)[-1][0, 0, 0, 0]
    rows, columns = np.nonzero(np.asarray(tape.gradient(number, pixels))[0, :, :, 0])
    seen = (rows.min(), columns.min(), rows.max(), columns.max())
    assert regions_of(steps)[-2].box(0, 0) == seen == (0, 0, 11, 11)


def test_a_position_over_padding_alone_sees_nothing():
    image = keras.Input((4, 4, 1))
    padded = layers.Conv2D(1, 1)(layers.ZeroPadding2D(1)(image))
    regions = regions_of(steps_of(keras.Model(image, layers.Flatten()(padded))))
    top, _, bottom, _ = regions[2].box(0, 2)
    assert top > bottom
    assert regions[2].box(1, 2) == (0, 1, 0, 1)


def explained(stages, stage, row, column, channel):
    """Return a number of a stage, computed with loops from the stages below."""
    below = [stages[parent].values for parent in stage.parents]
    if stage.kind == "relu":
        return max(0, below[0][row, column, channel])
    if stage.kind == "scale":
        return below[0][row, column, channel] * stage.scale[channel] + stage.shift[channel]
    if stage.kind == "flatten":
        return below[0].ravel()[channel]
    window, found = stage.window, []
    for i in range(window.size[0]):
        for j in range(window.size[1]):
            r = row * window.stride[0] - window.before[0] + i * window.dilation[0]
            c = column * window.stride[1] - window.before[1] + j * window.dilation[1]
            if 0 <= r < below[0].shape[0] and 0 <= c < below[0].shape[1]:
                found.append((i, j, below[0][r, c]))
    if stage.kind != "sum":
        numbers = [values[channel] for _, _, values in found]
        return {"max": max, "mean": np.mean, "move": lambda n: sum(n)}[stage.kind](numbers or [0])
    depth = stage.kernel.weights.shape[2]
    group = channel // (stage.values.shape[2] // stage.kernel.groups)
    total = stage.kernel.bias[channel]
    for i, j, values in found:
        mine = values[group * depth : (group + 1) * depth]
        total += float(mine @ stage.kernel.weights[i, j, :, channel])
    return total


@pytest.mark.parametrize("build", _STACKS)
def test_every_number_is_computed_from_its_window(build):
    model = _model(build, positive=False)
    pixels = np.random.default_rng(2).integers(0, 4, _SHAPE).astype(np.uint8)
    stages = stages_of(steps_of(model), pixels)
    explained_kinds = ("sum", "max", "mean", "move", "scale", "relu", "flatten")
    random = np.random.default_rng(3)
    for stage in stages[1:]:
        if stage.kind not in explained_kinds:
            continue
        places = [tuple(random.integers(0, stage.values.shape)) for _ in range(20)]
        corners = [(0, 0, 0), tuple(side - 1 for side in stage.values.shape)]
        for place in [*corners, *places]:
            expected = explained(stages, stage, *place)
            assert stage.values[place] == pytest.approx(expected, abs=1e-3), (stage.name, place)
    assert np.allclose(stages[-1].values.ravel(), np.asarray(model(pixels[None]))[0], atol=1e-5)


def test_stages_are_before_and_after_activations_and_skip_layers_that_do_nothing():
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    x = layers.Conv2D(2, 3, activation="relu", name="first")(x)
    x = layers.MaxPooling2D(2, name="pool")(layers.Dropout(0.5)(x))
    x = layers.Dense(3, activation="softmax", name="answer")(layers.Flatten(name="row")(x))
    model = keras.Model(image, x)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 1)).astype(np.uint8)
    stages = stages_of(steps_of(model), pixels)
    names = "image rescaling first first/relu pool row answer answer/softmax".split()
    assert [stage.name for stage in stages] == names
    assert stages[2].values.min() < 0 <= stages[3].values.min()
    assert stages[4].parents == (3,)
    assert path_from(stages, 2) == [2, 3, 4]
    assert stages[-1].values.sum() == pytest.approx(1)
    assert model.get_layer("first").activation is keras.activations.relu


def test_a_layer_used_twice_and_a_nested_model_have_separate_names():
    image = keras.Input((6, 6, 2))
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    inner = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(1, 1, name="deep")], name="box")
    model = keras.Model(image, layers.Flatten(name="row")(inner(shared(shared(image)))))
    steps = steps_of(model)
    assert [step.name for step in steps] == ["image", "shared", "shared#2", "box/deep", "row"]
    pixels = np.ones((1, 6, 6, 2), np.float32)
    assert np.allclose(run_steps(steps, pixels)[-1], model(pixels))


def test_a_model_with_two_inputs_is_refused():
    first, second = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([first, second], layers.Add()([first, second]))
    with pytest.raises(UsageError, match="one image as its input"):
        steps_of(model)
