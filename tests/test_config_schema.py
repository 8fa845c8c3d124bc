"""The JSON Schema with which editors complete and check configs."""

from __future__ import annotations

import json

import jsonschema
import pytest
from wrong_configs import TABLE

from cnnkit.config import config_as_dict, config_from_text, json_schema
from cnnkit.config.calls import call_names
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


# What only the loader notices: relations between values, names, whole floats, unset variables.
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


def test_every_key_has_its_description_and_its_default() -> None:
    schema = json_schema()
    sections = [schema, *(schema["$defs"][name] for name in schema["$defs"] if name[0].isupper())]
    for section in sections:
        for name, key in section["properties"].items():
            described = key if "description" in key else schema["$defs"][key["$ref"][8:]]
            assert described["description"].endswith("."), name
            alone = {"required": [name]} in section.get("anyOf", ())
            assert "default" in key or alone or name in section["required"], name


def test_the_defaults_in_the_schema_are_valid_configs(
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
