"""Make a backbone of a model that you have trained: the best model of a run, or a model file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnkit.backend import keras
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import Run
from cnnkit.text import shown

_RAW = (0.0, 255.0)  # the pixels as they are


def run_backbone(folder: str, image_size: tuple[int, int], channels: int, layer: str | None) -> Any:
    """Return the best model of a run up to a layer.

    Args:
        folder: of the run.
        image_size: (height, width) in pixels.
        channels: of the pixels.
        layer: the layer whose output is the features; None for the input of the output layer.

    Raises:
        UsageError: there is no such run, it takes other images, or it has no such layer.
    """
    run = Run(Path(folder))
    if not run.best.is_file():
        raise UsageError(
            f"model.backbone.run: {shown(folder)} has no {run.best.relative_to(run.folder)}. Give "
            "the folder of a run that has trained for at least one epoch."
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
    """Return the model of a `.keras` or `.h5` file up to a layer.

    Args:
        file: a model that Keras 3 can load.
        image_size: (height, width) in pixels.
        channels: of the pixels.
        layer: the layer whose output is the features; None for the input of the last dense layer.
        value_range: what the pixels 0 and 255 become; None if the model takes them unchanged.

    Raises:
        UsageError: the file cannot be loaded, takes other images, has no such layer, or rescales
            its pixels itself although there is a value_range.
    """
    path, name = Path(file), shown(file)
    if not path.is_file():
        raise UsageError(f"model.backbone.file: there is no file {name}.")
    model = _loaded(path, name)
    if not isinstance(model, keras.Model) or len(getattr(model, "inputs", ())) != 1:
        raise UsageError(
            f"model.backbone.file: {name} is not a model with one input. Give a model that takes "
            "images alone."
        )
    _check_images(model, name, image_size, channels)
    inner = _cut(model, layer, name)
    # A model that takes uint8 can only take raw pixels, like those that cnnkit builds.
    if keras.backend.standardize_dtype(model.inputs[0].dtype) == "uint8":
        if value_range is not None:
            raise UsageError(
                f"model.backbone.value_range: {name} takes raw pixels and rescales them itself. "
                "Remove value_range."
            )
        return inner
    inner.name = "network"  # the model around it is the one named "backbone"
    image = keras.Input((*image_size, channels), dtype="uint8", name="image")
    low, high = value_range or _RAW
    values = keras.layers.Rescaling((high - low) / 255, low, name="value_range")(image)
    return keras.Model(image, inner(values), name="backbone")


def _loaded(path: Path, name: str) -> Any:
    """Return the model of a file.

    Raises:
        UsageError: it cannot be loaded. If the reason is known, the text says what to do.
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
            f"model.backbone.file: {name} has only weights and no layers. If they belong to a "
            "network of keras.applications, set model.backbone: {name: ..., weights: ...}."
        )
    try:
        return load_keras_model(path)
    except UsageError as error:
        if str(version).startswith("3."):
            raise
        raise UsageError(
            f"model.backbone.file: {name} was saved by Keras {version or 2}, and Keras 3 cannot "
            "load it. With Keras 2 (tf_keras) you can save all but its last layer, and then set "
            f"model.backbone: {{hub: FOLDER}}:\n{_with_keras_2(name)}"
        ) from error


def _with_keras_2(name: str) -> str:
    return (
        "  import tf_keras\n"
        f"  model = tf_keras.models.load_model({name!r}, compile=False)\n"
        '  tf_keras.Model(model.input, model.layers[-2].output).save("FOLDER")'
    )


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers of a model, and of the models inside it, in the order of the data."""
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
            f"model.backbone: {name} takes images of {needed}, but data.image_size and "
            f"data.color_mode give {' x '.join(map(str, given))}. Change these two, or use another "
            "backbone."
        )


def _cut(model: Any, layer: str | None, name: str) -> Any:
    """Return the model up to a layer, or by default up to its classifier."""
    if layer is None:
        tensor = _before_classifier(model, name)
    else:
        tensor = _output_of(model, layer, name)
    return keras.Model(model.inputs[0], tensor, name="backbone")


def _before_classifier(model: Any, name: str) -> Any:
    dense = [part for part in model.layers if isinstance(part, keras.layers.Dense)]
    if not dense:
        raise UsageError(
            f"model.backbone: {name} has no dense layer, so it is not clear where its classifier "
            "begins. Set model.backbone.layer to the layer whose output is the features. Its last "
            f"layers: {_some_names(model)}."
        )
    return dense[-1].input


def _output_of(model: Any, layer: str, name: str) -> Any:
    names = [part.name for part in model.layers]
    if layer in names:
        return model.get_layer(layer).output
    # The layers of a run with a backbone are inside a model that follows the input directly.
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
