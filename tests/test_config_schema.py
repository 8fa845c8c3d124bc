"""The JSON Schema that editors complete and check configs with, and the table of Keras's calls."""

from __future__ import annotations

import inspect
import json
from typing import Any

import jsonschema
import pytest
from wrong_configs import TABLE

from cnnkit.config import config_as_dict, config_from_text, json_schema
from cnnkit.config.calls import call_names, read_call, signature_of
from cnnkit.config.own_calls import OWN_AUGMENTATION, OWN_LAYERS
from cnnkit.config.problems import read_value
from cnnkit.config.signatures import (
    OBJECT_FAMILIES,
    REQUIRED,
    keras_api,
    keras_signature,
    names_of,
    object_value,
)
from cnnkit.config.yaml_reader import read_yaml
from configs import FULL, SMALL


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


SPELLINGS = [
    "model: {layers: [flatten, {flatten: }, {dropout: 0.5}, pool, {pool: max}, {pool: 2}]}",
    "model: {layers: [{pool: [2, 1]}, {global_pool: max}, {residual: [{residual: [flatten]}]}]}",
    "model: {layers: [{Reshape: [4, -1]}, {dense: {units: 1, kernel_regularizer: {l2: 0.1}}}]}",
    "model: {layers: [{dense: {units: 1, activation: null, bias_initializer: {constant: 1}}}]}",
    "augmentation: [random_flip, {random_zoom: [-0.1, 0.1]}, {random_crop: {height: 1, width: 1}}]",
    "augmentation:",
    "training:",
    "training: {optimizer: adam, class_weights: auto, schedule: {step: 3}}",
    "training: {optimizer: {adam: 0.01}, class_weights: {a: 1}, early_stopping: {patience: 1}}",
    "model: {backbone: {name: VGG16}}",
    "x-anything: [1, 2]",
]


@pytest.mark.parametrize("text", [SMALL, FULL])
def test_the_schema_accepts_configs_that_load(
    validator: jsonschema.Draft202012Validator, text: str
) -> None:
    validator.validate(read_yaml(text, "a.yaml").data)
    validator.validate(config_as_dict(config_from_text(text)))


@pytest.mark.parametrize("text", SPELLINGS)
def test_the_schema_accepts_every_spelling(
    validator: jsonschema.Draft202012Validator, text: str
) -> None:
    small = read_yaml(SMALL, "a.yaml").data
    validator.validate(small | read_yaml(text, "a.yaml").data)


# What only the loader can see: relations between values, names, whole floats, unset variables.
UNSEEN = ("3.0", "1e2", ".nan", "validation: 0.5", "shapes: {", "${CNNKIT", "warmup_epochs: 21")
UNSEEN += (
    "balanced_sampling",
    "batch_size: 1}",
    "group: '('",
    "name: image",
    "name: a",
    "name: dense_1",
    "name: Xception, alpha",
    "name: MobileNet, alpha",
    "name: MobileNetV3Large, minimalistic",
    "train: linear_probe",
)


@pytest.mark.parametrize(
    "text", [text for text, _ in TABLE if not any(part in text for part in UNSEEN)]
)
def test_the_schema_refuses_what_does_not_load(
    validator: jsonschema.Draft202012Validator, text: str
) -> None:
    assert not validator.is_valid(read_yaml(text, "a.yaml").data)


def test_every_key_is_described_and_every_default_shown() -> None:
    schema = json_schema()
    sections = [schema, *(schema["$defs"][name] for name in schema["$defs"] if name[0].isupper())]
    for section in sections:
        for name, key in section["properties"].items():
            described = key if "description" in key else schema["$defs"][key["$ref"][8:]]
            assert described["description"].endswith("."), name
            alone = {"required": [name]} in section.get("anyOf", ())
            assert "default" in key or alone or name in section["required"], name


def test_the_defaults_shown_are_configs_themselves(
    validator: jsonschema.Draft202012Validator,
) -> None:
    training = json_schema()["$defs"]["TrainingConfig"]["properties"]
    assert training["optimizer"]["default"] == {"adam": {"learning_rate": 0.001}}
    assert training["schedule"]["default"] == "constant"
    defaults = {name: key["default"] for name, key in training.items()}
    validator.validate(read_yaml(SMALL, "a.yaml").data | {"training": defaults})


def test_the_schema_completes_layer_names_and_arguments() -> None:
    names, calls = json_schema()["$defs"]["layers"]["oneOf"]
    assert {"flatten", "pool", "batch_norm"} <= set(names["enum"])
    assert "conv" not in names["enum"]  # its filters are required
    assert set(calls["properties"]) == {*call_names("layers"), "repeat", "block"}
    arguments = calls["properties"]["conv"]["anyOf"][0]
    assert arguments["required"] == ["filters", "kernel_size"]
    assert arguments["properties"]["padding"]["anyOf"][0] == {
        "type": "string",
        "enum": ["same", "valid"],
        "default": "valid",
    }


# --- the table of Keras's calls


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
