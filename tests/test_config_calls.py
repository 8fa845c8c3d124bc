"""Layers, optimizers and schedules: every way to write them, and the arguments for Keras."""

from __future__ import annotations

import pytest

from cnnkit.config import (
    Call,
    config_from_text,
    full_arguments,
)
from cnnkit.config.calls import SHORT_NAMES, call_names, read_call
from configs import SMALL


def layer(value: object) -> Call:
    return read_call("layers", value)


@pytest.mark.parametrize(
    ("value", "keras_name", "keras_arguments"),
    [
        ("flatten", "Flatten", {}),
        ({"flatten": None}, "Flatten", {}),
        ({"dropout": 0.5}, "Dropout", {"rate": 0.5}),
        ({"conv": {"filters": 2, "kernel_size": 3}}, "Conv2D", {"filters": 2, "kernel_size": 3}),
        ({"Conv2D": {"filters": 2, "kernel_size": 3}}, "Conv2D", {"filters": 2, "kernel_size": 3}),
        ("pool", "MaxPooling2D", {"pool_size": 2}),
        ({"pool": "max"}, "MaxPooling2D", {"pool_size": 2}),
        ({"pool": "average"}, "AveragePooling2D", {"pool_size": 2}),
        ({"pool": 3}, "MaxPooling2D", {"pool_size": 3}),
        ({"pool": [2, 1]}, "MaxPooling2D", {"pool_size": [2, 1]}),
        ({"pool": {"type": "average", "strides": 1}}, "AveragePooling2D",
         {"pool_size": 2, "strides": 1}),
        ("global_pool", "GlobalAveragePooling2D", {}),
        ({"global_pool": "max"}, "GlobalMaxPooling2D", {}),
        ({"activation": "relu"}, "Activation", {"activation": "relu"}),
        ("batch_norm", "BatchNormalization", {}),
        ({"Reshape": [4, -1]}, "Reshape", {"target_shape": [4, -1]}),
        (
            {"dense": {"units": 1, "kernel_regularizer": {"l1_l2": {"l1": 1, "l2": 0.5}},
                       "bias_initializer": "ones", "bias_regularizer": None}},
            "Dense",
            {
                "units": 1,
                "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 1, "l2": 0.5}},
                "bias_initializer": {"class_name": "Ones", "config": {}},
                "bias_regularizer": None,
            },
        ),
    ],
)  # fmt: skip
def test_a_layer_means_a_keras_class_and_its_arguments(
    value: object, keras_name: str, keras_arguments: dict[str, object]
) -> None:
    call = layer(value)
    assert (call.keras_name, call.keras_arguments) == (keras_name, keras_arguments)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("flatten", "flatten"),
        ({"flatten": {}}, "flatten"),
        ({"dropout": 0.5}, {"dropout": {"rate": 0.5}}),
        (
            {"residual": ["flatten", {"dense": 3}]},
            {"residual": ["flatten", {"dense": {"units": 3}}]},
        ),
    ],
)
def test_a_call_is_always_written_in_the_same_form(value: object, written: object) -> None:
    assert layer(value).to_yaml() == written
    assert layer(written) == layer(value)


def test_a_residual_block_has_its_layers_and_no_keras_class() -> None:
    call = layer({"residual": ["flatten"]})
    assert call.arguments == {"layers": (Call("flatten"),)}
    assert call.keras_name is None
    assert call.keras_arguments == {}
    assert call.full_arguments["activation"] is None


def test_full_arguments_have_the_defaults_of_keras() -> None:
    full = full_arguments("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same"})
    assert full["filters"] == 2
    assert full["padding"] == "same"
    assert full["strides"] == [1, 1]
    assert full["use_bias"] is True
    assert layer({"pool": 3}).full_arguments["padding"] == "valid"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("optimizer: adam", Call("adam", {"learning_rate": 0.001})),
        ("optimizer: {adam: 0.01}", Call("adam", {"learning_rate": 0.01})),
        (
            "optimizer: {sgd: {momentum: 0.9}}",
            Call("sgd", {"learning_rate": 0.01, "momentum": 0.9}),
        ),
    ],
)
def test_an_optimizer_always_has_its_learning_rate(text: str, call: Call) -> None:
    assert config_from_text(SMALL + f"training: {{{text}}}").training.optimizer == call


def test_a_schedule_has_all_its_arguments() -> None:
    schedule = config_from_text(SMALL + "training: {schedule: {plateau: 5}}").training.schedule
    assert schedule == Call("plateau", {"patience": 5, "factor": 0.1, "min_learning_rate": 0.0})


def test_no_name_belongs_to_two_families() -> None:
    names = [
        n for f in ("layers", "augmentation", "optimizers", "schedules") for n in call_names(f)
    ]
    assert len(names) == len(set(names))
    assert set(SHORT_NAMES) <= set(call_names("layers"))
