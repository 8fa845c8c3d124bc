"""`cnnkit code`: the script has the network, the pixels and the training of the config."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from keras_scripts import module_of, written
from places import CONFIGS
from sounds import write_tones

from cnnkit.errors import UsageError
from cnnkit.explore.summarize import config_and_classes
from cnnkit.keras_script.write_script import keras_script

# What plain Keras cannot say in the shipped configs.
_REFUSED = {
    "cifar10_accurate": "training.optimizer: this is cnnkit's optimizer",
    "cifar10_fast": "training.optimizer: this is cnnkit's optimizer",
    "shapes_sim2real": "training.phases[0].data: the script reads one set of images",
}
_NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
_WRITTEN = [name for name in _NAMES if name not in _REFUSED]
# Their kinds of layers are in the others too, and together they take minutes.
_QUICK = ("digits_lenet5", "lenet5", "cifar10_resnet20", "sign_digits", "dogs_vs_cats")


@pytest.fixture(autouse=True)
def _eager():
    """Compute without graphs: making one takes much longer than a single step."""
    from cnnkit.backend import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _code(name, overrides=()):
    return keras_script(CONFIGS / f"{name}.yaml", overrides)


@pytest.mark.parametrize("name", sorted(_REFUSED))
def test_what_plain_keras_cannot_say_is_refused_with_the_key_and_the_reason(name):
    with pytest.raises(UsageError, match=re.escape(_REFUSED[name])):
        _code(name)


@pytest.mark.parametrize("name", _WRITTEN)
def test_a_script_is_formatted_and_does_not_import_cnnkit(name, tmp_path):
    file = tmp_path / f"{name}.py"
    file.write_text(_code(name))
    assert not re.search(r"^\s*(import|from) cnnkit", file.read_text(), re.M)
    for command in (
        ["format", "--check", "--isolated"],
        ["check", "--isolated", "--select", "E,F,B,D1", "--line-length", "88"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, file], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in _QUICK else [pytest.mark.slow]) for n in _WRITTEN],
)
def test_a_shipped_config_and_its_script_are_the_same_network_and_take_the_same_step(
    name, tmp_path
):
    file = tmp_path / f"{name}.yaml"
    # Dropout draws its numbers from a generator of its own in each model.
    file.write_text(re.sub(r"dropout: [\d.]+", "dropout: 0", (CONFIGS / file.name).read_text()))
    few = ["data.shapes.num_images=8"] if name == "shapes_cnn" else []
    config, classes = config_and_classes(file, few, None)
    _compare(keras_script(file, few), config, classes, tmp_path)


def _compare(code, config, classes, folder, num_images=4):
    from cnnkit.backend import keras
    from cnnkit.model.build_model import build_model, compile_model

    keras.backend.clear_session()
    ours = build_model(config, classes)
    names = f"CLASS_NAMES = [str(number) for number in range({classes})]"
    script = module_of(re.sub(r"CLASS_NAMES = sorted\(.*\)", names, code), folder)
    theirs = script.build_model()
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert [_name(w) for w in ours.weights] == [_name(w) for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (num_images, *ours.input_shape[1:]), dtype=np.uint8)
    np.testing.assert_allclose(theirs(pixels), ours(pixels), rtol=1e-4, atol=1e-6)
    targets = np.eye(classes, dtype="float32")[np.arange(num_images) % classes]
    if config.model.output == "sigmoid":
        targets = targets[:, 1:]
    (getattr(script, "prepare", None) or script.prepare_1)(theirs, 10)
    _prepare_ours(ours, config, compile_model)
    losses = [model.train_on_batch(pixels, targets)[0] for model in (ours, theirs)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(other, mine, rtol=1e-4, atol=1e-5, err_msg=mine.path)
    return ours, theirs


def _prepare_ours(model, config, compile_model):
    from cnnkit.model.optimizers import build_optimizer
    from cnnkit.training.history import History
    from cnnkit.training.learning_layers import learning_layers
    from cnnkit.training.learning_rate import LearningRate
    from cnnkit.training.phases import phases_of

    phase = phases_of(config)[0]
    learning_layers(model, phase).set_trainable()
    compile_model(model, config, build_optimizer(phase.optimizer))
    rate = LearningRate(phase, 10, History("history.csv", "val_loss")).at(0, 0)
    model.optimizer.learning_rate.assign(rate)


def _name(weight):
    return weight.path.removeprefix("backbone/")


_STACKS = """
data: {source: digits, image_size: [24, 16], split: {validation: 0.2, test: 0}}
model:
  layers:
    - conv: {filters: 6, kernel_size: 3, pad: {size: 2, mode: edge}, kernel_initializer: he_normal}
    - residual:
        layers:
          - residual: [conv: {filters: 6, kernel_size: 3, padding: same}]
          - conv: {filters: 8, kernel_size: 1, strides: 2, padding: same, use_bias: false}
        activation: relu
    - branches:
        - [conv: {filters: 3, kernel_size: 1, kernel_regularizer: {l2: 0.01}}]
        - - branches:
              stacks: [[], [conv: {filters: 8, kernel_size: 3, padding: same}]]
              merge: add
          - squeeze_excite: 2
        - []
    - conv: {filters: 4, kernel_size: 3, pad: {size: 1, mode: reflect}, name: last}
    - depthwise_conv: {kernel_size: [3, 1], pad: 1}
    - pool: {type: average, pool_size: 3, strides: 1, padding: same}
    - flatten
