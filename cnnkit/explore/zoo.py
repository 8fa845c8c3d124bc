"""The shipped configs enter; what each of them is and costs leaves, without TensorFlow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cnnkit.config import read_yaml
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.explore.layer_summary import WRITTEN_FOR, summarize
from cnnkit.networks import NETWORKS


@dataclass(frozen=True)
class Architecture:
    """A shipped config.

    Args:
        name: that of its file, without `.yaml`.
        input_shape: (height, width, channels).
        num_classes: that it is written for; another number changes the parameters.
        parameters: all numbers of the model, trained or not.
        trained_parameters: numbers that training changes; what papers count.
        multiply_adds: for one image; a multiply-add is two FLOPs.
        source: the paper, or whoever wrote it.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    parameters: int
    trained_parameters: int
    multiply_adds: int
    source: str


def architectures() -> list[Architecture]:
    """Return all shipped configs, the smallest first."""
    found = [_architecture(path) for path in config_files().values()]
    return sorted(found, key=lambda each: (each.trained_parameters, each.name))


def architecture(name: str) -> Architecture:
    """Return what a shipped config is and costs.

    Raises:
        UsageError: there is none of that name.
    """
    return _architecture(_file(name))


def config_text(name: str) -> str:
    """Return the YAML of a shipped config, without what is true only where it is kept.

    Raises:
        UsageError: there is none of that name.
    """
    text = _file(name).read_text(encoding="utf-8")
    text = re.sub(r"# yaml-language-server: .*\n", "", text)  # the schema is not beside it any more
    return text.replace(f"cnnkit train configs/{name}.yaml", "cnnkit train THIS-FILE")


def _file(name: str) -> Path:
    files = config_files()
    if name not in files:
        if name in NETWORKS:
            raise UsageError(
                f"{name} is a backbone, not a config. Write model: {{backbone: {{name: {name}}}}} "
                "in yours; `cnnkit models` lists what it takes."
            )
        near = did_you_mean(name, files)
        raise UsageError(f"There is no config {name}.{near} `cnnkit models` lists them.")
    return files[name]


def config_files() -> dict[str, Path]:
    """Return the shipped configs by name: those of the checkout, or those that were installed."""
    checkout = Path(__file__).resolve().parents[2] / "configs"
    if (checkout / "schema.json").is_file():
        paths = list(checkout.glob("*.yaml"))
    else:
        installed = metadata.files("cnnkit") or []
        paths = [Path(file.locate()) for file in installed if file.match("cnnkit/configs/*.yaml")]
    return {path.stem: path for path in sorted(paths)}


def _architecture(path: Path) -> Architecture:
    facts = read_yaml(path.read_text(encoding="utf-8"), path.name).data[WRITTEN_FOR]
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
