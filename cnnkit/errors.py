"""The errors that users see, and the wording of "Did you mean"."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

# The way to a value: the keys and list indices from the outermost section to it.
KeyPath = tuple["str | int", ...]

_LONGEST_REASON = 400  # characters


class CnnkitError(Exception):
    """An expected failure. Its text is all the user sees; `exit_code` is what the shell sees.

    `kind` tells programs, in the JSON of `--json`, what sort of failure it is. `is_shown` is set if
    the JSON of a result has the facts of the failure already.
    """

    exit_code = 1
    kind = "failed"
    is_shown = False

    def more(self) -> dict[str, Any]:
        """Return other facts than the text, for JSON."""
        return {}


class UsageError(CnnkitError):
    """A wrong command line, a wrong config, or a run and data that do not belong together."""

    exit_code = 2
    kind = "usage"


class GateError(CnnkitError):
    """A requirement that the user set with `--require` is not met."""

    exit_code = 3
    kind = "requirement"


class OutOfMemoryError(CnnkitError):
    """The computer has not enough memory for the model or for its images."""


class DataError(CnnkitError):
    """The images or their labels cannot be used as they are.

    Args:
        message: what the user sees.
        path: the file or folder that cannot be read, if the message is about a single one.
    """

    kind = "data"

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path

    def more(self) -> dict[str, Any]:
        """Return the path, if the message is about a single file."""
        return {} if self.path is None else {"path": self.path}


class ImageError(CnnkitError):
    """One image cannot be read.

    Args:
        reason: why, without the path; this is the text of the error.
        kind: the kind of fault, as `cnnkit data check` reports it: `truncated`, `empty_file`, ...
    """

    def __init__(self, reason: str, *, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Problem(NamedTuple):
    """One mistake in a config: where it is, what is wrong, and what to do.

    Args:
        message: what is wrong, what is allowed, and the nearest name, in one or two sentences.
        location: `configs/a.yaml:3:5`, or the `--set` option that the value comes from.
        path: the keys and list indices that lead to the value; empty for the file as a whole.
        suggestion: the allowed name nearest to the one given; empty if none is near.
    """

    message: str
    location: str
    path: KeyPath = ()
    suggestion: str = ""

    @property
    def key(self) -> str:
        """The path as users write it: `model.layers[2].conv.filters`."""
        return dotted(self.path)

    def __str__(self) -> str:
        return "  ".join(part for part in (self.location, self.key, self.message) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as plain data for JSON."""
        return {
            "key": self.key,
            "message": self.message,
            "location": self.location,
            "path": list(self.path),
            "suggestion": self.suggestion,
        }


class ConfigError(UsageError):
    """All mistakes of one config, one line each."""

    kind = "config"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def more(self) -> dict[str, Any]:
        """Return the mistakes as plain data."""
        return {"problems": [problem.as_dict() for problem in self.problems]}


def reason_of(error: BaseException) -> str:
    """Return why something failed, in one line; errors of TensorFlow are a page long.

    >>> reason_of(DataError("photos is empty.")), reason_of(ValueError("no\\n  number"))
    ('photos is empty.', 'no number')
    """
    if isinstance(error, CnnkitError):
        return str(error)
    text = " ".join(str(error).split())
    if len(text) > _LONGEST_REASON:  # the last words are kept: they often name the operation
        text = f"{text[: _LONGEST_REASON // 2]} ... {text[-_LONGEST_REASON // 2 :]}"
    return text or type(error).__name__


@contextmanager
def damage_as_value_error() -> Iterator[None]:
    """Raise a ValueError for whatever a library raises inside the block for a damaged file.

    An OSError stays as it is: the file cannot be read.
    """
    try:
        yield
    except OSError:
        raise
    # Readers of ZIP, JSON and NumPy files raise errors of a dozen types if these are damaged, among
    # them TokenError and RecursionError.
    except Exception as error:
        raise ValueError(reason_of(error)) from error


def dotted(path: KeyPath) -> str:
    """Return a path as the user writes it.

    >>> dotted(("model", "layers", 3, "conv", "filters"))
    'model.layers[3].conv.filters'
    """
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def nearest_name(name: str, allowed: Iterable[str]) -> str:
    """Return the allowed name that is most like `name`, or an empty string if none is.

    Upper and lower case, underscores and hyphens make no difference.

    >>> nearest_name("kernal_size", ["filters", "kernel_size"])
    'kernel_size'
    >>> nearest_name("zzz", ["filters"])
    ''
    """
    import difflib  # takes a moment to import, and only mistakes need it

    by_folded = {_folded(candidate): candidate for candidate in allowed}
    # 0.6 is difflib's own default: one or two wrong letters in a word of five still match.
    nearest = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=0.6)
    return by_folded[nearest[0]] if nearest else ""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean x?` for the nearest allowed name, or an empty string.

    >>> did_you_mean("kernal_size", ["filters", "kernel_size"])
    ' Did you mean kernel_size?'
    """
    allowed = list(allowed)
    if alike := spelt_alike([name], allowed):
        return alike
    return suggested(nearest_name(name, allowed))


def spelt_alike(names: Iterable[str], allowed: Iterable[str]) -> str:
    r"""Return a sentence on the first name that looks like an allowed one, or an empty string.

    >>> print(spelt_alike(["cafe\u0301"], ["caf\xe9"]).replace("\u0301", "+"))
     Only the spelling of the accent differs: 'cafe\u0301' and 'caf\xe9' (Unicode NFD and NFC).
    """
    by_form = {unicodedata.normalize("NFC", other): other for other in allowed}
    for name in names:
        other = by_form.get(unicodedata.normalize("NFC", name), name)
        if other != name:
            forms = " and ".join(
                "NFC" if unicodedata.is_normalized("NFC", each) else "NFD" for each in (name, other)
            )
            return (
                f" Only the spelling of the accent differs: {ascii(name)} and {ascii(other)} "
                f"(Unicode {forms})."
            )
    return ""


def suggested(name: str) -> str:
    """Return ` Did you mean x?`, or an empty string if the name is empty."""
    return f" Did you mean {name}?" if name else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
