"""The table of Keras's layers, optimizers and so on agrees with the installed Keras."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from cnnkit.augmentation import build_augmentation
from cnnkit.config import config_from_text
from cnnkit.config.calls import call_names, read_call, signature_of
from cnnkit.config.own_calls import OWN_AUGMENTATION, OWN_LAYERS
from cnnkit.config.problems import read_value
from cnnkit.config.signatures import (
    OBJECT_FAMILIES,
    REQUIRED,
    keras_api,
    keras_signature,
    names_of,
    object_type,
    object_value,
)
from cnnkit.data.pixels import PixelSettings
from configs import FULL


def _accepts_default(family: str, name: str, argument: str) -> bool:
    described = keras_signature(family, name)[argument]
    return read_value(described.type, described.default) is not ...


@pytest.mark.parametrize("family", ["layers", "augmentation", "optimizers", *OBJECT_FAMILIES])
def test_every_keras_default_is_a_value_we_accept(family: str) -> None:
    for name in names_of(family):
        for argument, facts in keras_api()[family][name]["arguments"].items():
            if "default" in facts:
                assert _accepts_default(family, name, argument), (name, argument)


def _modules() -> dict[str, Any]:
    keras = pytest.importorskip("keras")
    layers = {"layers": keras.layers, "augmentation": keras.layers}
    objects = {family: getattr(keras, family) for family in OBJECT_FAMILIES}
    return layers | objects | {"optimizers": keras.optimizers}


def test_the_installed_keras_has_every_call_and_argument_of_the_table() -> None:
    for family, module in _modules().items():
        for entry in keras_api()[family].values():
            signature = inspect.signature(getattr(module, entry["class"]).__init__)
            unknown = set(entry["arguments"]) - set(signature.parameters) - {"name"}
            assert not unknown, entry["class"]
            for argument, facts in entry["arguments"].items():
                if "default" in facts and argument in signature.parameters:
                    default = signature.parameters[argument].default
                    assert json.loads(json.dumps(default)) == facts["default"], entry["class"]


# A value for each argument that some layer requires.
SAMPLES = {
    "activation": "relu", "dims": [2, 1, 3], "factor": 1,
    "filters": 2, "height": 8, "height_factor": 0.2, "kernel_size": 3, "n": 2,
    "output_size": 2, "pool_size": 2, "rate": 0.5, "scale": 0.5, "stddev": 0.1,
    "target_shape": [-1], "units": 2, "width": 8, "width_factor": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("family", ["layers", "augmentation"])
def test_keras_builds_every_call_with_and_without_its_defaults(family: str) -> None:
    keras = pytest.importorskip("keras")
    for name in call_names(family):
        if name in OWN_LAYERS or name in OWN_AUGMENTATION:
            continue
        signature = signature_of(family, name)
        required = [n for n, argument in signature.items() if argument.default is REQUIRED]
        call = read_call(family, {name: {n: SAMPLES[n] for n in required}})
        layer = getattr(keras.layers, call.keras_name)
        assert layer(**call.keras_arguments)
        assert layer(**{k: v for k, v in call.full_arguments.items() if k != "pad"})


@pytest.mark.parametrize("family", OBJECT_FAMILIES)
def test_keras_knows_every_initialiser_regulariser_and_constraint(family: str) -> None:
    keras = pytest.importorskip("keras")
    for name in names_of(family):
        value = {name: {"value": 1.0}} if name.lower() == "constant" else name
        built = getattr(keras, family).get(object_value(family, value))
        assert type(built).__name__ == keras_api()[family][name]["class"]


def test_keras_builds_from_the_values_we_hand_over() -> None:
    keras = pytest.importorskip("keras")
    config = config_from_text(FULL)
    for call in (*config.model.layers, *config.augmentation):
        if call.keras_name:
            getattr(keras.layers, call.keras_name)(**call.keras_arguments)
    optimizer = config.training.optimizer
    built = getattr(keras.optimizers, optimizer.keras_name)(**optimizer.keras_arguments)
    assert built.momentum == 0.9
    for name in names_of("activations"):
        assert callable(keras.activations.get(name))


# Values that users try: too large, negative, the wrong way round, of the wrong length.
TRIED = [-3, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 300, 1e9, True, "", "abc", None, [], [0.5], [0, 0]]
TRIED += [[0.2, 0.1], [-0.5, 0.5], [-2, 2], [1, 2], [100, 100], [1, 2, 3]]


def _accepted(family: str, name: str, argument: str) -> Iterator[Any]:
    """Yield a call for each tried value of an argument that a config may have."""
    required = {
        n: SAMPLES[n] for n, a in signature_of(family, name).items() if a.default is REQUIRED
    }
    for value in TRIED:
        with contextlib.suppress(PydanticCustomError, ValidationError):
            yield read_call(family, {name: {**required, argument: value}})


@pytest.mark.slow
@pytest.mark.parametrize("name", call_names("augmentation"))
def test_an_augmentation_that_a_config_accepts_can_be_built(name: str) -> None:
    for argument in signature_of("augmentation", name):
        for call in _accepted("augmentation", name, argument):
            if name == "random_crop" or argument == "name":
                continue  # whether a crop fits depends on the size of the images
            assert build_augmentation([call], PixelSettings((16, 16))), call


@pytest.mark.parametrize("family", OBJECT_FAMILIES)
def test_an_initialiser_regulariser_or_constraint_that_a_config_accepts_is_built(
    family: str,
) -> None:
    keras = pytest.importorskip("keras")
    kind = object_type(family)
    for name in names_of(family):
        for argument, value in itertools.product(keras_signature(family, name), TRIED):
            with contextlib.suppress(PydanticCustomError, ValidationError):
                plain = read_value(kind, {name: {argument: value}})
                assert getattr(keras, family).get(object_value(family, plain)), plain
