"""Read, check and write the config of a training.

Where to find what:
    a key, its type and its default    data_section, model_section, training_section,
                                       runtime_section, search_section; all together in schema
    a layer, augmentation, optimizer   own_calls (ours, and the short names), keras_api.json and
    or schedule, and its arguments     keras_types (Keras's)
    the wording of a mistake           problems (in one value), cross_checks (values that do not fit
                                       together), expansion (repeat and block), yaml_reader (YAML)
    the way of a file into a Config    load_config
    a Config written as YAML           writer
"""

from cnnkit.config.calls import Call, call_names, layer_signature, read_layers
from cnnkit.config.data_section import BUILT_IN_SOURCES, DataConfig, ShapesConfig, SplitConfig
from cnnkit.config.json_schema import json_schema
from cnnkit.config.load_config import (
    check_config,
    config_from_dict,
    config_from_text,
    config_text_of,
    load_config,
    search_space_from_text,
)
from cnnkit.config.model_section import BackboneConfig, ModelConfig
from cnnkit.config.schema import Config
from cnnkit.config.search_section import Choices, Range
from cnnkit.config.search_space import SearchSpace
from cnnkit.config.signatures import full_arguments, names_of
from cnnkit.config.training_section import (
    MONITORS,
    EarlyStopping,
    PhaseConfig,
    PhaseDataConfig,
    TrainingConfig,
)
from cnnkit.config.writer import config_as_dict, dump_config
from cnnkit.config.yaml_reader import read_yaml

__all__ = [
    "BUILT_IN_SOURCES",
    "BackboneConfig",
    "Call",
    "Choices",
    "Config",
    "DataConfig",
    "EarlyStopping",
    "MONITORS",
    "ModelConfig",
    "PhaseConfig",
    "PhaseDataConfig",
    "Range",
    "SearchSpace",
    "ShapesConfig",
    "SplitConfig",
    "TrainingConfig",
    "call_names",
    "check_config",
    "config_as_dict",
    "config_from_dict",
    "config_from_text",
    "config_text_of",
    "dump_config",
    "full_arguments",
    "json_schema",
    "layer_signature",
    "load_config",
    "names_of",
    "read_layers",
    "read_yaml",
    "search_space_from_text",
]
