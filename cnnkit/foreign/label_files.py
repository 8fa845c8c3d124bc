"""Read the class names of a model from a text file, one per line."""

from __future__ import annotations

import re
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.files import WITHOUT_MARK, open_regular
from cnnkit.text import shown

IMAGENET = "imagenet"


def imagenet_classes() -> tuple[str, ...]:
    """Return the 1,000 classes of ImageNet (ILSVRC 2012) in the order of their synset numbers.

    Each is the first English name of its WordNet synset. Where two synsets share it, a word in
    brackets or the second name tells them apart.
    """
    path = Path(__file__).with_name("imagenet_classes.txt")
    return tuple(path.read_text(encoding="utf-8").splitlines())


def read_labels(labels: str | Path) -> tuple[str, ...]:
    """Return the class names in the order of the model's outputs.

    Lines such as `0 cat`, `1 dog`, as Teachable Machine writes them, lose their numbers if they
    count from 0 in every line.

    Args:
        labels: the path of a text file, or `imagenet`.

    Raises:
        UsageError: the file cannot be read, has an empty line, or names a class twice.
    """
    if str(labels) == IMAGENET:
        return imagenet_classes()
    names = label_lines(_text(Path(labels)))
    where = f"--labels: {shown(str(labels))}"
    if not names:
        raise UsageError(f"{where} is empty. Write one class name per line.")
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise UsageError(f"{where} has no name in line {number}. Write one per line.")
        if first.setdefault(name, number) != number:
            raise UsageError(
                f"{where} has {shown(name)} in lines {first[name]} and {number}. Give each class "
                "a name of its own."
            )
    return tuple(names)


def label_lines(text: str) -> list[str]:
    """Return the names in a text of lines, without the numbers that count the lines from 0."""
    lines = [line.strip() for line in text.rstrip().splitlines()]
    counted = [re.fullmatch(r"(\d+)\s+(.*)", line) for line in lines]
    if all(match and int(match[1]) == number for number, match in enumerate(counted)):
        return [match[2] for match in counted if match]
    return lines


def _text(path: Path) -> str:
    if path.suffix.lower() == ".json":
        raise UsageError(
            f"--labels: {shown(str(path))} is JSON. Write a text file with one class name per line."
        )
    try:
        with open_regular(str(path)) as file:
            return file.read().decode(WITHOUT_MARK["encoding"])
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a UTF-8 text"
        raise UsageError(f"--labels: {shown(str(path))} cannot be read: {reason}.") from error
