"""The layer table of a model and its totals: numbers, text for people, values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cnnkit.arithmetic import Formula, LayerRow, formulas_of
from cnnkit.memory import computer_memory, this_computer_has
from cnnkit.tables import table_text
from cnnkit.text import size_text

FLOAT32_BYTES = 4
# These layers only rearrange or pass on their input, so their output needs no memory of its own.
_WITHOUT_MEMORY = ("Flatten", "Reshape", "Identity")
# A squeeze_excite consists of two dense layers.
_WITH_DENSE_WEIGHTS = ("Dense", "SqueezeExcite")
_COLUMNS = (
    "layer", "", "output", "parameters", "multiply-adds", "receptive field", "stride", "start",
    "memory",
)  # fmt: skip
_NUMBERS = ("parameters", "multiply-adds", "memory")
_INDENT = "  "


@dataclass(frozen=True)
class Summary:
    """The layers of a model with their costs; the output layer is the last row.

    Args:
        input_shape: (height, width, channels).
        num_classes: units of the output layer; 2 if it is one sigmoid unit.
        rows: one per layer.
        batch_size: number of images for which memory is counted.
        optimizer_slots: numbers that the optimizer stores for each trained weight.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    rows: tuple[LayerRow, ...]
    batch_size: int
    optimizer_slots: int

    @property
    def trained(self) -> int | None:
        """Number of weights that gradients change; None if some layer is known to Keras only."""
        return _sum(row.parameters for row in self.rows)

    @property
    def parameters(self) -> int | None:
        """Number of all weights, trained or not."""
        trained = self.trained
        return None if trained is None else trained + sum(row.non_trainable for row in self.rows)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds for one image."""
        return _sum(row.multiply_adds for row in self.rows)

    @property
    def dense_parameters(self) -> int:
        """Trained weights in dense layers, including the output and those of squeeze_excite."""
        return sum(row.parameters or 0 for row in self.rows if row.kind in _WITH_DENSE_WEIGHTS)

    @property
    def activation_bytes(self) -> int | None:
        """Memory of the outputs of all layers for one batch; the backward pass needs them."""
        return _sum(self.bytes_of(row) for row in self.rows)

    def bytes_of(self, row: LayerRow) -> int | None:
        """Return the memory of a layer's output for one batch."""
        if row.kind in _WITHOUT_MEMORY:
            return 0
        if row.output_shape is None:
            return None
        size = self.batch_size * FLOAT32_BYTES
        for length in row.output_shape:
            size *= length
        return size

    @property
    def training_bytes(self) -> int | None:
        """Estimated memory of training, without what TensorFlow itself needs.

        It counts the weights, their gradients, the numbers of the optimizer, and the outputs of all
        layers for one batch with their gradients.
        """
        if self.parameters is None or self.activation_bytes is None:
            return None
        kept = self.parameters + self.trained * (1 + self.optimizer_slots)
        return FLOAT32_BYTES * kept + 2 * self.activation_bytes

    def formulas(self, position: int) -> list[Formula]:
        """Return the formulas that give the numbers of a row."""
        return formulas_of(self.rows, position)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "input_shape": self.input_shape,
            "num_classes": self.num_classes,
            "batch_size": self.batch_size,
            "layers": [self._row_as_dict(position) for position in range(len(self.rows))],
            "parameters": self.parameters,
            "trained_parameters": self.trained,
            "dense_parameters": self.dense_parameters,
            "multiply_adds": self.multiply_adds,
            "flops": 2 * self.multiply_adds if self.multiply_adds is not None else None,
            "activation_bytes": self.activation_bytes,
            "training_bytes": self.training_bytes,
            "computer_bytes": computer_memory(),
        }

    def _row_as_dict(self, position: int) -> dict[str, Any]:
        row = self.rows[position]
        facts = {k: v for k, v in asdict(row).items() if k != "arguments"}
        formulas = [asdict(formula) for formula in self.formulas(position)]
        return {**facts, "activation_bytes": self.bytes_of(row), "formulas": formulas}

    def text(self, *, explain: bool = False) -> str:
        """Return the table of layers and the totals below it.

        Args:
            explain: whether the formulas of each layer follow its row.
        """
        image = ("image", "", shape_text(self.input_shape), "", "", "1 x 1", "1", "0", "")
        cells = [image, *(self._cells(row) for row in self.rows)]
        # Without the row of the image, which has a field and a stride in any case.
        used = [i for i in range(len(_COLUMNS)) if any(row[i] for row in cells[1:])]
        header, *lines = table_text(
            [_COLUMNS[i] for i in used],
            [[row[i] for i in used] for row in cells],
            right=_NUMBERS,
            fold=False,  # a row must stay one line, because formulas are put between the rows
        ).splitlines()
        if explain:
            lines = [lines[0], *self._explained(lines[1:])]
        return "\n".join([header, *lines, "", *self._totals()])

    def _cells(self, row: LayerRow) -> tuple[str, ...]:
        parameters = None if row.parameters is None else row.parameters + row.non_trainable
        known = row.receptive_field is not None
        return (
            _INDENT * _depth(row) + row.name,
            row.detail,
            shape_text(row.output_shape),
            _number(parameters),
            _number(row.multiply_adds),
            shape_text(row.receptive_field) if known else "",
            _pair(row.field_stride) if known else "",
            _pair(row.field_start) if known else "",
            _memory(self.bytes_of(row)),
        )

    def _explained(self, lines: Sequence[str]) -> Iterator[str]:
        for position, line in enumerate(lines):
            yield line
            for formula in self.formulas(position):
                yield f"{_INDENT * 3}{formula}"

    def _totals(self) -> Iterator[str]:
        if self.parameters is None or self.multiply_adds is None:
            yield "Totals: unknown, because of the layers marked ?; `cnnkit build` counts them."
            return
        fixed = self.parameters - self.trained
        size = size_text(FLOAT32_BYTES * self.parameters)
        yield f"{self.parameters:,} parameters ({fixed:,} not trained), {size}."
        flops = flops_text(2 * self.multiply_adds)
        yield f"{self.multiply_adds:,} multiply-adds ({flops}) per image."
        share = self.dense_parameters / max(self.trained, 1)
        yield f"{share:.0%} of the trained parameters are in dense layers."
        yield from self._reach()
        if self.training_bytes is not None:
            yield (
                f"Memory at batch size {self.batch_size}: maps "
                f"{size_text(self.activation_bytes)}; training about "
                f"{size_text(self.training_bytes)}, plus what TensorFlow itself needs."
            )
            memory = computer_memory()
            if memory is not None and self.training_bytes > memory:
                yield f"That does not fit: {this_computer_has()}."

    def _reach(self) -> Iterator[str]:
        """Yield how much of the image the last map sees, before flatten or global pooling."""
        maps = [row for row in self.rows if len(row.output_shape or ()) == 3]
        if maps and maps[-1].receptive_field:
            last, image = maps[-1], self.input_shape[:2]
            seen = tuple(map(min, last.receptive_field, image))
            part = "all of the" if seen == image else f"{shape_text(seen)} of"
            pixels = f"{part} {shape_text(image)} pixels"
            yield f"Each value of the last map ({last.name}) sees {pixels}."


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if None in found else sum(found)


def _depth(row: LayerRow) -> int:
    """Return how many blocks, or models inside models, are around a layer."""
    if all(isinstance(step, int) for step in row.path):
        return len(row.path) - 1
    return sum(step in ("residual", "branches") for step in row.path)


def flops_text(flops: int) -> str:
    """Return a number of operations for people.

    >>> flops_text(832), flops_text(833_040), flops_text(3_628_146_688)
    ('832 FLOPs', '0.8 MFLOPs', '3.6 GFLOPs')
    """
    if flops >= 1e9:
        return f"{flops / 1e9:,.1f} GFLOPs"
    return f"{flops / 1e6:,.1f} MFLOPs" if flops >= 1e5 else f"{flops:,} FLOPs"


def _memory(size: int | None) -> str:
    return "?" if size is None else size_text(size) if size else ""


def _pair(pair: Sequence[int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else ", ".join(map(str, pair))


def shape_text(shape: Sequence[int] | None) -> str:
    """Return a shape as `224 x 224 x 3`, and `?` if it is not known."""
    return "?" if shape is None else " x ".join(map(str, shape))


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""
