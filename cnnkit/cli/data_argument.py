"""A folder, CSV, built-in name or config on the command line enters; a `data` section leaves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.config import DataConfig

_ANY_SIZE = 224  # where nothing looks at it


def is_config(argument: str) -> bool:
    """Whether the argument names a config, not a source."""
    return argument.lower().endswith((".yaml", ".yml")) and not Path(argument).is_dir()


def data_section(argument: str, overrides: tuple[str, ...] = ()) -> DataConfig:
    """Return the data section of a config, or one for the source alone; a built-in is made.

    Args:
        argument: a .yaml or .yml file, or what `data.source` may be.
        overrides: `data.resize=pad`-like texts.

    Raises:
        UsageError: an override of another section than `data` where there is no config.
        ConfigError: the config, or an override, has mistakes.
        DataError: a known set cannot be downloaded.
    """
    from cnnkit.data.sources.builtin import make_builtin
    from cnnkit.progress import report_for

    section = _section(argument, overrides)
    make_builtin(section, report_for(sys.stderr))
    return section


def _section(argument: str, overrides: tuple[str, ...]) -> DataConfig:
    from cnnkit.config import config_from_dict, load_config

    if is_config(argument):
        return load_config(argument, overrides).data
    other = [text for text in overrides if not text.startswith("data.")]
    if other:
        raise UsageError(f"--set {other[0]} needs a config; {argument} has data only.")
    section = {"source": argument, "image_size": _ANY_SIZE}
    return config_from_dict({"data": section, "model": {"layers": ["flatten"]}}, overrides).data
