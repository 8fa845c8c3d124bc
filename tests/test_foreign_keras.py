"""`.keras` and `.h5` files and SavedModel folders that cnnkit did not write, also of Keras 2."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from foreign_models import (
    COLOUR,
    SIZE,
    SLOPE,
    keras_model,
    labels_file,
    picture,
    scaled_by_hand,
    softmax,
)

from cnnkit.backend import keras, tf
from cnnkit.errors import UsageError
from cnnkit.foreign.chosen_model import choose_model
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.foreign.keras2_files import load_h5
from cnnkit.prediction import predict

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tf_keras  # Keras 2, which TensorFlow Hub brings


def answer(path, how):
    predictor = choose_model(path, path.parent, how, lambda sentence: None)
    (found,) = predict(predictor, [picture()])
    return found.probabilities


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls HDF5 legacy
        model.save(path)
    return path


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
@pytest.mark.parametrize("scaling", ["tf", "caffe"])
def test_a_file_of_keras_gives_the_numbers_of_the_formula(tmp_path, name, scaling):
    path = save(keras_model(), tmp_path / name)
    found = answer(path, HowToRead(labels_file(tmp_path), scaling))
    np.testing.assert_allclose(found, softmax(SLOPE * scaled_by_hand(COLOUR, scaling)), atol=1e-5)


def test_a_first_layer_that_scales_takes_pixels_as_they_are(tmp_path):
    image = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(image)
    path = save(keras.Model(image, keras_model()(scaled)), tmp_path / "a.keras")
    found = answer(path, HowToRead(labels_file(tmp_path)))
    np.testing.assert_allclose(found, softmax(SLOPE * scaled_by_hand(COLOUR, "tf")), atol=1e-5)


def test_a_model_for_any_size_asks_for_one(tmp_path):
    image = keras.Input((None, None, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    path = save(keras.Model(image, keras.layers.Softmax()(mean)), tmp_path / "a.keras")
    labels = labels_file(tmp_path)
    with pytest.raises(UsageError, match="--image-size N"):
        answer(path, HowToRead(labels, "tf"))
    found = answer(path, HowToRead(labels, "tf", image_size=(12, 12)))
    np.testing.assert_allclose(found, softmax(scaled_by_hand(COLOUR, "tf")), atol=1e-5)
    fixed = save(keras_model(), tmp_path / "fixed.keras")
    with pytest.raises(UsageError, match="takes images of 8 x 8 pixels. Leave --image-size out"):
        answer(fixed, HowToRead(labels, "tf", image_size=(12, 12)))


def test_a_saved_model_gives_the_numbers_of_the_formula(tmp_path):
    path = tmp_path / "saved"
    keras_model().export(path, verbose=False)
    found = answer(path, HowToRead(labels_file(tmp_path), "0-1"))
    np.testing.assert_allclose(found, softmax(SLOPE * scaled_by_hand(COLOUR, "0-1")), atol=1e-5)


def test_a_saved_model_without_a_signature_is_refused(tmp_path):
    path = tmp_path / "saved"
    tf.saved_model.save(tf.Module(), str(path))
    with pytest.raises(UsageError, match="has no signature serving_default"):
        answer(path, HowToRead(labels_file(tmp_path), "0-1"))


def _keras2(model, path):
    """Save a Keras 2 model with weights that differ everywhere; return images and its answers."""
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.1, 0.4, each.shape) for each in model.get_weights()])
    save(model, path)
    images = generator.random((3, *model.input_shape[1:]), np.float32)
    return images, model(images, training=False).numpy()


def test_a_keras_2_file_as_of_teachable_machine_is_rebuilt(tmp_path):
    layers = tf_keras.layers
    image = layers.Input((16, 16, 3))
    values = layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    values = layers.BatchNormalization()(values)
    branch = layers.DepthwiseConv2D(3, padding="same")(values)
    backbone = tf_keras.Model(image, layers.Add()([values, branch]))
    model = tf_keras.Sequential(
        [
            tf_keras.Sequential([backbone, layers.GlobalAveragePooling2D()]),
            tf_keras.Sequential(
                [layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")]
            ),
        ]
    )
    model.build((None, 16, 16, 3))
    images, expected = _keras2(model, tmp_path / "a.h5")
    with pytest.raises(TypeError, match="Could not locate class 'Functional'"):
        keras.models.load_model(tmp_path / "a.h5")  # why there is anything to do
    found = load_h5(tmp_path / "a.h5")
    np.testing.assert_allclose(found(images, training=False), expected, atol=1e-6)
    assert np.ptp(expected, axis=0).max() > 1e-3
    assert answer(tmp_path / "a.h5", HowToRead(labels_file(tmp_path), "tf")).shape == (3,)


def test_a_layer_of_keras_2_that_is_used_twice_is_rebuilt(tmp_path):
    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    shared = layers.DepthwiseConv2D(3, padding="same", activation="relu")
    twice = layers.Concatenate()([shared(shared(image)), shared(image)])
    answers = layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(twice))
    images, expected = _keras2(tf_keras.Model(image, answers), tmp_path / "a.h5")
    found = load_h5(tmp_path / "a.h5")
    np.testing.assert_allclose(found(images, training=False), expected, atol=1e-6)


def test_code_in_a_keras_2_file_is_refused(tmp_path):
    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    for values, words in (
        (layers.Lambda(lambda pixels: pixels / 2)(image), "a Lambda layer, which is Python code"),
        (image * 2 + 1, "an operation of TensorFlow between its layers"),
    ):
        model = tf_keras.Model(image, layers.Dense(3)(layers.Flatten()(values)))
        path = save(model, tmp_path / "a.h5")
        with pytest.raises(UsageError, match=f"cannot be rebuilt, because it has {words}"):
            load_h5(path)


def test_weights_alone_are_refused(tmp_path):
    keras_model().save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(UsageError, match="has only weights"):
        load_h5(tmp_path / "a.weights.h5")
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UsageError, match="may be damaged"):
        load_h5(tmp_path / "b.h5")
