"""Which split a word, the name of a folder or the name of a file means."""

from __future__ import annotations

import re

# The words that data sets use, as those who load them in other programs expect them.
_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
# What is usually put before or after such a word: `training_set`, `seg_train`, `val2017`. One digit
# is not enough: `test1`, `test2` and `test3` are the names of three classes.
_AFFIX = (
    r"(?:seg|set|images?|imgs?|pictures?|photos?|data|dataset|samples?|folder|dir|split|subset|"
    r"[0-9]{2,})"
)
_FOLDER = re.compile(rf"{_AFFIX}*({'|'.join(sorted(_WORDS, key=len, reverse=True))}){_AFFIX}*")
_SEPARATORS = re.compile(r"[\W_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # between the words of `DogsTrain`


def split_from_word(word: str) -> str | None:
    """Return the split that a word in a CSV means, upper or lower case; None for another word."""
    return _WORDS.get(word.strip().lower())


def split_from_folder(name: str) -> str | None:
    """Return the split that a folder's name means, upper or lower case; None for another name.

    >>> split_from_folder("Training"), split_from_folder("val_images"), split_from_folder("trains")
    ('train', 'validation', None)
    """
    found = _FOLDER.fullmatch(_SEPARATORS.sub("", name.lower()))
    return _WORDS[found[1]] if found else None


def split_within(name: str) -> str | None:
    """Return the split that one of the words of a name means; None for none, or for several.

    >>> split_within("flowers_train-00000-of-00002"), split_within("train_or_test")
    ('train', None)
    """
    words = _SEPARATORS.split(_HUMP.sub("_", name))
    found = {split_from_folder(word) for word in words} - {None}
    return found.pop() if len(found) == 1 else None
