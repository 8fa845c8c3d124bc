"""Modules of TF Hub as backbones: small ones made here, and real ones from the shared data."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from cnnkit.backend import keras, tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.export.formats import FORMATS
from cnnkit.model.backbones.hub import packed_module
from cnnkit.model.backbones.hub.hub_backbone import hub_backbone
from cnnkit.model.backbones.hub.packed_module import TRUST_VARIABLE
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import load_predictor

_IMAGES = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), dtype=np.uint8)
_LABELS = np.arange(8) % 3
_MOBILENET = "hub/mobilenet_v2_035_224_feature_vector"


class _Module(tf.Module):
    """A convolution, batch normalisation and a mean, with the interface of TF Hub.

    It has four variables: the kernel and the offset learn, the two averages do not.
    """

    def __init__(self, *, uint8=False):
        super().__init__()
        draw = np.random.default_rng(1).normal(size=(3, 3, 3, 5)).astype(np.float32)
        self.kernel = tf.Variable(draw, name="conv/kernel")
        self.offset = tf.Variable(tf.fill([5], 0.5), name="norm/offset")
        self.mean = tf.Variable(tf.fill([5], 0.1), trainable=False, name="norm/mean")
        self.variance = tf.Variable(tf.fill([5], 2.0), trainable=False, name="norm/variance")
        self.regularization_losses = [self.loss]
        self.spec = tf.TensorSpec((None, 12, 12, 3), tf.uint8 if uint8 else tf.float32, "inputs")

    @tf.function(input_signature=[])
    def loss(self):
        return 0.01 * tf.reduce_sum(self.kernel**2)

    def features(self, inputs, training):
        maps = tf.nn.conv2d(tf.cast(inputs, tf.float32), self.kernel, 1, "VALID")
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(maps, [0, 1, 2])
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            self.variance.assign(0.9 * self.variance + 0.1 * variance)
        maps = (maps - mean) / tf.sqrt(variance + 1e-3) + self.offset
        return tf.reduce_mean(tf.nn.relu(maps), [1, 2])


class _Hub(_Module):
    @tf.function
    def __call__(self, inputs, training=False):
        return self.features(inputs, training)


class _WithoutTraining(_Module):
    @tf.function
    def __call__(self, inputs):
        return self.features(inputs, False)


class _SignatureOnly(_Module):
    @tf.function
    def serve(self, inputs):
        return {"features": self.features(inputs, False)}


def _save(module, folder):
    """Trace and save a module, and return its folder."""
    if isinstance(module, _Hub):
        for training in (False, True):
            module.__call__.get_concrete_function(module.spec, training=training)
    elif isinstance(module, _WithoutTraining):
        module.__call__.get_concrete_function(module.spec)
    signature = getattr(module, "serve", None)
    signatures = signature and {"serving_default": signature.get_concrete_function(module.spec)}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return _save(_Hub(), tmp_path_factory.mktemp("modules") / "small")


def _classifier(backbone):
    """Return a whole model, like those of `build_model`."""
    keras.utils.set_random_seed(0)
    image = keras.Input(backbone.input_shape[1:], dtype="uint8")
    output = keras.layers.Dense(3, activation="softmax")(backbone(image, training=False))
    return keras.Model(image, output)


def _fit(model, images=_IMAGES, labels=_LABELS, epochs=2):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    return model.fit(images, labels, epochs=epochs, batch_size=4, verbose=0).history["loss"]


def _weights(backbone):
    layer = backbone.get_layer("hub_module")
    names = [variable.name for variable in layer.weights]
    return dict(zip(names, (variable.numpy().copy() for variable in layer.weights), strict=True))


def _changed(before, backbone):
    after = _weights(backbone)
    return {name for name, value in before.items() if not np.array_equal(value, after[name])}


def _answer(model, images=_IMAGES):
    return np.asarray(model(images, training=False))


def test_a_folder_becomes_a_backbone_from_raw_pixels_to_the_module_s_features(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3)
    plain = tf.saved_model.load(str(folder))(tf.constant(_IMAGES / 255, tf.float32))
    assert backbone.name == "backbone"
    assert backbone.input.dtype == "uint8"
    assert backbone.output_shape == (None, 5)
    np.testing.assert_allclose(_answer(backbone), plain, atol=1e-6)


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 255)])
def test_the_config_can_set_the_value_range(folder, low_high):
    low, high = low_high
    backbone = hub_backbone(str(folder), (12, 12), 3, value_range=low_high)
    values = (_IMAGES / 255 * (high - low) + low).astype(np.float32)
    plain = tf.saved_model.load(str(folder))(tf.constant(values))
    np.testing.assert_allclose(_answer(backbone), plain, atol=1e-4)


def test_a_module_that_takes_uint8_gets_the_pixels_unchanged(tmp_path):
    module = _Hub(uint8=True)
    folder = _save(module, tmp_path / "bytes")
    backbone = hub_backbone(str(folder), (12, 12), 3)
    np.testing.assert_allclose(_answer(backbone), module(_IMAGES), atol=1e-4)
    with pytest.raises(UsageError, match=r"value_range: .* takes unchanged uint8 pixels"):
        hub_backbone(str(folder), (12, 12), 3, value_range=(0, 1))


def test_a_frozen_module_changes_nothing_and_adds_no_loss(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = _weights(backbone), _classifier(backbone)
    _fit(model)
    assert len(model.trainable_weights) == 2  # of the head
    assert model.losses == []
    assert _changed(before, backbone) == set()


def test_the_variables_that_the_module_allows_learn_and_its_averages_stay(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3, trainable=True)
    before, model = _weights(backbone), _classifier(backbone)
    _fit(model)
    assert len(model.trainable_weights) == 4
    assert _changed(before, backbone) == {"conv_kernel", "norm_offset"}


def test_the_averages_learn_if_batch_norm_is_training(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3, trainable=True)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = _weights(backbone), _classifier(backbone)
    _fit(model)
    assert _changed(before, backbone) == {
        "conv_kernel",
        "norm_offset",
        "norm_mean",
        "norm_variance",
    }


def test_a_backbone_can_be_unfrozen_and_frozen_again(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3)
    before, model = _weights(backbone), _classifier(backbone)
    for trainable, learned in ((True, {"conv_kernel", "norm_offset"}), (False, set())):
        backbone.trainable = trainable
        _fit(model)
        assert _changed(before, backbone) == learned
        before = _weights(backbone)


def test_regularisation_losses_are_part_of_the_loss(folder):
    backbone = hub_backbone(str(folder), (12, 12), 3, trainable=True)
    model = _classifier(backbone)
    expected = 0.01 * np.square(_weights(backbone)["conv_kernel"]).sum()
    answers = _answer(model)
    cross_entropy = -np.log(answers[np.arange(8), _LABELS]).mean()
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    loss = model.evaluate(_IMAGES, _LABELS, verbose=0)
    assert expected > 0.5
    assert loss == pytest.approx(cross_entropy + expected, rel=1e-5)


def test_a_saved_model_needs_no_module_folder_and_trains_like_the_original(folder, tmp_path):
    source = shutil.copytree(folder, tmp_path / "source")
    backbone = hub_backbone(str(source), (12, 12), 3, trainable=True)
    model = _classifier(backbone)
    _fit(model)
    model.save(tmp_path / "model.keras")
    shutil.rmtree(source)
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_answer(again), _answer(model))
    assert _fit(again) == pytest.approx(_fit(model), rel=1e-5)
    inner = again.get_layer("backbone")
    assert set(_weights(inner)) == {"conv_kernel", "norm_offset", "norm_mean", "norm_variance"}


def test_a_saved_frozen_backbone_is_still_frozen_when_loaded(folder, tmp_path):
    model = _classifier(hub_backbone(str(folder), (12, 12), 3))
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    before = _weights(again.get_layer("backbone"))
    _fit(again)
    assert _changed(before, again.get_layer("backbone")) == set()


def test_the_file_has_the_module_s_program_and_its_weights_only_once(folder, tmp_path):
    first, second = (
        hub_backbone(str(folder), (12, 12), 3).get_layer("hub_module").get_config()
        for _ in range(2)
    )
    assert first["sha256"] == second["sha256"]
    module = _Hub()
    module.kernel.assign(module.kernel + 1)
    other = hub_backbone(str(_save(module, tmp_path / "other")), (12, 12), 3)
    own = hub_backbone(str(folder), (12, 12), 3)
    assert _changed(_weights(own), other) == {"conv_kernel"}


def _saved(folder, tmp_path):
    path = tmp_path / "model.keras"
    _classifier(hub_backbone(str(folder), (12, 12), 3)).save(path)
    return path


def _with_changed_config(path, change):
    """Change the config of the module's layer in a .keras file."""
    _with_changed_layer(path, lambda layer: change(layer["config"]))


