"""Name the Keras layers of a model so that no name is used twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cnnkit.arithmetic.nodes import SHORTCUT, Call, Node, nodes_of
from cnnkit.arithmetic.stack import StackError

_OWN = ("image", "rescaling", "backbone", "probabilities")  # layers that cnnkit itself adds


class LayerNames:
    """The names that are taken so far; gives each layer the next one."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._taken = set(_OWN)

    def of(self, node: Node) -> str:
        """Return the name of a node: the one in the config, or its kind and a number.

        Raises:
            StackError: another layer has this name, or Keras refuses it.
        """
        kind = node.name.lower()
        self._counts[kind] += 1
        return self.taken(node.given.get("name") or f"{kind}_{self._counts[kind]}", node)

    def taken(self, name: str, node: Node) -> str:
        """Return the name and mark it as taken.

        Raises:
            StackError: another layer has this name, or Keras refuses it.
        """
        given = node.given.get("name") == name
        path = (*node.path, node.name, "name") if given else node.path
        if "/" in name:
            raise StackError(path, f"the name {name} must not contain a slash. Use _ instead.")
        if name in _OWN:
            raise StackError(path, f"cnnkit has a layer {name} of its own. Use another name.")
        if name in self._taken:
            message = f"another layer has the name {name}. Rename one of them, or remove its name."
            raise StackError(path, message)
        self._taken.add(name)
        return name


def name_problems(layers: Sequence[Call]) -> Iterator[StackError]:
    """Yield what is wrong with the names of the layers of a stack and of their parts."""
    names = LayerNames()
    for node in nodes_of(layers):
        if node.kind == SHORTCUT:
            continue  # becomes a layer only if the shapes require one
        try:
            name = names.of(node)
            for word in _parts(node):
                names.taken(f"{name}_{word}", node)
        except StackError as error:
            yield error


def _parts(node: Node) -> tuple[str, ...]:
    """Return what is appended to the name of a node for the Keras layers that it consists of."""
    if node.kind in ("Add", "Concatenate"):
        then = node.arguments.get("activation")
        return (node.kind.lower(), *([then] if then else []))
    if node.kind == "SqueezeExcite":
        return ("squeeze", "reduce", "excite", "scale")
    pad = node.arguments.get("pad")
    return ("pad",) if pad and pad["mode"] == "zeros" else ()
