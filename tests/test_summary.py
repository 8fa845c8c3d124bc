"""The layer table of a config, a run and a `.keras` file."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner
from keras_numbers import profiled_flops, trainable_parameters
from places import CONFIGS

from cnnkit.cli import main
from cnnkit.explore.layer_summary import summarize

LENET = CONFIGS / "digits_lenet5.yaml"


def _run(*words):
    return CliRunner().invoke(main, ["summary", *map(str, words)])


def _document(*words):
    result = _run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_of_lenet():
    lines = _run(LENET).stdout.splitlines()
    assert lines[2].split("  ")[0] == "conv"
    assert "61,706 parameters (0 not trained), 246.8 kB." in lines
    assert "416,520 multiply-adds (0.8 MFLOPs) per image." in lines
    # (48,120 + 10,164 + 850) / 61,706
    assert "96% of the trained parameters are in dense layers." in lines
    assert "Each value of the last map (pool) sees 16 x 16 of 32 x 32 pixels." in lines


def test_explain_shows_the_arithmetic():
    text = _run(LENET, "--explain").stdout
    assert "height, width: floor((32 - 5)/1) + 1 = 28" in text
    assert "parameters: (5*5*1 + 1) * 6 = 156" in text


def test_on_a_terminal_each_layer_is_one_line_followed_by_its_formulas(monkeypatch):
    """A folded row would put formulas below the wrong layer."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    summary = summarize(LENET)
    lines = summary.text(explain=True).splitlines()
    assert "\x1b[1m" in lines[0]  # bold: it is drawn for a terminal
    places = [i for i, line in enumerate(lines) if line.startswith(("conv ", "pool ", "dense "))]
    assert len(places) == 6
    formulas = [str(formula) for formula in summary.formulas(0)]
    assert [line.strip() for line in lines[places[0] + 1 : places[1]]] == formulas


def test_memory_is_counted_for_the_batch_and_the_optimizer():
    numbers = 28 * 28 * 6 + 14 * 14 * 6 + 10 * 10 * 16 + 5 * 5 * 16 + 120 + 84 + 10
    for batch_size in (1, 50):
        found = _document(LENET, "--batch-size", batch_size)
        assert found["activation_bytes"] == 4 * batch_size * numbers
        for optimizer, slots in (("adam", 2), ("sgd", 0), ("{sgd: {momentum: 0.9}}", 1)):
            setting = f"training.optimizer={optimizer}"
            found = _document(LENET, "--batch-size", batch_size, "--set", setting)
            maps = 2 * found["activation_bytes"]
            assert found["training_bytes"] == 4 * 61_706 * (2 + slots) + maps


def test_json_has_the_formulas_and_the_graph():
    layers = _document(LENET)["layers"]
    assert [row["inputs"] for row in layers] == [[i - 1] for i in range(len(layers))]
    formula = {"quantity": "parameters", "expression": "(5*5*1 + 1) * 6", "result": 156}
    assert formula in layers[0]["formulas"]
    assert layers[1]["receptive_field"] == [6, 6]
    assert (layers[1]["field_stride"], layers[1]["field_start"]) == ([2, 2], [0, 0])


def test_a_run_and_its_keras_file_have_the_same_numbers(trained_run):
    run = _document(trained_run.folder)
    file = _document(trained_run.best)
    same = ("input_shape", "num_classes", "parameters", "multiply_adds", "dense_parameters")
    assert {key: run[key] for key in same} == {key: file[key] for key in same}


_LAYERS = """
    - conv: {filters: 8, kernel_size: 3, pad: {size: 1, mode: reflect}}
    - conv: {filters: 8, kernel_size: 3, pad: {size: [[2, 1], [0, 3]], mode: edge}, name: dilated,
             dilation_rate: 2}
    - branches:
        - [{conv: {filters: 8, kernel_size: 3, padding: same, groups: 4, name: grouped}}]
        - [{separable_conv: {filters: 8, kernel_size: 3, padding: same, depth_multiplier: 2,
                             name: separable}}]
    - conv: {filters: 8, kernel_size: 3, pad: 1, strides: 2, name: last}
    - squeeze_excite: 4
    - global_pool
"""