def _with_changed_layer(path, change):
    """Rewrite config.json of a .keras file; `change` gets the entry of the module's layer."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    layers = config["config"]["layers"][1]["config"]["layers"]
    layer = next(part for part in layers if part["class_name"] == "HubModule")
    assert layer["registered_name"] == "cnnkit>HubModule"  # fixed: old files are found by it
    change(layer)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


def test_a_file_of_an_older_version_loads_though_its_layer_s_code_has_moved(folder, tmp_path):
    path = _saved(folder, tmp_path)
    expected = _answer(load_keras_model(path))
    _with_changed_layer(path, lambda layer: layer.update(module="cnnkit.backbones.hub_module"))
    np.testing.assert_array_equal(_answer(load_keras_model(path)), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(packed=config["packed"][:-8] + "AAAAAAA="),
        lambda config: config.update(packed="no base64!"),
        lambda config: config.update(packed=None),
    ],
    ids=["changed", "no base64", "gone"],
)
def test_a_damaged_module_is_refused(folder, tmp_path, change):
    path = _saved(folder, tmp_path)
    _with_changed_config(path, change)
    with pytest.raises(UsageError, match="the model is damaged: its content does not have the sha"):
        load_keras_model(path)


@pytest.fixture
def another_computer(tmp_path, monkeypatch):
    """Forget which modules this computer has used."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache of another"))
    monkeypatch.setattr(packed_module, "_trusted_here", set())


