"""A `Config` enters; YAML text leaves that reads back as the same config."""

from __future__ import annotations

from typing import Any

import yaml

from cnnkit.config.schema import Config
from cnnkit.config.yaml_reader import read_scalar


def dump_config(config: Config) -> str:
    """Return the config as YAML with every default filled in; loading it gives an equal config."""
    return yaml.dump(
        config_as_dict(config),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=1000,
    )


def config_as_dict(config: Config) -> dict[str, Any]:
    """Return the config as the plain data of its YAML, every default filled in."""
    data = config.model_dump()
    data["data"]["source"] = data["data"]["source"].replace("${", "$${")
    if config.data.source != "shapes":
        del data["data"]["shapes"]  # refused beside any other source
    backbone = config.model.backbone
    for section, key in _OF_A_BACKBONE if backbone is None else _OF_LAYERS:
        del data[section][key]
    if backbone is not None:
        data["model"]["backbone"] = backbone.as_given()
    phases = data["training"].pop("phases")
    if phases or backbone is not None:
        data["training"]["phases"] = [_phase(phase) for phase in phases]
    return data


def _phase(phase: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a phase that are not null."""
    given = {key: value for key, value in phase.items() if value is not None}
    if "data" in given:
        given["data"]["source"] = given["data"]["source"].replace("${", "$${")
        if given["data"]["source"] != "shapes":
            del given["data"]["shapes"]
    return given


_OF_LAYERS = (("model", "layers"),)
_OF_A_BACKBONE = (
    ("model", "backbone"),
    ("model", "head"),
    ("training", "fine_tune"),
    ("training", "feature_cache"),
    ("training", "feature_views"),
)


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer, which also quotes what YAML 1.2 would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    quoted = "'" if not isinstance(read_scalar(text), str) or text == "<<" else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)


_Dumper.add_representer(str, _represent_text)
