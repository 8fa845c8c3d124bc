"""The shipped configs enter; what each of them is and costs leaves, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cnnkit.config import read_yaml
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.summary import summarize

_KEY = "x-model"  # of a config: for how many classes it is written, and where it is from


@dataclass(frozen=True)
class Architecture:
    """A shipped config.

    Args:
        name: that of its file, without `.yaml`.
        input_shape: (height, width, channels).
        num_classes: that it is written for; another number changes the parameters.
        parameters: trained numbers.
        non_trainable: numbers kept but not trained.
        multiply_adds: for one image; a multiply-add is two FLOPs.
        source: the paper, or whoever wrote it.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    parameters: int
    non_trainable: int
    multiply_adds: int
    source: str


def architectures() -> list[Architecture]:
    """Return all shipped configs, the smallest first."""
    found = [_architecture(path) for path in config_files().values()]
    return sorted(found, key=lambda each: (each.parameters, each.name))


def config_text(name: str) -> str:
    """Return the YAML of a shipped config.

    Raises:
        UsageError: there is none of that name.
    """
    files = config_files()
    if name not in files:
        near = did_you_mean(name, files)
        raise UsageError(f"There is no config {name}.{near} `cnnkit models` lists them.")
    return files[name].read_text(encoding="utf-8")


def config_files() -> dict[str, Path]:
    """Return the shipped configs by name: those of the checkout, or those that were installed."""
    checkout = Path(__file__).resolve().parents[1] / "configs"
    if (checkout / "schema.json").is_file():
        paths = list(checkout.glob("*.yaml"))
    else:
        installed = metadata.files("cnnkit") or []
        paths = [Path(file.locate()) for file in installed if file.match("cnnkit/configs/*.yaml")]
    return {path.stem: path for path in sorted(paths)}


def _architecture(path: Path) -> Architecture:
    facts = read_yaml(path.read_text(encoding="utf-8"), path.name).data[_KEY]
    summary = summarize(path, num_classes=int(facts["classes"]))
    return Architecture(
        path.stem,
        summary.input_shape,
        summary.num_classes,
        summary.trained,
        summary.parameters - summary.trained,
        summary.multiply_adds,
        facts["source"],
    )
