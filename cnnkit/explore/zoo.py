"""List the shipped configs and the pretrained backbones with their costs, without TensorFlow."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cnnkit.backbone_networks import NETWORKS
from cnnkit.config import read_yaml
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.explore.summarize import WRITTEN_FOR, summarize
from cnnkit.tables import table_text

# Written by scripts/network_times.py.
_TIMES = Path(__file__).parents[1] / "network_times.json"


@dataclass(frozen=True)
class Architecture:
    """A shipped config and what its model costs.

    Args:
        name: the name of its file, without `.yaml`.
        input_shape: (height, width, channels).
        num_classes: the number of classes it is written for; another one changes the parameters.
        parameters: number of all weights, trained or not.
        trained_parameters: number of weights that training changes, which is what papers count.
        multiply_adds: for one image. One multiply-add is two FLOPs.
        source: the paper, or the author.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    parameters: int
    trained_parameters: int
    multiply_adds: int
    source: str


@dataclass(frozen=True)
class ModelList:
    """What `cnnkit models` lists: shipped configs, and backbones for a config of one's own.

    Args:
        configs: the smallest first.
        backbones: facts about each; `milliseconds` is None if it was not measured.
        measured_on: the machine and the way of the milliseconds.
    """

    configs: list[Architecture]
    backbones: list[dict[str, Any]]
    measured_on: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        configs = [asdict(each) for each in self.configs]
        return {
            "configs": configs,
            "backbones": self.backbones,
            "milliseconds_measured_on": self.measured_on,
        }

    def text(self) -> str:
        """Return two tables: the configs and the backbones."""
        configs = [
            (
                each.name,
                " x ".join(map(str, each.input_shape)),
                f"{each.num_classes:,}",
                f"{each.trained_parameters:,}",
                f"{2 * each.multiply_adds / 1e6:,.0f}",
                each.source,
            )
            for each in self.configs
        ]
        backbones = [
            (
                row["name"],
                str(row["minimum_size"]),
                str(row["default_size"]),
                f"{row['parameters'] / 1e6:.1f} M",
                "" if row["top1"] is None else f"{row['top1']:.3f}",
                "" if row["milliseconds"] is None else f"{row['milliseconds']:.1f}",
                row["licence"],
            )
            for row in self.backbones
        ]
        return "\n\n".join(
            [
                table_text(
                    ("name", "input", "classes", "trained parameters", "MFLOPs", "source"),
                    configs,
                    right=("input", "classes", "trained parameters", "MFLOPs"),
                ),
                table_text(
                    ("name", "at least", "usual size", "parameters", "top-1", "ms", "licence"),
                    backbones,
                    right=("at least", "usual size", "parameters", "top-1", "ms"),
                    title="For model.backbone, with ImageNet weights (docs/backbones.md):",
                )
                + f"\nms: for an image, measured on {self.measured_on}",
            ]
        )


@dataclass(frozen=True)
class ShippedConfig:
    """A shipped config to start from."""

    name: str
    yaml: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`: the costs and the text."""
        return {**asdict(_architecture(config_files()[self.name])), "config": self.yaml}

    def text(self) -> str:
        """Return the YAML without the line break at its end."""
        return self.yaml.removesuffix("\n")


def model_list() -> ModelList:
    """Return all shipped configs and all pretrained backbones."""
    keys = ("name", "minimum_size", "default_size", "parameters", "top1", "licence")
    times = json.loads(_TIMES.read_text(encoding="utf-8"))
    known = times["milliseconds"]
    backbones = [
        {**{key: getattr(row, key) for key in keys}, "milliseconds": known.get(row.name)}
        for row in NETWORKS.values()
    ]
    return ModelList(architectures(), backbones, f"{times['processor']}: {times['how']}")


def architectures() -> list[Architecture]:
    """Return all shipped configs, the smallest first."""
    found = [_architecture(path) for path in config_files().values()]
    return sorted(found, key=lambda each: (each.trained_parameters, each.name))


def shipped_config(name: str) -> ShippedConfig:
    """Return a shipped config.

    Raises:
        UsageError: no config has this name.
    """
    return ShippedConfig(name, config_text(name))


def config_text(name: str) -> str:
    """Return the YAML of a shipped config, ready to be saved anywhere.

    The link to the JSON Schema is removed, because the schema is not next to the copy.

    Raises:
        UsageError: no config has this name.
    """
    text = _file(name).read_text(encoding="utf-8")
    text = re.sub(r"# yaml-language-server: .*\n", "", text)
    # The command in the comment at the top would train the shipped file, not the copy.
    return text.replace(f"cnnkit train configs/{name}.yaml", "cnnkit train THIS-FILE")


def _file(name: str) -> Path:
    files = config_files()
    if name not in files:
        if name in NETWORKS:
            raise UsageError(
                f"{name} is a backbone, not a config. To use it, write model: "
                f"{{backbone: {{name: {name}}}}} in your config. `cnnkit models` lists the configs."
            )
        near = did_you_mean(name, files)
        raise UsageError(f"There is no config {name}.{near} `cnnkit models` lists them.")
    return files[name]


def config_files() -> dict[str, Path]:
    """Return the shipped configs by name, from the checkout or from the installed package."""
    checkout = Path(__file__).resolve().parents[2] / "configs"
    # In an installed package, this may be a folder `configs` of some other package.
    if (checkout / "schema.json").is_file():
        paths = list(checkout.glob("*.yaml"))
    else:
        installed = metadata.files("cnnkit") or []
        paths = [Path(file.locate()) for file in installed if file.match("cnnkit/configs/*.yaml")]
    return {path.stem: path for path in sorted(paths)}


def _architecture(path: Path) -> Architecture:
    facts = read_yaml(path.read_text(encoding="utf-8"), path.name).data[WRITTEN_FOR]
    # The number of classes is given, so that no data is needed.
    summary = summarize(path, num_classes=int(facts["classes"]))
    return Architecture(
        path.stem,
        summary.input_shape,
        summary.num_classes,
        summary.parameters,
        summary.trained,
        summary.multiply_adds,
        facts["source"],
    )
