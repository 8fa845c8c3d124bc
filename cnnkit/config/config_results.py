"""What `cnnkit config check` and `cnnkit config show` find, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.config.data_section import BUILT_IN_SOURCES
from cnnkit.config.load_config import load_config
from cnnkit.config.schema import Config
from cnnkit.config.writer import config_as_dict, dump_config
from cnnkit.errors import UsageError
from cnnkit.text import shown


@dataclass(frozen=True)
class CheckedConfig:
    """What is said about one config file.

    Args:
        error: why it cannot be loaded; None if it can.
        notes: sentences about a config that is fine.
    """

    error: UsageError | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a failure has the keys that it has in every command."""
        if self.error is None:
            return {"problems": [], "notes": list(self.notes)}
        error = self.error
        facts = {"error": str(error), "kind": error.kind, "exit_code": error.exit_code}
        return {**facts, "problems": [], **error.more()}


@dataclass(frozen=True)
class CheckedConfigs:
    """What is said about several configs, by the path of the file."""

    files: Mapping[str, CheckedConfig]

    def errors(self) -> list[UsageError]:
        """Return the errors of all files, in their order."""
        return [found.error for found in self.files.values() if found.error is not None]

    def notes(self) -> list[str]:
        """Return the notes of all files, in their order."""
        return [note for found in self.files.values() for note in found.notes]

    def text(self) -> str:
        """Return the files that can be loaded, one per line."""
        fine = (path for path, found in self.files.items() if found.error is None)
        return "\n".join(f"{path}: fine" for path in fine)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {path: found.as_dict() for path, found in self.files.items()}


@dataclass(frozen=True)
class CompleteConfig:
    """A config with every default."""

    config: Config

    def text(self) -> str:
        """Return its YAML."""
        return dump_config(self.config).rstrip("\n")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return config_as_dict(self.config)


def check_configs(paths: Iterable[Path], overrides: Sequence[str] = ()) -> CheckedConfigs:
    """Check several configs, each with the same overrides; a missing file is one of the errors."""
    return CheckedConfigs({str(path): _checked(path, overrides) for path in paths})


def _checked(path: Path, overrides: Sequence[str]) -> CheckedConfig:
    try:
        config = load_config(path, overrides)
    except UsageError as error:
        return CheckedConfig(error)
    phases = (phase.data for phase in config.training.phases)
    sources = dict.fromkeys(data.source for data in (config.data, *phases) if data is not None)
    return CheckedConfig(
        notes=tuple(
            f"{path}: the images {shown(source)} are not on this computer. That is no mistake of "
            "the config, but training needs them."
            for source in sources
            # Paths are absolute by now, so it does not matter where the command was started.
            if source not in BUILT_IN_SOURCES and not Path(source).exists()
        )
    )
