"""A stack of layer calls and an input shape enter; shapes, parameters and multiply-adds leave."""

from cnnkit.arithmetic.effects import borders
from cnnkit.arithmetic.formulas import Formula, formulas_of, size_formula
from cnnkit.arithmetic.keras_file import KerasFileError, read_keras_file
from cnnkit.arithmetic.layer_effects import has_weights, squeezed_units
from cnnkit.arithmetic.layer_names import LayerNames, name_problems
from cnnkit.arithmetic.layer_rows import LayerRow
from cnnkit.arithmetic.merging import projection
from cnnkit.arithmetic.nodes import IMAGE, MERGES, SHORTCUT, Node, nodes_of
from cnnkit.arithmetic.stack import (
    StackError,
    check_stack,
    output_row,
    output_shape,
    walk_nodes,
    walk_stack,
)

__all__ = [
    "IMAGE",
    "MERGES",
    "SHORTCUT",
    "Formula",
    "KerasFileError",
    "LayerNames",
    "LayerRow",
    "Node",
    "StackError",
    "borders",
    "check_stack",
    "formulas_of",
    "has_weights",
    "name_problems",
    "nodes_of",
    "output_row",
    "output_shape",
    "projection",
    "read_keras_file",
    "size_formula",
    "squeezed_units",
    "walk_nodes",
    "walk_stack",
]
