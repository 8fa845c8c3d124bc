"""What of a TF Hub module is called, and which modules cannot be backbones."""

from __future__ import annotations

import numpy as np
import pytest
from hub_modules import (
    IMAGES,
    SmallModule,
    answers_of,
    changed_weights,
    classifier_on,
    fit_model,
    hub_weights,
    save_module,
)

from cnnkit.backend import tf
from cnnkit.errors import UsageError
from cnnkit.model.backbones.hub.hub_backbone import hub_backbone
from cnnkit.model.loading import load_keras_model


class _SignatureOnly(SmallModule):
    @tf.function
    def serve(self, inputs):
        return {"features": self.features(inputs, False)}


@pytest.fixture(scope="module")
def signature_only(tmp_path_factory):
    return save_module(_SignatureOnly(), tmp_path_factory.mktemp("modules") / "signature")


def test_a_signature_can_be_a_frozen_backbone(signature_only, tmp_path):
    backbone = hub_backbone(str(signature_only), (12, 12), 3, value_range=(0, 1))
    plain = _SignatureOnly().features(tf.constant(IMAGES / 255, tf.float32), False)
    np.testing.assert_allclose(answers_of(backbone), plain, atol=1e-6)
    before, model = hub_weights(backbone), classifier_on(backbone)
    fit_model(model)
    assert changed_weights(before, backbone) == set()
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(answers_of(again), answers_of(model))


def test_a_module_of_tf1_hub_uses_its_graph_for_inference(tmp_path):
    v1 = tf.compat.v1
    builder = v1.saved_model.Builder(str(tmp_path / "old"))
    for tags, factor in (({"train"}, 7.0), (set(), 3.0)):
        with tf.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, (None, None, None, 3), "images")
            scale = v1.get_variable("scale", initializer=2.0, use_resource=True)
            maps = {"default": images * scale * factor}
            signature = v1.saved_model.predict_signature_def({"images": images}, maps)
            session.run(v1.global_variables_initializer())
            add = builder.add_meta_graph if factor == 3 else builder.add_meta_graph_and_variables
            first = () if factor == 3 else (session,)
            add(*first, list(tags), signature_def_map={"default": signature})
    builder.save()
    (tmp_path / "old/tfhub_module.pb").write_bytes(b"\x08\x03")
    backbone = hub_backbone(str(tmp_path / "old"), (12, 12), 3)
    np.testing.assert_allclose(answers_of(backbone), IMAGES / 255 * 6, rtol=1e-5)
    backbone.save(tmp_path / "old.keras")
    again = load_keras_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(answers_of(again), answers_of(backbone))


def test_a_signature_cannot_be_trained(signature_only):
    backbone = hub_backbone(str(signature_only), (12, 12), 3, value_range=(0, 1))
    reason = "cannot learn, because only its signature serving_default can be used"
    with pytest.raises(UsageError, match=reason):
        backbone.trainable = True
    with pytest.raises(UsageError, match=reason):
        hub_backbone(str(signature_only), (12, 12), 3, value_range=(0, 1), trainable=True)


def test_a_signature_needs_a_value_range(signature_only):
    with pytest.raises(UsageError, match=r"^model\.backbone\.value_range: .* does not state which"):
        hub_backbone(str(signature_only), (12, 12), 3)


def test_the_error_for_a_wrong_signature_names_the_nearest_one(signature_only):
    with pytest.raises(UsageError, match="Did you mean serving_default"):
        hub_backbone(str(signature_only), (12, 12), 3, signature="serving_defualt")


@pytest.mark.parametrize(
    ("size", "channels", "message"),
    [
        ((12, 14), 3, r"takes images of 12 x 12, .* Set data\.image_size: \[12, 12\]\."),
        ((12, 12), 1, r"images of 3 channels, not of 1\. Set data\.color_mode: rgb\."),
    ],
)
def test_images_that_the_module_does_not_take_are_refused(hub_folder, size, channels, message):
    with pytest.raises(UsageError, match=message):
        hub_backbone(str(hub_folder), size, channels)


def _module_of(spec, answer):
    class Other(tf.Module):
        @tf.function(input_signature=[spec])
        def __call__(self, inputs):
            return answer(inputs)

    return Other()


@pytest.mark.parametrize(
    ("spec", "answer", "message"),
    [
        (tf.TensorSpec((None,)), lambda x: x, r"takes no images: its input is float32 of shape"),
        (tf.TensorSpec((None,), tf.string), lambda x: x, r"takes no images: its input is string"),
        (tf.TensorSpec((1, 8, 8, 3)), lambda x: x, r"takes only batches of 1 images"),
        (
            tf.TensorSpec((None, None, None, 3)),
            tf.reduce_mean,
            r"returns a tensor of shape \(\) for",
        ),
        (tf.TensorSpec((None, None, None, 3)), lambda x: {"a": x}, r"returns dict for one image"),
        (
            tf.TensorSpec((None, None, None, 3)),
            lambda x: tf.reshape(x, [-1, 300]),
            r"cannot be run on an image of 8 x 8 x 3: ",
        ),
    ],
    ids=["audio", "text", "one image", "one number", "many answers", "hidden size"],
)
def test_a_module_that_takes_no_images_or_gives_no_features_is_refused(
    tmp_path, spec, answer, message
):
    tf.saved_model.save(_module_of(spec, answer), str(tmp_path / "other"))
    with pytest.raises(UsageError, match=message):
        hub_backbone(str(tmp_path / "other"), (8, 8), 3)


def test_a_module_with_two_inputs_is_refused(tmp_path):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))] * 2)
        def __call__(self, one, two):
            return one + two

    tf.saved_model.save(Two(), str(tmp_path / "two"))
    with pytest.raises(UsageError, match="does not take exactly one tensor"):
        hub_backbone(str(tmp_path / "two"), (8, 8), 3)