def test_a_built_keras_file_gives_the_same_facts_as_its_config(tmp_path):
    from cnnkit.explore.untrained import build_and_save

    data = "data: {source: digits, image_size: 32, color_mode: grayscale}"
    (tmp_path / "net.yaml").write_text(f"{data}\nmodel:\n  layers:{_LAYERS}")
    build_and_save(tmp_path / "net.yaml", (), None, tmp_path / "net.keras")
    written = summarize(tmp_path / "net.yaml")
    built = summarize(tmp_path / "net.keras")
    assert (
        built.dense_parameters == written.dense_parameters == (8 * 2 + 2 + 2 * 8 + 8) + 8 * 10 + 10
    )
    rows = {row.name: row for row in built.rows}
    of_config = {row.arguments.get("name"): row for row in written.rows}
    for name in ("dilated", "grouped", "separable", "last"):
        for fact in ("receptive_field", "field_stride", "field_start", "output_shape"):
            assert getattr(rows[name], fact) == getattr(of_config[name], fact) is not None
    assert "dilation_rate 2" in rows["dilated"].detail
    assert "groups 4" in rows["grouped"].detail
    assert "depth_multiplier 2" in rows["separable"].detail
    borders = [row.detail for row in built.rows if row.kind == "Padding2D"]
    assert borders[0] == "[[1, 1], [1, 1]], mode reflect"
    assert "dilation" not in rows["last"].detail


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
        assert _run(tmp_path / f"{number}.keras", "--explain").exit_code == 0


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
    result = _run(tmp_path / "model.keras")
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
    result = _run(path)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_model_without_layers_is_refused(tmp_path):
    from cnnkit.backend import keras

    image = keras.Input((8, 8, 3))
    keras.Model(image, image).save(tmp_path / "model.keras")
    result = _run(tmp_path / "model.keras")
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
    result = _run(path)
    assert (result.exit_code, "or it is damaged" in result.stderr) == (2, True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text.replace(b'"filters"', b'"filtres"'))
    result = _run(path)
    assert (result.exit_code, "was not written by Keras 3" in result.stderr) == (2, True)


def test_a_run_is_found_by_its_name_and_an_exported_file_is_refused(trained_run):
    folder = trained_run.folder
    named = _document(folder.name, "--runs-folder", folder.parent)
    assert named == _document(folder)
    result = _run(trained_run.tflite)
    assert result.exit_code == 2
    assert "model.tflite no longer contains the layers of the model. Give" in result.stderr


def test_flops_have_a_fitting_unit_and_the_whole_image_is_called_all(tmp_path):
    path = tmp_path / "net.yaml"
    for size, window, flops, part in (
        (8, 2, "412 FLOPs", "2 x 2 of 8 x 8"),
        (8, "[2, 8]", "244 FLOPs", "2 x 8 of 8 x 8"),
        (200, 150, "117.0 MFLOPs", "150 x 150 of 200 x 200"),
        (400, 200, "3.2 GFLOPs", "200 x 200 of 400 x 400"),
    ):
        conv = f"{{conv: {{filters: 1, kernel_size: {window}}}}}"
        data = f"data: {{source: digits, image_size: {size}, color_mode: grayscale}}"
        path.write_text(f"{data}\nmodel: {{layers: [{conv}, global_pool]}}\n")
        text = _run(path).stdout
        assert f"({flops}) per image." in text
        assert f"(conv) sees {part} pixels." in text
    conv = "{conv: {filters: 1, kernel_size: 7, padding: same}}"
    data = "data: {source: digits, image_size: 8, color_mode: grayscale}"
    path.write_text(f"{data}\nmodel: {{layers: [{conv}, {conv}, global_pool]}}\n")
    assert "(conv) sees all of the 8 x 8 pixels." in _run(path).stdout


def test_a_missing_file_and_options_without_effect_are_refused(tmp_path, trained_run):
    assert _run(tmp_path / "none.keras").exit_code == 2
    result = _run(trained_run.best, "--num-classes", 4)
    assert result.exit_code == 2
    assert "is a finished model" in result.stderr


def test_no_tensorflow_is_imported(trained_run):
    for path in (LENET, trained_run.best):
        code = (
            "import sys; from cnnkit.cli import main\n"
            f"main(['summary', {str(path)!r}], standalone_mode=False)\n"
            "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
