"""Turn layer calls into a flat list of nodes, with blocks and branches in the order of the data.

The arithmetic and the Keras model are both made from these nodes, so their connections cannot
differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Path = tuple["int | str", ...]

IMAGE = -1  # the position of the input of the first node
SHORTCUT = "Shortcut"  # takes (start, end); becomes nothing or the 1 x 1 convolution that is needed
MERGES = ("Add", "Concatenate", "Multiply", "Average", "Maximum", "Minimum", "Subtract")


class Call(Protocol):
    """What an entry of `model.layers` must offer; see `cnnkit.config.Call`."""

    @property
    def name(self) -> str:
        """Its name in the config."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that the config gives."""

    @property
    def keras_name(self) -> str | None:
        """The Keras class; None for a block."""

    @property
    def keras_arguments(self) -> dict[str, Any]:
        """The arguments for the Keras constructor."""

    @property
    def full_arguments(self) -> dict[str, Any]:
        """All arguments with their defaults."""


@dataclass(frozen=True)
class Node:
    """One step from maps to a map.

    Args:
        path: where it is in the config, below `model.layers`.
        name: its name in the config.
        kind: a Keras class, SqueezeExcite, Shortcut, or one of MERGES.
        inputs: positions of the nodes whose outputs it takes, or IMAGE.
        given: the Keras arguments that the config gives.
        arguments: all arguments with their defaults.
        output_shape: its output shape, if it is known without arithmetic.
        weightless: whether it is known to have no weights and to multiply nothing.
        frozen: whether its weights are not trained.
        shared: whether its weights belong to an earlier node, and are counted there.
    """

    path: Path
    name: str
    kind: str
    inputs: tuple[int, ...]
    given: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    output_shape: tuple[int, ...] | None = None
    weightless: bool = False
    frozen: bool = False
    shared: bool = False


def nodes_of(layers: Sequence[Call]) -> list[Node]:
    """Return the nodes of a stack; the output of the last one is the result."""
    nodes: list[Node] = []
    _lay_out(layers, IMAGE, (), nodes)
    return nodes


def _lay_out(layers: Sequence[Call], start: int, prefix: Path, nodes: list[Node]) -> int:
    """Append the nodes of a stack and return the position of its result."""
    end = start
    for index, call in enumerate(layers):
        path = (*prefix, index)
        if call.name == "residual":
            end = _residual(call, end, path, nodes)
        elif call.name == "branches":
            end = _branches(call, end, path, nodes)
        else:
            kind = call.keras_name or "SqueezeExcite"
            arguments = call.full_arguments
            end = _append(
                Node(path, call.name, kind, (end,), call.keras_arguments, arguments), nodes
            )
    return end


def _append(node: Node, nodes: list[Node]) -> int:
    nodes.append(node)
    return len(nodes) - 1


def _residual(call: Call, start: int, path: Path, nodes: list[Node]) -> int:
    arguments = call.full_arguments
    inside = _lay_out(arguments["layers"], start, (*path, call.name, "layers"), nodes)
    below = (*path, call.name, "shortcut")
    if arguments["shortcut"] is None:
        carried = _append(Node(below, "shortcut", SHORTCUT, (start, inside)), nodes)
    else:
        carried = _lay_out(arguments["shortcut"], start, below, nodes)
    then = {"activation": arguments["activation"]}
    return _append(Node(path, call.name, "Add", (carried, inside), arguments=then), nodes)


def _branches(call: Call, start: int, path: Path, nodes: list[Node]) -> int:
    arguments = call.full_arguments
    below = (*path, call.name, "stacks")
    ends = [
        _lay_out(stack, start, (*below, number), nodes)
        for number, stack in enumerate(arguments["stacks"])
    ]
    kind = "Add" if arguments["merge"] == "add" else "Concatenate"
    return _append(Node(path, call.name, kind, tuple(ends)), nodes)