@pytest.fixture
def saved(folder, tmp_path):
    """A file with a module, and the module's hash."""
    path = _saved(folder, tmp_path)
    backbone = hub_backbone(str(folder), (12, 12), 3)
    return path, backbone.get_layer("hub_module").get_config()["sha256"]


def test_a_file_from_another_computer_loads_only_if_its_module_is_trusted(
    saved, another_computer, monkeypatch
):
    path, sha256 = saved
    with pytest.raises(UsageError, match=f"{path} cannot be loaded: .*{TRUST_VARIABLE}={sha256} "):
        load_keras_model(path)
    monkeypatch.setenv(TRUST_VARIABLE, f"{'0' * 64},{sha256}")
    assert load_keras_model(path).count_params() == 153 + 3 * 6 - 3


def test_a_module_that_the_user_has_named_is_trusted_from_then_on(
    saved, folder, another_computer, monkeypatch
):
    hub_backbone(str(folder), (12, 12), 3)
    monkeypatch.setattr(packed_module, "_trusted_here", set())  # as in another process
    backbone = load_keras_model(saved[0]).get_layer("backbone")
    plain = tf.saved_model.load(str(folder))(tf.constant(_IMAGES / 255, tf.float32))
    np.testing.assert_allclose(_answer(backbone), plain, atol=1e-6)


def test_the_hash_of_a_trusted_module_does_not_make_another_trusted(saved):
    path, sha256 = saved
    _with_changed_config(path, lambda config: config.update(packed="QUJD"))
    with pytest.raises(UsageError, match=f"damaged: .* sha256 {sha256}"):
        load_keras_model(path)


def test_a_local_folder_needs_no_tensorflow_hub(folder, tmp_path):
    code = (
        "import sys; from cnnkit.model.backbones.hub.hub_backbone import hub_backbone\n"
        "backbone = hub_backbone(sys.argv[1], (12, 12), 3)\n"
        "print([name for name in ('tensorflow_hub', 'tf_keras', 'pkg_resources')"
        " if name in sys.modules])"
    )
    words = [
        sys.executable,
        "-W",
        "error",
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        code,
        str(folder),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


@pytest.mark.parametrize("name", FORMATS)
def test_it_exports_like_any_other_model(folder, tmp_path, name):
    model = _classifier(hub_backbone(str(folder), (12, 12), 3, trainable=True))
    _fit(model)
    model.save(tmp_path / "model.keras")
    _check_export(load_keras_model(tmp_path / "model.keras"), _IMAGES, name, tmp_path)


def _check_export(model, images, name, tmp_path):
    if name == "onnx":
        pytest.importorskip("tf2onnx")
    info = ModelInfo(("a", "b", "c"), PixelSettings(images.shape[1:3]), "softmax")
    path = tmp_path / FORMATS[name].file_name
    expected = _answer(model, images)
    FORMATS[name].write(model, info, path)
    found = load_predictor(path, tmp_path)(images)
    assert np.ptp(expected, axis=0).max() > 1e-4
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_module_without_a_training_argument_trains(tmp_path):
    folder = _save(_WithoutTraining(), tmp_path / "plain")
    backbone = hub_backbone(str(folder), (12, 12), 3, trainable=True)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = _weights(backbone), _classifier(backbone)
    _fit(model)
    assert _changed(before, backbone) == {"conv_kernel", "norm_offset"}


@pytest.fixture(scope="module")
def signature_only(tmp_path_factory):
    return _save(_SignatureOnly(), tmp_path_factory.mktemp("modules") / "signature")


def test_a_signature_can_be_a_frozen_backbone(signature_only, tmp_path):
    backbone = hub_backbone(str(signature_only), (12, 12), 3, value_range=(0, 1))
    plain = _SignatureOnly().features(tf.constant(_IMAGES / 255, tf.float32), False)
    np.testing.assert_allclose(_answer(backbone), plain, atol=1e-6)
    before, model = _weights(backbone), _classifier(backbone)
    _fit(model)
    assert _changed(before, backbone) == set()
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_answer(again), _answer(model))


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
    np.testing.assert_allclose(_answer(backbone), _IMAGES / 255 * 6, rtol=1e-5)
    backbone.save(tmp_path / "old.keras")
    again = load_keras_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(_answer(again), _answer(backbone))


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
def test_images_that_the_module_does_not_take_are_refused(folder, size, channels, message):
    with pytest.raises(UsageError, match=message):
        hub_backbone(str(folder), size, channels)


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


