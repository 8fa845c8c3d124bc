"""Format names, lists of names, counts, sizes and durations for messages."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Collection, Iterable

# Characters that break a line or control the terminal. Bytes that are not UTF-8 stay unchanged.
# Patterns here and in other modules that every command imports are compiled when they are first
# used: compiling takes about as long as importing the module.
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029]"
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]"

_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.I)


def shown(name: str) -> str:
    r"""Return a name unchanged, or as a JSON string in quotes if it has control characters.

    A name that begins with a quote is quoted too, so that no two names look the same.

    >>> print(shown("cat/1.jpg"), shown("new\nline.jpg"), shown('"a".png'))
    cat/1.jpg "new\nline.jpg" "\"a\".png"
    """
    has_control = not name.isprintable() and re.search(_CONTROL, name)
    return json.dumps(name) if has_control or name.startswith('"') else name


def quoted(path: str | os.PathLike[str]) -> str:
    """Return a path as a word that can be pasted into a shell, never taken for an option.

    >>> print(quoted("my runs/a"), quoted("-a"))
    'my runs/a' ./-a
    """
    return command_line(as_argument(path))


def as_argument(path: str | os.PathLike[str]) -> str:
    """Return a path that no command takes for an option.

    >>> as_argument("-a"), as_argument("a")
    ('./-a', 'a')
    """
    text = os.fspath(path)
    return f"./{text}" if text.startswith("-") else text


def command_line(*words: str) -> str:
    r"""Return words as a command that can be pasted into a shell.

    Control characters, and bytes that are not UTF-8, are written as bash and zsh read them.

    >>> print(command_line("cnnkit", "train", "my photos.yaml", "--name", "a\tb"))
    cnnkit train 'my photos.yaml' --name $'a\x09b'
    """
    if os.name == "nt":  # its shells know no single quotes around a word
        import subprocess  # takes a moment to import, and no other system needs it

        return subprocess.list2cmdline(words)
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    if word.isprintable() or not re.search(_UNPRINTABLE, word):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + re.sub(_UNPRINTABLE, lambda found: _escape(found[0]), escaped) + "'"


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def xml_text(text: str) -> str:
    """Return a text with a replacement character for each one that XML cannot say.

    >>> xml_text("caf\u00e9 \x1b[1m") == "caf\u00e9 \ufffd[1m"
    True
    """
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def first_few(names: Iterable[str], limit: int = 3) -> str:
    """Join names for a message, followed by the number of those that are not shown.

    >>> first_few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    >>> first_few(["a", "b"])
    'a, b'
    """
    names = list(names)
    few = ", ".join(map(shown, names[:limit]))
    left = len(names) - limit
    return f"{few} and {left:,} more" if left > 0 else few


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, in the plural if it is not 1.

    >>> count_of(1, "image"), count_of(2000, "image")
    ('1 image', '2,000 images')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def is_web_address(path: str) -> bool:
    """Tell whether a path is the address of something on a network, not of a file.

    >>> is_web_address("https://a.org/1.jpg"), is_web_address("gs://bucket/1.jpg")
    (True, True)
    >>> is_web_address("C:/photos/1.jpg"), is_web_address("file:///photos/1.jpg")
    (False, False)
    """
    return _ADDRESS.match(path.strip()) is not None


def size_text(num_bytes: int) -> str:
    """Return a size with its unit; 1 MB is a million bytes.

    >>> size_text(17_817_600), size_text(0), size_text(6_021_120_000)
    ('17.8 MB', '0 bytes', '6.0 GB')
    """
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= size:
            return f"{num_bytes / size:,.1f} {unit}"
    return f"{num_bytes} bytes"


def duration_text(seconds: float) -> str:
    """Return a duration, rounded to what matters.

    >>> duration_text(0.43), duration_text(7), duration_text(40.4), duration_text(240)
    ('0.4 s', '7 s', '40 s', '4 min')
    >>> duration_text(4800), duration_text(7200)
    ('1 h 20 min', '2 h')
    """
    if seconds < 89.5:
        return f"{seconds:.1f} s" if seconds < 0.95 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def extensions_text(extensions: Collection[str]) -> str:
    """Return the extensions that a file name may have, "" for a name without one.

    >>> extensions_text([".csv", ".txt", ""])
    '.csv or .txt, or have no extension'
    """
    *others, last = filter(None, extensions)
    allowed = f"{', '.join(others)} or {last}" if others else last
    return allowed + ", or have no extension" * ("" in extensions)
