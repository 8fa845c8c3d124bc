"""TFLite files with smaller numbers: what is in them, and how they are judged."""

from __future__ import annotations

import json
import shutil
import zipfile

import flatbuffers
import numpy as np
import pytest
from whole_command import run as cnnkit_command

from cnnkit.backend import keras, tflite_buffers
from cnnkit.config import load_config
from cnnkit.data.scored_images import run_images
from cnnkit.errors import UsageError
from cnnkit.export import FORMATS, export_run
from cnnkit.export.judgement import HeldOut, answers_of
from cnnkit.export.tflite_file import write_tflite
from cnnkit.export.training_images import balanced_images
from cnnkit.report.exported_card import write_exported_card
from cnnkit.runs import Run
from cnnkit.runtimes import predictor_of

_SMALLER = ("tflite-float16", "tflite-dynamic", "tflite-int8")


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("smaller") / "export"
    return export_run(trained_run, ("tflite", *_SMALLER), output=folder)


def _graph(path):
    model = tflite_buffers.read_model(str(path))
    return model, model.subgraphs[0]


def test_each_is_judged_and_the_numbers_are_in_parity_json(exported, trained_run):
    parity = json.loads((exported.folder / "parity.json").read_text())["formats"]
    held_out = sum(row["split"] == "test" for row in trained_run.read_split())
    for name in _SMALLER:
        judgement = parity[name]["judgement"]
        assert judgement == exported.formats[name]["judgement"]
        assert (judgement["split"], judgement["num_images"]) == ("test", held_out)
        assert judgement["accuracy"] == judgement["original_accuracy"] == 1.0
        assert (judgement["interval"], judgement["agreement"]) == ([0.0, 0.0], 1.0)
    assert "judgement" not in parity["tflite"]
    assert exported.failure() is None


def test_int8_takes_plain_pixels_and_computes_in_integers(exported):
    model, graph = _graph(exported.folder / "model_int8.tflite")
    image = graph.tensors[graph.inputs[0]]
    assert image.shape.tolist() == [1, 16, 16, 3]
    assert (image.quantization.scale.tolist(), image.quantization.zeroPoint.tolist()) == (
        [1.0],
        [0],
    )
    kinds = [tflite_buffers.opcode_to_name(model, each.opcodeIndex) for each in graph.operators]
    # From uint8 to int8 at the beginning, to float32 at the end, and no cast in between.
    assert (kinds[0], kinds[-1], "CAST" in kinds) == ("QUANTIZE", "DEQUANTIZE", False)
    floats = [
        tensor for tensor in graph.tensors if tflite_buffers.type_to_name(tensor.type) == "FLOAT32"
    ]
    assert len(floats) == 1


def test_int8_is_calibrated_on_equally_many_training_images_of_each_class(exported, trained_run):
    values = exported.formats["tflite-int8"]
    train = [row for row in trained_run.read_split() if row["split"] == "train"]
    assert (values["calibration_images"], values["calibration_classes"]) == (len(train), 3)
    settings = predictor_of(trained_run.tflite).info.pixels
    pixels, num_classes = balanced_images(trained_run, settings, most=7)
    assert (pixels.shape, num_classes) == ((7, 16, 16, 3), 3)
    # The brightest colour is the class: 3, 2 and 2 images.
    assert sorted(np.bincount(pixels.mean(axis=(1, 2)).argmax(axis=1)).tolist()) == [2, 2, 3]


def test_smaller_numbers_make_smaller_weights(exported):
    def weights(name):
        model, _ = _graph(exported.folder / FORMATS[name].file)
        return {
            tflite_buffers.type_to_name(tensor.type)
            for tensor in model.subgraphs[0].tensors
            if len(tensor.shape) == 4 and model.buffers[tensor.buffer].data is not None
        }

    assert weights("tflite") == {"FLOAT32"}
    assert weights("tflite-float16") == {"FLOAT16"}
    assert weights("tflite-int8") == {"INT8"}


@pytest.mark.parametrize("name", ["tflite-float16", "tflite-dynamic"])
def test_one_alone_has_a_script_and_a_card_that_names_it(trained_run, tmp_path, name):
    export = export_run(trained_run, [name], output=tmp_path / "export")
    assert (export.folder / "predict_tflite.py").is_file()
    write_exported_card(trained_run, export, print)
    card = (export.folder / "model_card.md").read_text(encoding="utf-8")
    file = export.formats[name]["file"]
    assert f"cnnkit predict IMAGE --model {file}\n" in card
    assert f'cnnkit.load_run("{file}")' in card


