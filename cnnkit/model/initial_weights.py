"""Start a model from the weights of another run or `.keras` file: `model.weights`.

Layers are matched by their names, and only layers of the same kind with weights of the same shapes
fit. Nothing is guessed: what does not fit is named, and refused unless the config allows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import UsageError
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import Run
from cnnkit.text import count_of, first_few, shown

_OUTPUT = "probabilities"  # the name of the output layer in `build_model`
_SHOWN = 8  # names of layers in a message


@dataclass(frozen=True)
class InitialWeights:
    """Where weights came from, and which layers they are of.

    Args:
        source: the run folder or file, as in the config.
        sha256: of the model file.
        taken: names of the layers that start from these weights.
        not_taken: name -> reason, of the layers with weights that start from others.
        unused: names of the layers of the source that this model does not have.
        classes_unknown: whether the source does not say which classes its output layer has.
    """

    source: str
    sha256: str
    taken: tuple[str, ...]
    not_taken: Mapping[str, str]
    unused: tuple[str, ...]
    classes_unknown: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether a layer on either side was left out."""
        return bool(self.not_taken or self.unused)

    def lines(self) -> Iterator[str]:
        """Yield what is said at the start of a training."""
        number = len(self.taken) + len(self.not_taken)
        layers = count_of(number, "layer with weights", "layers with weights")
        if not self.not_taken:
            which = f"all {layers}" if number > 1 else f"the {layers.removeprefix('1 ')}"
            yield f"weights: {which} from {shown(self.source)}"
        else:
            taken = first_few(self.taken, _SHOWN)
            yield f"weights: {len(self.taken)} of {layers} from {shown(self.source)} ({taken})"
            yield f"not from there: {self._left_out()}"
        if self.unused:
            yield f"not used of {shown(self.source)}: {first_few(self.unused, _SHOWN)}"
        if self.classes_unknown and _OUTPUT in self.taken:
            yield (
                f"{shown(self.source)} does not say which classes it was trained for; its output "
                "layer is taken as it is."
            )

    def _left_out(self) -> str:
        reasons = [f"{name} ({reason})" for name, reason in self.not_taken.items()]
        return first_few(reasons, _SHOWN)

    def refusal(self) -> str:
        """Return the message for weights that fit only in part."""
        lines = [f"model.weights: {shown(self.source)} fits only a part of this model."]
        lines.append(f"  fits: {first_few(self.taken, _SHOWN)}")
        if self.not_taken:
            lines.append(f"  does not fit: {self._left_out()}")
        if self.unused:
            lines.append(f"  is only there: {first_few(self.unused, _SHOWN)}")
        lines.append(
            "To take what fits, and start the other layers as without model.weights, set "
            "model.partial_weights: true."
        )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for run.json."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "taken": list(self.taken),
            "not_taken": dict(self.not_taken),
            "unused": list(self.unused),
        }


def weights_file(source: str) -> Path:
    """Return the model file that `model.weights` means.

    Raises:
        UsageError: it is neither a run with weights nor a `.keras` file.
    """
    path, run = Path(source), Run(Path(source))
    if path.is_dir():
        if not run.best.is_file():
            raise UsageError(
                f"model.weights: {shown(source)} has no {run.best.relative_to(run.folder)}. Give "
                "the folder of a run that has trained for at least one epoch."
            )
        return run.best
    if not path.is_file():
        raise UsageError(
            f"model.weights: {shown(source)} does not exist. Give the folder of a run, or a .keras "
            "file."
        )
    if path.suffix != ".keras":
        raise UsageError(
            f"model.weights: {shown(source)} is not a .keras file. Give the folder of a run, or a "
            ".keras file; files with the weights of a known network go with model.backbone: "
            "{name: ..., weights: FILE}."
        )
    return path


def take_weights(
    model: Any, source: str, class_names: Sequence[str], *, partial: bool
) -> InitialWeights:
    """Give the layers of a model the weights of another one.

    Args:
        model: from `build_model`.
        source: the folder of a run, or a `.keras` file.
        class_names: of the model, in label order.
        partial: whether it is enough that some layers fit.

    Raises:
        UsageError: there is no such file, no layer fits, or not all do and `partial` is False.
    """
    file = weights_file(source)
    other, classes = load_keras_model(file), _classes_of(source, file)
    theirs, ours = dict(_weighted_layers(other)), dict(_weighted_layers(model))
    not_taken = {}
    for name, layer in ours.items():
        if reason := _misfit(name, layer, theirs.get(name), classes, class_names):
            not_taken[name] = reason
    taken = tuple(name for name in ours if name not in not_taken)
    found = InitialWeights(
        source,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        taken,
        not_taken,
        tuple(name for name in theirs if name not in ours),
        classes is None,
    )
    if not taken:
        raise UsageError(
            f"model.weights: no layer of {shown(source)} fits this model. Layers are matched by "
            f"name and shape. There: {first_few(theirs, _SHOWN)}; here: {found._left_out()}."
        )
    if found.is_partial and not partial:
        raise UsageError(found.refusal())
    for name in taken:
        ours[name].set_weights(theirs[name].get_weights())
    return found


def _weighted_layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and the layer of all layers with weights; `backbone/conv1` is inside one."""
    from cnnkit.backend import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _weighted_layers(layer, f"{prefix}{layer.name}/")
        elif layer.get_weights():
            yield f"{prefix}{layer.name}", layer


def _misfit(
    name: str,
    layer: Any,
    other: Any,
    classes: Sequence[str] | None,
    class_names: Sequence[str],
) -> str:
    """Return why a layer cannot start from another one's weights, "" if it can."""
    if other is None:
        return "there is no layer of this name there"
    if type(layer).__name__ != type(other).__name__:
        return f"it is {type(other).__name__} there"
    if name == _OUTPUT and classes is not None and tuple(classes) != tuple(class_names):
        return _other_classes(classes, class_names)
    here, there = ([w.shape for w in each.get_weights()] for each in (layer, other))
    if here != there:
        return f"its weights are {_shapes(there)} there and {_shapes(here)} here"
    return ""


def _other_classes(there: Sequence[str], here: Sequence[str]) -> str:
    if set(there) == set(here):
        return "its classes are in another order there"
    only_here = first_few(sorted(set(here) - set(there)))
    only_there = first_few(sorted(set(there) - set(here)))
    parts = [f"only here: {only_here}"] * bool(only_here)
    parts += [f"only there: {only_there}"] * bool(only_there)
    return f"it has {len(there)} classes there and {len(here)} here; {'; '.join(parts)}"


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) for shape in shapes)


def learned_before(source: str, dataset: ImageDataset) -> str:
    """Return a sentence if images that are held out here were learned from there, otherwise "".

    Args:
        source: the folder of a run; a file does not say what it has seen.
        dataset: the images with their splits.
    """
    run = Run(Path(source))
    if not run.split.is_file():
        return ""
    learned = {row["sha256"] for row in run.read_split() if row["split"] == "train"}
    held_out = [sample for sample in dataset.samples if sample.split != "train"]
    seen = [sample.path for sample in held_out if sample.sha256 in learned]
    if not seen:
        return ""
    return (
        f"{shown(source)} has learned from {len(seen):,} of the {len(held_out):,} validation and "
        f"test images ({first_few(seen)}), so results on them will be too good. Use the same "
        "split for both trainings."
    )


def _classes_of(source: str, file: Path) -> tuple[str, ...] | None:
    """Return the classes of a run, also if its model file is given; None if they are not known."""
    run = Run(Path(source) if Path(source).is_dir() else file.parent.parent)
    return run.class_names() if run.classes.is_file() else None
