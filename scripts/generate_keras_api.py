"""Write `cnnkit/config/keras_api.json`, the layers, optimizers and so on that a config may use.

    python scripts/generate_keras_api.py

Configs are checked against this table, so that no TensorFlow import is needed to find mistakes. Run
the script with the oldest Keras that pyproject.toml allows (the one that Python 3.10 gets), so that
everything in the table also works with every later Keras.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

OUTPUT = Path(__file__).resolve().parent.parent / "cnnkit" / "config" / "keras_api.json"

# Arguments that cnnkit sets itself (data_format, seed, dtype) or that cannot be written in YAML.
LEFT_OUT_ARGUMENTS = {
    "self", "data_format", "seed", "dtype", "quantization_config", "lora_rank", "lora_alpha",
    "gptq_unpacked_column_size",
}  # fmt: skip

# Layers whose input is a layer, several tensors, text, sound or integers, not one feature map.
LEFT_OUT_LAYERS = {
    "AdditiveAttention", "Attention", "CategoryEncoding", "Discretization", "EinsumDense",
    "Embedding", "FlaxLayer", "GroupQueryAttention", "HashedCrossing", "Hashing", "InputLayer",
    "IntegerLookup", "JaxLayer", "Lambda", "Layer", "Masking",
    "MaxNumBoundingBoxes", "MelSpectrogram", "MultiHeadAttention", "Pipeline",
    "ReversibleEmbedding", "STFTSpectrogram", "SpectralNormalization", "StringLookup", "TFSMLayer",
    "TextVectorization", "TorchModuleWrapper", "Wrapper",
}  # fmt: skip
LEFT_OUT_MODULES = ("keras.src.layers.rnn", "keras.src.layers.merging")
IMAGE_MODULE = "keras.src.layers.preprocessing.image_preprocessing"
ORDINARY_IMAGE_LAYERS = {
    "CenterCrop",
    "Resizing",
}  # these do the same to every image, so they are not augmentations
LEFT_OUT_AUGMENTATION = {
    "CutMix",
    "MixUp",  # these need the labels; ours are in cnnkit/config/own_calls.py
    "MaxNumBoundingBoxes",
    "AugMix",  # draws its chain once, from Python's random numbers, so no seed repeats it
}
LEFT_OUT_ACTIVATIONS = {
    "glu"
}  # halves the channels, which cnnkit.arithmetic does not expect of an activation
OPTIMIZERS = ("Adam", "SGD", "AdamW", "RMSprop")


def main() -> None:
    """Write the table."""
    OUTPUT.write_text(json.dumps(keras_api(), indent=1) + "\n", encoding="utf-8")


def keras_api() -> dict[str, Any]:
    """Return the version of the installed Keras and, per family, name -> class and arguments."""
    layers = _classes(keras.layers, keras.layers.Layer)
    augmentation = {
        _snake(name): _entry(cls) for name, cls in layers.items() if _is_augmentation(cls)
    }
    return {
        "keras": keras.__version__,
        "layers": {
            name: _entry(cls, name={"default": None})
            for name, cls in layers.items()
            if _is_layer(cls)
        },
        "augmentation": augmentation,
        "optimizers": {
            name.lower(): _entry(getattr(keras.optimizers, name), leave_out={"name"})
            for name in OPTIMIZERS
        },
        "activations": _activations(),
        "initializers": _objects(keras.initializers, keras.initializers.Initializer),
        "regularizers": _objects(keras.regularizers, keras.regularizers.Regularizer),
        "constraints": _objects(keras.constraints, keras.constraints.Constraint),
    }


def _classes(module: ModuleType, parent: type) -> dict[str, type]:
    """Return the public classes of a module, without their second names (MaxPool2D)."""
    members = {name: getattr(module, name) for name in dir(module)}
    return {
        name: cls
        for name, cls in sorted(members.items())
        if inspect.isclass(cls) and issubclass(cls, parent) and cls.__name__ == name
    }


def _is_augmentation(cls: type) -> bool:
    return (
        cls.__module__.startswith(IMAGE_MODULE)
        and cls.__name__ not in ORDINARY_IMAGE_LAYERS | LEFT_OUT_AUGMENTATION
    )


def _is_layer(cls: type) -> bool:
    return (
        cls.__name__ not in LEFT_OUT_LAYERS | LEFT_OUT_AUGMENTATION
        and not cls.__module__.startswith(LEFT_OUT_MODULES)
        and not _is_augmentation(cls)
    )


def _objects(module: ModuleType, parent: type) -> dict[str, Any]:
    """Return the public names of a module's classes, both in snake case and as class names."""
    entries = {}
    for name in dir(module):
        cls = getattr(module, name)
        if not inspect.isclass(cls) or cls is parent or "stft" in name.lower():
            continue
        entries[name] = _entry(cls)
        if not _needs_no_argument(module, cls):
            entries[name]["arguments"] = dict.fromkeys(entries[name]["arguments"], {})
    return entries


def _needs_no_argument(module: ModuleType, cls: type) -> bool:
    """Return whether no argument is required, which a signature does not tell (`Constant`)."""
    try:
        module.get({"class_name": cls.__name__, "config": {}})
    except KeyError:
        return False
    return True


def _activations() -> dict[str, Any]:
    names = [
        name
        for name, function in inspect.getmembers(keras.activations, inspect.isfunction)
        if name not in {"get", "serialize", "deserialize"} | LEFT_OUT_ACTIVATIONS
    ]
    parameters = {
        name: list(inspect.signature(getattr(keras.activations, name)).parameters.values())
        for name in names
    }
    usable = [n for n in names if all(p.default is not p.empty for p in parameters[n][1:])]
    return {name: {"class": name, "arguments": {}} for name in usable}


def _entry(cls: type, leave_out: set[str] = frozenset(), **extra: dict[str, Any]) -> dict[str, Any]:
    arguments = {}
    for parameter in inspect.signature(cls.__init__).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.name not in LEFT_OUT_ARGUMENTS | leave_out:
            required = parameter.default is parameter.empty
            arguments[parameter.name] = {} if required else {"default": parameter.default}
    return {"class": cls.__name__, "arguments": arguments | extra}


def _snake(name: str) -> str:
    """Return the snake-case name: RandomFlip -> random_flip."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


if __name__ == "__main__":
    main()
