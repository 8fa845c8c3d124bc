"""A YAML file enters; one frozen `Config` leaves, or every mistake of the file at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnkit.config.backbone_section import NO_PATHS, PATHS, BackboneConfig
from cnnkit.config.calls import Call, call_names, layer_signature
from cnnkit.config.cross_checks import problems_between
from cnnkit.config.data_section import (
    BUILT_IN_SOURCES,
    DataConfig,
    ShapesConfig,
    SplitConfig,
)
from cnnkit.config.expansion import expand
from cnnkit.config.json_schema import json_schema
from cnnkit.config.mistakes import shown
from cnnkit.config.overrides import apply_overrides
from cnnkit.config.problems import Row, dotted, located, rows_of
from cnnkit.config.schema import Config, ModelConfig
from cnnkit.config.signatures import full_arguments, names_of
from cnnkit.config.source_path import (
    ClassListError,
    UnsetVariableError,
    read_class_list,
    resolve_source,
)
from cnnkit.config.training_section import (
    MONITORS,
    EarlyStopping,
    PhaseConfig,
    PhaseDataConfig,
    TrainingConfig,
)
from cnnkit.config.values import plain
from cnnkit.config.writer import config_as_dict, dump_config
from cnnkit.config.yaml_reader import Document, read_yaml
from cnnkit.config.yaml_reader import Path as YamlPath
from cnnkit.errors import ConfigError, Problem, UsageError

__all__ = [
    "BUILT_IN_SOURCES",
    "BackboneConfig",
    "Call",
    "Config",
    "DataConfig",
    "EarlyStopping",
    "MONITORS",
    "ModelConfig",
    "PhaseConfig",
    "PhaseDataConfig",
    "ShapesConfig",
    "SplitConfig",
    "TrainingConfig",
    "call_names",
    "check_config",
    "config_as_dict",
    "config_from_dict",
    "config_from_text",
    "dotted",
    "dump_config",
    "full_arguments",
    "json_schema",
    "layer_signature",
    "load_config",
    "names_of",
    "read_yaml",
]


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Return the config of a YAML file.

    Args:
        path: the file. A relative data.source starts from its folder.
        overrides: `training.epochs=3`-like texts; each replaces or adds one key of the file.

    Raises:
        UsageError: the file is not there or cannot be read.
        ConfigError: it has mistakes; all of them, each with file:line:column.
    """
    path = Path(path)
    return config_from_text(_file_text(path), overrides, filename=str(path), folder=path.parent)


def check_config(path: str | Path, overrides: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Return every mistake of a config file; none when `load_config` would load it.

    Args:
        path: the file.
        overrides: as for `load_config`.

    Raises:
        UsageError: the file is not there or cannot be read.
    """
    try:
        load_config(path, overrides)
    except ConfigError as error:
        return error.problems
    return ()


def config_from_text(
    text: str, overrides: Iterable[str] = (), *, filename: str = "config", folder: str | Path = "."
) -> Config:
    """Return the config that YAML text holds; as `load_config` for text that is not in a file.

    Args:
        text: the YAML.
        overrides: as for `load_config`.
        filename: what messages call the text.
        folder: the folder that a relative data.source starts from.

    Raises:
        ConfigError: the text has mistakes; all of them, each with its line and column.
    """
    return _config(read_yaml(text, filename), overrides, Path(folder))


def config_from_dict(
    data: Mapping[str, Any], overrides: Iterable[str] = (), *, folder: str | Path = "."
) -> Config:
    """Return the config that plain data, such as a parsed YAML file, describes.

    Args:
        data: nested dicts and lists with the keys of the YAML file.
        overrides: as for `load_config`.
        folder: the folder that a relative data.source starts from.

    Raises:
        ConfigError: the data has mistakes; all of them, each with its dotted key.
    """
    return _config(Document(plain(data)), overrides, Path(folder))


def _config(document: Document, overrides: Iterable[str], folder: Path) -> Config:
    if not isinstance(document.data, dict):
        received = shown(document.data)
        message = f"expected a config with the keys data and model, received {received}."
        raise ConfigError(located([((), "value", message)], document))
    apply_overrides(document, overrides)
    data = {key: value for key, value in document.data.items() if not key.startswith("x-")}
    rows = _resolve_source(data, folder) + _resolve_classes(data, folder)
    rows += _resolve_backbone(data, folder)
    expansion = expand(data)
    rows += dict.fromkeys(expansion.rows)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        rows += expansion.written(rows_of(error))
    else:
        rows += expansion.written(problems_between(config))
    if rows:
        raise ConfigError(located(rows, document))
    return config


def _resolve_source(config: dict[str, Any], folder: Path) -> list[Row]:
    rows = _resolve_source_of(config.get("data"), ("data",), folder)
    training = config.get("training")
    phases = training.get("phases") if isinstance(training, dict) else None
    for index, phase in enumerate(phases if isinstance(phases, list) else ()):
        data = phase.get("data") if isinstance(phase, dict) else None
        rows += _resolve_source_of(data, ("training", "phases", index, "data"), folder)
    return rows


def _resolve_source_of(data: Any, path: YamlPath, folder: Path) -> list[Row]:
    source = data.get("source") if isinstance(data, dict) else None
    source = getattr(source, "text", source)
    if not isinstance(source, str) or not source:
        return []  # the schema says what is wrong with it
    try:
        data["source"] = resolve_source(source, folder, os.environ)
    except UnsetVariableError as error:
        return [((*path, "source"), "value", str(error))]
    return []


def _resolve_backbone(config: dict[str, Any], folder: Path) -> list[Row]:
    """Let the paths of `model.backbone` start from the config's folder."""
    model = config.get("model")
    backbone = model.get("backbone") if isinstance(model, dict) else None
    if not isinstance(backbone, dict):
        return []
    found, rows = dict(backbone), []
    for key in PATHS:
        value = found.get(key)
        if not isinstance(value, str) or not value or value in NO_PATHS or "://" in value:
            continue
        try:
            found[key] = resolve_source(value, folder, os.environ)
        except UnsetVariableError as error:
            rows.append((("model", "backbone", key), "value", str(error)))
    config["model"] = {**model, "backbone": found}
    return rows


def _resolve_classes(config: dict[str, Any], folder: Path) -> list[Row]:
    data = config.get("data")
    classes = data.get("classes") if isinstance(data, dict) else None
    if not isinstance(classes, str):
        return []
    try:
        data["classes"] = read_class_list(folder / Path(classes).expanduser())
    except ClassListError as error:
        return [(("data", "classes"), "value", str(error))]
    return []


def _file_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"There is no config {path}.{_near_files(path)}") from None
    except OSError as error:
        raise UsageError(f"The config {path} cannot be read: {error.strerror}.") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        message = "this is not UTF-8 text. Save the file with the encoding UTF-8."
        raise ConfigError([Problem("", message, f"{path}:{line}:{column}")]) from None


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f" The folder {path.parent} does not exist either."
    names = sorted(file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml"))
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5) or names[:5]
    return f" Configs in that folder: {', '.join(near)}." if near else ""
