"""Shapes, parameters, multiply-adds and receptive fields of layers, in plain Python."""

from cnnkit.arithmetic.formulas import formulas_of
from cnnkit.arithmetic.keras_file import KerasFileError, read_keras_file, rows_of_keras_model
from cnnkit.arithmetic.layer_effect import (
    CollapsesError,
    Shape,
    UnfitError,
    borders,
    spread,
    times,
)
from cnnkit.arithmetic.layer_kinds import has_weights, squeezed_units
from cnnkit.arithmetic.layer_names import LayerNames, name_problems
from cnnkit.arithmetic.layer_row import LayerRow, pad_words
from cnnkit.arithmetic.merges import projection
from cnnkit.arithmetic.nodes import IMAGE, MERGES, SHORTCUT, Node, nodes_of
from cnnkit.arithmetic.sliding_formulas import Formula, size_formula
from cnnkit.arithmetic.sliding_layers import Slide, slides
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
    "CollapsesError",
    "Formula",
    "KerasFileError",
    "LayerNames",
    "LayerRow",
    "Node",
    "Shape",
    "Slide",
    "StackError",
    "UnfitError",
    "borders",
    "check_stack",
    "formulas_of",
    "has_weights",
    "name_problems",
    "nodes_of",
    "output_row",
    "output_shape",
    "pad_words",
    "projection",
    "read_keras_file",
    "rows_of_keras_model",
    "size_formula",
    "slides",
    "spread",
    "squeezed_units",
    "times",
    "walk_nodes",
    "walk_stack",
]
