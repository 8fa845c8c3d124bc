"""What has changed since a training was started, and whether it may go on with that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cnnkit.config.problems import shown
from cnnkit.errors import KeyPath, dotted
from cnnkit.text import quoted

# Keys that stand for something else than a value of the config.
VERSIONS = "versions"  # of packages
IMAGES = "data.source"  # what is in the files
WEIGHTS = "data.weight_column"  # what is in that column
DEVICES = "runtime.devices"  # how many there are


@dataclass(frozen=True)
class ChangedSetting:
    """A key of the config whose value is another one.

    Args:
        key: dotted.
        before: the value when the training was started; None if it had none.
        now: the value now.
    """

    key: str
    before: Any
    now: Any

    def text(self) -> str:
        """Return `training.epochs: 40 (before 20)`."""
        # Their fingerprints say nothing to people.
        if self.key == IMAGES:
            return "the images"
        if self.key == WEIGHTS and self.before and self.now:
            return "the weights of images"
        return f"{self.key}: {shown(self.now)} (before {shown(self.before)})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for run.json."""
        return vars(self)

    @property
    def raises_epochs(self) -> bool:
        """Whether a phase only gets more epochs."""
        return (
            self.key.startswith("training.")
            and self.key.rpartition(".")[2] == "epochs"
            and isinstance(self.before, int)
            and isinstance(self.now, int)
            and self.now > self.before
        )


def changed_settings(before: Sequence[str], now: Sequence[str]) -> list[ChangedSetting]:
    """Return the keys in which two configs differ, in the order of the config.

    Args:
        before: the lines of a complete config.
        now: those of another one.
    """
    old, new = (dict(leaves(yaml.safe_load("\n".join(lines)), ())) for lines in (before, now))
    return [
        ChangedSetting(dotted(key), old.get(key), new.get(key))
        for key in {**new, **old}
        if old.get(key) != new.get(key)
    ]


def keys_of(config: Mapping[str, Any]) -> set[str]:
    """Return all keys of a complete config, and its sections.

    >>> sorted(keys_of({"data": {"split": {"seed": 0}}}))
    ['data', 'data.split', 'data.split.seed']
    """
    paths = [path for path, _ in leaves(config, ())]
    return {dotted(path[:depth]) for path in paths for depth in range(1, len(path) + 1)}


def is_allowed(key: str, allowed: Collection[str]) -> bool:
    """Return whether a key, or a section that it belongs to, is among those that may change.

    >>> is_allowed("data.split.seed", ["data.split"]), is_allowed("data.splits", ["data.split"])
    (True, False)
    """
    return any(key == one or key.startswith((f"{one}.", f"{one}[")) for one in allowed)


def allowing(keys: Iterable[str]) -> str:
    """Return the options that allow these keys to have changed.

    >>> allowing(["data.source"])
    '--allow-changed data.source'
    """
    return " ".join(f"--allow-changed {quoted(key)}" for key in keys)


def leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the path and the value of every key of a config that is not a section."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path, value
