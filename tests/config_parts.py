"""Parts of configs and of messages, from which the tables of wrong configs are made."""

DATA = "data: {source: digits, image_size: 32}\n"
MODEL = "model: {layers: [flatten]}\n"
SECTIONS = "source, image_size, color_mode, resize, background, sample_range, split, batch_size, "
SECTIONS += (
    "on_error, classes, labels, weight_column, allow_missing_classes, cache, cache_limit_gb, shapes"
)
CONV = "filters, kernel_size, strides, padding, dilation_rate, groups, activation, use_bias, "
CONV += "kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, "
CONV += "activity_regularizer, kernel_constraint, bias_constraint, pad, name"
LAYERS = "conv, depthwise_conv, separable_conv, flatten, dense, dropout, spatial_dropout, "
LAYERS += "batch_norm, layer_norm, group_norm, activation, pool, global_pool, residual, branches, "
LAYERS += "squeeze_excite, repeat, block, "
LAYERS += "or a Keras layer by its class name"
SIZE = "a whole number of at least 1 or a pair of them"


def data(text: str) -> str:
    """Return a config whose data section has one more line: line 4."""
    return f"data:\n  source: digits\n  image_size: 32\n  {text}\n{MODEL}"


def layer(text: str) -> str:
    """Return a config whose only layer is in line 4, column 7."""
    return f"{DATA}model:\n  layers:\n    - {text}\n"


def training(text: str) -> str:
    """Return a config with one line of training: line 4."""
    return f"{DATA}{MODEL}training:\n  {text}\n"


def backbone(text: str, image_size: str = "64") -> str:
    """Return a config whose backbone has its keys in line 5, from column 14 on."""
    return f"data:\n  source: a\n  image_size: {image_size}\nmodel:\n  backbone: {{{text}}}\n"


ZOOM = "a number above -1 and below 1, or a pair [lower, upper] above -1 and up to 1"
BORDER = "a width in pixels, one for each of the 2 axes, or a pair [before, after] for each of "
BORDER += "the 2 axes"
UNTRAINED = "there are no ImageNet weights of MobileNet"
OTHERWISE = "or set weights: none or the path of a file."
PROBED = "linear_probe fits only the output layer, so the layers of the head must have no weights "
PROBED += "and form a single chain. Remove "
PROBE = "training: {phases: [train: linear_probe]}\n"
HEAD = ", or use train: head in training.phases."
