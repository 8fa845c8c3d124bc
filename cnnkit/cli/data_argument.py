"""Read a data set's name, folder, file or config on the command line into a `data` section."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.config import DataConfig

_ANY_SIZE = 224  # the section needs a size, and commands that take only a source do not use it


def is_config(argument: str) -> bool:
    """Tell whether the argument names a config, not a source."""
    return argument.lower().endswith((".yaml", ".yml")) and not Path(argument).is_dir()


def data_section(argument: str, overrides: tuple[str, ...] = ()) -> DataConfig:
    """Return the data section of a config, or one that has only the source.

    The images of a built-in source are drawn or downloaded if they are not in the cache yet.

    Args:
        argument: a .yaml or .yml file, or what `data.source` may be.
        overrides: texts such as `data.resize=pad`.

    Raises:
        UsageError: an override is not of the `data` section, and there is no config.
        ConfigError: the config, or an override, has mistakes.
        DataError: a known set cannot be downloaded.
    """
    from cnnkit.data.sources.builtin import make_builtin
    from cnnkit.data.sources.builtin_names import namesake_note
    from cnnkit.data.sources.listing import check_source
    from cnnkit.progress import report_for

    section, report = _section(argument, overrides), report_for(sys.stderr)
    folder = Path(argument).parent if is_config(argument) else Path()
    if note := namesake_note(section.source, folder):
        report.note(note)
    if not is_config(argument):  # by the name that the user typed
        is_typed = os.path.abspath(argument) == section.source
        check_source(argument if is_typed else section.source, "SOURCE")
    make_builtin(section, report)
    return section


def _section(argument: str, overrides: tuple[str, ...]) -> DataConfig:
    from cnnkit.config import config_from_dict, load_config

    if is_config(argument):
        return load_config(argument, overrides).data
    other = [text for text in overrides if not text.startswith("data.")]
    if other:
        raise UsageError(f"--set {other[0]} needs a config; {argument} has data only.")
    # A config needs a model; this one is never built.
    section = {"source": argument, "image_size": _ANY_SIZE}
    return config_from_dict({"data": section, "model": {"layers": ["flatten"]}}, overrides).data
