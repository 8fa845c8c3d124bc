"""What was asked of the training: the config in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnnkit.config import Config, dump_config
from cnnkit.config.calls import Call
from cnnkit.config.model_section import BackboneConfig, ModelConfig
from cnnkit.config.training_section import PhaseConfig, TrainingConfig
from cnnkit.report.number_text import plain
from cnnkit.report.section import Section
from cnnkit.text import count_of

_RESIZE = {
    "stretch": "stretched to that shape",
    "crop": "cropped to their middle",
    "pad": "filled up at the sides",
}
_TRAIN = {
    "head": "only the new layers after the backbone learn",
    "all": "all layers learn",
    "linear_probe": "the output layer is fitted to the features of the backbone at once, by "
    "logistic regression",
}
_MOST_LAYERS = 12


def request_section(config: Config) -> Section:
    """Return the section: sentences by subject, and the whole config."""
    values = {
        "topics": [
            ("Images", list(_about_images(config))),
            ("Network", list(_about_network(config.model))),
            ("Training", list(_about_training(config.training))),
        ],
        "yaml": dump_config(config),
    }
    return Section("request", "What was asked", values)


def network_in_words(model: ModelConfig) -> str:
    """Return what the network is, to continue a sentence.

    >>> network_in_words(ModelConfig(layers=["flatten"]))
    'a network of 1 layer, trained from scratch'
    """
    if model.backbone is None:
        layers = count_of(len(model.layers), "layer")
        if model.weights is not None:
            return f"a network of {layers}, trained from the weights of {Path(model.weights).name}"
        return f"a network of {layers}, trained from scratch"
    return f"{_backbone(model.backbone)} and a new output layer"


def _backbone(backbone: BackboneConfig) -> str:
    origin, value = backbone.origin
    if origin == "hub":
        return f"the TF Hub module {value}"
    if origin in ("run", "file"):
        return f"the network of {value}"
    arguments = f" ({plain(backbone.arguments)})" if backbone.arguments else ""
    weights = {"imagenet": "ImageNet weights", "none": "random weights"}.get(
        backbone.weights, f"the weights {backbone.weights}"
    )
    return f"{value}{arguments} with {weights}"


def _about_images(config: Config) -> Iterator[str]:
    data = config.data
    height, width = data.image_size
    colour = "in colour" if data.color_mode == "rgb" else "in grey"
    yield (
        f"The model sees them at {height} x {width} pixels, {colour}; images of another shape are "
        f"{_RESIZE[data.resize]}."
    )
    if config.augmentation:
        changes = "; ".join(map(_call, config.augmentation))
        yield f"During training they are changed at random: {changes}."
    else:
        yield "During training they are not changed."
    if data.weight_column is not None:
        yield f"How much each of them counts in training is in the column {data.weight_column}."
    if data.labels is not None:
        yield f"Some labels are corrected by {data.labels}."


def _call(call: Call) -> str:
    name = call.name.replace("_", " ")
    return f"{name} ({plain(call.arguments)})" if call.arguments else name


def _about_network(model: ModelConfig) -> Iterator[str]:
    layers = model.layers if model.backbone is None else model.head
    if model.backbone is not None:
        yield f"It begins with {_backbone(model.backbone)}."
    if layers:
        few = "; ".join(map(_layer, layers[:_MOST_LAYERS]))
        left = len(layers) - _MOST_LAYERS
        more = f"; and {left:,} more" if left > 0 else ""
        yield f"{'Its layers' if model.backbone is None else 'Then follow'}: {few}{more}."
    elif model.backbone is not None:
        yield "Then follow global pooling, if the features are maps, and dropout (rate 0.2)."
    if model.weights is not None:
        which = "Some layers start" if model.partial_weights else "The training starts"
        yield f"{which} from the weights of {Path(model.weights).name}."
    if model.output == "sigmoid":
        yield "The output is one sigmoid unit, the probability of the second class."


def _layer(call: Call) -> str:
    # A block that contains layers would be a list of lists.
    is_block = any(isinstance(value, tuple | Call) for value in call.arguments.values())
    return f"{call.name} block" if is_block else _call(call)


def _about_training(training: TrainingConfig) -> Iterator[str]:
    if training.phases:
        for number, phase in enumerate(training.phases, start=1):
            yield f"Phase {number}: {_phase(phase, training)}."
    else:
        steps = _steps(training, training)
        yield f"{steps[0].upper()}{steps[1:]}."
    if training.monitor == "epoch":
        yield "The weights of the last epoch are kept."
    else:
        decides = training.monitor.replace("val_", "validation ").replace("train_", "training ")
        yield f"The weights of the epoch with the best {decides} are kept."
    if training.loss is not None:
        yield f"The loss is {_call(training.loss)}."
    if training.label_smoothing:
        yield f"Label smoothing is {training.label_smoothing:g}."
    if training.class_weights is not None:
        yield f"Classes count with different weights: {plain(training.class_weights)}."
    if training.balanced_sampling:
        yield "Every class is shown equally often."
    if training.precision not in ("auto", "float32"):
        yield f"The training computes with {training.precision}; what is saved has float32."
    yield f"The seed is {training.seed}."


def _phase(phase: PhaseConfig, training: TrainingConfig) -> str:
    if isinstance(phase.train, str):
        what = _TRAIN[phase.train]
    else:
        (kind, value), *_ = phase.train.items()
        what = {
            "backbone_from": f"the backbone learns from the layer {value} on",
            "last_layers": f"the last {value} layers of the backbone learn",
            "gradual": f"more and more layers learn, in {value} steps",
        }[kind]
    source = "" if phase.data is None else f" from the images of {phase.data.source}"
    steps = "" if phase.train == "linear_probe" else f": {_steps(phase, training)}"
    return f"{what}{source}{steps}"


def _steps(phase: PhaseConfig | TrainingConfig, training: TrainingConfig) -> str:
    """Return how long and how fast a phase learns; what it leaves open is as in `training`."""

    def value(key: str):  # noqa: ANN202
        found = getattr(phase, key)
        return getattr(training, key) if found is None else found

    optimizer, schedule, stopping = map(value, ("optimizer", "schedule", "early_stopping"))
    parts = [f"up to {count_of(value('epochs'), 'epoch')} with {_call(optimizer)}"]
    if schedule.name != "constant":
        parts.append(f"{schedule.name.replace('_', ' ')} schedule of the learning rate")
    if value("warmup_epochs"):
        parts.append(f"warm-up for {value('warmup_epochs'):g} of them")
    if stopping is not None:
        parts.append(f"stopped after {count_of(stopping.patience, 'epoch')} without progress")
    return ", ".join(parts)
