"""Say how much memory a training needs and what to lower; refuse one that cannot fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnkit.arithmetic import LayerRow
from cnnkit.config import Config
from cnnkit.errors import UsageError
from cnnkit.explore.summarize import summary_of_built, summary_of_layers
from cnnkit.explore.summary_text import FLOAT32_BYTES, Summary, shape_text
from cnnkit.memory import computer_memory, free_memory, this_computer_has
from cnnkit.text import count_of, size_text


def check_fits(
    config: Config, num_classes: int, num_images: int, note: Callable[[str], Any]
) -> None:
    """Refuse to train a model that cannot fit into the memory of this computer.

    What is refused cannot fit for certain. If it may just fit, the user is warned. The layers of a
    backbone are known to Keras only, so only the pixels of a batch are checked then.

    Args:
        config: of the training.
        num_classes: units of the output layer.
        num_images: a batch has no more images than there are.
        note: called with a sentence if the memory may not be enough.

    Raises:
        UsageError: it cannot fit; the text says how much it needs, and what to lower.
    """
    memory, batch_size = computer_memory(), min(config.data.batch_size, num_images)
    if memory is None:
        return
    _check_batch_fits(config, batch_size, memory)
    if config.model.backbone is not None:
        return
    summary = summary_of_layers(config, num_classes, batch_size)
    free = min(memory, free_memory())
    if summary.training_bytes is None or summary.training_bytes <= free:
        return
    # The phases may have other optimizers, so with phases only the weights are certain.
    slots = 0 if config.training.phases else summary.optimizer_slots
    least = _least_bytes(summary, slots)
    if least > memory:
        raise UsageError(f"The model does not fit into memory. {need_text(summary)}")
    free_text = f"Now {size_text(free)} are free: close other programs to have more."
    if least > free:
        raise UsageError(
            f"The model does not fit into the free memory. {need_text(summary)} {free_text}"
        )
    note(f"The memory may not be enough. {need_text(summary)} {free_text}")


def _check_batch_fits(config: Config, batch_size: int, memory: int) -> None:
    """Refuse a batch whose pixels alone, as the model gets and rescales them, cannot fit."""
    height, width = config.data.image_size
    channels = 3 if config.data.color_mode == "rgb" else 1
    needed = batch_size * height * width * channels * (1 + FLOAT32_BYTES)
    if needed > memory:
        lower = "data.image_size" if batch_size == 1 else "data.batch_size or data.image_size"
        raise UsageError(
            f"A batch does not fit into memory. The pixels of {count_of(batch_size, 'image')} of "
            f"{height} x {width} need {size_text(needed)}, and {this_computer_has()}: lower "
            f"{lower}."
        )


def check_weights_fit(config: Config, num_classes: int) -> None:
    """Refuse to build a model whose weights alone cannot fit into the memory of this computer.

    Raises:
        UsageError: they cannot; the text says how much they need, and what to lower.
    """
    memory = computer_memory()
    if config.model.backbone is not None or memory is None:
        return
    summary = summary_of_layers(config, num_classes, batch_size=1)
    needed = FLOAT32_BYTES * (summary.parameters or 0)
    if needed > min(memory, free_memory()):
        raise UsageError(
            f"The model does not fit into memory. {building_need(config, num_classes)}"
        )


def building_need(config: Config, num_classes: int) -> str:
    """Return the sentence of a model that could not be built."""
    if config.model.backbone is not None:
        return (
            f"The model cannot be built, and {this_computer_has()}: take a smaller backbone, or "
            "lower the units of the dense layers in model.head."
        )
    summary = summary_of_layers(config, num_classes, batch_size=1)
    needed = size_text(FLOAT32_BYTES * (summary.parameters or 0))
    return f"The weights need {needed}, and {this_computer_has()}: {_for_weights(summary)}."


def training_need(config: Config, model: Any, num_images: int) -> str:
    """Return the sentence for a training that ran out of memory.

    Args:
        config: of the training.
        model: the `keras.Model`.
        num_images: a batch has no more images than there are.
    """
    batch_size = min(config.data.batch_size, num_images)
    if config.model.backbone is None:
        return need_text(summary_of_layers(config, model.output_shape[-1], batch_size))
    summary = summary_of_built(model, config, batch_size)
    if summary is not None:
        return need_text(summary)
    height, width = config.data.image_size
    return (
        f"Training needs more, and {this_computer_has()}: lower data.batch_size (now "
        f"{batch_size:,}) or data.image_size (now {height} x {width}), or take a smaller backbone."
    )


def need_text(summary: Summary) -> str:
    """Return how much memory training needs, how much there is, and what to lower."""
    needed = summary.training_bytes
    if needed is None:
        lower = f"{_batch_size_text(summary)} or {_size_text(summary)}"
        return f"Training needs more, and {this_computer_has()}: lower {lower}."
    maps = 2 * (summary.activation_bytes or 0)
    # More than twice the maps: the weights need more than they do, so smaller batches do not help.
    lower = _for_weights(summary) if needed > 2 * maps else _for_maps(summary)
    there = this_computer_has()
    if needed <= (computer_memory() or 0):
        there += ", which other programs and TensorFlow itself use too"
    return f"Training needs about {size_text(needed)}, and {there}: {lower}."


def _least_bytes(summary: Summary, slots: int) -> float:
    """Return the bytes below which training is impossible: less than `training_bytes`.

    The backward pass needs at least half of the maps: the output of a batch normalisation, for
    example, can be dropped after the activation that follows it. Gradients can be dropped at once.
    """
    kept = (summary.parameters or 0) + (summary.trained or 0) * slots
    return FLOAT32_BYTES * kept + (summary.activation_bytes or 0) / 2


def _for_weights(summary: Summary) -> str:
    row = max(summary.rows, key=lambda row: row.parameters or 0)
    share = (row.parameters or 0) / max(summary.parameters or 0, 1)
    lower = f"lower the {_argument(row)} of {_named(row)}"
    if row.path == ("output",):
        lower = f"shrink the input of {_named(row)}"
    smaller = ", or put global_pool in place of flatten before it" if row.kind == "Dense" else ""
    return f"{lower}, which has {share:.0%} of the weights{smaller}"


def _for_maps(summary: Summary) -> str:
    row = max(summary.rows, key=lambda row: summary.bytes_of(row) or 0)
    return (
        f"lower {_batch_size_text(summary)}, {_size_text(summary)} or the {_argument(row)} of "
        f"{_named(row)}, whose outputs take {size_text(summary.bytes_of(row) or 0)}"
    )


def _batch_size_text(summary: Summary) -> str:
    """Return the key with its value, and with a smaller one that may fit, if there is any."""
    now = summary.batch_size
    maps = 2 * (summary.activation_bytes or 0)
    left = (computer_memory() or 0) - ((summary.training_bytes or 0) - maps)
    # Of all that needs memory, only the maps grow with the batch.
    fitting = left * now // max(maps, 1)
    may_fit = f"; {fitting:,} may fit" if 0 < fitting < now else ""
    return f"data.batch_size (now {now:,}{may_fit})"


def _size_text(summary: Summary) -> str:
    return f"data.image_size (now {shape_text(summary.input_shape[:2])})"


def _argument(row: LayerRow) -> str:
    return "units" if row.kind == "Dense" else "filters"


def _named(row: LayerRow) -> str:
    return f"the layer {row.name} (output {shape_text(row.output_shape)})"
