"""Propose the `augmentation`, `model` and `training` sections of a config."""

from __future__ import annotations

from collections.abc import Mapping

from cnnkit.proposal.findings import FEW, Choice, Findings
from cnnkit.proposal.recipes import LARGE_NETWORK, MANY, SMALL_NETWORK, Recipe
from cnnkit.text import count_of

LEARNS_FROM = "block3b_expand_conv"  # of EfficientNetLite0, with many images
_WARMUP_IMAGES = 200  # that are seen at least while the learning rate rises
_LARGE_IMBALANCE = 3  # times as many images in the largest class as in the smallest one
_OF_SOUNDS = (
    Choice(
        "  - random_translation: {height_factor: 0.05, width_factor: 0.1, fill_mode: constant}",
        "A little higher or lower, earlier or later. A flip or a rotation would be another sound.",
    ),
    Choice(
        "  - random_contrast: {factor: [0.2, 0.2]}",
        "As if recorded with more or less noise in a quiet or a loud place.",
    ),
    Choice("  - random_brightness: 0.1"),
)
_SIDED_WORDS = ("left", "right", "clockwise", "arrow", "letter", "digit", "text")


def augmentation_choices(findings: Findings) -> list[Choice]:
    """Return the lines of `augmentation`: mild changes that rarely change the class of an image."""
    if findings.are_sounds:
        return list(_OF_SOUNDS)
    against = _why_not_to_flip(findings.class_counts)
    rotation = Choice("  - random_rotation: 0.05", against and f"No random_flip: {against}.")
    flip = Choice(
        "  - random_flip: horizontal",
        "Remove this if left and right make a difference in your images.",
    )
    shift = Choice("  - random_translation: {height_factor: 0.1, width_factor: 0.1}")
    choices = [rotation] if against else [flip, rotation]
    if findings.transfers and not findings.is_grey and not against:
        if findings.num_images >= MANY:
            return [flip, shift]  # each is seen a few times only
        # Photographs show their object large or small, near the middle or not.
        return [
            *choices,
            Choice("  - random_resized_crop: {scale: [0.7, 1], ratio: [0.8, 1.25]}"),
            Choice(
                "  - random_color_jitter: {brightness_factor: 0.2, contrast_factor: [0.3, 0.3]}"
            ),
        ]
    choices += [Choice("  - random_zoom: 0.1"), shift]
    return choices if findings.is_grey else [*choices, Choice("  - random_contrast: 0.2")]


def _why_not_to_flip(class_counts: Mapping[str, int]) -> str:
    """Return why images should not be mirrored, judging by the class names; "" if they may be."""
    class_names = sorted(class_counts)
    if sum(len(name) <= 2 for name in class_names) > len(class_names) / 2:
        return "the class names look like digits or letters, which mirroring may change"
    sided = next((n for n in class_names if any(word in n.lower() for word in _SIDED_WORDS)), "")
    return f"mirroring may change the meaning of the class {sided}" if sided else ""


def model_choices(findings: Findings, size: tuple[int, int], network: str) -> list[Choice]:
    """Return the lines of `model`: a pretrained network, or layers that learn from scratch.

    Args:
        findings: about the data set.
        size: height and width of the images.
        network: the pretrained network, if it is one.
    """
    if not findings.transfers:
        few = findings.num_images < FEW
        blocks = block_choices() if few else stage_choices()
        layers = layer_choices(findings, size) if few else stages_choices(size)
        return [Choice("  blocks:"), *blocks, Choice("  layers:"), *layers]
    reason = (
        "The model starts from a network that was trained on a million photographs. Its weights "
        "are installed with cnnkit. docs/transfer.md says which other networks there are; `cnnkit "
        "init --from-scratch` does without."
    )
    if network == LARGE_NETWORK:
        reason += (
            f" {SMALL_NETWORK} takes two thirds of the time, and is right a little less often."
        )
    backbone = Choice(f"  backbone: {{name: {network}}}", reason)
    if findings.num_images < MANY or _why_not_to_flip(findings.class_counts):
        return [backbone]
    twice = (
        "Answers are the mean over an image and its mirror image. More of them are right, and they "
        "take up to twice the time."
    )
    return [backbone, Choice("  tta: flips", twice)]


def block_choices() -> list[Choice]:
    """Return the lines of `model.blocks` for few images."""
    conv = "{filters: $filters, kernel_size: 3, strides: $strides, padding: same, use_bias: false}"
    return [
        Choice(
            "    conv_norm:",
            "The layers that `block` inserts below. Its arguments replace $filters and $strides.",
        ),
        Choice(f"      - conv: {conv}"),
        # The averages follow within tens of steps; with Keras's 0.99 they need hundreds, and few
        # images give few steps.
        Choice("      - batch_norm: {momentum: 0.9}"),
        Choice("      - activation: relu"),
    ]


