"""The lines of a script between the input image and the probabilities."""

from __future__ import annotations

from cnnkit.backbone_networks import NETWORKS
from cnnkit.config import BackboneConfig, Call, Config
from cnnkit.config.model_section import NO_PATHS
from cnnkit.keras_script.layer_lines import output_lines, stack_lines
from cnnkit.keras_script.python_text import arguments_of, call_text, value_text

# As cnnkit.model.backbones.named_networks, but as Python text.
_PREPROCESSING = {
    "tf": ("1 / 127.5", "offset=-1"),
    "torch": (
        "[1 / (255 * each) for each in (0.229, 0.224, 0.225)]",
        "offset=[-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]",
    ),
    "caffe": ("1.0", "offset=(-123.68, -116.779, -103.939)"),
}
_DEFAULT_HEAD = (Call("global_pool"), Call("dropout", {"rate": 0.2}))


def model_lines(config: Config, num_classes: int) -> list[str]:
    """Return the lines that make the tensor `x` out of `image`."""
    if config.model.backbone is not None:
        head = _DEFAULT_HEAD if config.model.head is None else config.model.head
        lines = [*_backbone_lines(config), *stack_lines(head, None)]
        return [*lines, *output_lines(config, num_classes, None)]
    shape = (*config.data.image_size, 3 if config.data.color_mode == "rgb" else 1)
    return [
        '    x = layers.Rescaling(1 / 255, name="rescaling")(image)',
        *stack_lines(config.model.layers, shape),
        *output_lines(config, num_classes, shape),
    ]


def _backbone_lines(config: Config) -> list[str]:
    backbone, lines, entered = config.model.backbone, [], "image"
    preprocessing = NETWORKS[backbone.name].preprocessing
    if config.data.color_mode == "grayscale":
        call = call_text("x = layers.Concatenate", ['name="three_channels"'], "([image] * 3)")
        lines, entered = [call], "x"
    if preprocessing != "none":
        arguments = [*_PREPROCESSING[preprocessing], 'name="preprocessing"']
        lines.append(call_text("x = layers.Rescaling", arguments, f"({entered})"))
        entered = "x"
    if preprocessing == "caffe":
        lines.append("    x = keras.ops.flip(x, axis=-1)  # to blue, green, red")
    return [*lines, *_network_lines(backbone), f"    x = backbone({entered})"]


def _network_lines(backbone: BackboneConfig) -> list[str]:
    weights = None if backbone.weights == "none" else backbone.weights
    arguments = [
        "include_top=False",
        f"weights={value_text(weights)}",
        "input_shape=(*IMAGE_SIZE, 3)",
        *arguments_of(backbone.arguments),
        'name="backbone"',
    ]
    network = call_text(f"backbone = keras.applications.{backbone.name}", arguments)
    note = "    # A network without its classifier; what it returns are maps of features."
    # EfficientNetV2 looks its own settings up by the name that it is given.
    is_named = not backbone.name.startswith("EfficientNetV2")
    if backbone.layer is None and is_named:
        return [note, network]
    if not is_named:
        network = call_text(f"backbone = keras.applications.{backbone.name}", arguments[:-1])
    layer = "" if backbone.layer is None else f".get_layer({value_text(backbone.layer)})"
    output = f"backbone{layer}.output"
    inner = ["backbone.input", output, 'name="backbone"']
    return [note, network, call_text("backbone = keras.Model", inner)]


def reads_weights_file(config: Config) -> bool:
    """Return whether the backbone has weights from a file of the user."""
    backbone = config.model.backbone
    return backbone is not None and backbone.weights not in NO_PATHS