def test_the_error_for_a_path_that_is_not_a_module_names_the_path(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "module.tgz").write_bytes(b"")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/saved_model.pb").write_bytes(b"no protobuf")
    for name, message in (
        ("nothing", "there is no folder"),
        ("empty", "has no saved_model.pb, so it is not"),
        ("module.tgz", "is an archive. Unpack it"),
        ("damaged", "TensorFlow cannot load"),
    ):
        with pytest.raises(UsageError, match=message) as raised:
            hub_backbone(str(tmp_path / name), (8, 8), 3)
        assert str(tmp_path / name) in str(raised.value)


def test_the_error_for_a_module_without_its_variables_names_the_module(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "half", ignore=shutil.ignore_patterns("*.index"))
    with pytest.raises(UsageError, match="TensorFlow cannot load .*half"):
        hub_backbone(str(tmp_path / "half"), (12, 12), 3)


def test_the_error_without_a_network_says_where_to_put_the_module(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    handle = "https://127.0.0.1:9/module/1"  # where nothing listens
    with pytest.raises(UsageError) as raised:
        hub_backbone(handle, (12, 12), 3)
    place = f"{tmp_path}/{hashlib.sha1(handle.encode()).hexdigest()}/"
    assert f"{handle} cannot be downloaded: " in str(raised.value)
    assert place in str(raised.value)
    assert "TFHUB_MODEL_LOAD_FORMAT" in str(raised.value)


def test_a_handle_finds_a_module_that_was_put_there(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    handle = "https://127.0.0.1:9/module/1"
    shutil.copytree(folder, tmp_path / hashlib.sha1(handle.encode()).hexdigest())
    by_handle = hub_backbone(handle, (12, 12), 3)
    np.testing.assert_array_equal(
        _answer(by_handle), _answer(hub_backbone(str(folder), (12, 12), 3))
    )


def test_the_error_without_tensorflow_hub_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(UsageError, match="setuptools<81"):
        hub_backbone("https://127.0.0.1:9/module/1", (12, 12), 3)


def test_real_modules_of_other_kinds(shared_data):
    def backbone(name, size, channels):
        return hub_backbone(str(shared_data / "hub" / name), size, channels)

    images = _IMAGES[:2, :8, :8]
    without_training = backbone("tf_examples_saved_model_v2_mini", (8, 8), 3)
    plain = tf.saved_model.load(str(shared_data / "hub/tf_examples_saved_model_v2_mini"))
    expected = plain(tf.constant(images / 255, tf.float32))
    np.testing.assert_allclose(_answer(without_training, images), expected, atol=1e-6)
    of_tf1 = backbone("tf_examples_hub_module_v1_mini_train", (8, 8), 3)
    assert of_tf1.output_shape == (None, 8, 8, 3)
    with pytest.raises(UsageError, match="only its signature default can be used"):
        of_tf1.trainable = True
    with pytest.raises(UsageError, match="images of 1 channels, not of 3"):
        backbone("mlperf_tiny_kws_ref_model", (224, 224), 3)


@pytest.fixture
def mobilenet(shared_data):
    return hub_backbone(str(shared_data / _MOBILENET), (224, 224), 3)


def _real_images(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


@pytest.mark.slow
def test_the_real_mobilenet_is_frozen_and_learns(mobilenet, tmp_path):
    images, labels = _real_images(), np.arange(6) % 3
    before, model = _weights(mobilenet), _classifier(mobilenet)
    layer = mobilenet.get_layer("hub_module")
    assert len(before) == len(layer.weights) == 260
    _fit(model, images, labels, epochs=1)
    assert _changed(before, mobilenet) == set()
    mobilenet.trainable = True
    assert len(layer.trainable_weights) == 156
    _fit(model, images, labels, epochs=1)
    assert len(model.losses) == 35
    learn = {variable.name for variable in layer.trainable_weights}
    assert _changed(before, mobilenet) <= learn
    assert len(_changed(before, mobilenet)) > 150
    layer.batch_norm = "training"
    _fit(model, images, labels, epochs=1)
    assert len(_changed(before, mobilenet) - learn) == 104
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_answer(again, images), _answer(model, images))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_the_real_mobilenet_exports(mobilenet, tmp_path, name):
    model = _classifier(mobilenet)
    _check_export(model, _real_images(4), name, tmp_path)
