"""Choose the Python variables of a script: `x` on the main path, `shortcut` and `branch_1` beside.

A tensor that a later layer still needs is kept under a name of its own before `x` gets a new value.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnkit.arithmetic import IMAGE, Node

MAIN = "x"


class Variables:
    """Which variable has the output of which node, while the lines of a script are written.

    Args:
        nodes: of the stack; each must be asked for once, in order.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._last_use: dict[int, int] = {}
        for position, node in enumerate(nodes):
            self._last_use.update(dict.fromkeys(node.inputs, position))
        self._holder = {IMAGE: MAIN}  # position of a node -> variable

    def step(self, position: int) -> tuple[list[str], list[str], str]:
        """Return the inputs of a node, the lines that keep what is still needed, and its output."""
        node = self._nodes[position]
        # Before anything is kept: `x` is the same tensor, and shorter to read.
        inputs = [self._holder[each] for each in node.inputs]
        output, saved = _lane(node), []
        for other, variable in list(self._holder.items()):
            if variable == output and self._last_use.get(other, -1) > position:
                kept = self._free(_at_depth("shortcut", node.path.count("residual")))
                saved.append(f"{kept} = {variable}")
                self._holder[other] = kept
        self._forget(position)
        self._holder[position] = output
        return inputs, saved, output

    def pass_on(self, position: int) -> None:
        """Give the output of a node that does nothing the variable of its input."""
        first = self._nodes[position].inputs[0]
        self._holder[position] = self._holder[first]
        self._forget(position)

    def _forget(self, position: int) -> None:
        over = [each for each in self._holder if self._last_use.get(each, -1) <= position]
        for each in over:
            if each < position:
                del self._holder[each]

    def _free(self, name: str) -> str:
        taken, number, candidate = set(self._holder.values()), 2, name
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        return candidate


def _lane(node: Node) -> str:
    """Return the variable of the path that a node is on."""
    path = node.path
    for end in range(len(path) - 1, 0, -1):
        inside = path[:end]
        if inside[-1] == "shortcut":
            return _at_depth("shortcut", inside.count("residual"))
        if len(inside) > 1 and inside[-2] == "stacks":
            return _at_depth(f"branch_{inside[-1] + 1}", inside.count("branches"))
    return _at_depth("shortcut", path.count("residual")) if path[-1] == "shortcut" else MAIN


def _at_depth(name: str, depth: int) -> str:
    return name if depth <= 1 else f"{name}_{'in' * (depth - 1)}"
