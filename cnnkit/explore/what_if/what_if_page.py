"""Write a page on which the layers of a config are changed, as one HTML file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnkit.arithmetic import SHORTCUT
from cnnkit.config import Call, Config
from cnnkit.explore.summarize import config_and_classes, summary_of_built
from cnnkit.explore.what_if.editable_layers import LARGEST, editable_nodes, entries
from cnnkit.files import write_text
from cnnkit.pages import render_page
from cnnkit.text import count_of


@dataclass(frozen=True)
class WrittenPage:
    """A page that was written.

    Args:
        file: the HTML file.
        num_layers: how many layers are on it, blocks and the output layer included.
    """

    file: str
    num_layers: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return asdict(self)

    def text(self) -> str:
        """Return the file and the number of layers in one line."""
        return f"{self.file}: {count_of(self.num_layers, 'layer')}. Open it in a browser."


def write_what_if(
    path: Path,
    output: Path,
    overrides: Sequence[str] = (),
    num_classes: int | None = None,
    *,
    note: Callable[[str], Any] = str,
) -> WrittenPage:
    """Write the page of a config or a run folder.

    A backbone is one row of the page, and its head can be changed. Keras is needed only for it.

    Args:
        path: the config file or the run folder.
        output: the HTML file; it is replaced if it exists.
        overrides: `--set` options.
        num_classes: units of the output layer, if the data is not available to count the classes.
        note: called with a sentence about what was assumed.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    config, classes = config_and_classes(path, overrides, num_classes, note)
    data = page_data(config, classes)
    name = path.stem if path.is_file() else path.name
    # The size of the image can be changed, too, but not that of a backbone.
    can_change = data["base"] is None or any(node["fields"] for node in data["nodes"])
    page = render_page(
        "cnnkit.explore.what_if",
        "what_if.html",
        title=f"What if? {name}",
        data=data,
        can_change=can_change,
    )
    write_text(output, page)
    written = [node for node in data["nodes"] if node["kind"] != SHORTCUT]
    return WrittenPage(str(output), len(written) + 1)


def page_data(config: Config, num_classes: int) -> dict[str, Any]:
    """Return what the page calculates with: the layers, and what they are given.

    Args:
        config: its `model` and `data.image_size`.
        num_classes: units of the output layer.
    """
    is_rgb = config.data.color_mode == "rgb"
    units = 1 if config.model.output == "sigmoid" else num_classes
    activation = "sigmoid" if config.model.output == "sigmoid" else "softmax"
    layers, base = config.model.layers, None
    if config.model.backbone is not None:
        layers, base = _backbone(config, num_classes)
    return {
        "key": "layers" if base is None else "head",
        "input_shape": [*config.data.image_size, 3 if is_rgb else 1],
        "base": base,
        "nodes": editable_nodes(layers),
        "stack": entries(layers),
        "output": {
            "name": "output",
            "kind": "Dense",
            "arguments": {"units": units, "use_bias": True},
            "text": f"{units}, {activation}",
        },
        "most": LARGEST,
    }


def _backbone(config: Config, num_classes: int) -> tuple[Sequence[Call], dict[str, Any]]:
    """Return the layers of the head, and the backbone as one row."""
    from cnnkit.model.build_model import build_model, head_layers

    # The shapes do not depend on the weights, so nothing has to be downloaded.
    backbone = config.model.backbone.model_copy(update={"weights": "none"})
    changed = config.model.model_copy(update={"backbone": backbone})
    model = build_model(config.model_copy(update={"model": changed}), num_classes)
    layer = model.get_layer("backbone")
    row = {
        "name": "backbone",
        "text": backbone.name or str(backbone.hub or backbone.run or backbone.file),
        "shape": list(layer.output.shape[1:]),
    }
    return head_layers(config, layer.output), {**row, **_costs(model, config)}


def _costs(model: Any, config: Config) -> dict[str, Any]:
    """Return the costs and the receptive field of the backbone of a model, and of what it needs."""
    last = [layer.name for layer in model.layers].index("backbone")
    summary = summary_of_built(model, config, config.data.batch_size)
    if summary is None:  # for example a TF Hub module, whose operations only TensorFlow knows
        layer = model.layers[last]
        trained, fixed = (
            sum(math.prod(weight.shape) for weight in weights)
            for weights in (layer.trainable_weights, layer.non_trainable_weights)
        )
        return {
            "parameters": trained,
            "fixed": fixed,
            "multiply_adds": None,
            "field": None,
            "seen": None,
        }
    rows = [row for row in summary.rows if row.path[0] <= last]
    costs = [row.multiply_adds for row in rows]
    end, maps = rows[-1], [row for row in rows if len(row.output_shape or ()) == 3]
    field = {"size": end.receptive_field, "stride": end.field_stride, "start": end.field_start}
    return {
        "parameters": sum(row.parameters or 0 for row in rows),
        "fixed": sum(row.non_trainable for row in rows),
        "multiply_adds": None if None in costs else sum(costs),
        "field": field if end.receptive_field else None,
        "seen": maps[-1].receptive_field if maps else None,
    }
