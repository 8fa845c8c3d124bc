"""The table of backbones enters; `docs/backbones.md` leaves, with a row for each of them.

With `--check`, nothing is written, and the exit code is 1 where the file is out of date.
"""

from __future__ import annotations

from pathlib import Path

from generated_file import write_or_check

from cnnkit.networks import NETWORKS, NetworkRow

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "backbones.md"

_INTRODUCTION = """\
# Backbones

A network that was trained on the photographs of ImageNet, without its classifier, in the place of
`model.layers`. This page is about those of `keras.applications`; its tables are made from
`cnnkit/networks.py` by `make docs`.

```yaml
data: {source: photos, image_size: 96}
model:
  backbone: {name: MobileNetV2, alpha: 0.35, weights: imagenet}
  head: [global_pool, {dropout: 0.2}]
```

The pixels are prepared inside the model, by the network's own `preprocess_input`, so the model
takes raw `uint8` pixels like any other. The network sees grey images as red, green and blue alike.

| key | what it is |
|---|---|
| `name` | one of the table below, spelled as there |
| `weights` | `imagenet`; `none` for random ones; or the path of an `.h5` file |
| `layer` | where the network ends; by default before its classifier |
| `alpha`, `depth_multiplier`, `minimalistic` | arguments of the networks that have them |

## Weights

`weights: imagenet` takes the file from `~/.keras/models/` (`$KERAS_HOME/models/` where it is set),
as Keras does, and downloads it where it is not there. **Without a network**, fetch the file of the
table elsewhere and put it into that folder, or name it: `weights: downloads/the_file.h5`. The error
says the address and the path. Weights fit images of every size; MobileNet and MobileNetV2 have
files of their own for some sizes, and the one for 224 pixels is taken for the others.

A file of your own holds the network without its classifier, as Keras 2 (`.h5`) or Keras 3
(`.weights.h5`) writes it. It is compared with the network first: a file of another network or
`alpha`, with the classifier, cut off, or with NaN in it is refused, and the error says what it is.

The published files of EfficientNetB0 to B7 need a correction of the colours that Keras makes only
where it fetches the file itself. cnnkit makes it for a file given by its path too.

## Layers

Layers have the names that `keras.applications` gives them in a fresh process, every time. An
unknown `layer` is refused with the nearest name and the last ten.
"""

_TABLE = """\
## Networks

- `size`: height and width of the images that the weights were made for, in pixels; `least`: the
  smallest that the network takes.
- `parameters`: without the classifier, at the default arguments.
- `top-1`: accuracy on ImageNet with the classifier, as [keras.io](https://keras.io/api/applications/)
  has it; it has none for MobileNetV3.
- `licence`: of the weights, as Keras's documentation stated it. It states none for EfficientNet,
  MobileNetV3 and ConvNeXt; theirs is that of the publication they were ported from.

| name | size | least | parameters | top-1 | licence | ImageNet weights |
|---|---|---|---|---|---|---|
"""

_ARGUMENTS = """
## Arguments

ImageNet weights exist for these values. With `weights: none` or a file others are taken too.

| name | argument | values | image sizes with weights of their own |
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
    link = f"[{row.weights_name({}, size)}]({row.weights_url({}, size)})"
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
            values += f"; true with alpha {row.arguments['alpha'].default} alone"
        lines += f"| `{row.name}` | `{name}` | {values} | {sizes} |\n"
    return lines


if __name__ == "__main__":
    write_or_check(OUTPUT, backbones_docs())
