"""A trained model enters; the part of it before its classifier leaves, as a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnkit.backend import keras
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import Run
from cnnkit.text import shown

_RAW = (0.0, 255.0)


def run_backbone(folder: str, image_size: tuple[int, int], channels: int, layer: str | None) -> Any:
    """Return the best model of a run up to a layer, or to what enters its output layer.

    Raises:
        UsageError: there is no such run, it takes other images, or it has no such layer.
    """
    run = Run(Path(folder))
    if not run.best.is_file():
        raise UsageError(
            f"model.backbone.run: {shown(folder)} has no {run.best.relative_to(run.folder)}. Give "
            "the folder of a run that has trained for one epoch at least."
        )
    model = load_keras_model(run.best)
    _check_images(model, shown(folder), image_size, channels)
    return _cut(model, layer, shown(folder))


def file_backbone(
    file: str,
    image_size: tuple[int, int],
    channels: int,
    layer: str | None,
    value_range: tuple[float, float] | None,
) -> Any:
    """Return the model of a `.keras` or `.h5` file up to a layer, or to its last dense layer.

    Args:
        file: any that Keras 3 loads.
        image_size: (height, width) in pixels.
        channels: of the pixels.
        layer: whose output is the features; None for what enters the last dense layer.
        value_range: what the pixels 0 and 255 become; None where the model takes them as they are.

    Raises:
        UsageError: the file cannot be loaded, takes other images, has no such layer, or scales
            its pixels itself while there is a value_range.
    """
    path, name = Path(file), shown(file)
    if not path.is_file():
        raise UsageError(f"model.backbone.file: there is no file {name}.")
    model = _loaded(path, name)
    if not isinstance(model, keras.Model) or len(getattr(model, "inputs", ())) != 1:
        raise UsageError(f"model.backbone.file: {name} is no model with one input.")
    _check_images(model, name, image_size, channels)
    inner = _cut(model, layer, name)
    if keras.backend.standardize_dtype(model.inputs[0].dtype) == "uint8":
        if value_range is not None:
            raise UsageError(
                f"model.backbone.value_range: {name} takes raw pixels and scales them itself. "
                "Remove it."
            )
        return inner
    inner.name = "network"
    image = keras.Input((*image_size, channels), dtype="uint8", name="image")
    low, high = value_range or _RAW
    values = keras.layers.Rescaling((high - low) / 255, low, name="value_range")(image)
    return keras.Model(image, inner(values), name="backbone")


def _loaded(path: Path, name: str) -> Any:
    """Return the model of a file.

    Raises:
        UsageError: it cannot be loaded; where it is known why, with a way out.
    """
    if path.suffix == ".keras":
        return load_keras_model(path)
    if path.suffix not in (".h5", ".hdf5"):
        raise UsageError(f"model.backbone.file: {name} is neither a .keras nor an .h5 file.")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            has_model, version = "model_config" in file.attrs, file.attrs.get("keras_version", "")
    except OSError as error:
        raise UsageError(f"model.backbone.file: {name} cannot be read: {error}.") from error
    if not has_model:
        raise UsageError(
            f"model.backbone.file: {name} has weights alone, without their layers. Of a network of "
            "keras.applications they go into model.backbone: {name: ..., weights: ...}."
        )
    try:
        return load_keras_model(path)
    except UsageError as error:
        if str(version).startswith("3."):
            raise
        raise UsageError(
            f"model.backbone.file: {name} was saved by Keras {version or 2}, and Keras 3 cannot "
            "load it. Keras 2 (tf_keras) can, and writes all but the last layer of it for "
            f"model.backbone: {{hub: FOLDER}}:\n{_with_keras_2(name)}"
        ) from error


def _with_keras_2(name: str) -> str:
    return (
        "  import tf_keras\n"
        f"  model = tf_keras.models.load_model({name!r}, compile=False)\n"
        '  tf_keras.Model(model.input, model.layers[-2].output).save("FOLDER")'
    )


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers of a model in the order of the data, those inside its models too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _check_images(model: Any, name: str, image_size: tuple[int, int], channels: int) -> None:
    wanted = tuple(model.inputs[0].shape[1:])
    given = (*image_size, channels)
    fits = len(wanted) == 3 and all(
        size in (None, here) for size, here in zip(wanted, given, strict=True)
    )
    if not fits:
        needed = " x ".join("any" if size is None else str(size) for size in wanted)
        raise UsageError(
            f"model.backbone: {name} takes images of {needed}, and data.image_size and "
            f"data.color_mode make {' x '.join(map(str, given))}."
        )


def _cut(model: Any, layer: str | None, name: str) -> Any:
    """Return the model up to a layer; the classifier is left out by default."""
    if layer is None:
        tensor = _before_classifier(model, name)
    else:
        tensor = _output_of(model, layer, name)
    return keras.Model(model.inputs[0], tensor, name="backbone")


def _before_classifier(model: Any, name: str) -> Any:
    dense = [part for part in model.layers if isinstance(part, keras.layers.Dense)]
    if not dense:
        raise UsageError(
            f"model.backbone: {name} has no dense layer that classifies. Set model.backbone.layer "
            f"to the layer whose output is wanted: {_some_names(model)}."
        )
    return dense[-1].input


def _output_of(model: Any, layer: str, name: str) -> Any:
    names = [part.name for part in model.layers]
    if layer in names:
        return model.get_layer(layer).output
    nested = next((part for part in model.layers if isinstance(part, keras.Model)), None)
    if (
        nested is not None
        and nested is model.layers[1]
        and layer in {p.name for p in nested.layers}
    ):
        inner = keras.Model(nested.inputs[0], nested.get_layer(layer).output, name=nested.name)
        return inner(model.inputs[0], training=False)
    near = did_you_mean(layer, [part.name for part in layers_of(model)])
    raise UsageError(
        f"model.backbone.layer: {name} has no layer {shown(layer)}.{near} Its last layers: "
        f"{_some_names(model)}."
    )


def _some_names(model: Any) -> str:
    return ", ".join([part.name for part in layers_of(model)][-10:])
