"""Read a YAML file into a `Config`, or report all of its mistakes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnkit.config.cross_checks import mistakes_between
from cnnkit.config.expansion import expand
from cnnkit.config.file_paths import fill_in_paths
from cnnkit.config.overrides import apply_overrides
from cnnkit.config.problems import Mistake, located, mistakes_of, shown
from cnnkit.config.schema import Config
from cnnkit.config.search_space import SearchSpace, mistakes_of_search
from cnnkit.config.values import plain
from cnnkit.config.yaml_reader import Document, read_yaml
from cnnkit.errors import ConfigError, Problem, UsageError, did_you_mean
from cnnkit.files import text_encoding
from cnnkit.text import first_few, quoted


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Return the config in a YAML file.

    Args:
        path: the file. Relative paths in it start from its folder.
        overrides: texts like `training.epochs=3`; each replaces or adds one key of the file.

    Raises:
        UsageError: the file does not exist or cannot be read.
        ConfigError: it has mistakes; all of them, each with file:line:column.
    """
    path = Path(path)
    return config_from_text(config_text_of(path), overrides, filename=str(path), folder=path.parent)


def check_config(path: str | Path, overrides: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Return every mistake in a config file; none if `load_config` would load it.

    Args:
        path: the file.
        overrides: as for `load_config`.

    Raises:
        UsageError: the file does not exist or cannot be read.
    """
    try:
        load_config(path, overrides)
    except ConfigError as error:
        return error.problems
    return ()


def config_from_text(
    text: str, overrides: Iterable[str] = (), *, filename: str = "config", folder: str | Path = "."
) -> Config:
    """Return the config in a YAML text; like `load_config` for text that is not in a file.

    Args:
        text: the YAML.
        overrides: as for `load_config`.
        filename: what messages call the text.
        folder: the folder that relative paths in it start from.

    Raises:
        ConfigError: the text has mistakes; all of them, each with its line and column.
    """
    return _config(read_yaml(text, filename), overrides, Path(folder))


def config_from_dict(
    data: Mapping[str, Any], overrides: Iterable[str] = (), *, folder: str | Path = "."
) -> Config:
    """Return the config that plain data describes, such as a parsed YAML file.

    Args:
        data: nested dicts and lists with the keys of the YAML file.
        overrides: as for `load_config`.
        folder: the folder that relative paths in it start from.

    Raises:
        ConfigError: the data has mistakes; all of them, each with its dotted key.
    """
    return _config(Document(plain(data)), overrides, Path(folder))


def config_from_document(document: Document, folder: str | Path) -> Config:
    """Return the config in a YAML document that was read, and perhaps changed, before.

    Args:
        document: from `read_yaml`.
        folder: the folder that relative paths in it start from.

    Raises:
        ConfigError: it has mistakes; all of them, each with its line and column.
    """
    return _config(document, (), Path(folder))


def search_space_from_text(
    text: str, overrides: Iterable[str] = (), *, filename: str = "config", folder: str | Path = "."
) -> SearchSpace:
    """Return the config in a YAML text and what its `search` section tries.

    Args:
        text: the YAML.
        overrides: as for `load_config`; they change the config as it is written.
        filename: what messages call the text.
        folder: the folder that relative paths in it start from.

    Raises:
        ConfigError: the text has mistakes, or no search.
    """
    document = read_yaml(text, filename)
    config = _config(document, overrides, Path(folder))
    if not config.search:
        message = (
            "there is nothing to search. Add a section such as "
            "search: {training.optimizer.adam.learning_rate: {log: [1e-4, 1e-2]}}."
        )
        raise ConfigError(located([Mistake((), message)], document))
    return SearchSpace(
        config.without_search(), config.search, document, lambda changed: _loaded(changed, folder)
    )


def _config(document: Document, overrides: Iterable[str], folder: Path) -> Config:
    if not isinstance(document.data, dict):
        received = shown(document.data)
        message = f"expected a config with the keys data and model, received {received}."
        raise ConfigError(located([Mistake((), message)], document))
    # Overrides come first, because they may change paths, blocks and repeats.
    apply_overrides(document, overrides)
    config = _loaded(document, folder)
    if config.search:  # values are tried only in a config that is right without them
        tried = mistakes_of_search(config.search, document, lambda changed: _read(changed, folder))
        if mistakes := list(tried):
            raise ConfigError(located(mistakes, document))
    return config


def _loaded(document: Document, folder: str | Path) -> Config:
    found = _read(document, folder)
    if isinstance(found, Config):
        return found
    raise ConfigError(located(found, document))


def _read(document: Document, folder: str | Path) -> Config | list[Mistake]:
    """Return the config of a document, or all of its mistakes."""
    # Keys that begin with x- are a place for anchors and for notes of the author.
    kept = {key: value for key, value in document.data.items() if not key.startswith("x-")}
    data = copy.deepcopy(kept)  # a search puts other values into the document, and reads it again
    mistakes = fill_in_paths(data, Path(folder))
    expansion = expand(data)
    mistakes += dict.fromkeys(
        expansion.mistakes
    )  # a block that is used twice has its mistakes twice
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        mistakes += expansion.as_written(mistakes_of(error, Config, data))
    else:  # values are compared only if each of them is right
        mistakes += expansion.as_written(mistakes_between(config))
    return mistakes or config


def config_text_of(path: Path) -> str:
    """Return the text of a config file.

    Raises:
        UsageError: it does not exist or cannot be read.
        ConfigError: it is not UTF-8.
    """
    if path.is_dir():
        raise _folder_for_config(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"There is no config {path}.{_near_files(path)}") from None
    except OSError as error:
        raise UsageError(f"The config {path} cannot be read: {error.strerror}.") from None
    try:
        return content.decode(text_encoding(content))  # `>` of PowerShell writes UTF-16
    except UnicodeDecodeError as error:
        if b"\0" in content:  # an image or another binary file: no encoding would help
            raise UsageError(f"{path} is not a text file, so it cannot be a config.") from None
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        message = "this is not UTF-8 text. Save the file with the encoding UTF-8."
        raise ConfigError([Problem(message, f"{path}:{line}:{column}")]) from None


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f" The folder {path.parent} does not exist either."
    inside = path.parent / "configs" / path.with_suffix(".yaml").name
    if inside.is_file():
        return f" Did you mean {inside}?"
    names = _configs_in(path.parent)
    listed = f" Configs in that folder: {first_few(names, 5)}." if names else ""
    return did_you_mean(path.name, names) or listed


def _folder_for_config(folder: Path) -> UsageError:
    if names := _configs_in(folder):
        what_next = f"It contains {first_few(names, 5)}."
    else:
        what_next = f"`cnnkit init {quoted(folder)}` writes one."
    return UsageError(f"{folder} is a folder, but a config is needed. {what_next}")


def _configs_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
