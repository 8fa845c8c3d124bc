"""The layers of a config as plain values for a page: what can be changed, and their YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnkit.arithmetic import SHORTCUT, Node, nodes_of
from cnnkit.arithmetic.layer_row import detail
from cnnkit.config import Call

# The largest value of each setting. With these, all numbers are exact in JavaScript, whose numbers
# are 64-bit floats.
LARGEST = {
    "filters": 4096,
    "units": 16384,
    "kernel_size": 31,
    "pool_size": 64,
    "strides": 32,
    "dilation_rate": 32,
    "ratio": 64,
    "image_size": 512,
}
_SLIDING = ("Conv", "Pooling")
_SETTINGS = ("filters", "kernel_size", "pool_size", "strides", "padding", "dilation_rate")
# The arguments that shapes and costs depend on.
_READ = frozenset(
    """
    filters groups kernel_size pool_size strides padding dilation_rate use_bias depth_multiplier
    output_padding pad keepdims cropping size units axis scale center shared_axes mean target_shape
    dims n height width ratio
    """.split()
)


def editable_nodes(layers: Sequence[Call]) -> list[dict[str, Any]]:
    """Return one node per step of the arithmetic, with the arguments that it depends on."""
    return [_plain_node(node) for node in nodes_of(layers)]


def _plain_node(node: Node) -> dict[str, Any]:
    settings = _settings(node)
    others = {name: value for name, value in node.given.items() if name not in settings}
    return {
        "path": list(node.path),
        "name": node.name,
        "kind": node.kind,
        "inputs": list(node.inputs),
        "arguments": {k: _default(v, k, node) for k, v in node.arguments.items() if k in _READ},
        "fields": settings,
        "text": "1 x 1 conv" if node.kind == SHORTCUT else detail(replace(node, given=others)),
        "depth": sum(step in ("residual", "branches") for step in node.path),
    }


def _default(value: Any, name: str, node: Node) -> Any:
    """Return one number for a default of equal ones, so that one field is enough to change it."""
    is_equal = isinstance(value, list | tuple) and len(set(map(str, value))) == 1
    return value[0] if is_equal and name in _SETTINGS and name not in node.given else value


def _settings(node: Node) -> list[str]:
    """Return the arguments that the page lets people change."""
    arguments = node.arguments
    if node.kind == "Dense":
        return ["units"]
    if node.kind == "SqueezeExcite":
        return ["ratio"]
    if not any(word in node.kind for word in _SLIDING) or node.kind.startswith("Global"):
        return []
    # A border of its own takes the place of the padding, and `causal` has no two words to choose.
    fixed = arguments.get("pad") or arguments["padding"] not in ("valid", "same")
    return [name for name in _SETTINGS if name in arguments and not (fixed and name == "padding")]


def entries(layers: Sequence[Call]) -> list[dict[str, Any]]:
    """Return the layers as they are written in YAML; the stacks of a block are entries again."""
    return [_entry(call) for call in layers]


def _entry(call: Call) -> dict[str, Any]:
    if call.name == "residual":
        names = ("layers", "shortcut")
        stacks = {k: entries(v) for k, v in call.arguments.items() if k in names and v is not None}
        return {"name": call.name, "arguments": _others(call, names), "stacks": stacks}
    if call.name == "branches":
        inside = [entries(stack) for stack in call.arguments["stacks"]]
        arguments = _others(call, ("stacks",))
        return {"name": call.name, "arguments": arguments, "stacks": {"stacks": inside}}
    return {"name": call.name, "arguments": dict(call.arguments)}


def _others(call: Call, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in call.arguments.items() if name not in names}