training: {class_weights: auto, loss: {categorical_focal_crossentropy: {gamma: 1.5}}}
"""


def test_blocks_borders_and_names_are_those_of_the_config(tmp_path):
    code, config = written(_STACKS, tmp_path)
    _compare(code, config, 10, tmp_path)
    assert "shortcut_in = x" in code and "branch_2_in" in code and 'name="last"' in code


_TONES = """
data: {source: SOURCE, image_size: [32, 40], color_mode: grayscale, split: {validation: 0.2}}
augmentation: [random_translation: {height_factor: 0.05, width_factor: 0.1}]
model: {layers: [conv: {filters: 4, kernel_size: 3}, batch_norm, pool: 2, flatten]}
training: {epochs: 2, label_smoothing: 0.1}
"""


def test_a_config_of_sounds_and_its_script_are_the_same_network(tmp_path):
    folder = write_tones(tmp_path / "tones", {"low": 200, "middle": 800, "high": 3_200})
    file = tmp_path / "tones.yaml"
    file.write_text(_TONES.replace("SOURCE", str(folder)))
    config, classes = config_and_classes(file, (), None)
    _compare(keras_script(file), config, classes, tmp_path)


_TRANSFER = """
data: {source: digits, image_size: 32, color_mode: COLOUR, split: {validation: 0.2}}
model: {backbone: {name: NAME, weights: none}, head: [global_pool, dense: {units: 5}]}
training:
  phases:
    - train: TRAIN
      epochs: 3
      optimizer: {sgd: {learning_rate: 0.01}}
      early_stopping: {patience: 2}
    - {train: all, epochs: 2, batch_norm: training}
"""


@pytest.mark.parametrize(
    "name, colour, train",
    [
        ("MobileNet", "rgb", "head"),
        pytest.param("MobileNetV2", "grayscale", "{backbone_from: block_16_project}",
                     marks=pytest.mark.slow),
        pytest.param("VGG16", "rgb", "{last_layers: 3}", marks=pytest.mark.slow),
        pytest.param("DenseNet121", "rgb", "all", marks=pytest.mark.slow),
        pytest.param("EfficientNetV2B0", "rgb", "head", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_backbone_is_the_same_and_the_same_of_its_layers_learn(name, colour, train, tmp_path):
    text = _TRANSFER.replace("NAME", name).replace("COLOUR", colour).replace("TRAIN", train)
    code, config = written(text, tmp_path)
    ours, theirs = _compare(code, config, 10, tmp_path)
    assert len(theirs.trainable_weights) == len(ours.trainable_weights)
    module_of(code, tmp_path).prepare_2(theirs, 10)
    assert len(theirs.trainable_weights) == len(theirs.weights) - sum(
        "moving_" in weight.path for weight in theirs.weights
    )
