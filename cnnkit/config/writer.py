"""Write a `Config` as YAML that reads back as the same config."""

from __future__ import annotations

from typing import Any

import yaml

from cnnkit.config.file_paths import escape_paths
from cnnkit.config.schema import Config
from cnnkit.config.yaml_reader import read_scalar


def dump_config(config: Config) -> str:
    """Return the config as YAML with every default filled in; loading it gives an equal config."""
    return yaml.dump(
        config_as_dict(config),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,  # innermost mappings and lists on one line
        allow_unicode=True,
        width=1000,  # one layer per line, however long
    )


def config_as_dict(config: Config) -> dict[str, Any]:
    """Return the config as the plain data of its YAML, every default filled in."""
    data = config.model_dump(mode="json")
    backbone = config.model.backbone
    # Keys that do not go with the model would be mistakes when the config is read again.
    for section, key in _ONLY_WITH_BACKBONE if backbone is None else _ONLY_WITHOUT_BACKBONE:
        del data[section][key]
    if backbone is not None:
        data["model"]["backbone"] = backbone.as_given()
    phases = data["training"].pop("phases")
    if phases or backbone is not None:
        data["training"]["phases"] = [_without_nulls(phase) for phase in phases]
    for holder in (data["data"], *(phase["data"] for phase in phases if phase["data"])):
        if holder["source"] != "shapes":
            del holder["shapes"]  # an error together with any other source
    if not config.search:
        del data["search"]
    escape_paths(data)
    return data


def _without_nulls(phase: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in phase.items() if value is not None}


_ONLY_WITHOUT_BACKBONE = (("model", "layers"),)
_ONLY_WITH_BACKBONE = (
    ("model", "backbone"),
    ("model", "head"),
    ("training", "fine_tune"),
    ("training", "feature_cache"),
    ("training", "feature_views"),
)


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer, which also quotes what YAML 1.2 would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True  # write equal values in full, not as &id001 and *id001


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # `012` or `1e-4` as text would be read as a number, and a plain << as a merge key.
    quoted = "'" if not isinstance(read_scalar(text), str) or text == "<<" else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)


_Dumper.add_representer(str, _represent_text)
