"""Models that cnnkit did not write: `.tflite` and `.onnx` files, their labels and their pixels."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from foreign_models import (
    COLOUR,
    SLOPE,
    keras_model,
    labels_file,
    picture,
    scaled_by_hand,
    softmax,
    write_onnx,
    write_tflite,
)

from cnnkit.backend import keras, tf
from cnnkit.errors import UsageError
from cnnkit.foreign.chosen_model import choose_model
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.foreign.label_files import imagenet_classes, label_lines, read_labels
from cnnkit.foreign.pixel_values import SCALINGS
from cnnkit.prediction import predict


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same model as float, uint8 and int8 `.tflite`, and as `.onnx`."""
    folder = tmp_path_factory.mktemp("foreign")
    model = keras_model()
    write_tflite(folder / "float.tflite", model)
    write_tflite(folder / "uint8.tflite", model, integers=tf.uint8)
    write_tflite(folder / "int8.tflite", model, integers=tf.int8)
    write_onnx(folder / "first.onnx")
    write_onnx(folder / "last.onnx", channels_first=False, batch=1)
    return folder


def answer(path, how, colour=COLOUR, mode="RGB"):
    notes = []
    predictor = choose_model(path, path.parent, how, notes.append)
    (found,) = predict(predictor, [picture(colour, mode)])
    assert len(notes) == 1 and str(path) in notes[0]
    return found


@pytest.mark.parametrize("name", ["float.tflite", "first.onnx", "last.onnx"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_scaling_gives_the_numbers_of_its_formula(files, tmp_path, name, scaling):
    found = answer(files / name, HowToRead(labels_file(tmp_path), scaling))
    expected = softmax(SLOPE * scaled_by_hand(COLOUR, scaling))
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["uint8.tflite", "int8.tflite"])
def test_a_quantised_file_says_itself_how_pixels_are_scaled(files, tmp_path, name):
    # Its smallest and largest input stand for -1 and 1.
    found = answer(files / name, HowToRead(labels_file(tmp_path)))
    expected = softmax(SLOPE * scaled_by_hand(COLOUR, "tf"))
    np.testing.assert_allclose(found.probabilities, expected, atol=0.02)
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert found.answer == "red"


def test_a_quantised_file_of_other_numbers_is_asked_about(tmp_path):
    path = write_tflite(tmp_path / "a.tflite", keras_model(), integers=tf.uint8, values=(-2.1, 2.6))
    with pytest.raises(UsageError, match="--scaling NAME"):
        answer(path, HowToRead(labels_file(tmp_path)))
    found = answer(path, HowToRead(labels_file(tmp_path), "torch"))
    expected = softmax(SLOPE * scaled_by_hand(COLOUR, "torch"))
    np.testing.assert_allclose(found.probabilities, expected, atol=0.05)


def test_a_file_that_takes_uint8_takes_pixels_as_they_are(tmp_path):
    path = write_tflite(tmp_path / "a.tflite", keras_model(dtype="uint8", slope=0.01))
    found = answer(path, HowToRead(labels_file(tmp_path)))
    np.testing.assert_allclose(found.probabilities, softmax(0.01 * np.array(COLOUR)), atol=1e-5)
    with pytest.raises(UsageError, match="--scaling tf does not fit"):
        answer(path, HowToRead(labels_file(tmp_path), "tf"))


def test_what_is_not_known_is_asked_for_all_at_once(files):
    with pytest.raises(UsageError) as raised:
        answer(files / "float.tflite", HowToRead())
    text = str(raised.value)
    assert "--labels FILE" in text and "--scaling NAME" in text
    assert all(f"{name} " in text for name in SCALINGS)
    assert raised.value.exit_code == 2


def test_grey_images_need_a_scaling_for_one_channel(tmp_path):
    path = write_tflite(tmp_path / "a.tflite", keras_model(channels=1, units=3))
    labels = labels_file(tmp_path)
    found = answer(path, HowToRead(labels, "0-1"), 102, "L")
    np.testing.assert_allclose(found.probabilities, softmax([SLOPE * 0.4, 0, 0]), atol=1e-5)
    with pytest.raises(UsageError, match="--scaling torch is for colour images"):
        answer(path, HowToRead(labels, "torch"), 102, "L")


def test_one_output_is_the_probability_of_the_second_class(tmp_path):
    model = keras_model(units=1, activation="sigmoid")
    path = write_tflite(tmp_path / "a.tflite", model)
    found = answer(path, HowToRead(labels_file(tmp_path, ("other", "red")), "tf"))
    second = 1 / (1 + np.exp(-SLOPE * (COLOUR[0] / 127.5 - 1)))
    np.testing.assert_allclose(found.probabilities, [1 - second, second], atol=1e-5)


def test_logits_become_probabilities_only_if_told(tmp_path):
    path, labels = write_onnx(tmp_path / "a.onnx", logits=True), labels_file(tmp_path)
    with pytest.raises(UsageError, match=r"does not give probabilities.*add --logits"):
        answer(path, HowToRead(labels, "tf"))
    found = answer(path, HowToRead(labels, "tf", logits=True))
    expected = softmax(SLOPE * scaled_by_hand(COLOUR, "tf"))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


def test_one_logit_becomes_the_probability_of_the_second_class(tmp_path):
    path = write_tflite(tmp_path / "a.tflite", keras_model(units=1, activation=None))
    how = HowToRead(labels_file(tmp_path, ("other", "red")), "tf", logits=True)
    second = 1 / (1 + np.exp(-SLOPE * (COLOUR[0] / 127.5 - 1)))
    np.testing.assert_allclose(answer(path, how).probabilities, [1 - second, second], atol=1e-5)


def test_a_model_that_gives_nan_is_refused(tmp_path):
    path = write_tflite(tmp_path / "a.tflite", keras_model(slope=float("nan")))
    with pytest.raises(UsageError, match="gives NaN or infinite numbers"):
        answer(path, HowToRead(labels_file(tmp_path), "tf"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "has 3 outputs, and its labels are 2 names"),
        (("background", "a", "b", "c"), "Remove the first line, background"),
    ],
)
def test_labels_of_another_number_are_refused(files, tmp_path, names, message):
    with pytest.raises(UsageError, match=message):
        answer(files / "float.tflite", HowToRead(labels_file(tmp_path, names), "tf"))


