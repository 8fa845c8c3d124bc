"""A .keras file is read without Keras, and gives the numbers of Keras."""

from __future__ import annotations

import json
import zipfile

import pytest
from keras_numbers import profiled_flops, trainable_parameters
from summaries import summary_of

from cnnkit.explore.summarize import summarize

_slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("MobileNetV2", 96),
        pytest.param("EfficientNetB0", 64, marks=_slow),
        pytest.param("ResNet50", 64, marks=_slow),
        pytest.param("InceptionV3", 75, marks=_slow),
        pytest.param("NASNetMobile", 64, marks=_slow),
        pytest.param("DenseNet121", 64, marks=_slow),
    ],
)
def test_keras_own_architectures_are_read_without_keras(name, size, tmp_path):
    from cnnkit.backend import keras

    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), classes=7)
    model.save(tmp_path / "model.keras")
    found = summarize(tmp_path / "model.keras")
    assert found.rows[-1].output_shape == model.output_shape[1:]
    assert found.trained == trainable_parameters(model)
    assert found.parameters == model.count_params()
    assert 2 * found.multiply_adds == profiled_flops(model)


def test_a_model_in_a_model_is_laid_out(tmp_path):
    from cnnkit.backend import keras

    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    image = keras.Input((8, 8, 3))
    tensor = keras.layers.Concatenate()([inner(image), keras.layers.Conv2D(2, 3)(image)])
    tensor = keras.layers.GlobalAveragePooling2D()(
        keras.ops.pad(tensor, [[0, 0], [1, 1], [1, 1], [0, 0]])
    )
    model = keras.Model(image, keras.layers.Dense(3)(tensor))
    model.save(tmp_path / "model.keras")
    found = summarize(tmp_path / "model.keras")
    assert found.parameters == model.count_params()
    assert [row.inputs for row in found.rows[:3]] == [(-1,), (-1,), (0, 1)]
    assert [row.output_shape for row in found.rows[2:4]] == [(6, 6, 6), (8, 8, 6)]


def _shared(layers, image):
    conv = layers.Conv2D(4, 3, padding="same")
    first = layers.Conv2D(4, 1)(image)
    return layers.Add()([conv(first), conv(layers.ReLU()(first))])


def _twice_in_a_row(layers, image):
    conv = layers.Conv2D(3, 3, padding="same")
    return conv(conv(image))


def _model_twice(layers, image):
    from cnnkit.backend import keras

    inner = keras.Input((8, 8, 3))
    tensor = layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same")(inner))
    shared = keras.Model(inner, tensor)
    return shared(layers.ReLU()(shared(image)))


def _model_of_two_inputs(layers, image):
    from cnnkit.backend import keras

    one, two = keras.Input((8, 8, 2)), keras.Input((8, 8, 5))
    maps = layers.Concatenate()([layers.Conv2D(2, 3)(two), layers.Conv2D(3, 3)(one)])
    joined = keras.Model([one, two], maps)
    return joined([layers.Conv2D(2, 1)(image), layers.Conv2D(5, 1)(image)])


def _frozen(layers, image):
    conv = layers.Conv2D(4, 3)
    norm = layers.BatchNormalization()
    tensor = layers.Conv2D(2, 3)(norm(conv(image)))
    conv.trainable = norm.trainable = False
    return tensor


def _frozen_model(layers, image):
    from cnnkit.backend import keras

    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
    inner.trainable = False
    return inner(image)


def _row_onto_map(layers, image):
    row = layers.Dense(4)(layers.GlobalAveragePooling2D()(image))
    return layers.Add()([layers.Conv2D(4, 3)(image), row])


@pytest.mark.parametrize(
    "build",
    [_shared, _twice_in_a_row, _model_twice, _model_of_two_inputs, _frozen, _frozen_model,
     _row_onto_map],
)  # fmt: skip
def test_graphs_that_only_keras_files_have_are_counted_as_in_keras(build, tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((8, 8, 3))
    tensor = build(keras.layers, image)
    for number, output in enumerate(
        (tensor, keras.layers.Dense(3)(keras.layers.Flatten()(tensor)))
    ):
        model = keras.Model(image, output)
        model.save(tmp_path / f"{number}.keras")
        found = summarize(tmp_path / f"{number}.keras")
        assert found.rows[-1].output_shape == model.output_shape[1:]
        assert found.parameters == model.count_params()
        assert found.trained == trainable_parameters(model)
        assert 2 * found.multiply_adds == profiled_flops(model)
        assert summary_of(tmp_path / f"{number}.keras", "--explain").exit_code == 0


def test_the_formulas_of_frozen_and_shared_layers_are_those_of_their_own_weights(tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((8, 8, 3))
    conv, norm = keras.layers.Conv2D(3, 3, padding="same"), keras.layers.BatchNormalization()
    model = keras.Model(image, norm(conv(conv(image))))
    conv.trainable = norm.trainable = False
    model.save(tmp_path / "model.keras")
    found = summarize(tmp_path / "model.keras")
    assert [row.detail.split(", ")[-1] for row in found.rows] == [
        "frozen",
        "shared weights",
        "frozen",
    ]
    for position in (0, 1):
        lines = [str(formula) for formula in found.formulas(position)]
        assert "parameters: (3*3*3 + 1) * 3 = 84" in lines
    lines = [str(formula) for formula in found.formulas(2)]
    assert "moving averages (mean, variance): 2 * 3 = 6" in lines


def test_a_layer_that_only_its_own_code_knows_is_marked(tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((8, 8, 3))
    tensor = keras.layers.Reshape((64, 3))(image)
    tensor = keras.layers.MultiHeadAttention(2, 2)(tensor, tensor)
    keras.Model(image, keras.layers.Flatten()(tensor)).save(tmp_path / "model.keras")
    result = summary_of(tmp_path / "model.keras")
    assert result.exit_code == 0
    assert "Totals: unknown, because of the layers marked ?" in result.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not a .keras file, or it is damaged"),
        (b"PK\x03\x04 and more", "it is not a .keras file, or it is damaged"),
        ({"class_name": "Net", "config": {}}, "its model is a Net, whose layers are known"),
        ({"class_name": "Functional", "config": {"layers": [{}]}}, "was not written by Keras 3"),
        ({"class_name": "Functional", "config": {"layers": []}}, "its model takes 0 inputs"),
    ],
)
def test_a_file_that_is_not_a_model_is_refused(content, words, tmp_path):
    path = tmp_path / "model.keras"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(content))
    result = summary_of(path)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_model_without_layers_is_refused(tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((8, 8, 3))
    keras.Model(image, image).save(tmp_path / "model.keras")
    result = summary_of(tmp_path / "model.keras")
    assert (result.exit_code, "its model has no layers" in result.stderr) == (2, True)


def test_a_damaged_or_wrong_config_json_is_refused(trained_run, tmp_path):
    with zipfile.ZipFile(trained_run.best) as archive:
        text = archive.read("config.json")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30  # after the names, in the compressed data
    path.write_bytes(content)
    result = summary_of(path)
    assert (result.exit_code, "or it is damaged" in result.stderr) == (2, True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text.replace(b'"filters"', b'"filtres"'))
    result = summary_of(path)
    assert (result.exit_code, "was not written by Keras 3" in result.stderr) == (2, True)