def stage_choices() -> list[Choice]:
    """Return the lines of `model.blocks` for more images, as in configs/cifar10_fast.yaml."""
    conv = "      - conv: {filters: $filters, kernel_size: 3, padding: same, use_bias: false}"
    norm = Choice("      - block: norm")
    return [
        Choice(
            "    norm:", "The layers that `block` inserts below. Its arguments replace $filters."
        ),
        # The averages follow within tens of steps; with Keras's 0.99 they need hundreds.
        Choice("      - batch_norm: {momentum: 0.9}"),
        Choice("      - activation: relu"),
        Choice("    stage:"),
        Choice(conv),
        Choice("      - pool: max"),
        norm,
        Choice(conv),
        norm,
    ]


def stages_choices(size: tuple[int, int]) -> list[Choice]:
    """Return the lines of `model.layers` for more images: patches, then stages."""
    # The maps of the first stage have about 32 x 32 values, whatever the size of the images.
    stride = max(1, round(min(size) / 32))
    patch = f"kernel_size: {max(2, stride)}, strides: {stride}"
    lines = [
        f"conv: {{filters: 16, {patch}, use_bias: false}}",
        "block: norm",
        *(f"block: {{name: stage, filters: {filters}}}" for filters in (32, 64, 128)),
        "global_pool: average",
    ]
    reason = (
        "A small network that learns much in few epochs on a CPU (docs/fast.md). With more filters "
        "and epochs it becomes more accurate: configs/cifar10_accurate.yaml."
    )
    return [Choice(f"    - {line}", reason if not at else "") for at, line in enumerate(lines)]


def layer_choices(findings: Findings, size: tuple[int, int]) -> list[Choice]:
    """Return the lines of `model.layers` for few images: stages of one convolution each."""
    # The last maps are 4 x 4 or a little larger, so that the dense layer sees where things are.
    is_large = min(size) >= 48
    lines: list[str] = []
    for filters in (32, 64, 128, 256)[: 4 if is_large else 3]:
        strides = 2 if not lines and is_large else 1
        lines += ["pool: max"] if lines else []
        lines.append(f"block: {{name: conv_norm, filters: {filters}, strides: {strides}}}")
    lines += ["flatten", "dropout: 0.5"]
    reason = (
        f"{count_of(findings.num_images, 'image')} are few, so the network is small, with dropout "
        "against overfitting."
    )
    return [Choice(f"    - {line}", reason if not at else "") for at, line in enumerate(lines)]


def training_choices(findings: Findings, recipe: Recipe) -> list[Choice]:
    """Return the lines of `training`."""
    own = _transfer if findings.transfers else _from_scratch
    choices = own(findings, recipe.epochs)
    counts = findings.class_counts
    ratio = max(counts.values()) / max(1, min(counts.values()))
    if ratio > _LARGE_IMBALANCE:
        smallest, largest = min(counts, key=counts.get), max(counts, key=counts.get)
        choices.append(
            Choice(
                "  class_weights: effective_number",
                f"{largest} has {ratio:,.0f} times as many images as {smallest}. "
                "(balanced_sampling: true would show the classes equally often instead.)",
            )
        )
    return choices


def _transfer(findings: Findings, epochs: int) -> list[Choice]:
    monitor = Choice(
        "  monitor: val_loss",
        "It tells small differences apart, which the accuracy of a few images does not.",
    )
    if findings.keeps_no_validation:
        monitor = Choice("  monitor: epoch", "Without validation images the last weights are kept.")
    if not epochs:
        reason = "There is time for the output layer only, on features that are computed once."
        first = [monitor] if findings.keeps_no_validation else []
        return [*first, Choice("  phases:"), Choice("    - {train: linear_probe}", reason)]
    if findings.num_images >= MANY:
        # The first layers see the largest maps, so they take the most time, and change the least.
        part, learns = "all but its first layers", f"{{backbone_from: {LEARNS_FROM}}}"
        rate, warmup = "4e-4", 0.4
    else:
        part, learns, rate = "the whole network", "all", "5e-4"
        # Of few images an epoch has few steps: in one or two, the rate would rise at a jump.
        warmup = max(1, min(epochs // 4, -(-_WARMUP_IMAGES // findings.num_images)))
    return [
        monitor,
        Choice("  label_smoothing: 0.1", "Labels of photographs are sometimes wrong or unclear."),
        Choice("  schedule: cosine"),
        Choice("  phases:"),
        Choice(
            "    - {train: linear_probe}",
            "First only the output layer is trained, on features that are computed once; then "
            f"{part}, with a small learning rate.",
        ),
        Choice(
            f"    - {{train: {learns}, epochs: {epochs}, warmup_epochs: {warmup}, "
            f"optimizer: {{adam: {{learning_rate: {rate}}}}}}}"
        ),
    ]


def _from_scratch(findings: Findings, epochs: int) -> list[Choice]:
    # Large steps suit large batches, and need a longer warm-up.
    many = findings.num_images >= MANY
    rate, warmup = ("0.1", 0.2 * epochs) if many else ("0.05", 1)
    return [
        Choice(
            f"  epochs: {epochs}",
            "The learning rate falls to 0 over these epochs, however few they are.",
        ),
        Choice(f"  optimizer: {{muon: {{learning_rate: {rate}, weight_decay: 0.1}}}}"),
        Choice("  schedule: cosine"),
        Choice(f"  warmup_epochs: {warmup:g}"),
        Choice("  label_smoothing: 0.1", "Labels are sometimes wrong or unclear."),
    ]