def test_several_outputs_and_inputs_are_refused(tmp_path):
    labels = labels_file(tmp_path)
    path = write_onnx(tmp_path / "a.onnx", two_outputs=True)
    with pytest.raises(UsageError, match="has 2 outputs: answer, mean"):
        answer(path, HowToRead(labels, "tf"))
    image, other = (keras.Input((8, 8, 3), name=name) for name in ("image", "other"))
    both = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([image, other]))
    path = tmp_path / "two.keras"
    keras.Model([image, other], keras.layers.Softmax()(both)).save(path)
    with pytest.raises(UsageError, match="has 2 inputs"):
        answer(path, HowToRead(labels, "tf"))


def test_a_model_without_its_classifier_is_refused(tmp_path):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(4, 3)(image))
    path = write_tflite(tmp_path / "a.tflite", model)
    with pytest.raises(UsageError, match=r"gives an output of shape 6 x 6 x 4"):
        answer(path, HowToRead(labels_file(tmp_path), "tf"))


def test_an_image_size_that_does_not_fit_is_refused_at_once(tmp_path):
    from onnx import TensorProto, helper, numpy_helper, save

    kernel = numpy_helper.from_array(np.zeros((192, 3), np.float32), "kernel")
    nodes = [
        helper.make_node("Flatten", ["image"], ["values"]),
        helper.make_node("MatMul", ["values", "kernel"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["answer"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    answers = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "dense", [image], [answers], [kernel])
    opsets = [helper.make_opsetid("", 18)]
    path = tmp_path / "a.onnx"
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    labels = labels_file(tmp_path)
    with pytest.raises(UsageError, match="--image-size N"):
        answer(path, HowToRead(labels, "tf"))
    with pytest.raises(UsageError, match="a.onnx cannot be loaded"):
        answer(path, HowToRead(labels, "tf", image_size=(12, 12)))
    found = answer(path, HowToRead(labels, "tf", image_size=(8, 8)))
    np.testing.assert_allclose(found.probabilities, [1 / 3] * 3, rtol=1e-6)


def test_an_input_that_is_no_image_is_refused(tmp_path):
    values = keras.Input((49, 10, 2))
    model = keras.Model(values, keras.layers.Dense(3)(keras.layers.Flatten()(values)))
    path = write_tflite(tmp_path / "a.tflite", model)
    with pytest.raises(UsageError, match=r"takes an input of shape \(1, 49, 10, 2\)"):
        answer(path, HowToRead(labels_file(tmp_path), "tf"))


def test_labels_inside_a_tflite_are_read(files, tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes((files / "float.tflite").read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "red\ngreen\nblue\n")
    assert answer(path, HowToRead(scaling="tf")).answer == "red"


def test_options_for_a_file_of_cnnkit_are_refused(trained_run, tmp_path):
    how = HowToRead(labels_file(tmp_path), "tf")
    with pytest.raises(UsageError, match="Leave out --labels, --scaling"):
        choose_model(trained_run.tflite, tmp_path, how)


def test_the_numbers_of_teachable_machine_are_removed_from_labels():
    assert label_lines("0 Cat\n1 Dog and owl\n\n") == ["Cat", "Dog and owl"]
    assert label_lines("1 euro\n2 euros\n") == ["1 euro", "2 euros"]
    assert label_lines("0\n1\n") == ["0", "1"]


def test_labels_that_cannot_be_class_names_are_refused(tmp_path):
    path = tmp_path / "labels.txt"
    for text, message in (
        ("", "is empty"),
        ("a\n\nb\n", "no name in line 2"),
        ("crane\nb\ncrane\n", "has crane in lines 1 and 3"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_labels(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_labels(tmp_path / "missing.txt")


def test_the_classes_of_imagenet_are_in_the_order_of_the_synsets():
    names = imagenet_classes()
    assert len(set(names)) == len(names) == 1000
    assert [names[i] for i in (0, 207, 281, 388, 934, 999)] == [
        *("tench", "golden retriever", "tabby", "giant panda", "hotdog", "toilet tissue"),
    ]
