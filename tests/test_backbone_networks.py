"""The table of networks is that of Keras."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from keras_backbones import KERAS_NETWORKS, backbone

from cnnkit.backend import keras


def test_the_table_has_every_network_of_keras():
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(KERAS_NETWORKS) == builders
    for row in KERAS_NETWORKS.values():
        assert hasattr(getattr(keras.applications, row.module), "preprocess_input")


def test_the_arguments_of_the_table_are_those_of_keras():
    for row in KERAS_NETWORKS.values():
        parameters = inspect.signature(getattr(keras.applications, row.name)).parameters
        own = {"alpha", "depth_multiplier", "minimalistic"} & set(parameters)
        assert {name: parameters[name].default for name in own} == {
            name: argument.default for name, argument in row.arguments.items()
        }


def test_the_table_does_not_import_keras():
    code = (
        "import sys, cnnkit.backbone_networks; print([name for name in "
        "('keras', 'tensorflow', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_NETWORKS)
def test_parameters_and_minimum_size_are_those_of_keras(name):
    row = KERAS_NETWORKS[name]
    smallest = row.minimum_size
    assert backbone(name, (smallest, smallest)).count_params() == row.parameters
    with pytest.raises(ValueError, match="at least"):
        getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(smallest - 1, smallest, 3)
        )
