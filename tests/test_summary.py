"""`cnnkit summary` of configs, runs and files."""

from __future__ import annotations

import json
import subprocess
import sys

from places import CONFIGS
from summaries import summary_of

from cnnkit.explore.summarize import summarize

LENET = CONFIGS / "digits_lenet5.yaml"


def _document(*words):
    result = summary_of(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_of_lenet():
    lines = summary_of(LENET).stdout.splitlines()
    assert lines[2].split("  ")[0] == "conv"
    assert "61,706 parameters (0 not trained), 246.8 kB." in lines
    assert "416,520 multiply-adds (0.8 MFLOPs) per image." in lines
    # (48,120 + 10,164 + 850) / 61,706
    assert "96% of the trained parameters are in dense layers." in lines
    assert "Each value of the last map (pool) sees 16 x 16 of 32 x 32 pixels." in lines


def test_explain_shows_the_arithmetic():
    text = summary_of(LENET, "--explain").stdout
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


def test_a_run_is_found_by_its_name_and_an_exported_file_is_refused(trained_run):
    folder = trained_run.folder
    named = _document(folder.name, "--runs-folder", folder.parent)
    assert named == _document(folder)
    result = summary_of(trained_run.tflite)
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
        text = summary_of(path).stdout
        assert f"({flops}) per image." in text
        assert f"(conv) sees {part} pixels." in text
    conv = "{conv: {filters: 1, kernel_size: 7, padding: same}}"
    data = "data: {source: digits, image_size: 8, color_mode: grayscale}"
    path.write_text(f"{data}\nmodel: {{layers: [{conv}, {conv}, global_pool]}}\n")
    assert "(conv) sees all of the 8 x 8 pixels." in summary_of(path).stdout


def test_a_missing_file_and_options_without_effect_are_refused(tmp_path, trained_run):
    assert summary_of(tmp_path / "none.keras").exit_code == 2
    result = summary_of(trained_run.best, "--num-classes", 4)
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
