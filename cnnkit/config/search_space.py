"""A config with a search: which configs it stands for, and whether each value fits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnkit.config.overrides import RefusedError, key_path, put_value
from cnnkit.config.problems import Mistake, shown
from cnnkit.config.schema import Config
from cnnkit.config.search_section import Choices, Range, Searched
from cnnkit.config.writer import config_as_dict
from cnnkit.config.yaml_reader import Document
from cnnkit.errors import KeyPath, dotted

# From a document to its config, or to its mistakes.
ReadDocument = Callable[[Document], "Config | list[Mistake]"]
LoadDocument = Callable[[Document], Config]


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """A config with a search.

    Args:
        config: as it is written, without the search: where the search starts, and what its result
            is compared with.
        keys: what is tried for each key.
        document: of the file.
        load: turns a document into a config.
    """

    config: Config
    keys: Mapping[str, Searched]
    document: Document
    load: LoadDocument

    @property
    def num_combinations(self) -> int | None:
        """The number of configs that there are; None if a key has a range of numbers."""
        number = 1
        for searched in self.keys.values():
            if isinstance(searched, Choices):
                number *= len(searched.labels)
            elif searched.is_whole:
                number *= int(searched.high - searched.low) + 1
            else:
                return None
        return number

    def config_of(self, values: Mapping[str, Any]) -> Config:
        """Return the config with these values.

        Args:
            values: for each key a number of its range, or the label of a choice.

        Raises:
            ConfigError: the values do not fit together.
        """
        changed = Document(copy.deepcopy(self.document.data), self.document.filename)
        changed.positions, changed.key_positions = {(): (1, 1)}, {}
        changed.data.pop("search", None)
        for key, value in values.items():
            _put(changed.data, key, _value_of(self.keys[key], value))
        return self.load(changed)

    def values_as_written(self) -> dict[str, Any] | None:
        """Return the values that give the config as it is written, None if none do."""
        # A default is not in the file; and `dropout: 0.2` of the file is {rate: 0.2} when written.
        sources = (self.document.data, config_as_dict(self.config))
        found = {}
        for key, searched in self.keys.items():
            if isinstance(searched, Choices):
                same = [each for each in searched.labels if self._is_unchanged({key: each})]
                value = same[0] if same else None
            else:
                values = [_value_at(data, key_path(key) or ()) for data in sources]
                value = next((each for each in values if searched.has(each)), None)
            if value is None:
                return None
            found[key] = value
        return found if self._is_unchanged(found) else None

    def _is_unchanged(self, values: Mapping[str, Any]) -> bool:
        return self.config_of(values) == self.config


def mistakes_of_search(
    search: Mapping[str, Searched], document: Document, read: ReadDocument
) -> Iterator[Mistake]:
    """Yield what is wrong with the keys and values of a search, by trying each value by itself.

    Of a range both limits are tried.

    Args:
        search: the section.
        document: the file, which has no other mistakes.
        read: the reader of documents.
    """
    seen = set()
    for key, searched in search.items():
        for place, value in searched.examples():
            for mistake in _mistakes_with(key, value, ("search", key, *place), document, read):
                if (mistake.path, mistake.message) not in seen:
                    seen.add((mistake.path, mistake.message))
                    yield mistake


def _mistakes_with(
    key: str, value: Any, place: KeyPath, document: Document, read: ReadDocument
) -> Iterator[Mistake]:
    """Yield the mistakes that a config has with one value; their paths are in the search."""
    changed = Document(copy.deepcopy(document.data), document.filename)
    changed.data.pop("search")
    try:
        _put(changed.data, key, copy.deepcopy(value))
    except RefusedError as error:
        yield Mistake(place[:2], str(error), "key")
        return
    found = read(changed)
    target = key_path(key) or ()
    for mistake in [] if isinstance(found, Config) else found:
        path = mistake.path
        if path == target[: len(path)] and mistake.points_at == "key":  # there is no such key
            yield replace(mistake, path=place[:2])
        elif path[: len(target)] == target:
            yield replace(mistake, path=(*place, *path[len(target) :]))
        else:
            message = f"with {key}: {shown(value)}, {dotted(path) or 'the config'} is wrong: "
            yield replace(mistake, path=place, message=message + mistake.message, points_at="value")


def _put(data: Any, key: str, value: Any) -> None:
    put_value(data, key_path(key) or (), value)


def _value_of(searched: Searched, value: Any) -> Any:
    if isinstance(searched, Range):
        return int(value) if searched.is_whole else float(value)
    return copy.deepcopy(searched.values[searched.labels.index(value)])


def _value_at(data: Any, path: KeyPath) -> Any:
    """Return the value at a path of plain data, None if there is none."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
