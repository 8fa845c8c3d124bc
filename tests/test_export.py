"""Exports: every format gives the answers of the model, and a wrong one is not kept."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import cnnkit
from cnnkit.config import config_as_dict, config_from_dict
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export import FORMATS, Golden, check_parity, export_run
from cnnkit.model.model_info import ModelInfo
from cnnkit.runs import Run
from cnnkit.runtimes import Predictor, load_predictor

_FORMATS = ("saved_model", "keras", "tflite", "onnx", "openvino")


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("copy") / "run")
    shutil.copytree(trained_run.folder, run.folder)
    return run, export_run(run, _FORMATS)


def test_every_format_gives_the_answers_of_the_stored_images(exported):
    run, export = exported
    parity = export.formats
    written = json.loads((run.export / "parity.json").read_text())
    assert written["formats"] == parity
    for name in _FORMATS:
        assert parity[name]["max_difference"] < 1e-5
        assert parity[name]["top1_agreement"] == 1.0


def test_the_text_has_a_row_per_file_and_the_next_command(exported):
    run, export = exported
    header, *lines, last = export.text().splitlines()
    rows = lines[: len(_FORMATS)]
    assert header.split() == [
        "file", "size", "milliseconds", "max_difference", "top1_agreement",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == [
        str(run.export / FORMATS[name].file) for name in _FORMATS
    ]
    tflite = export.formats["tflite"]
    assert rows[2].split()[1:] == [
        f"{tflite['bytes'] / 1e6:.2f}", "MB", f"{tflite['milliseconds']:.1f}",
        f"{tflite['max_difference']:.1e}", "1.00",
    ]  # fmt: skip
    assert last == f"next: cnnkit predict IMAGE --model {run.export / 'saved_model'}"
    assert export.as_dict() == {
        "folder": str(run.export),
        "run_status": "finished",
        "formats": export.formats,
    }


def test_without_the_extra_onnx_is_left_out_with_the_reason(trained_run, tmp_path, monkeypatch):
    without = replace(FORMATS["onnx"], packages=("no_such_package",))
    monkeypatch.setitem(FORMATS, "onnx", without)
    run = Run(tmp_path / "run")
    shutil.copytree(trained_run.folder, run.folder)
    notes = []
    assert "onnx" not in export_run(run, note=notes.append).formats
    assert notes == ['onnx is left out, because it needs an extra: pip install "cnnkit[onnx]".']
    with pytest.raises(UsageError, match="onnx cannot be written: it needs an extra"):
        export_run(run, ["onnx"])


def test_an_export_alone_has_its_classes_and_pixel_settings(exported, tmp_path):
    run, _ = exported
    image = f"{cnnkit.load_config(run.config).data.source}/red/0.png"
    expected = cnnkit.load_run(run.best).predict([image])[0].probabilities
    for name in _FORMATS:
        moved = tmp_path / FORMATS[name].file
        source = run.export / FORMATS[name].file
        shutil.copytree(source, moved) if source.is_dir() else shutil.copy(source, moved)
        answer = cnnkit.load_run(moved).predict([image])[0]
        assert answer.class_names == ("blue", "green", "red")
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)


def test_any_unzip_can_read_the_labels_in_a_tflite(exported):
    run, _ = exported
    with zipfile.ZipFile(run.export / "model.tflite") as archive:
        assert archive.read("labels.txt").decode() == "blue\ngreen\nred\n"


def test_an_export_that_differs_fails_and_leaves_no_file(trained_run, tmp_path):
    run = Run(tmp_path / "run")
    shutil.copytree(trained_run.folder, run.folder)
    golden = Golden.load(run.golden)
    Golden(golden.pixels, golden.probabilities[:, ::-1].copy(), golden.paths).save(run.golden)
    with pytest.raises(
        CnnkitError, match=r"tflite: .* differ by up to 0\.\d+ .* Nothing was exported"
    ):
        export_run(run, ["tflite"])
    assert os.listdir(run.export) == []


def test_each_format_can_be_exported_alone(trained_run, tmp_path):
    run = Run(tmp_path / "run")
    shutil.copytree(trained_run.folder, run.folder)
    for name in _FORMATS:
        assert list(export_run(run, [name]).formats) == [name]
    assert sorted(os.listdir(run.export)) == [
        "labels.txt", "model.keras", "model.onnx", "model.tflite", "openvino", "parity.json",
        "predict_keras.py", "predict_onnx.py", "predict_openvino.py", "predict_saved_model.py",
        "predict_tflite.py",
        "saved_model",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [(np.nan, "gives NaN"), (1 / 3, "the same probabilities for all")],
)
def test_nan_or_the_same_answer_for_all_images_fails_the_check(exported, answer, words):
    run, _ = exported
    real = load_predictor(run.tflite, run.folder)
    golden = Golden.load(run.golden)
    broken = Predictor(real.path, real.info, _constant(answer))
    reference = Golden(golden.pixels, np.full_like(golden.probabilities, 1 / 3), golden.paths)
    with pytest.raises(CnnkitError, match=words):
        check_parity(broken, reference)


def _constant(answer):
    return lambda pixels: {"probabilities": np.full((len(pixels), 3), answer)}


def test_golden_samples_are_held_out_images_of_every_class(trained_run):
    golden = Golden.load(trained_run.golden)
    held_out = {row["path"] for row in trained_run.read_split() if row["split"] == "test"}
    assert set(golden.paths.tolist()) <= held_out
    assert {path.split("/")[0] for path in golden.paths.tolist()} == {"blue", "green", "red"}


def test_model_info_survives_its_json(trained_run):
    info = load_predictor(trained_run.tflite, trained_run.folder).info
    assert ModelInfo.from_json(info.to_json()) == info


_CONV = {"filters": 4, "kernel_size": 3}
_EVERY_BLOCK = [
    {"conv": {**_CONV, "pad": {"size": 1, "mode": "edge"}}},
    {"conv": {**_CONV, "pad": {"size": 2, "mode": "reflect"}, "strides": 2, "groups": 2}},
    {"depthwise_conv": {"kernel_size": 3, "pad": 1, "activation": "silu"}},
    "batch_norm",
    {"residual": {"layers": [{"separable_conv": {**_CONV, "padding": "same"}}, "layer_norm"],
                  "activation": "relu"}},
    {"branches": [[{"conv": {**_CONV, "padding": "same"}}, {"group_norm": 2}], []]},
    {"squeeze_excite": 4},
    {"spatial_dropout": 0.1},
    "global_pool",
]  # fmt: skip


def test_every_block_trains_and_exports_to_every_format(tiny_config, tmp_path):
    config = cnnkit.load_config(tiny_config)
    values = config_as_dict(config)
    values["model"]["layers"] = _EVERY_BLOCK
    values["training"] |= {"epochs": 1, "optimizer": "adam"}
    run = cnnkit.train(config_from_dict(values), runs_folder=tmp_path / "runs")
    parity = export_run(Run(run.folder), _FORMATS).formats
    assert all(parity[name]["max_difference"] < 1e-5 for name in _FORMATS)


def test_another_folder_is_written_if_nothing_else_is_in_the_way(trained_run, tmp_path):
    output = tmp_path / "new" / "exports"
    export_run(trained_run, ["tflite"], output=output)
    assert sorted(os.listdir(output)) == [
        "labels.txt",
        "model.tflite",
        "parity.json",
        "predict_tflite.py",
    ]
    export_run(trained_run, ["tflite"], output=output)  # an earlier export may be replaced
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "labels.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"labels\.txt exists, and it is not of an earlier export"):
        export_run(trained_run, ["tflite"], output=tmp_path / "own")
    with pytest.raises(UsageError, match=r"model\.tflite is a file of the run"):
        export_run(trained_run, ["tflite"], output=trained_run.folder)
    assert os.listdir(tmp_path / "own") == ["labels.txt"]
