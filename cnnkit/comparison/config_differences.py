"""In what several configs differ, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from cnnkit.errors import KeyPath, dotted

# Keys of `training` that a phase may have, too; then those of the phase count.
_OF_PHASES = ("epochs", "optimizer", "schedule", "warmup_epochs", "early_stopping")
ABSENT = object()  # the value of a key that a config does not have


@dataclass(frozen=True)
class ConfigDifference:
    """A key whose value is not the same in all configs.

    Args:
        key: such as `training.optimizer.adam.learning_rate`.
        values: one per config, ABSENT if it lacks the key. Of lists with different lengths, such as
            the layers of two models, only the entries that differ.
    """

    key: str
    values: tuple[Any, ...]

    def rows(self) -> list[list[str]]:
        """Return the values as a config would have them, in rows with one cell per config.

        There is one row, or one per entry of the longest list; a key that is absent gives "".
        """
        lists = [[] if value is ABSENT else value for value in self.values]
        if all(isinstance(value, list) for value in lists):
            entries = zip_longest(*([flow_text(entry) for entry in value] for value in lists))
            return [[entry or "" for entry in row] for row in entries]
        return [["" if value is ABSENT else flow_text(value) for value in self.values]]


def config_differences(configs: Sequence[Mapping[str, Any]]) -> list[ConfigDifference]:
    """Return the keys in which configs differ, in the order of the first config.

    Args:
        configs: plain data of the YAML files, with every default filled in.

    >>> one, two = {"training": {"epochs": 3, "seed": 0}}, {"training": {"epochs": 5, "seed": 0}}
    >>> [(each.key, each.values) for each in config_differences([one, two])]
    [('training.epochs', (3, 5))]
    """
    return list(_differences((), configs))


def effective_differences(configs: Sequence[Mapping[str, Any]]) -> list[ConfigDifference]:
    """Return the keys in which configs ask for something else.

    Keys that every phase overrides are left out, and those that are null or absent in all configs.
    """
    found = config_differences([*map(effective, configs)])
    return [each for each in found if any(value not in (None, ABSENT) for value in each.values)]


def effective(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config without the keys of `training` that every phase overrides.

    >>> phases = [{"train": "linear_probe"}, {"train": "all", "epochs": 5}]
    >>> effective({"training": {"epochs": 20, "seed": 0, "phases": phases}})["training"]["seed"]
    0
    >>> "epochs" in effective({"training": {"epochs": 20, "phases": phases}})["training"]
    False
    """
    training = config.get("training")
    phases = training.get("phases") if isinstance(training, Mapping) else None
    if not isinstance(phases, list) or not phases:
        return config
    overridden = [
        key
        for key in _OF_PHASES
        # A linear probe is fitted at once, and looks at none of them.
        if all(phase.get("train") == "linear_probe" or key in phase for phase in phases)
    ]
    kept = {key: value for key, value in training.items() if key not in overridden}
    return {**config, "training": kept}


def flow_text(value: Any) -> str:
    """Return a value on one line, as in YAML.

    >>> flow_text({"conv": {"filters": 8, "use_bias": False}}), flow_text(["pool", None])
    ('conv: {filters: 8, use_bias: false}', '[pool, null]')
    """
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key}: {_inner(inner)}" for key, inner in value.items())
        return pairs or "{}"
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{flow_text(value)}}}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inner, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _differences(path: KeyPath, values: Sequence[Any]) -> Iterator[ConfigDifference]:
    if all(value == values[0] for value in values[1:]):
        return
    if all(isinstance(value, Mapping) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _differences((*path, key), [value.get(key, ABSENT) for value in values])
    elif all(isinstance(value, list) for value in values):
        if len({len(value) for value in values}) == 1:
            for index, inner in enumerate(zip(*values, strict=True)):
                yield from _differences((*path, index), inner)
        else:
            yield ConfigDifference(dotted(path), _own_entries(values))
    else:
        yield ConfigDifference(dotted(path), tuple(values))


def _own_entries(lists: Sequence[list[Any]]) -> tuple[list[Any], ...]:
    """Return the entries of each list that are not in all of them, in their order.

    The first list is compared with each other one, so that a layer that one model has in addition
    does not make all layers after it different.
    """
    first, *others = ([_inner(entry) for entry in entries] for entries in lists)
    # For each list, the position of an entry -> that of the same entry in the first list.
    same = [{place: place for place in range(len(first))}]
    for other in others:
        blocks = SequenceMatcher(a=first, b=other, autojunk=False).get_matching_blocks()
        same.append(
            {block.b + step: block.a + step for block in blocks for step in range(block.size)}
        )
    in_all = set.intersection(*(set(places.values()) for places in same))
    return tuple(
        [entry for place, entry in enumerate(entries) if places.get(place) not in in_all]
        for entries, places in zip(lists, same, strict=True)
    )