def test_standard_tools_find_the_labels_and_the_size_of_the_image(exported):
    """Read by the numbers of the fields in metadata_schema.fbs, as MediaPipe does."""
    path = exported.folder / "model_int8.tflite"
    model, _ = _graph(path)
    (entry,) = [each for each in model.metadata if each.name == b"TFLITE_METADATA"]
    data = bytearray(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    root = flatbuffers.table.Table(
        data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0)
    )
    subgraph = _item(_table(root, 3), 0)
    image, output = _item(_table(subgraph, 2), 0), _item(_table(subgraph, 3), 0)
    size = _table(_table(_table(image, 3), 1), 1)
    assert [
        size.Get(flatbuffers.number_types.Uint32Flags, size.Pos + size.Offset(4 + 2 * n))
        for n in (0, 1)
    ] == [16, 16]
    labels = _item(_table(output, 6), 0)
    name = labels.String(labels.Offset(4) + labels.Pos).decode()
    with zipfile.ZipFile(path) as archive:
        assert archive.read(name).decode().split() == ["blue", "green", "red"]


def _table(table, field):
    """Return the table, or the vector, in a field."""
    return flatbuffers.table.Table(
        table.Bytes, table.Indirect(table.Pos + table.Offset(4 + 2 * field))
    )


def _item(vector, place):
    return flatbuffers.table.Table(vector.Bytes, vector.Indirect(vector.Pos + 4 + 4 * place))


def _spoilt(original, path):
    """Write a model that calls the first class by the name of the second, and so on."""
    model = keras.models.clone_model(original.model)
    model.set_weights(original.model.get_weights())
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([np.roll(kernel, 1, axis=1), np.roll(bias, 1)])
    write_tflite(model, original.info, path)
    return {}


def test_a_format_that_loses_too_much_is_not_written_and_the_exit_code_is_3(
    trained_run, tmp_path, monkeypatch
):
    spoilt = FORMATS["tflite-dynamic"].__class__("model_dynamic.tflite", _spoilt, is_judged=True)
    monkeypatch.setitem(FORMATS, "tflite-dynamic", spoilt)
    run = Run(tmp_path / "run")
    shutil.copytree(trained_run.folder, run.folder)
    words = ("export", run.folder, "--format", "tflite-dynamic", "--format", "tflite")
    done = cnnkit_command(*words, "--json")
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    judgement = document["refused"]["tflite-dynamic"]["judgement"]
    assert (judgement["drop_points"], judgement["accuracy"], judgement["agreement"]) == (100, 0, 0)
    assert list(document["formats"]) == ["tflite"]  # the next one is written all the same
    assert not (run.export / "model_dynamic.tflite").exists()
    assert (document["kind"], document["exit_code"]) == ("requirement", 3)
    assert "The accuracy may fall by 1 point." in document["error"]
    assert document["error"].endswith("or allow it: --allow-drop 100")
    assert cnnkit_command(*words, "--allow-drop", "100").exit_code == 0
    assert (run.export / "model_dynamic.tflite").exists()


def test_without_test_images_those_of_validation_are_used_and_it_is_said(trained_run, tmp_path):
    run = Run(tmp_path / "run")
    shutil.copytree(trained_run.folder, run.folder)
    original = predictor_of(run.tflite)
    _keep_splits(run, {"train", "validation"})
    notes = []
    judgement = HeldOut(run, original, notes.append).judge(original)
    assert (judgement.split, judgement.drop, judgement.agreement) == ("validation", 0, 1)
    assert "has no test images, so the validation images are used" in notes[0]
    _keep_splits(run, {"train"})
    with pytest.raises(UsageError, match="has no test images and no validation images"):
        HeldOut(run, original, notes.append)


def _keep_splits(run, splits):
    header, *rows = run.split.read_text().splitlines()
    kept = [row for row in rows if row.split(",")[2] in splits]
    run.split.write_text("\n".join([header, *kept]) + "\n")


def test_answers_are_those_of_predict(trained_run):
    import cnnkit

    rows = trained_run.read_split()
    records = run_images(rows, "test", load_config(trained_run.config).data)
    names = trained_run.class_names()
    found = answers_of(predictor_of(trained_run.tflite), records)
    predictions = cnnkit.load_run(trained_run.folder).predict([str(r.file) for r in records])
    assert [names[label] for label in found.given] == [each.answer for each in predictions]
    assert found.given.tolist() == found.predicted.tolist()
