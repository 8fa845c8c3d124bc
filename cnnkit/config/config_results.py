"""What `cnnkit config check` and `cnnkit config show` find, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.config.load_config import check_config
from cnnkit.config.schema import Config
from cnnkit.config.writer import config_as_dict, dump_config
from cnnkit.errors import Problem


@dataclass(frozen=True)
class CheckedConfigs:
    """The problems of several configs, by the path of the file."""

    problems: Mapping[str, Sequence[Problem]]

    def all_problems(self) -> list[Problem]:
        """Return the problems of all files, in their order."""
        return [problem for problems in self.problems.values() for problem in problems]

    def text(self) -> str:
        """Return the files without a problem, one per line."""
        return "\n".join(f"{path}: fine" for path, found in self.problems.items() if not found)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {path: [p.as_dict() for p in found] for path, found in self.problems.items()}


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
    """Check several configs, each with the same overrides."""
    return CheckedConfigs({str(path): check_config(path, overrides) for path in paths})
